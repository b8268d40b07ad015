package wasi

import (
	"encoding/binary"
	"math"
	"testing"
)

// A span says that parameter at points to size bytes, or, if count is not 0, to as many
// times size as parameter count says.
type span struct{ at, size, count int }

func bytesAt(at, count int) span { return span{at, 1, count} }

const quiet = 16 << 10 // nothing else is written here

// pointers has, for every function with pointers, a call that succeeds, or that answers
// want if that is not 0, and its pointers.
var pointers = []struct {
	name  string
	args  []any
	want  errno
	spans []span
}{
	{"args_get", []any{result, buffer}, 0, []span{{0, 8, 0}, {1, 9, 0}}}, // prog, "a b"
	{"args_sizes_get", []any{result, result + 4}, 0, []span{{0, 4, 0}, {1, 4, 0}}},
	{"clock_res_get", []any{0, result}, 0, []span{{1, 8, 0}}},
	{"clock_time_get", []any{0, 0, result}, 0, []span{{2, 8, 0}}},
	{"environ_get", []any{result, buffer}, 0, []span{{0, 4, 0}, {1, 4, 0}}}, // A=1
	{"environ_sizes_get", []any{result, result + 4}, 0, []span{{0, 4, 0}, {1, 4, 0}}},
	{"fd_fdstat_get", []any{data, buffer}, 0, []span{{1, 24, 0}}},
	{"fd_filestat_get", []any{data, buffer}, 0, []span{{1, 64, 0}}},
	{"fd_pread", []any{5, into{2, 2}, 0, result}, 0, []span{{1, vectorSize, 2}, {4, 4, 0}}},
	{"fd_prestat_dir_name", []any{data, buffer, 5}, 0, []span{bytesAt(1, 2)}},
	{"fd_prestat_get", []any{data, result}, 0, []span{{1, 8, 0}}},
	{"fd_pwrite", []any{5, vec{"ab", "cd"}, 0, result}, 0, []span{{1, vectorSize, 2}, {4, 4, 0}}},
	{"fd_read", []any{5, into{2, 2}, result}, 0, []span{{1, vectorSize, 2}, {3, 4, 0}}},
	{"fd_readdir", []any{data, buffer, 256, 0, result}, 0, []span{bytesAt(1, 2), {4, 4, 0}}},
	{"fd_seek", []any{5, 0, 0, result}, 0, []span{{3, 8, 0}}},
	{"fd_tell", []any{5, result}, 0, []span{{1, 8, 0}}},
	{"fd_write", []any{5, vec{"ab", "cd"}, result}, 0, []span{{1, vectorSize, 2}, {3, 4, 0}}},
	{"path_create_directory", []any{data, "f/x"}, enotdir, []span{bytesAt(1, 2)}},
	{"path_filestat_get", []any{data, 0, "d/g", buffer}, 0, []span{bytesAt(2, 3), {4, 64, 0}}},
	{"path_filestat_set_times", []any{data, 0, "d/g", 0, 0, 0}, 0, []span{bytesAt(2, 3)}},
	{"path_link", []any{data, 0, "d/g", data, "d/g"}, eexist, []span{bytesAt(2, 3), bytesAt(5, 6)}},
	{"path_open", []any{data, 0, "no", 0, readWrite, 0, 0, result}, enoent, []span{bytesAt(2, 3), {8, 4, 0}}},
	{"path_readlink", []any{data, "./l", buffer, 64, result}, 0, []span{bytesAt(1, 2), bytesAt(3, 4), {5, 4, 0}}},
	{"path_remove_directory", []any{data, "no"}, enoent, []span{bytesAt(1, 2)}},
	{"path_rename", []any{data, "no", data, "other"}, enoent, []span{bytesAt(1, 2), bytesAt(4, 5)}},
	{"path_symlink", []any{"no", data, "d/g"}, eexist, []span{bytesAt(0, 1), bytesAt(3, 4)}},
	{"path_unlink_file", []any{data, "no"}, enoent, []span{bytesAt(1, 2)}},
	{"poll_oneoff", []any{quiet, quiet + 1024, 2, result}, 0, []span{{0, subscriptionSize, 2}, {1, eventSize, 2}, {3, 4, 0}}},
	{"random_get", []any{buffer, 16}, 0, []span{bytesAt(0, 1)}},
}

func TestPointers(t *testing.T) {
	g, _ := files(t)
	if fd := g.open(data, "f", 0, 0); fd != 5 {
		t.Fatalf("the file is %d", fd)
	}
	for _, c := range pointers {
		f := find(t, c.name)
		call := func(mem []byte, stack []uint64) errno {
			args := append(append([]uint64(nil), stack...), 0)
			if err := f.Call(&g.s, mem, args); err != nil {
				t.Fatalf("%s%x: %v", c.name, stack, err)
			}
			return errno(args[0])
		}
		good := g.stack(c.args)
		if e := call(g.mem, good); e != c.want {
			t.Errorf("%s%v is %d, want %d", c.name, c.args, e, c.want)
		}
		// What is above 32 bits of an i32 does not count.
		dirty := append([]uint64(nil), good...)
		for i, p := range f.Type.Params {
			if p.String() == "i32" {
				dirty[i] |= 0xdeadbeef << 32
			}
		}
		if e := call(g.mem, dirty); e != c.want {
			t.Errorf("%s%x is %d, want %d", c.name, dirty, e, c.want)
		}
		if e := call(nil, good); e != efault {
			t.Errorf("%s without a memory is %d", c.name, e)
		}
		for _, p := range c.spans {
			size := p.size
			if p.count != 0 {
				size *= int(good[p.count])
			}
			bad := func(at int, v uint64) {
				t.Helper()
				stack := append([]uint64(nil), good...)
				stack[at] = v
				if e := call(g.mem, stack); e != efault {
					t.Errorf("%s with %#x as parameter %d is %d, want %d", c.name, v, at, e, efault)
				}
			}
			for _, ptr := range []int{memSize - size + 1, memSize - 1, memSize, memSize + 1, 1 << 31, math.MaxUint32 - size + 1, math.MaxUint32} {
				bad(p.at, uint64(ptr))
			}
			if p.count != 0 {
				for _, n := range []uint64{(memSize-good[p.at])/uint64(p.size) + 1, memSize, 1 << 28, 1 << 29, 1 << 31, math.MaxUint32} {
					if n*uint64(p.size) <= memSize-good[p.at] {
						continue // of a pointer that is low
					}
					bad(p.count, n)
				}
			}
		}
	}
	// The tests of what sees no pointer.
	seen := map[string]bool{"fd_advise": true, "fd_allocate": true, "fd_close": true, "fd_datasync": true, "fd_fdstat_set_flags": true,
		"fd_fdstat_set_rights": true, "fd_filestat_set_size": true, "fd_filestat_set_times": true, "fd_renumber": true, "fd_sync": true,
		"proc_exit": true, "proc_raise": true, "sched_yield": true, "sock_accept": true, "sock_recv": true, "sock_send": true, "sock_shutdown": true}
	for _, c := range pointers {
		seen[c.name] = true
	}
	for _, f := range Functions {
		if !seen[f.Name] {
			t.Errorf("the pointers of %s are not tested", f.Name)
		}
	}
}

// Each buffer of a list is within the memory, and nothing happens before that is known.
func TestVectors(t *testing.T) {
	g, _ := files(t)
	fd := g.open(data, "f", 0, 0)
	for _, v := range [][2]uint32{{memSize, 1}, {memSize - 1, 2}, {memSize + 1, 0}, {0, memSize + 1}, {1, math.MaxUint32}, {math.MaxUint32, 1}, {math.MaxUint32, math.MaxUint32}, {1 << 31, 1 << 31}} {
		copy(g.mem[buffer:], "good")
		for i, n := range []uint32{buffer, 4, v[0], v[1]} {
			binary.LittleEndian.PutUint32(g.mem[scratch+4*i:], n)
		}
		g.want(efault, "fd_read", fd, scratch, 2, result)
		g.want(efault, "fd_pread", fd, scratch, 2, 0, result)
		g.want(efault, "fd_write", fd, scratch, 2, result)
		g.want(efault, "fd_pwrite", fd, scratch, 2, 0, result)
		if string(g.mem[buffer:buffer+4]) != "good" {
			t.Errorf("with %x, %q was read", v, g.mem[buffer:buffer+4])
		}
	}
	g.want(efault, "fd_write", fd, vec{"bad"}, memSize-3)
	g.want(0, "fd_read", fd, into{16}, result)
	if got := g.mem[buffer : buffer+int(g.u32(result))]; string(got) != "hello" {
		t.Errorf("the file is %q", got)
	}

	// More than fits 32 bits, from overlapping buffers.
	g.mem = make([]byte, 1<<20)
	n := 1 << 12
	for i := range n {
		binary.LittleEndian.PutUint32(g.mem[buffer+8*i+4:], 1<<20)
	}
	g.want(einval, "fd_write", 1, buffer, n, result)
	g.want(0, "fd_write", 1, buffer, n-1, result)
	if got := g.u32(result); got != uint32(n-1)<<20 {
		t.Errorf("wrote %d", got)
	}
	g.want(0, "fd_write", 1, len(g.mem), 0, result)
	// A list that the guest reads over.
	g.want(0, "fd_seek", fd, 0, 0, result)
	for i, v := range []uint32{scratch + 8, 4, buffer, 4} {
		binary.LittleEndian.PutUint32(g.mem[scratch+4*i:], v)
	}
	g.want(efault, "fd_read", fd, scratch, 2, result)
}
