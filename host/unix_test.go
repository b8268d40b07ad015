//go:build unix

package host_test

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"entangle.example/entangle/abi"
)

// A FIFO that nobody writes to keeps whoever opens it waiting.
func TestFIFO(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	h := open(t, config().WithoutCache().WithGrants(abi.Grant{Kind: abi.ReadFiles, Host: dir, Guest: "/data"}))
	within(t, time.Second, "loading a FIFO", func() {
		_, err := h.Load(t.Context(), fifo)
		wantError(t, err, abi.BadModule, "no regular file")
	})
	m := load(t, h, "testdata/files.wasm")
	within(t, time.Second, "a guest's opening a FIFO", func() {
		_, err := run(t.Context(), h, m.Task("main"), "read", "/data/fifo")
		wantError(t, err, abi.Failed, "exit status 1: Permission denied")
	})
}
