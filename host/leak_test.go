package host_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

// A census counts what a process holds.
type census struct{ goroutines, files, mappings, code int }

func takeCensus(t testing.TB) census {
	t.Helper()
	c := census{goroutines: runtime.NumGoroutine()}
	if runtime.GOOS != "linux" {
		return c // elsewhere there is no /proc to look at
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	c.files, c.mappings = len(fds), bytes.Count(maps, []byte("\n"))
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, " r-xp ") && strings.Contains(line, " 00:00 0 ") {
			c.code++ // of guests
		}
	}
	return c
}

// settled waits until what is held is no more than before, for goroutines and
// threads end in their own time.
func settled(t *testing.T, before census) {
	t.Helper()
	// The runtime maps more memory for itself as it goes.
	const runtimesOwn = 24
	var now census
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		runtime.GC()
		now = takeCensus(t)
		if now.goroutines <= before.goroutines && now.files <= before.files && now.code <= before.code && now.mappings <= before.mappings+runtimesOwn {
			return
		}
	}
	t.Errorf("before: %+v; now: %+v", before, now)
}

func TestNothingLeaks(t *testing.T) {
	dir := tree(t)
	round := func(calls int) {
		h, err := host.Open(config().WithCacheDir(t.TempDir()).WithCPUs(2).WithGrants(grant(t, "fs:rw="+dir+":/d")))
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		}()
		plain, files, state := loadGuest(t, h, "plain", ""), load(t, h, "testdata/files.wasm").Task("main"), loadGuest(t, h, "state", "")
		typed := loadGuest(t, h, "typed", typedSleepers+"task fail_trap()\ntask exit()\n")
		startTrap, stop := loadGuest(t, h, "start_trap", "").Task("f"), loadGuest(t, h, "stop", "")
		narrow := files.With(graph.Policy{Grants: []abi.Grant{grant(t, "fs:ro="+dir+"/a:/d")}})
		brief := graph.Policy{Timeout: time.Millisecond}
		for range calls {
			for _, n := range []*graph.Node{
				plain.Task("i64")(1), plain.Task("trap")(), state.Task("next")(), state.Task("need")(65000), startTrap(),
				files("read", "/d/a/x"), files("open", "/d/a/x", 50), files("list", "/d"), narrow("open", "/d/x", 50),
				typed.Task("echo")(make([]byte, 9)), typed.Task("fail_trap")(), typed.Task("exit")(),
				stop.Task("spin")().With(brief), typed.Task("sleep")().With(brief), files("open", "/d/a/x", 50).With(brief),
			} {
				_, _ = graph.RunAll(t.Context(), h, []*graph.Node{n}) // many of them are to fail
			}
			if _, err := h.LoadBytes(t.Context(), "bad", []byte(function("\x6a"))); err == nil {
				t.Error("a bad module is loaded")
			}
		}
	}
	round(1) // what is made once stays
	before := takeCensus(t)
	round(20)
	settled(t, before)
}

// Without Close, many calls hold no more than a few.
func TestCallsLeaveNothing(t *testing.T) {
	h := open(t, config().WithoutCache().WithCPUs(2))
	plain, stop := loadGuest(t, h, "plain", ""), loadGuest(t, h, "stop", "")
	round := func(n int) {
		var nodes []*graph.Node
		for range n {
			nodes = append(nodes, plain.Task("i64")(1))
		}
		if _, err := graph.RunAll(t.Context(), h, nodes); err != nil {
			t.Fatal(err)
		}
		for range n / 20 {
			// Deadlines that pass at any moment of a call.
			for _, task := range []string{"spin", "fib"} {
				var args []any
				if task == "fib" {
					args = []any{3}
				}
				_, _ = run(t.Context(), h, stop.Task(task).With(graph.Policy{Timeout: 100 * time.Microsecond}), args...)
			}
		}
	}
	round(100)
	before := takeCensus(t)
	round(2000)
	settled(t, before)
}

func TestClose(t *testing.T) {
	h, err := host.Open(config().WithoutCache())
	if err != nil {
		t.Fatal(err)
	}
	b := guest(t, "plain", "")
	m, err := h.LoadBytes(t.Context(), "plain", b)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := run(t.Context(), h, m.Task("i64"), 1); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("running: error %v", err)
	}
	for name, binary := range map[string][]byte{"the same": b, "another": guest(t, "stop", "")} {
		if _, err := h.LoadBytes(t.Context(), name, binary); err == nil || !strings.Contains(err.Error(), "the host is closed") {
			t.Errorf("loading %s: error %v", name, err)
		}
	}
	if m.Info().Name != "plain" || len(m.Tasks()) == 0 {
		t.Error("the module does not know any more what it was")
	}
}

// Close waits for what runs, while others start runs and load modules.
func TestCloseMeanwhile(t *testing.T) {
	h, err := host.Open(config().WithoutCache().WithCPUs(2))
	if err != nil {
		t.Fatal(err)
	}
	plain := loadGuest(t, h, "plain", "")
	var ended atomic.Int64
	var started, wg sync.WaitGroup
	started.Add(8)
	for range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				_, err := run(context.Background(), h, plain.Task("i64"), i)
				if i == 0 {
					started.Done()
				}
				if err != nil {
					if !strings.Contains(err.Error(), "closed") {
						t.Error(err)
					}
					return
				}
				ended.Add(1)
			}
		})
	}
	wg.Go(func() {
		for i := range 10_000 {
			_, err := h.LoadBytes(context.Background(), "m", []byte(function(strings.Repeat("\x01", i))))
			if err != nil {
				if !strings.Contains(err.Error(), "the host is closed") {
					t.Error(err)
				}
				return
			}
		}
	})
	started.Wait()
	var closing sync.WaitGroup
	for range 3 {
		closing.Go(func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	closing.Wait()
	wg.Wait()
	if ended.Load() == 0 {
		t.Error("nothing ran")
	}
}

// A run that is under way when the host closes goes on to its end.
func TestCloseWaits(t *testing.T) {
	h, err := host.Open(config().WithoutCache().WithCPUs(1))
	if err != nil {
		t.Fatal(err)
	}
	stop, plain := loadGuest(t, h, "stop", ""), loadGuest(t, h, "plain", "")
	f := graph.Start(t.Context(), h, []*graph.Node{plain.Task("divide")(stop.Task("fib")(22), 1)})
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-f.Done():
	default:
		t.Error("Close did not wait")
	}
	if vs, err := f.Wait(); err != nil || jsonOf(t, vs[0]) != "17711" {
		t.Errorf("got %v, %v", vs, err)
	}
	if errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}
