//go:build unix

package flow_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/host/flow"
)

// TestFIFO sees that nothing waits for a writer that never comes.
func TestFIFO(t *testing.T) {
	h := open(t)
	dir := tree(t, map[string]string{"in/a": "a", "in/link -> fifo": ""})
	fifo := filepath.Join(dir, "in", "fifo")
	if err := syscall.Mkfifo(fifo, 0o666); err != nil {
		t.Skipf("needs FIFOs: %v", err)
	}
	c := flow.Config{Host: h, Args: []string{filepath.Join(dir, "in"), fifo}}
	c.Paths = c.Args
	out, _, err := run(t, c, "walk.star", "print([f.path[len(args[0]):] for f in walk(args[0])], walk(args[1])[0].error)")
	if want := "[\"/a\"] no regular file\n"; out != want || err != nil {
		t.Errorf("printed %q, %v; want %q", out, err, want)
	}
	for _, src := range []string{"read(args[1])()", "read(args[0] + '/fifo')()", "read(args[0] + '/link')()", "write(args[1], 'x')"} {
		_, _, err := run(t, c, "read.star", src)
		if err == nil || !strings.Contains(err.Error(), "no regular file") || codeOf(t, err) != abi.Failed {
			t.Errorf("%s: %v", src, err)
		}
	}
	if _, _, err := run(t, flow.Config{Host: h}, fifo, ""); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("as a script: %v", err)
	}
}
