//go:build unix

package wasi

import (
	"net"
	"os"
	"path/filepath"
	"slices"
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

// swap has another process give x the place of each of names in dir, again and again,
// until end is called.
func swap(t *testing.T, dir string, names ...string) (end func()) {
	at := func(name string) string { return filepath.Join(dir, name) }
	var stop atomic.Bool
	done := make(chan error)
	go func() {
		var err error
		for i := 0; !stop.Load() && err == nil; i++ {
			turn := names[i%len(names)]
			if err = os.Rename(at(turn), at("x")); err == nil {
				err = os.Rename(at("x"), at(turn))
			}
		}
		done <- err
	}()
	return func() {
		t.Helper()
		stop.Store(true)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// A directory on a path is swapped with a link to the outside during every call: what is
// made is made within, and nothing outside is moved or removed.
func TestSwappedParent(t *testing.T) {
	g, dir := files(t)
	if err := os.Mkdir(filepath.Join(dir, "outside"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"secret", "g", "l"} {
		if err := os.WriteFile(filepath.Join(dir, "outside", name), []byte("outside"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../outside", filepath.Join(dir, "data/away")); err != nil {
		t.Fatal(err)
	}
	before := contents(t, filepath.Join(dir, "outside"))
	end := swap(t, filepath.Join(dir, "data"), "d", "away")
	counts := map[errno]int{}
	for start := time.Now(); time.Since(start) < 300*time.Millisecond || len(counts) < 3 && time.Since(start) < 10*time.Second; {
		for _, c := range []struct {
			name string
			args []any
		}{
			{"path_create_directory", []any{data, "x/made"}},
			{"path_remove_directory", []any{data, "x/made"}},
			{"path_symlink", []any{"g", data, "x/l"}},
			{"path_readlink", []any{data, "x/l", buffer, 64, result}},
			{"path_filestat_set_times", []any{data, 0, "x/l", 1, 1, atim | mtim}},
			{"path_filestat_set_times", []any{data, lookupFollow, "x/g", 1, 1, atim | mtim}},
			{"path_unlink_file", []any{data, "x/l"}},
			{"path_unlink_file", []any{data, "x/secret"}},
			{"path_link", []any{data, 0, "x/secret", data, "stolen"}},
			{"path_link", []any{data, 0, "f", data, "x/hard"}},
			{"path_rename", []any{data, "x/secret", data, "stolen"}},
			{"path_rename", []any{data, "x/hard", data, "x/soft"}},
			{"path_unlink_file", []any{data, "x/soft"}},
			{"path_filestat_get", []any{data, lookupFollow, "x/secret", buffer}},
			{"path_open", []any{data, lookupFollow, "x/new", openCreate | openTruncate, readWrite, 0, 0, result}},
			{"path_open", []any{data, 0, "x/secret", 0, readWrite, 0, 0, result}},
		} {
			e := g.call(c.name, c.args...)
			if counts[e]++; e != 0 {
				continue
			}
			switch c.name {
			case "path_open":
				g.want(0, "fd_close", int(g.u32(result)))
			case "path_readlink":
				if got := string(g.mem[buffer : buffer+int(g.u32(result))]); got != "g" {
					t.Errorf("the link leads to %q", got)
				}
			}
			if slices.Contains(c.args, any("x/secret")) {
				t.Errorf("%s%v found what is outside", c.name, c.args)
			}
		}
	}
	end()
	t.Logf("by errno: %v", counts)
	if counts[0] == 0 || counts[eperm] == 0 {
		t.Errorf("nothing was swapped: %v", counts)
	}
	if after := contents(t, filepath.Join(dir, "outside")); !slices.Equal(before, after) {
		t.Errorf("outside there was %q, there is %q", before, after)
	}
	if info, err := os.Stat(filepath.Join(dir, "outside/g")); err != nil || info.ModTime().UnixNano() == 1 {
		t.Errorf("outside was touched: %v, %v", info.ModTime(), err)
	}
	g.want(enoent, "path_filestat_get", data, 0, "stolen", buffer)
}

// Another process swaps a file, a directory, a FIFO and a link to the outside under one
// name, while a guest opens it: it gets the file or an error, at once.
func TestSwapped(t *testing.T) {
	g, dir := files(t)
	if err := syscall.Mkfifo(filepath.Join(dir, "data/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	end := swap(t, filepath.Join(dir, "data"), "f", "fifo", "out", "d")
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
	end()
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
