// Program go does with files, clocks and chance what Go programs do, by package os and
// no other way, in the directory /w that testdata/wasi/calls.c describes. It prints what
// came of each step, and removes what it made.
package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// say prints what came of a step: the same for every engine, system and call.
func say(step string, what ...any) {
	for _, w := range what {
		if err, ok := w.(error); ok {
			var path *fs.PathError
			var link *os.LinkError
			if errors.As(err, &path) {
				err = path.Err
			} else if errors.As(err, &link) {
				err = link.Err
			}
			step += fmt.Sprintf(" %v", err)
		} else {
			step += fmt.Sprintf(" %v", w)
		}
	}
	fmt.Println(step)
}

func main() {
	say("args", fmt.Sprintf("%q", os.Args), os.Getenv("ENTANGLE_CALLS"), len(os.Environ()))
	in, err := io.ReadAll(os.Stdin)
	say("stdin", len(in), err)

	say("mkdir", os.MkdirAll("/w/n/a/b", 0o755), os.Mkdir("/w/n", 0o755), os.Mkdir("/w/no/n", 0o755), os.Mkdir("/r/n", 0o755))
	say("write", os.WriteFile("/w/n/x", []byte("0123456789"), 0o644), os.WriteFile("/w/n", nil, 0o644), os.WriteFile("/r/f", nil, 0o644))
	f, err := os.OpenFile("/w/n/x", os.O_RDWR|os.O_APPEND, 0)
	say("open", err)
	n, err := f.Write([]byte("ab"))
	say("append", n, err)
	at, err := f.Seek(-4, io.SeekEnd)
	say("seek", at, err)
	b := make([]byte, 8)
	n, err = f.Read(b)
	say("read", string(b[:n]), err)
	n, err = f.ReadAt(b[:2], 1)
	say("readat", string(b[:n]), err)
	say("truncate", f.Truncate(3), f.Sync(), f.Close(), f.Close())
	text, err := os.ReadFile("/w/n/x")
	say("text", string(text), err)

	say("link", os.Link("/w/n/x", "/w/n/h"), os.Symlink("x", "/w/n/s"), os.Symlink("/x", "/w/n/t"), os.Link("/w/n/x", "/o/x"))
	target, err := os.Readlink("/w/n/s")
	say("readlink", target, err)
	say("chtimes", os.Chtimes("/w/n/x", time.Unix(1, 2), time.Unix(3, 4)))
	for _, name := range []string{"x", "s", "h", "a", "none"} {
		if info, err := os.Lstat("/w/n/" + name); err != nil {
			say("stat", name, err)
		} else if say("stat", name, info.Mode().Type()); info.Mode().IsRegular() {
			say("of", name, info.Size(), info.ModTime().UnixNano())
		}
	}
	x, err := os.Stat("/w/n/x")
	h, err2 := os.Stat("/w/n/s")
	say("same", err, err2, os.SameFile(x, h))
	say("rename", os.Rename("/w/n/x", "/w/n/a/b/y"), os.Rename("/w/n/none", "/w/n/z"), os.Rename("/w/n/a", "/w/n/h"), os.Rename("/w/f", "/r/f"))
	var seen []string
	err = filepath.WalkDir("/w/n", func(path string, d fs.DirEntry, err error) error {
		seen = append(seen, path+d.Type().String())
		return err
	})
	slices.Sort(seen)
	say("walk", seen, err)
	for _, name := range []string{"/w/out", "/w/up/secret", "/w/../secret", "/secret", "/w/loop", "/w/fifo", "/w/f/x"} {
		_, err := os.ReadFile(name)
		say("cannot read", name, err)
	}
	say("remove", os.Remove("/w/n"), os.Remove("/w/n/h"), os.RemoveAll("/w/n"), os.Remove("/w/n"))

	chance := [2][16]byte{}
	for i := range chance {
		n, err = rand.Read(chance[i][:])
		say("random", n, err)
	}
	say("chance", bytes.Equal(chance[0][:], chance[1][:]))
	start := time.Now()
	time.Sleep(5 * time.Millisecond)
	say("slept", time.Since(start) >= 5*time.Millisecond, start.Year() >= 2024)
}
