package wasi

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

const (
	atim, atimNow, mtim, mtimNow = 1, 2, 4, 8
)

func TestFilestat(t *testing.T) {
	g, dir := files(t)
	fd := g.open(data, "f", 0, 0)
	get := func(args ...any) (b [filestatSize]byte) {
		t.Helper()
		if len(args) == 1 {
			g.want(0, "fd_filestat_get", args[0], buffer)
		} else {
			g.want(0, "path_filestat_get", args[0], args[1], args[2], buffer)
		}
		return [filestatSize]byte(g.mem[buffer : buffer+filestatSize])
	}
	for name, kind := range map[string]byte{"f": typeRegular, "l": typeLink, "d": typeDirectory, "loop": typeLink} {
		if b := get(data, 0, name); b[16] != kind {
			t.Errorf("%s is of type %d, want %d", name, b[16], kind)
		}
	}
	if get(fd) != get(data, 0, "f") || get(fd) != get(data, lookupFollow, "l") || get(fd) == get(data, 0, "l") {
		t.Error("a file by its descriptor, its name and a link to it are not the same")
	}
	if get(data) != get(data, 0, ".") || get(g.open(data, "d", openDirectory, 0)) != get(data, lookupFollow, "dl") {
		t.Error("a directory by its descriptor and its name are not the same")
	}
	info, err := os.Stat(filepath.Join(dir, "data/f"))
	if err != nil {
		t.Fatal(err)
	}
	get(fd)
	if g.u64(buffer+32) != 5 || g.u64(buffer+48) != uint64(info.ModTime().UnixNano()) || g.u64(buffer+24) != 1 {
		t.Errorf("the file has filestat %x", g.mem[buffer:buffer+filestatSize])
	}
	if runtime.GOOS == "linux" || runtime.GOOS == "darwin" {
		if g.u64(buffer) == 0 || g.u64(buffer+8) == 0 {
			t.Error("the file has no device or number")
		}
		g.want(0, "path_link", data, 0, "f", data, "hard")
		get(fd)
		if g.u64(buffer+24) != 2 {
			t.Errorf("a file with two names has %d", g.u64(buffer+24))
		}
	}
}

func TestSetTimes(t *testing.T) {
	g, _ := files(t)
	fd := g.open(data, "f", 0, 0)
	times := func(name string) (atime, mtime uint64) {
		g.want(0, "path_filestat_get", data, 0, name, buffer)
		return g.u64(buffer + 40), g.u64(buffer + 48)
	}
	micro := uint64(1) // what the system can tell apart
	if runtime.GOOS != "linux" {
		micro = 1000
	}
	const early = 1_000_000_000_000_000_000
	for _, set := range []func(atime, mtime uint64, flags int){
		func(a, m uint64, flags int) { g.want(0, "fd_filestat_set_times", fd, a, m, flags) },
		func(a, m uint64, flags int) { g.want(0, "path_filestat_set_times", data, 0, "f", a, m, flags) },
		func(a, m uint64, flags int) {
			g.want(0, "path_filestat_set_times", data, lookupFollow, "l", a, m, flags)
		},
	} {
		_, linkM := times("l")
		set(early+1*micro, early+2*micro, atim|mtim)
		if a, m := times("f"); a != early+1*micro || m != early+2*micro {
			t.Errorf("the times are %d, %d", a, m)
		}
		set(0, early+3*micro, mtim)
		if a, m := times("f"); a != early+1*micro || m != early+3*micro {
			t.Errorf("the times are %d, %d", a, m)
		}
		set(early+4*micro, 0, atim)
		if a, m := times("f"); a != early+4*micro || m != early+3*micro {
			t.Errorf("the times are %d, %d", a, m)
		}
		set(0, 0, 0)
		if a, m := times("f"); a != early+4*micro || m != early+3*micro {
			t.Errorf("the times are %d, %d", a, m)
		}
		before := uint64(time.Now().Add(-time.Second).UnixNano())
		set(0, early, atimNow|mtim)
		if a, m := times("f"); a < before || m != early {
			t.Errorf("the times are %d, %d", a, m)
		}
		set(0, 0, mtimNow)
		if _, m := times("f"); m < before {
			t.Errorf("the time is %d", m)
		}
		if _, m := times("l"); m != linkM { // to follow it is to read it
			t.Error("the time of the link changed")
		}
	}
	switch e := g.call("path_filestat_set_times", data, 0, "l", early, early+micro, atim|mtim); {
	case e == enotsup && runtime.GOOS != "linux" && runtime.GOOS != "darwin":
	case e != 0:
		t.Errorf("a link's times: %d", e)
	default:
		if a, m := times("l"); a != early || m != early+micro {
			t.Errorf("the link's times are %d, %d", a, m)
		}
		if _, m := times("f"); m == early+micro {
			t.Error("the link's target changed")
		}
	}
	g.want(0, "fd_filestat_set_times", data, early, early, atim|mtim)
	if a, m := times("."); a != early || m != early {
		t.Errorf("the directory's times are %d, %d", a, m)
	}
}
