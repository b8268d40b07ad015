package wasi

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// The types of preview 1, as its documents have them.
const types = `
args_get (i32, i32) -> i32
args_sizes_get (i32, i32) -> i32
clock_res_get (i32, i32) -> i32
clock_time_get (i32, i64, i32) -> i32
environ_get (i32, i32) -> i32
environ_sizes_get (i32, i32) -> i32
fd_advise (i32, i64, i64, i32) -> i32
fd_allocate (i32, i64, i64) -> i32
fd_close (i32) -> i32
fd_datasync (i32) -> i32
fd_fdstat_get (i32, i32) -> i32
fd_fdstat_set_flags (i32, i32) -> i32
fd_fdstat_set_rights (i32, i64, i64) -> i32
fd_filestat_get (i32, i32) -> i32
fd_filestat_set_size (i32, i64) -> i32
fd_filestat_set_times (i32, i64, i64, i32) -> i32
fd_pread (i32, i32, i32, i64, i32) -> i32
fd_prestat_dir_name (i32, i32, i32) -> i32
fd_prestat_get (i32, i32) -> i32
fd_pwrite (i32, i32, i32, i64, i32) -> i32
fd_read (i32, i32, i32, i32) -> i32
fd_readdir (i32, i32, i32, i64, i32) -> i32
fd_renumber (i32, i32) -> i32
fd_seek (i32, i64, i32, i32) -> i32
fd_sync (i32) -> i32
fd_tell (i32, i32) -> i32
fd_write (i32, i32, i32, i32) -> i32
path_create_directory (i32, i32, i32) -> i32
path_filestat_get (i32, i32, i32, i32, i32) -> i32
path_filestat_set_times (i32, i32, i32, i32, i64, i64, i32) -> i32
path_link (i32, i32, i32, i32, i32, i32, i32) -> i32
path_open (i32, i32, i32, i32, i32, i64, i64, i32, i32) -> i32
path_readlink (i32, i32, i32, i32, i32, i32) -> i32
path_remove_directory (i32, i32, i32) -> i32
path_rename (i32, i32, i32, i32, i32, i32) -> i32
path_symlink (i32, i32, i32, i32, i32) -> i32
path_unlink_file (i32, i32, i32) -> i32
poll_oneoff (i32, i32, i32, i32) -> i32
proc_exit (i32)
proc_raise (i32) -> i32
random_get (i32, i32) -> i32
sched_yield () -> i32
sock_accept (i32, i32, i32) -> i32
sock_recv (i32, i32, i32, i32, i32, i32) -> i32
sock_send (i32, i32, i32, i32, i32) -> i32
sock_shutdown (i32, i32) -> i32
`

func TestFunctions(t *testing.T) {
	var got strings.Builder
	for _, f := range Functions {
		got.WriteString("\n" + f.Name + " " + f.Type.String())
	}
	if got.String()+"\n" != types {
		t.Errorf("the functions are:%s", got.String())
	}
}

func TestStrings(t *testing.T) {
	for _, c := range []struct {
		sizes, get string
		with       func(list ...string) Config
	}{
		{"args_sizes_get", "args_get", func(list ...string) Config { return Config{Args: list} }},
		{"environ_sizes_get", "environ_get", func(list ...string) Config { return Config{Env: list} }},
	} {
		for _, list := range [][]string{nil, {""}, {"prog", "a b", "", "naïve"}} {
			g := begin(t, c.with(list...))
			g.want(0, c.sizes, result, result+4)
			want := strings.Join(list, "\x00") + "\x00"
			if list == nil {
				want = ""
			}
			if n, size := g.u32(result), g.u32(result+4); int(n) != len(list) || int(size) != len(want) {
				t.Errorf("%s%q is %d, %d", c.sizes, list, n, size)
			}
			g.want(0, c.get, buffer, buffer+1024)
			if got := g.mem[buffer+1024:][:len(want)]; string(got) != want {
				t.Errorf("%s%q is %q", c.get, list, got)
			}
			for i, s := range list {
				if at := g.mem[g.u32(buffer+4*i):]; string(at[:len(s)+1]) != s+"\x00" {
					t.Errorf("%s: pointer %d leads to %q, want %q", c.get, i, at[:len(s)+1], s)
				}
			}
			// All of it, to the last byte of the memory.
			g.want(0, c.get, buffer, memSize-len(want))
			if len(want) > 0 {
				g.want(efault, c.get, buffer, memSize-len(want)+1)
			}
		}
	}
}

func TestClocks(t *testing.T) {
	g := begin(t, Config{})
	read := func(id int) int64 {
		g.want(0, "clock_time_get", id, 1, result)
		return int64(g.u64(result))
	}
	before := time.Now().UnixNano()
	if now := read(clockRealtime); now < before || now > time.Now().UnixNano() {
		t.Errorf("realtime is %d, not soon after %d", now, before)
	}
	// Other States, so other calls and snapshots, see the same clock go on.
	last := read(clockMonotonic)
	if last <= 0 {
		t.Errorf("monotonic is %d", last)
	}
	for range 100 {
		g = begin(t, Config{})
		now := read(clockMonotonic)
		if now < last {
			t.Fatalf("monotonic goes from %d to %d", last, now)
		}
		last = now
	}
	for id := range 2 {
		g.want(0, "clock_res_get", id, result)
		if n := g.u64(result); n == 0 || n > 1e6 {
			t.Errorf("clock %d has a resolution of %d ns", id, n)
		}
	}
	for _, id := range []int{2, 3, 4, math.MaxUint32} {
		g.want(einval, "clock_res_get", id, result)
		g.want(einval, "clock_time_get", id, 0, result)
	}
}

func TestRandom(t *testing.T) {
	g := begin(t, Config{})
	g.want(0, "random_get", buffer, 32)
	first := slices.Clone(g.mem[buffer : buffer+32])
	g.want(0, "random_get", buffer, 32)
	if bytes.Equal(first, g.mem[buffer:buffer+32]) || bytes.Equal(first, make([]byte, 32)) {
		t.Errorf("random_get gives %x again", first)
	}
	if !bytes.Equal(g.mem[buffer+32:buffer+64], make([]byte, 32)) {
		t.Error("random_get wrote beyond its buffer")
	}
	g.want(0, "random_get", memSize, 0)
	g.mem = make([]byte, 3*piece+1)
	g.want(0, "random_get", 0, len(g.mem))
	for i := range 4 {
		if at := i * piece; bytes.Equal(g.mem[max(at-16, 0):][:16], make([]byte, 16)) {
			t.Errorf("zeros before byte %d", at)
		}
	}
}

func TestExit(t *testing.T) {
	g := begin(t, Config{})
	for _, code := range []int{0, 1, 7, math.MaxUint32} {
		_, err := g.try("proc_exit", code)
		if exit, ok := errors.AsType[*Exit](err); !ok || exit.Code != uint32(code) {
			t.Errorf("proc_exit(%d) is %v", code, err)
		}
	}
	g.want(enosys, "proc_raise", 6)
	g.want(0, "sched_yield")
}

func TestSockets(t *testing.T) {
	g, _ := files(t)
	for fd, want := range map[int]errno{0: enotsock, 1: enotsock, data: enotsock, 5: ebadf, -1: ebadf} {
		g.want(want, "sock_accept", fd, 0, result)
		g.want(want, "sock_recv", fd, into{8}, 0, result, result+4)
		g.want(want, "sock_send", fd, vec{"x"}, 0, result)
		g.want(want, "sock_shutdown", fd, 1)
	}
}

// Nothing of one call is there in the next.
func TestBegin(t *testing.T) {
	g, dir := files(t)
	for range maxDescriptors {
		if g.call("path_open", data, 0, "f", 0, readWrite, 0, 0, result) != 0 {
			break
		}
	}
	g.want(0, "fd_close", 1)
	g.want(0, "fd_renumber", data, 0)
	if err := g.s.End(); err != nil {
		t.Fatal(err)
	}
	if err := g.s.End(); err != nil {
		t.Errorf("ended again: %v", err)
	}
	g.want(ebadf, "fd_write", 1, vec{"x"}, result)

	var out bytes.Buffer
	g.s.Begin(Config{Stdout: &out, Mounts: []Mount{mount(t, dir, "data", false)}})
	g.want(0, "args_sizes_get", result, result+4)
	if g.u32(result) != 0 {
		t.Error("the arguments of the call before are still there")
	}
	g.want(0, "fd_write", 1, vec{"x"}, result)
	if out.String() != "x" {
		t.Errorf("wrote %q", out.String())
	}
	g.want(0, "fd_prestat_get", data, result)
	g.want(ebadf, "fd_prestat_get", readOnly, result)
	g.want(ebadf, "fd_fdstat_get", 5, result)
}

func TestAllocations(t *testing.T) {
	g, _ := files(t)
	g.s.config.Stdin, g.s.config.Stopped = strings.NewReader(""), func() error { return nil }
	g.s.streams[1].writer = discard{}
	fd := g.open(data, "f", 0, 0)
	for _, c := range []struct {
		name string
		args []any
	}{
		{"fd_write", []any{1, vec{"0123456789", "abc"}, result}},
		{"fd_write", []any{2, vec{"0123456789"}, result}},
		{"fd_read", []any{0, into{16}, result}},
		{"fd_write", []any{fd, vec{"0123456789", "abc"}, result}},
		{"fd_pwrite", []any{fd, vec{"0123456789"}, 0, result}},
		{"fd_pread", []any{fd, into{16}, 0, result}},
		{"fd_seek", []any{fd, 0, 0, result}},
		{"fd_read", []any{fd, into{16}, result}},
		{"fd_tell", []any{fd, result}},
		{"fd_filestat_get", []any{fd, buffer}},
		{"clock_time_get", []any{0, 1, result}},
		{"clock_time_get", []any{1, 1, result}},
		{"random_get", []any{buffer, 32}},
		{"args_sizes_get", []any{result, result + 4}},
		{"args_get", []any{result, buffer}},
		{"environ_sizes_get", []any{result, result + 4}},
		{"environ_get", []any{result, buffer}},
		{"fd_fdstat_get", []any{1, result}},
		{"fd_prestat_get", []any{3, result}}, // fails
		{"sched_yield", nil},
	} {
		f, stack := find(t, c.name), append(g.stack(c.args), 0)
		args := make([]uint64, len(stack))
		if n := testing.AllocsPerRun(100, func() {
			copy(args, stack)
			if err := f.Call(&g.s, g.mem, args); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s%v allocates %v times", c.name, c.args, n)
		}
	}
	var s State
	c := Config{Stdout: discard{}}
	if n := testing.AllocsPerRun(100, func() {
		s.Begin(c)
		if err := s.End(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Begin and End allocate %v times", n)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// A call that is over ends in every operation on files, and in the middle of long ones.
func TestStopped(t *testing.T) {
	over := errors.New("over")
	g, _ := files(t)
	fd := g.open(data, "f", 0, 0)
	g.s.config.Stopped = func() error { return over }
	for _, c := range []struct {
		name string
		args []any
	}{
		{"fd_advise", []any{fd, 0, 0, 0}},
		{"fd_allocate", []any{fd, 0, 1}},
		{"fd_datasync", []any{fd}},
		{"fd_filestat_get", []any{fd, result}},
		{"fd_filestat_set_size", []any{fd, 0}},
		{"fd_filestat_set_times", []any{fd, 0, 0, 0}},
		{"fd_pread", []any{fd, into{4}, 0, result}},
		{"fd_pwrite", []any{fd, vec{"x"}, 0, result}},
		{"fd_read", []any{fd, into{4}, result}},
		{"fd_readdir", []any{data, buffer, 256, 0, result}},
		{"fd_seek", []any{fd, 0, 0, result}},
		{"fd_sync", []any{fd}},
		{"fd_tell", []any{fd, result}},
		{"fd_write", []any{fd, vec{"x"}, result}},
		{"path_create_directory", []any{data, "new"}},
		{"path_filestat_get", []any{data, 0, "f", result}},
		{"path_filestat_set_times", []any{data, 0, "f", 0, 0, 0}},
		{"path_link", []any{data, 0, "f", data, "new"}},
		{"path_open", []any{data, 0, "f", 0, readWrite, 0, 0, result}},
		{"path_readlink", []any{data, "l", buffer, 64, result}},
		{"path_remove_directory", []any{data, "d"}},
		{"path_rename", []any{data, "f", data, "new"}},
		{"path_symlink", []any{"f", data, "new"}},
		{"path_unlink_file", []any{data, "f"}},
		{"sched_yield", nil},
		{"fd_write", []any{1, vec{"x"}, result}},
		{"fd_read", []any{0, into{1}, result}},
	} {
		if _, err := g.try(c.name, c.args...); err != over {
			t.Errorf("%s%v is %v", c.name, c.args, err)
		}
	}

	// Each of these would do dozens of pieces.
	looks := 0
	g.s.config.Stopped = func() error {
		if looks++; looks > 3 {
			return over
		}
		return nil
	}
	g.mem = make([]byte, 64<<20)
	for _, c := range []struct {
		name string
		args []any
	}{
		{"random_get", []any{0, len(g.mem)}},
		{"fd_write", []any{1, 0, len(g.mem) / vectorSize, result}}, // of no bytes each
		{"poll_oneoff", []any{0, 0, len(g.mem) / subscriptionSize, result}},
	} {
		looks = 0
		clear(g.mem)
		if _, err := g.try(c.name, c.args...); err != over || looks != 4 {
			t.Errorf("%s%v is %v after %d looks", c.name, c.args, err, looks)
		}
	}
	looks = 0
	if _, err := g.try("fd_write", 1, vec{strings.Repeat("x", 50*piece)}, result); err != over || looks != 4 {
		t.Errorf("a long fd_write is %v after %d looks", err, looks)
	}
}
