package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
)

// What does not end, with its parameters.
var endless = map[string][]uint64{"spin": nil, "sum": nil, "nested": nil, "tree": {62}, "tails": nil}

func (g *guest) stop(on bool) {
	g.state.stopped.Store(on)
	if on {
		g.Stop()
	} else {
		g.Resume()
	}
}

func testStop(t *testing.T, open Open) {
	g := newGuest(t, open)
	for export, params := range endless {
		done := make(chan error)
		go func() {
			_, err := g.call(export, 1, params...)
			done <- err
		}()
		time.Sleep(5 * time.Millisecond)
		select {
		case err := <-done:
			t.Fatalf("%s ends by itself: %v", export, err)
		default:
		}
		g.stop(true)
		select {
		case err := <-done:
			trap, ok := err.(*engine.Trap)
			if !ok || trap.Reason != engine.Unreachable && !errors.Is(err, errStopped) {
				t.Errorf("%s: error %v", export, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s was not stopped", export)
		}
		g.stop(false)
		if got := g.one("tree", 5); got != 32 {
			t.Errorf("after %s: %d", export, got)
		}
	}
	// What is called while it is stopped ends too.
	g.stop(true)
	if _, err := g.call("spin", 0); err == nil {
		t.Error("a stopped instance runs")
	}
	g.stop(false)
}

// Collections finish while a guest runs.
func testCollector(t *testing.T, open Open) {
	g := newGuest(t, open)
	done := make(chan error)
	go func() {
		_, err := g.call("sum", 1)
		done <- err
	}()
	for range 20 {
		begun := time.Now()
		runtime.GC()
		if d := time.Since(begun); d > 5*time.Second {
			t.Errorf("a collection took %v", d)
		}
	}
	g.stop(true)
	if err := <-done; err == nil {
		t.Error("it has ended by itself")
	}
}

func testCompile(t *testing.T, open Open) {
	e := start(t, open, Options())
	if e.Name() == "" || e.Version() == "" {
		t.Errorf("name %q, version %q", e.Name(), e.Version())
	}
	// i32.add with nothing to add, in a module that otherwise is fine.
	bad := []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x05\x01\x03\x00\x6a\x0b")
	if m, err := e.Compile(t.Context(), &instrument.Rewritten{Binary: bad, Check: e.Check()}, [32]byte{3}); err == nil {
		t.Error("it was compiled")
		_ = m.Close()
	} else if msg := err.Error(); len(msg) == 0 || len(msg) > 200 || bytes.ContainsRune([]byte(msg), '\n') {
		t.Errorf("error %q", msg)
	}
	r, err := instrument.Rewrite(Guest, e.Check())
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("nobody waits any more")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if m, err := e.Compile(ctx, r, [32]byte{4}); err == nil {
		_ = m.Close() // it may have been faster
	} else if !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
}

// testCache compiles with a cache, again with what that holds, and again with that
// damaged in several ways.
func testCache(t *testing.T, open Open) {
	dir := t.TempDir()
	opts := Options()
	opts.Cache = dir
	opts.Warn = func(string, error) {}
	run := func() {
		t.Helper()
		e, err := open(opts)
		if err != nil {
			t.Fatal(err)
		}
		r, err := instrument.Rewrite(Guest, e.Check())
		if err != nil {
			t.Fatal(err)
		}
		m, err := e.Compile(t.Context(), r, [32]byte{1})
		if err != nil {
			t.Fatal(err)
		}
		g := instantiate(t, m, r, nil)
		if got := g.one("add32", 1, 2); got != 3 {
			t.Errorf("1 + 2 = %d", got)
		}
		g.close()
		if err := errors.Join(m.Close(), e.Close()); err != nil {
			t.Error(err)
		}
	}
	run()
	first := tree(t, dir)
	if len(first) == 0 {
		t.Fatal("nothing was cached")
	}
	run()
	if again := tree(t, dir); fmt.Sprint(again) != fmt.Sprint(first) {
		t.Errorf("the second run has changed the cache:\n%v\n%v", first, again)
	}
	for name, damage := range map[string]func(b []byte) []byte{
		"a bit":   func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"cut off": func(b []byte) []byte { return b[:len(b)/2] },
		"empty":   func([]byte) []byte { return nil },
		"longer":  func(b []byte) []byte { return append(b, 0) },
	} {
		for path := range tree(t, dir) {
			b, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, damage(b), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		damaged := tree(t, dir)
		run()
		for path, was := range damaged {
			if tree(t, dir)[path] == was {
				t.Errorf("%s: %s is still damaged", name, path)
			}
		}
	}
}

// tree returns the files below dir, with size and time.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			files[path] = fmt.Sprint(info.Size(), info.ModTime().UnixNano())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// testParallel has many instances of one module at work while others come and go.
func testParallel(t *testing.T, open Open) {
	m, r := compile(t, start(t, open, Options()), Guest, 1)
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Go(func() {
			for round := range 20 {
				g := instantiate(t, m, r, nil)
				n := uint64(k*20 + round)
				if got, err := g.call("again", 1, n); err != nil || got[0] != n*(n+1)/2 {
					t.Errorf("again(%d) = %v, %v", n, got, err)
				}
				if _, err := g.call("divide", 1, 1, 0); err == nil {
					t.Error("no trap")
				}
				g.close()
			}
		})
	}
	for range 5 {
		runtime.GC()
	}
	wg.Wait()
}
