package wasi

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzCalls calls functions with whatever arguments: each answers an errno or exits,
// none panics or waits, what is outside of the guest's directory stays as it was, and no
// descriptor outlives the call.
//
// A call is the number of a function and a byte for each parameter, which picks one of
// the values that lead somewhere.
func FuzzCalls(f *testing.F) {
	for i := range Functions {
		f.Add([]byte{byte(i), 3, 1, 2, 3, 4, 5, 6, 7, 8, byte(i), 20, 21, 22, 23, 24, 25, 26, 27, 28})
	}
	f.Add([]byte{31, 3, 1, 40, 4, 1, 63, 63, 0, 10, 26, 5, 12, 2, 10, 8, 5}) // open, write, close
	f.Fuzz(func(t *testing.T, calls []byte) {
		outer := t.TempDir()
		before := open(t)
		dir := filepath.Join(outer, "in")
		for _, err := range []error{
			os.MkdirAll(filepath.Join(dir, "d"), 0o700), os.WriteFile(filepath.Join(dir, "f"), []byte("text"), 0o600),
			os.WriteFile(filepath.Join(outer, "secret"), []byte("secret"), 0o600),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink("../secret", filepath.Join(dir, "l")); err != nil {
			t.Skip(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		var s State
		s.Begin(Config{Args: []string{"prog"}, Env: []string{"A=1"}, Mounts: []Mount{{Root: root, Guest: "/in"}, {Root: root, Guest: "/ro", ReadOnly: true}},
			Sleep: func(time.Duration) error { return nil }})
		mem := fuzzMemory()
		for len(calls) > 0 {
			f := &Functions[int(calls[0])%len(Functions)]
			calls = calls[1:]
			stack := make([]uint64, len(f.Type.Params)+1)
			for i := range f.Type.Params {
				if len(calls) == 0 {
					break
				}
				stack[i] = fuzzValue(calls[0])
				calls = calls[1:]
			}
			if f.Name == "fd_allocate" {
				stack[1], stack[2] = stack[1]&0xfff, stack[2]&0xfff // the disk is real
			}
			err := f.Call(&s, mem, stack)
			if exit, ok := errors.AsType[*Exit](err); err != nil && (!ok || f.Name != "proc_exit" || exit.Code != uint32(stack[0])) {
				t.Fatalf("%s: %v", f.Name, err)
			}
			if err == nil && stack[0] > uint64(enotcapable) {
				t.Fatalf("%s answers %#x", f.Name, stack[0])
			}
		}
		if err := errors.Join(s.End(), root.Close()); err != nil {
			t.Fatal(err)
		}
		if after := open(t); after != before {
			t.Fatalf("%d descriptors were open, %d are", before, after)
		}
		if b, err := os.ReadFile(filepath.Join(outer, "secret")); string(b) != "secret" {
			t.Fatalf("the secret is %q, %v", b, err)
		}
		if found, err := os.ReadDir(outer); err != nil || len(found) != 2 {
			t.Fatalf("outside there are %v, %v", found, err)
		}
	})
}

// open counts the descriptors that are open, where the system lists them.
func open(t *testing.T) int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return len(list)
}

// fuzzMemory has paths at 64 i, and lists of buffers behind them.
func fuzzMemory() []byte {
	mem := make([]byte, 4096)
	for i, name := range []string{"f", "d", "l", ".", "..", "d/n", "n", "d/..", "../n", "/", "f/", "d/", "n/", "l/x", "\x00", "\xff"} {
		copy(mem[64*i:], name)
	}
	for i, v := range []uint32{64, 4, 4000, 96, 4000, 97, 0xffffffff, 2} {
		binary.LittleEndian.PutUint32(mem[1024+4*i:], v)
	}
	return mem
}

// fuzzValue returns what a byte stands for: small numbers, pointers to what fuzzMemory
// has, and edges.
func fuzzValue(b byte) uint64 {
	switch {
	case b < 32:
		return uint64(b)
	case b < 64:
		return uint64(b-32) * 64
	case b < 128:
		return 1 << (b - 64)
	case b < 192:
		return 1<<(b-128) - 1
	case b < 208:
		return 4096 - uint64(b-192)
	}
	return ^uint64(b - 208)
}
