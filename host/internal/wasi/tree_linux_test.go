package wasi

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// with runs do with the trees that has says, and puts back what was.
func with(has bool, do func()) {
	was := hasOpenat2
	hasOpenat2 = func() bool { return has }
	defer func() { hasOpenat2 = was }()
	do()
}

// Both ways answer whatever sequence of calls alike, and leave the same behind.
func TestTreesAgree(t *testing.T) {
	if !hasOpenat2() {
		t.Skip("this kernel has no openat2 (Linux 5.6 has), or a filter refuses it")
	}
	for seed := range uint64(60) {
		if !t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { agree(t, seed) }) {
			break
		}
	}
}

func agree(t *testing.T, seed uint64) {
	var guests [2]*guest
	var dirs [2]string
	for i := range guests {
		with(i == 1, func() { guests[i], dirs[i] = files(t) })
		if err := unix.Mkfifo(filepath.Join(dirs[i], "data/d/fifo"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(seed, seed))
	parts := []string{"f", "d", "g", "l", "dl", "out", "up", "loop", "fifo", ".", "..", "n", "m", "", "data", "secret"}
	name := func() string {
		list := make([]string, 1+r.IntN(3))
		for i := range list {
			list[i] = parts[r.IntN(len(parts))]
		}
		return strings.TrimLeft(strings.Join(list, "/"), "/")
	}
	open := []int{data}
	for round := range 500 {
		fd, to, follow, a, b := open[r.IntN(len(open))], open[r.IntN(len(open))], r.IntN(2), name(), name()
		var call []any
		switch r.IntN(12) {
		case 0:
			call = []any{"path_create_directory", fd, a}
		case 1, 2:
			call = []any{"path_filestat_get", fd, follow, a, buffer}
		case 3:
			call = []any{"path_filestat_set_times", fd, follow, a, 1, 2, 5}
		case 4:
			call = []any{"path_link", fd, 0, a, to, b}
		case 5, 6, 7:
			call = []any{"path_open", fd, follow, a, r.IntN(16), []int{0, rightFDRead, rightFDWrite, readWrite}[r.IntN(4)], 0, 0, result}
		case 8:
			call = []any{"path_readlink", fd, a, buffer, 64, result}
		case 9:
			call = []any{[]string{"path_remove_directory", "path_unlink_file"}[r.IntN(2)], fd, a}
		case 10:
			call = []any{"path_rename", fd, a, to, b}
		case 11:
			call = []any{"path_symlink", b, fd, a}
		}
		var answers [2]string
		for i, g := range guests {
			e := g.call(call[0].(string), call[1:]...)
			answers[i] = fmt.Sprint(e)
			switch {
			case e != 0:
			case call[0] == "path_open":
				answers[i] = fmt.Sprint("opened ", g.u32(result))
			case call[0] == "path_readlink":
				answers[i] = string(g.mem[buffer : buffer+int(g.u32(result))])
			case call[0] == "path_filestat_get": // its type and size
				answers[i] = fmt.Sprint(g.mem[buffer+16], g.u64(buffer+24))
			}
		}
		if answers[0] != answers[1] {
			t.Errorf("round %d: %v is %s with os.Root, %s with openat2", round, call, answers[0], answers[1])
		}
		// Some directories stay open, whatever becomes of their names.
		if fd := int(guests[0].u32(result)); strings.HasPrefix(answers[0], "opened") && answers[0] == answers[1] {
			for _, g := range guests {
				g.want(0, "fd_fdstat_get", fd, buffer)
			}
			if guests[0].mem[buffer] == typeDirectory && len(open) < 8 {
				open = append(open, fd)
			} else {
				for _, g := range guests {
					g.want(0, "fd_close", fd)
				}
			}
		}
	}
	before, after := contents(t, dirs[0]), contents(t, dirs[1])
	for i := range before { // but for where the absolute links lead
		before[i] = strings.ReplaceAll(before[i], dirs[0], dirs[1])
	}
	if !slices.Equal(before, after) {
		t.Errorf("os.Root leaves\n%q, openat2\n%q", before, after)
	}
	if b, err := os.ReadFile(filepath.Join(dirs[1], "secret")); string(b) != "secret" {
		t.Errorf("the secret is %q, %v", b, err)
	}
}
