package host_test

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
)

func openFiles(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// A directory of a file system of its own is granted, and then filled, made read-only
// and unmounted.
func TestWASIMounts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mounted")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// A mount belongs to the thread's namespace, which this test leaves as it is.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := syscall.Mount("entangle", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("only root may mount: %v", err)
	}
	mounted := true
	defer func() {
		if mounted {
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		}
	}()
	if err := os.WriteFile(filepath.Join(dir, "fill"), make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	h := open(t, config().WithoutCache().WithGrants(grant(t, "fs:rw="+dir+":/w")))
	files := load(t, h, "testdata/files.wasm").Task("main")
	steps(t, h, files,
		fail("exit status 1: No space left on device", "write", "/w/n", "text"),
		do("0", "stat", "/w/n"),
		do("true", "remove", "/w/fill"),
		do("true", "write", "/w/n", "text"))
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	steps(t, h, files,
		do(`{"text":"text"}`, "read", "/w/n"),
		fail(readOnly, "write", "/w/n", "changed"),
		fail(readOnly, "mkdir", "/w/d"),
		fail(readOnly, "remove", "/w/n"))
	// What is mounted now is beneath a directory that the guest does not have.
	if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	mounted = false
	if err := os.WriteFile(filepath.Join(dir, "n"), []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	steps(t, h, files, do(`{"text":"text"}`, "read", "/w/n"), fail(readOnly, "write", "/w/m", "x"))
}

// What is no file, directory or link is never opened, so that no guest waits for it.
func TestWASISpecialFiles(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	names := []string{"fifo", "socket"}
	// Only root may make devices: this one is /dev/full.
	if err := syscall.Mknod(filepath.Join(dir, "device"), syscall.S_IFCHR|0o600, 1<<8|7); err == nil {
		names = append(names, "device")
	}
	h := open(t, config().WithoutCache().WithGrants(grant(t, "fs:rw="+dir+":/w")))
	files := load(t, h, "testdata/files.wasm").Task("main").With(graph.Policy{Timeout: hostileMax})
	for _, name := range names {
		steps(t, h, files,
			fail("exit status 1: Permission denied", "read", "/w/"+name),
			fail("exit status 1: Permission denied", "write", "/w/"+name, "x"),
			fail("exit status 1: Permission denied", "append", "/w/"+name, "x"),
			fail("exit status 1: Not a directory", "list", "/w/"+name),
			do("0", "stat", "/w/"+name),
			do("true", "remove", "/w/"+name))
	}
}

// A file and a link to the outside take turns under one name while guests read and write
// it: they have the file, or nothing.
func TestWASISwapped(t *testing.T) {
	dir := tree(t)
	at := func(name string) string { return filepath.Join(dir, "b", name) }
	if err := os.Symlink("../secret", at("out")); err != nil {
		t.Fatal(err)
	}
	h := open(t, config().WithoutCache().WithGrants(grant(t, "fs:rw="+dir+"/b:/w")))
	files := load(t, h, "testdata/files.wasm").Task("main")
	var stop atomic.Bool
	done := make(chan error)
	go func() {
		var err error
		for i := 0; !stop.Load() && err == nil; i++ {
			turn := at([]string{"z", "out"}[i%2])
			if err = os.Rename(turn, at("x")); err == nil {
				err = os.Rename(at("x"), turn)
			}
		}
		done <- err
	}()
	read := 0
	for range 1000 {
		if v, err := run(t.Context(), h, files, "read", "/w/x"); err == nil {
			if got := jsonOf(t, v); got != `{"text":"zed"}` {
				t.Errorf("a guest read %s", got)
			}
			read++
		} else {
			wantError(t, err, abi.Failed, "exit status 1")
		}
	}
	stop.Store(true)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Logf("the file was read %d times of 1000", read)
	if b, err := os.ReadFile(filepath.Join(dir, "secret")); string(b) != "secret" {
		t.Errorf("the secret is %q, %v", b, err)
	}
}

// A guest that opens a hundred thousand files has its share, and leaves none open.
func TestWASIManyFiles(t *testing.T) {
	dir := tree(t)
	h := open(t, config().WithoutCache().WithGrants(grant(t, "fs:ro="+dir+":/d")))
	files := load(t, h, "testdata/files.wasm").Task("main")
	steps(t, h, files, do("255", "open", "/d/secret", 100_000))
	before := openFiles(t)
	for range 4 {
		steps(t, h, files, do("255", "open", "/d/secret", 100_000))
	}
	if after := openFiles(t); after > before+8 { // 255 each would be left; the runtime has its own
		t.Errorf("the process had %d files open, and has %d", before, after)
	}
}
