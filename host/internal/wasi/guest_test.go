package wasi

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A guest calls functions as a module would: its memory is 64 KiB, of which the upper
// half is for the strings and buffers of one call.
type guest struct {
	t      testing.TB
	s      State
	mem    []byte
	top    uint64
	sleeps []time.Duration
}

const (
	result  = 64   // where results go
	buffer  = 4096 // where what is read goes
	scratch = 32 << 10
	memSize = 64 << 10
)

// Arguments of a call, beside numbers and strings, which are a pointer and a length.
type (
	vec  []string // buffers to write: a pointer and a count
	into []int    // lengths of buffers to read into, from buffer on: the same
)

func begin(t testing.TB, c Config) *guest {
	g := &guest{t: t, mem: make([]byte, memSize)}
	if c.Sleep == nil {
		c.Sleep = func(d time.Duration) error { g.sleeps = append(g.sleeps, d); return nil }
	}
	g.s.Begin(c)
	t.Cleanup(func() {
		if err := g.s.End(); err != nil {
			t.Errorf("End: %v", err)
		}
	})
	return g
}

func (g *guest) put(b []byte) uint64 {
	at := g.top
	copy(g.mem[at:], b)
	g.top += uint64(len(b)+7) &^ 7
	return at
}

// stack lays out arguments.
func (g *guest) stack(args []any) (stack []uint64) {
	g.t.Helper()
	g.top = scratch
	list := func(n int, each func(i int) (ptr, len uint64)) {
		var iov []byte
		for i := range n {
			ptr, size := each(i)
			iov = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(iov, uint32(ptr)), uint32(size))
		}
		stack = append(stack, g.put(iov), uint64(n))
	}
	for _, a := range args {
		switch a := a.(type) {
		case int:
			stack = append(stack, uint64(a))
		case uint64:
			stack = append(stack, a)
		case string:
			stack = append(stack, g.put([]byte(a)), uint64(len(a)))
		case vec:
			list(len(a), func(i int) (uint64, uint64) { return g.put([]byte(a[i])), uint64(len(a[i])) })
		case into:
			at := uint64(buffer)
			list(len(a), func(i int) (uint64, uint64) { at += uint64(a[i]); return at - uint64(a[i]), uint64(a[i]) })
		default:
			g.t.Fatalf("argument %T", a)
		}
	}
	return stack
}

func find(t testing.TB, name string) *Function {
	t.Helper()
	for i := range Functions {
		if Functions[i].Name == name {
			return &Functions[i]
		}
	}
	t.Fatalf("no function %s", name)
	return nil
}

// try calls a function that may end the call.
func (g *guest) try(name string, args ...any) (errno, error) {
	g.t.Helper()
	f, stack := find(g.t, name), g.stack(args)
	if len(stack) != len(f.Type.Params) {
		g.t.Fatalf("%s takes %d parameters, got %d", name, len(f.Type.Params), len(stack))
	}
	stack = append(stack, 0)
	err := f.Call(&g.s, g.mem, stack)
	return errno(stack[0]), err
}

func (g *guest) call(name string, args ...any) errno {
	g.t.Helper()
	e, err := g.try(name, args...)
	if err != nil {
		g.t.Fatalf("%s%v ends the call: %v", name, args, err)
	}
	return e
}

// want calls a function and reports an answer that is not e.
func (g *guest) want(e errno, name string, args ...any) {
	g.t.Helper()
	if got := g.call(name, args...); got != e {
		g.t.Errorf("%s%v is %d, want %d", name, args, got, e)
	}
}

func (g *guest) u32(at int) uint32 { return binary.LittleEndian.Uint32(g.mem[at:]) }
func (g *guest) u64(at int) uint64 { return binary.LittleEndian.Uint64(g.mem[at:]) }

const all = 1<<29 - 1 // every right

// readWrite are the rights that tests open files with.
const readWrite = rightFDRead | rightFDWrite

// open opens a file that is there, or must be made.
func (g *guest) open(dir int, name string, how, flags int) int {
	g.t.Helper()
	rights := uint64(all)
	if how&openDirectory != 0 {
		rights &^= rightFDWrite
	}
	g.want(0, "path_open", dir, lookupFollow, name, how, rights, uint64(all), flags, result)
	return int(g.u32(result))
}

// data and read are the descriptors of the two directories that files gives a guest.
const (
	data     = 3
	readOnly = 4
)

// files makes a guest with a directory that it may change and one that it may not:
//
//	secret
//	data/f (hello), d/g, l -> f, dl -> d, out -> ../secret, up -> .., abs -> /…/secret, loop -> loop
//	read/f (fixed), d
func files(t testing.TB) (g *guest, dir string) {
	dir = t.TempDir()
	for name, text := range map[string]string{"secret": "secret", "data/f": "hello", "data/d/g": "nested", "read/f": "fixed", "read/d/h": ""} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"l": "f", "dl": "d", "out": "../secret", "up": "..", "abs": filepath.Join(dir, "secret"), "loop": "loop"} {
		if err := os.Symlink(target, filepath.Join(dir, "data", name)); err != nil {
			t.Skipf("links cannot be made here: %v", err)
		}
	}
	return begin(t, Config{Args: []string{"prog", "a b"}, Env: []string{"A=1"}, Mounts: []Mount{mount(t, dir, "data", false), mount(t, dir, "read", true)}}), dir
}

func mount(t testing.TB, dir, name string, ro bool) Mount {
	t.Helper()
	root, err := os.OpenRoot(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	})
	return Mount{Root: root, Guest: "/" + name, ReadOnly: ro}
}
