//go:build unix

package wasi

import (
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What is no file, link or directory is never opened.
func TestSpecialFiles(t *testing.T) {
	g, dir := files(t)
	if err := syscall.Mkfifo(filepath.Join(dir, "data/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "data/s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	special := map[string]byte{"fifo": typeUnknown, "s": typeSocket}
	// Only root may make a device.
	if err := syscall.Mknod(filepath.Join(dir, "data/null"), syscall.S_IFCHR|0o600, 1<<8|3); err == nil {
		special["null"] = typeCharacter
	}
	for name, kind := range special {
		for _, rights := range []int{0, rightFDRead, rightFDWrite, readWrite} {
			for _, how := range []int{0, openCreate, openTruncate} {
				g.want(eacces, "path_open", data, lookupFollow, name, how, rights, 0, 0, result)
			}
		}
		g.want(enotdir, "path_open", data, 0, name, openDirectory, 0, 0, 0, result)
		g.want(enotdir, "path_open", data, 0, name+"/x", 0, 0, 0, 0, result)
		g.want(enotdir, "path_rename", data, name+"/x", data, "n")
		g.want(0, "path_filestat_get", data, 0, name, buffer)
		if g.mem[buffer+16] != kind {
			t.Errorf("%s is of type %d, want %d", name, g.mem[buffer+16], kind)
		}
		g.want(0, "path_unlink_file", data, name)
	}
}

// Another process swaps a file, a directory, a FIFO and a link to the outside under one
// name, while a guest opens it: it gets the file or an error, at once.
func TestSwapped(t *testing.T) {
	g, dir := files(t)
	at := func(name string) string { return filepath.Join(dir, "data", name) }
	if err := syscall.Mkfifo(at("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	done := make(chan error)
	go func() {
		var err error
		for i := 0; !stop.Load() && err == nil; i++ {
			turn := []string{"f", "fifo", "out", "d"}[i%4]
			if err = os.Rename(at(turn), at("x")); err == nil {
				err = os.Rename(at("x"), at(turn))
			}
		}
		done <- err
	}()
	counts := map[errno]int{}
	swapped := func() bool { return counts[0] > 0 && len(counts) >= 3 }
	for start := time.Now(); time.Since(start) < 300*time.Millisecond || !swapped() && time.Since(start) < 10*time.Second; {
		for how := range 2 {
			e := g.call("path_open", data, how, "x", how*openDirectory, rightFDRead, 0, 0, result)
			if counts[e]++; e != 0 {
				continue
			}
			fd := int(g.u32(result))
			g.want(0, "fd_fdstat_get", fd, buffer)
			if g.mem[buffer] == typeRegular {
				if got := g.read(fd, 100); got != "hello" {
					t.Fatalf("read %q", got)
				}
			}
			g.want(0, "fd_close", fd)
		}
		g.call("path_rename", data, "x/g", data, "x/g")
		g.call("path_filestat_set_times", data, lookupFollow, "x", 0, 0, mtimNow)
	}
	stop.Store(true)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Logf("by errno: %v", counts)
	if !swapped() {
		t.Errorf("nothing was swapped: %v", counts)
	}
	for e := range counts {
		switch e {
		case 0, eacces, enoent, enotdir, eloop, eperm, enxio:
		default:
			t.Errorf("errno %d", e)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "secret")); string(b) != "secret" {
		t.Errorf("the secret is %q, %v", b, err)
	}
}
