//go:build cgo && (linux || darwin) && (amd64 || arm64)

package wasmtime

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/engine/enginetest"
	"entangle.example/entangle/host/internal/instrument"
)

// A cached is a cache directory, and the warnings about it.
type cached struct {
	t        *testing.T
	dir      string // that is told
	path     string // of Guest's file
	mu       sync.Mutex
	warnings []string
}

func newCached(t *testing.T) *cached {
	c := &cached{t: t, dir: t.TempDir()}
	c.path = entry(c.dir, [32]byte{1})
	return c
}

// compile compiles Guest in an engine of its own, and runs it.
func (c *cached) compile() {
	c.t.Helper()
	opts := enginetest.Options()
	opts.Cache = c.dir
	opts.Warn = func(msg string, err error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.warnings = append(c.warnings, msg+": "+err.Error())
	}
	e, err := New(opts)
	if err != nil {
		c.t.Error(err)
		return
	}
	r, err := instrument.Rewrite(enginetest.Guest, e.Check())
	if err != nil {
		c.t.Error(err)
		return
	}
	m, err := e.Compile(c.t.Context(), r, [32]byte{1})
	if err != nil {
		c.t.Error(err)
		return
	}
	l := page(c.t)
	in, err := m.Instantiate(engine.Config{Memory: l})
	if err != nil {
		c.t.Error(err)
		return
	}
	stack := []uint64{1, 2}
	if err := in.Call(m.Func("add64"), stack); err != nil || stack[0] != 3 {
		c.t.Errorf("1 + 2 = %d, %v", stack[0], err)
	}
	if err := errors.Join(in.Close(), m.Close(), e.Close()); err != nil {
		c.t.Error(err)
	}
	l.Free()
}

// warned checks that there was one warning, with that in it, since the last time.
func (c *cached) warned(want string) {
	c.t.Helper()
	if want == "" && len(c.warnings) > 0 || want != "" && (len(c.warnings) != 1 || !strings.Contains(c.warnings[0], want)) {
		c.t.Errorf("warnings %q, want %q", c.warnings, want)
	}
	c.warnings = nil
}

func TestCacheDamaged(t *testing.T) {
	c := newCached(t)
	c.compile()
	c.warned("")
	good, err := os.ReadFile(c.path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]struct {
		make func() error
		want string
	}{
		"a bit of code": {func() error {
			bad := append([]byte(nil), good...)
			bad[len(bad)/3] ^= 4
			return os.WriteFile(c.path, bad, 0o600)
		}, "checksum is wrong"},
		"a bit of the sum": {func() error {
			bad := append([]byte(nil), good...)
			bad[len(bad)-1] ^= 1
			return os.WriteFile(c.path, bad, 0o600)
		}, "checksum is wrong"},
		"half":  {func() error { return os.WriteFile(c.path, good[:len(good)/2], 0o600) }, "checksum is wrong"},
		"empty": {func() error { return os.WriteFile(c.path, nil, 0o600) }, "not a compiled module"},
		"a FIFO": {func() error {
			return errors.Join(os.Remove(c.path), syscall.Mkfifo(c.path, 0o600))
		}, "not a compiled module"},
		"gone": {func() error { return os.Remove(c.path) }, ""},
	} {
		if err := damage.make(); err != nil {
			t.Fatal(name, err)
		}
		c.compile()
		c.warned(damage.want)
		if info, err := os.Lstat(c.path); err != nil || info.Size() != int64(len(good)) {
			t.Errorf("%s: it was not made anew: %v", name, err)
		}
		c.compile()
		c.warned("")
	}
}

// Compiled code that others may have written is not run.
func TestCacheOfOthers(t *testing.T) {
	c := newCached(t)
	c.compile()
	dir := filepath.Dir(c.path)
	for _, mode := range []os.FileMode{0o770, 0o702} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		c.compile()
		c.warned("others may write there")
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, 12345, -1); err != nil {
			t.Fatal(err)
		}
		c.compile()
		c.warned("belongs to another user")
	}
	c.dir = filepath.Join(c.path, "is a file")
	c.compile()
	c.warned("cannot be cached")
}

func TestCacheShared(t *testing.T) {
	c := newCached(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(c.compile)
	}
	wg.Wait()
	c.warned("")
	// What a process that died has left is removed, and what another writes is not.
	dir := filepath.Dir(c.path)
	dead, alive := filepath.Join(dir, "dead"+engine.Unfinished), filepath.Join(dir, "alive"+engine.Unfinished)
	for _, path := range []string{dead, alive} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-2 * time.Hour)
	if err := errors.Join(os.Chtimes(dead, old, old), os.Remove(c.path)); err != nil {
		t.Fatal(err)
	}
	c.compile()
	c.warned("")
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 || left[0].Name() != filepath.Base(c.path) && left[1].Name() != filepath.Base(c.path) {
		t.Errorf("the directory has %v, %v", left, err)
	}
}
