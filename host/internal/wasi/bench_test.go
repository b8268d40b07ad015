package wasi

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkCall measures what runs for every call of a guest, or for every line of it.
func BenchmarkCall(b *testing.B) {
	g := begin(b, Config{Args: []string{"prog"}, Stdout: discard{}, Stopped: func() error { return nil }})
	for _, c := range []struct {
		name string
		args []any
	}{
		{"fd_write", []any{1, vec{strings.Repeat("x", 100)}, result}},
		{"clock_time_get", []any{clockRealtime, 1, result}},
		{"random_get", []any{buffer, 32}},
		{"args_get", []any{result, buffer}},
	} {
		b.Run(c.name, func(b *testing.B) {
			f, stack := find(b, c.name), append(g.stack(c.args), 0)
			args := make([]uint64, len(stack))
			for b.Loop() {
				copy(args, stack)
				if err := f.Call(&g.s, g.mem, args); err != nil || args[0] != 0 {
					b.Fatal(args[0], err)
				}
			}
		})
	}
	b.Run("begin", func(b *testing.B) {
		var s State
		for b.Loop() {
			s.Begin(Config{Stdout: discard{}})
			if err := s.End(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkFiles has a guest make, write, close and remove a file, and Go beside it.
func BenchmarkFiles(b *testing.B) {
	g, dir := files(b)
	b.Run("guest", func(b *testing.B) {
		for b.Loop() {
			fd := g.open(data, "new", openCreate|openTruncate, 0)
			g.want(0, "fd_write", fd, vec{"text"}, result)
			g.want(0, "fd_close", fd)
			g.want(0, "path_unlink_file", data, "new")
		}
	})
	b.Run("go", func(b *testing.B) {
		name := filepath.Join(dir, "new")
		for b.Loop() {
			f, err := os.Create(name)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := f.WriteString("text"); err != nil {
				b.Fatal(err)
			}
			if err := f.Close(); err != nil {
				b.Fatal(err)
			}
			if err := os.Remove(name); err != nil {
				b.Fatal(err)
			}
		}
	})
}
