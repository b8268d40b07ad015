package wasi

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

type dirent struct {
	next, ino uint64
	name      string
	kind      byte
}

// readdir reads a directory from a cookie on with a buffer of size bytes, and what
// came of the last entry, if it was cut.
func (g *guest) readdir(fd int, cookie uint64, size int) (list []dirent, cut int) {
	g.t.Helper()
	g.want(0, "fd_readdir", fd, buffer, size, cookie, result)
	used := int(g.u32(result))
	b := g.mem[buffer : buffer+used]
	for len(b) >= direntSize {
		n := int(binary.LittleEndian.Uint32(b[16:]))
		if len(b) < direntSize+n {
			break
		}
		list = append(list, dirent{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), string(b[direntSize : direntSize+n]), b[20]})
		b = b[direntSize+n:]
	}
	if used < size && len(b) > 0 {
		g.t.Errorf("%d bytes of %d were used, and an entry is cut", used, size)
	}
	return list, len(b)
}

func TestReaddir(t *testing.T) {
	g, dir := files(t)
	list, _ := g.readdir(data, 0, 4096)
	kinds := map[string]byte{}
	for i, e := range list {
		if e.next != uint64(i+1) {
			t.Errorf("entry %d has cookie %d", i, e.next)
		}
		kinds[e.name] = e.kind
	}
	want := map[string]byte{".": typeDirectory, "..": typeDirectory, "f": typeRegular, "d": typeDirectory, "l": typeLink, "dl": typeLink, "out": typeLink,
		"up": typeLink, "abs": typeLink, "loop": typeLink}
	if fmt.Sprint(kinds) != fmt.Sprint(want) || len(list) != len(want) {
		t.Errorf("the directory has %v, want %v", kinds, want)
	}
	// The number of an entry is that of the file.
	for _, e := range list {
		if e.name == ".." {
			if e.ino != 0 {
				t.Errorf("the parent has number %d", e.ino)
			}
			continue
		}
		g.want(0, "path_filestat_get", data, 0, e.name, buffer)
		if ino := g.u64(buffer + 8); ino != e.ino {
			t.Errorf("%s has number %d, its entry %d", e.name, ino, e.ino)
		}
	}
	// What changes meanwhile is seen from the next beginning on.
	if err := os.WriteFile(filepath.Join(dir, "data/new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if again, _ := g.readdir(data, 4, 4096); !slices.Equal(again, list[4:]) {
		t.Errorf("from cookie 4, %v, want %v", again, list[4:])
	}
	if rest, _ := g.readdir(data, uint64(len(list)), 4096); len(rest) != 0 {
		t.Errorf("after the end there is %v", rest)
	}
	if rest, _ := g.readdir(data, 1<<63, 4096); len(rest) != 0 {
		t.Errorf("far after the end there is %v", rest)
	}
	if list, _ := g.readdir(data, 0, 4096); len(list) != len(want)+1 {
		t.Errorf("from the beginning there is %v", list)
	}
	// With a cookie that nobody gave, on a directory that nobody has read.
	if list, _ := g.readdir(readOnly, 2, 4096); len(list) != 2 {
		t.Errorf("the other directory has %v", list)
	}
}

// A buffer of any size leads through a directory of any size.
func TestReaddirMany(t *testing.T) {
	g, dir := files(t)
	const n = 2500
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, "data/d", fmt.Sprintf("file.%d", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fd := g.open(data, "d", openDirectory, 0)
	for _, size := range []int{direntSize + len("file.1000"), 64, 256, 4096} {
		seen, cookie := map[string]bool{}, uint64(0)
		for {
			list, cut := g.readdir(fd, cookie, size)
			for _, e := range list {
				if seen[e.name] {
					t.Fatalf("%s comes twice", e.name)
				}
				seen[e.name] = true
				cookie = e.next
			}
			if cut == 0 && len(list) == 0 {
				break
			}
			if len(list) == 0 {
				t.Fatalf("a buffer of %d bytes has no entry", size)
			}
		}
		if len(seen) != n+3 { // "g" is there too
			t.Errorf("with a buffer of %d bytes, %d entries", size, len(seen))
		}
	}
	if list, cut := g.readdir(fd, 0, 10); len(list) != 0 || cut != 10 {
		t.Errorf("in 10 bytes there are %v and %d", list, cut)
	}
	g.want(0, "fd_readdir", fd, buffer, 0, 0, result)
	if g.u32(result) != 0 {
		t.Error("something in no bytes")
	}
}
