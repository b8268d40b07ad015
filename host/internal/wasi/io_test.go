package wasi

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func (g *guest) read(fd, n int) string {
	g.t.Helper()
	g.want(0, "fd_read", fd, into{n}, result)
	return string(g.mem[buffer : buffer+int(g.u32(result))])
}

func (g *guest) write(fd int, parts ...string) {
	g.t.Helper()
	g.want(0, "fd_write", fd, vec(parts), result)
	if n := g.u32(result); int(n) != len(strings.Join(parts, "")) {
		g.t.Errorf("wrote %d of %q", n, parts)
	}
}

func TestStreams(t *testing.T) {
	var out, errOut bytes.Buffer
	g := begin(t, Config{Stdin: strings.NewReader("some input"), Stdout: &out, Stderr: &errOut})
	g.write(1, "to ", "", "out")
	g.write(2, "to err")
	if out.String() != "to out" || errOut.String() != "to err" {
		t.Errorf("wrote %q and %q", out.String(), errOut.String())
	}
	if got := g.read(0, 4) + g.read(0, 100) + g.read(0, 4); got != "some input" {
		t.Errorf("read %q", got)
	}
	g.want(ebadf, "fd_read", 1, into{1}, result)
	g.want(ebadf, "fd_write", 0, vec{"x"}, result)
	for fd := range 3 {
		g.want(espipe, "fd_seek", fd, 0, 0, result)
		g.want(espipe, "fd_tell", fd, result)
		g.want(espipe, "fd_pread", fd, into{1}, 0, result)
		g.want(espipe, "fd_pwrite", fd, vec{"x"}, 0, result)
		g.want(espipe, "fd_advise", fd, 0, 0, 0)
		g.want(espipe, "fd_allocate", fd, 0, 1)
		g.want(einval, "fd_filestat_set_size", fd, 0)
		g.want(einval, "fd_filestat_set_times", fd, 0, 0, 0)
		g.want(einval, "fd_sync", fd)
		g.want(einval, "fd_datasync", fd)
		g.want(enotdir, "fd_readdir", fd, buffer, 64, 0, result)
		g.want(enotdir, "path_open", fd, 0, "f", 0, readWrite, 0, 0, result)
		g.want(ebadf, "fd_prestat_get", fd, result)
		g.want(ebadf, "fd_prestat_dir_name", fd, buffer, 64)
		g.want(0, "fd_filestat_get", fd, buffer)
		if !bytes.Equal(g.mem[buffer:buffer+filestatSize], make([]byte, filestatSize)) {
			t.Errorf("stream %d has a filestat of %x", fd, g.mem[buffer:buffer+filestatSize])
		}
		// libc takes a character device for a terminal, and writes byte by byte.
		g.want(0, "fd_fdstat_get", fd, buffer)
		if kind := g.mem[buffer]; kind != typeUnknown {
			t.Errorf("stream %d is of type %d", fd, kind)
		}
		g.want(0, "fd_fdstat_set_flags", fd, flagNonblock)
		g.want(0, "fd_fdstat_get", fd, buffer)
		if flags := g.mem[buffer+2]; flags != flagNonblock {
			t.Errorf("stream %d has flags %d", fd, flags)
		}
		g.want(0, "fd_close", fd)
		g.want(ebadf, "fd_close", fd)
	}

	g = begin(t, Config{})
	g.write(1, "nowhere")
	g.write(2, "nowhere")
	if got := g.read(0, 10); got != "" {
		t.Errorf("read %q from nowhere", got)
	}
}

// A guest cannot ignore what ends its call.
func TestStreamErrors(t *testing.T) {
	full := errors.New("the log is full")
	g := begin(t, Config{Stdin: iotest.ErrReader(full), Stdout: &limited{1, full}, Stderr: &limited{0, nil}})
	if _, err := g.try("fd_write", 1, vec{"a", "b"}, result); err != full {
		t.Errorf("a write that fails is %v", err)
	}
	if _, err := g.try("fd_write", 2, vec{"ab"}, result); err != io.ErrShortWrite {
		t.Errorf("a short write is %v", err)
	}
	g.want(eio, "fd_read", 0, into{1}, result)
}

// limited takes n writes whole, and nothing of the next ones.
type limited struct {
	n   int
	err error
}

func (l *limited) Write(b []byte) (int, error) {
	if l.n == 0 {
		return 0, l.err
	}
	l.n--
	return len(b), nil
}

func TestFileIO(t *testing.T) {
	g, dir := files(t)
	fd := g.open(data, "new", openCreate, 0)
	g.write(fd, "0123", "456789")
	tell := func() uint64 {
		g.want(0, "fd_tell", fd, result)
		return g.u64(result)
	}
	seek := func(offset int, whence int) uint64 {
		g.want(0, "fd_seek", fd, offset, whence, result)
		return g.u64(result)
	}
	if tell() != 10 || seek(-4, io.SeekCurrent) != 6 || g.read(fd, 2) != "67" || seek(-1, io.SeekEnd) != 9 || seek(2, io.SeekStart) != 2 || tell() != 2 {
		t.Error("the offset goes astray")
	}
	g.want(0, "fd_read", fd, into{1, 0, 3, 100}, result)
	if n := g.u32(result); string(g.mem[buffer:buffer+int(n)]) != "23456789" {
		t.Errorf("read %q", g.mem[buffer:buffer+int(n)])
	}
	g.want(0, "fd_pread", fd, into{2, 3}, 1, result)
	if n := g.u32(result); string(g.mem[buffer:buffer+int(n)]) != "12345" || tell() != 10 {
		t.Errorf("read %q at 1", g.mem[buffer:buffer+int(n)])
	}
	g.want(0, "fd_pread", fd, into{4}, 8, result)
	if n := g.u32(result); n != 2 {
		t.Errorf("read %d at 8", n)
	}
	g.want(0, "fd_pread", fd, into{4}, math.MaxInt32, result)
	if n := g.u32(result); n != 0 {
		t.Errorf("read %d beyond the end", n)
	}
	g.want(0, "fd_pwrite", fd, vec{"ab", "c"}, 2, result)
	if tell() != 10 {
		t.Error("fd_pwrite moved the offset")
	}
	for _, offset := range []uint64{1 << 63, math.MaxUint64} {
		g.want(einval, "fd_pread", fd, into{4}, offset, result)
		g.want(einval, "fd_pwrite", fd, vec{"x"}, offset, result)
	}
	g.want(einval, "fd_seek", fd, -1, io.SeekStart, result)
	g.want(einval, "fd_seek", fd, -20, io.SeekCurrent, result)
	g.want(einval, "fd_seek", fd, uint64(1<<63), io.SeekStart, result)
	seek(1, io.SeekStart)
	if e := g.call("fd_seek", fd, math.MaxInt64, io.SeekCurrent, result); e != einval && e != eoverflow {
		t.Errorf("a seek past 2^63 is %d", e)
	}
	g.want(einval, "fd_seek", fd, 0, 3, result)
	g.want(0, "fd_filestat_set_size", fd, 5)
	g.want(efbig, "fd_filestat_set_size", fd, uint64(1<<63))
	g.want(0, "fd_sync", fd)
	g.want(0, "fd_datasync", fd)
	g.want(0, "fd_sync", data)
	g.want(0, "fd_advise", fd, 0, 0, 5)
	g.want(einval, "fd_advise", fd, 0, 0, 6)
	g.want(einval, "fd_advise", fd, uint64(1<<63), 0, 0)
	g.want(einval, "fd_advise", fd, math.MaxInt64, 1, 0)
	if b, err := os.ReadFile(filepath.Join(dir, "data/new")); string(b) != "01abc" {
		t.Errorf("the file is %q, %v", b, err)
	}
	switch e := g.call("fd_allocate", fd, 3, 97); e {
	case 0:
		if info, err := os.Stat(filepath.Join(dir, "data/new")); err != nil || info.Size() != 100 {
			t.Errorf("allocated: %v, %v", info, err)
		}
	case enotsup:
	default:
		t.Errorf("fd_allocate is %d", e)
	}
	g.want(einval, "fd_allocate", fd, 0, 0)
	g.want(einval, "fd_allocate", fd, uint64(1<<63), 1)
	g.want(einval, "fd_allocate", fd, 1, math.MaxInt64)

	// A directory is no file.
	for _, fd := range []int{data, g.open(data, "d", openDirectory, 0)} {
		g.want(eisdir, "fd_read", fd, into{1}, result)
		g.want(eisdir, "fd_write", fd, vec{"x"}, result)
		g.want(eisdir, "fd_pread", fd, into{1}, 0, result)
		g.want(eisdir, "fd_pwrite", fd, vec{"x"}, 0, result)
		g.want(eisdir, "fd_seek", fd, 0, 0, result)
		g.want(eisdir, "fd_tell", fd, result)
		g.want(eisdir, "fd_advise", fd, 0, 0, 0)
		g.want(eisdir, "fd_allocate", fd, 0, 1)
		g.want(eisdir, "fd_filestat_set_size", fd, 0)
	}
}

// What a file is opened for is what can be done with it.
func TestRights(t *testing.T) {
	g, _ := files(t)
	open := func(rights int) int {
		g.want(0, "path_open", data, 0, "f", 0, rights, 0, 0, result)
		return int(g.u32(result))
	}
	r, w, neither := open(rightFDRead), open(rightFDWrite), open(0)
	for _, c := range []struct {
		fd                   int
		read, write          errno
		hasRead, hasNotWrite bool
	}{{r, 0, ebadf, true, true}, {w, ebadf, 0, false, false}, {neither, ebadf, ebadf, false, true}} {
		g.want(c.read, "fd_read", c.fd, into{1}, result)
		g.want(c.read, "fd_pread", c.fd, into{1}, 0, result)
		g.want(c.write, "fd_write", c.fd, vec{"h"}, result)
		g.want(c.write, "fd_pwrite", c.fd, vec{"h"}, 0, result)
		g.want(c.write, "fd_filestat_set_size", c.fd, 5)
		if c.write != 0 {
			g.want(c.write, "fd_allocate", c.fd, 0, 1)
		}
		g.want(0, "fd_fdstat_get", c.fd, buffer)
		if base := g.u64(buffer + 8); base&rightFDRead != 0 != c.hasRead || base&rightFDWrite == 0 != c.hasNotWrite {
			t.Errorf("descriptor %d has rights %x", c.fd, base)
		}
	}

	// Rights go, and do not come back.
	fd := open(readWrite)
	g.want(0, "fd_fdstat_set_rights", fd, rightFDRead, 0)
	g.want(enotcapable, "fd_fdstat_set_rights", fd, readWrite, 0)
	g.want(enotcapable, "fd_fdstat_set_rights", fd, 0, rightFDRead)
	g.want(ebadf, "fd_write", fd, vec{"x"}, result)
	g.want(ebadf, "fd_fdstat_set_rights", 99, 0, 0)
	g.want(enotcapable, "fd_fdstat_set_rights", 1, rightFDRead, 0)

	g.want(0, "fd_fdstat_get", data, buffer)
	base, inheriting := g.u64(buffer+8), g.u64(buffer+16)
	if base&(readWrite|rightFDSeek|rightFDSetSize) != 0 || base&rightPathSetSize == 0 || inheriting&readWrite != readWrite || inheriting&base != base {
		t.Errorf("a directory has rights %x, %x", base, inheriting)
	}
	// A guest opens a directory with all that it has of it.
	g.want(0, "path_open", data, 0, ".", 0, base, inheriting, 0, result)
	g.want(0, "fd_fdstat_get", int(g.u32(result)), buffer)
	if g.u64(buffer+8) != base || g.u64(buffer+16) != inheriting {
		t.Errorf("opened again, it has rights %x, %x", g.u64(buffer+8), g.u64(buffer+16))
	}
	g.want(0, "path_open", data, 0, "f", openTruncate, 0, 0, 0, result)
	g.want(0, "fd_fdstat_set_rights", data, base&^rightPathSetSize, inheriting)
	g.want(enotcapable, "path_open", data, 0, "f", openTruncate, 0, 0, 0, result)
}

func TestFlags(t *testing.T) {
	g, dir := files(t)
	fd := g.open(data, "new", openCreate, flagAppend|flagSync)
	flags := func(want byte) {
		t.Helper()
		g.want(0, "fd_fdstat_get", fd, buffer)
		if g.mem[buffer] != typeRegular || g.mem[buffer+2] != want {
			t.Errorf("type %d, flags %x; want flags %x", g.mem[buffer], g.mem[buffer+2], want)
		}
	}
	flags(flagAppend | flagSync)
	g.write(fd, "12")
	g.want(0, "fd_seek", fd, 0, 0, result)
	g.write(fd, "34")
	switch e := g.call("fd_fdstat_set_flags", fd, 0); e {
	case 0:
		flags(flagSync) // as it was opened
		g.want(0, "fd_seek", fd, 0, 0, result)
		g.write(fd, "ab")
		g.want(0, "fd_pwrite", fd, vec{"c"}, 2, result)
		g.want(0, "fd_fdstat_set_flags", fd, flagAppend|flagNonblock)
		flags(flagAppend | flagNonblock | flagSync)
		g.want(0, "fd_seek", fd, 0, 0, result)
		g.write(fd, "56")
		if b, err := os.ReadFile(filepath.Join(dir, "data/new")); string(b) != "abc456" {
			t.Errorf("the file is %q, %v", b, err)
		}
		g.want(0, "fd_seek", fd, 1, 0, result)
		g.want(0, "fd_pwrite", fd, vec{"7"}, 0, result) // at 0, says POSIX; at the end, does Linux
		g.want(0, "fd_tell", fd, result)
		if g.u64(result) != 1 {
			t.Error("fd_pwrite moved the offset")
		}
	case enotsup:
	default:
		t.Errorf("fd_fdstat_set_flags is %d", e)
	}
	g.want(enotsup, "fd_fdstat_set_flags", fd, flagDsync)
	g.want(einval, "fd_fdstat_set_flags", fd, 32)
	g.want(einval, "fd_fdstat_set_flags", fd, 1<<16)
	g.want(ebadf, "fd_fdstat_set_flags", 99, 0)
	g.want(einval, "path_open", data, 0, "f", 0, readWrite, 0, 32, result)
	g.want(0, "fd_fdstat_set_flags", data, flagNonblock)
}

func TestDescriptors(t *testing.T) {
	g, _ := files(t)
	for _, fd := range []any{5, 99, maxDescriptors, -1, math.MaxInt32, uint64(1 << 31), math.MaxUint32} {
		g.want(ebadf, "fd_close", fd)
		g.want(ebadf, "fd_read", fd, into{1}, result)
		g.want(ebadf, "fd_readdir", fd, buffer, 64, 0, result)
		g.want(ebadf, "fd_seek", fd, 0, 0, result)
		g.want(ebadf, "fd_fdstat_get", fd, result)
		g.want(ebadf, "fd_filestat_get", fd, result)
		g.want(ebadf, "fd_prestat_get", fd, result)
		g.want(ebadf, "fd_renumber", fd, 1)
		g.want(ebadf, "path_open", fd, 0, "f", 0, 0, 0, 0, result)
		g.want(ebadf, "path_rename", data, "f", fd, "n")
	}
	g.want(0, "fd_prestat_get", data, result)
	if g.u32(result) != 0 || g.u32(result+4) != 5 {
		t.Errorf("prestat %d, %d", g.u32(result), g.u32(result+4))
	}
	g.want(enametoolong, "fd_prestat_dir_name", data, buffer, 4)
	g.want(0, "fd_prestat_dir_name", data, buffer, 6)
	if name := g.mem[buffer : buffer+6]; string(name) != "/data\x00" {
		t.Errorf("the directory is %q", name)
	}

	// Renumbering keeps what it moves, and closes what was there.
	fd := g.open(data, "f", 0, 0)
	if fd != 5 {
		t.Errorf("the lowest number is %d", fd)
	}
	g.want(ebadf, "fd_renumber", fd, maxDescriptors)
	g.want(ebadf, "fd_renumber", fd, math.MaxUint32)
	g.want(ebadf, "fd_renumber", fd, 1<<31)
	g.want(0, "fd_renumber", fd, fd)
	g.want(0, "fd_renumber", fd, 0)
	g.want(ebadf, "fd_read", fd, into{1}, result)
	if got := g.read(0, 2); got != "he" {
		t.Errorf("read %q", got)
	}
	g.want(ebadf, "fd_renumber", 0, fd) // it is free now
	g.want(ebadf, "fd_renumber", 0, 100)
	if got := g.read(0, 100); got != "llo" {
		t.Errorf("read %q", got)
	}
	other := g.open(data, "d/g", 0, 0)
	g.want(0, "fd_renumber", other, 0)
	if got := g.read(0, 100); got != "nested" {
		t.Errorf("read %q", got)
	}
	g.want(0, "fd_renumber", data, readOnly) // a preopened directory stays one
	g.want(0, "fd_prestat_get", readOnly, result)
	g.want(ebadf, "fd_prestat_get", data, result)

	// There is an end to descriptors, and to nothing else.
	opened := 0
	for ; opened <= maxDescriptors; opened++ {
		if e := g.call("path_open", readOnly, 0, "f", 0, 0, 0, 0, result); e != 0 {
			if e != emfile {
				t.Errorf("one too many is %d", e)
			}
			break
		}
	}
	if want := maxDescriptors - 4; opened != want { // the file, stdout, stderr, the directory
		t.Errorf("opened %d, want %d", opened, want)
	}
	g.want(0, "fd_close", 7)
	if fd := g.open(readOnly, "f", 0, 0); fd != 7 {
		t.Errorf("a number that was free is not taken, but %d", fd)
	}
}
