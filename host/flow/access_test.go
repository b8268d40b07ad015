package flow_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/host/flow"
)

// tree makes files (path, content), links ("path -> target") and directories
// ("path/") in a new directory, and returns it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path, target, link := strings.Cut(name, " -> ")
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		var err error
		if link {
			if runtime.GOOS == "windows" {
				t.Skip("needs symbolic links, which Windows gives to few users")
			}
			err = os.Symlink(strings.ReplaceAll(target, "DIR", dir), path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLinks(t *testing.T) {
	h := open(t)
	dir := tree(t, map[string]string{
		"secret": "s", "in/a": "a", "in/sub/b": "b",
		"in/out -> ../secret": "", "in/absolute -> DIR/secret": "", "in/broken -> nothing": "", "in/loop -> loop": "",
		"in/fine -> sub/b": "", "in/sub/up -> ../a": "", "in/round -> DIR/in/a": "", "in/dir -> sub": "", "in/outdir -> ..": "",
		"named -> in": "",
	})
	in := filepath.Join(dir, "in")
	for _, arg := range []string{in, filepath.Join(dir, "named")} {
		src := "for f in walk(args[0]):\n    print(f.path[len(args[0]):], f.size, f.error)\n"
		out, _, err := run(t, flow.Config{Host: h, Args: []string{arg}, Paths: []string{arg}}, "walk.star", src)
		leads := "leads out of " + arg + ", which is what was granted"
		want := "/a 1 None\n/absolute 0 " + leads + "\n/broken 0 no such file or directory\n/fine 1 None\n" +
			"/loop 0 too many levels of symbolic links\n/out 0 " + leads + "\n/outdir 0 " + leads + "\n/round 1 None\n/sub/b 1 None\n/sub/up 1 None\n"
		if out != want || err != nil {
			t.Errorf("printed\n%s\nwant\n%s\n%v", out, want, err)
		}
	}
	for path, want := range map[string]string{"out": "leads out of", "absolute": "leads out of", "outdir/secret": "leads out of", "../secret": "not granted"} {
		src := "print(read(args[0] + '/" + path + "')())"
		_, _, err := run(t, flow.Config{Host: h, Args: []string{in}, Paths: []string{in}}, "read.star", src)
		if err == nil || codeOf(t, err) != abi.Denied || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{"fine", "round", "dir/b", "sub/../a"} {
		src := "print(len(read(args[0] + '/" + path + "')()))"
		if out, _, err := run(t, flow.Config{Host: h, Args: []string{in}, Paths: []string{in}}, "read.star", src); out != "1\n" || err != nil {
			t.Errorf("%s: %q, %v", path, out, err)
		}
	}
}

func TestUnreadable(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs the permissions of unix")
	}
	dir := tree(t, map[string]string{"a": "1", "no": "2", "sub/b": "3"})
	names := []string{"no", "sub"}
	for _, name := range names {
		if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(filepath.Join(dir, name), 0o700) })
	}
	if _, err := os.ReadFile(filepath.Join(dir, "no")); err == nil {
		t.Skip("this user may read everything; run the tests as another user than root")
	}
	src := "for f in walk(args[0]):\n    print(f.path[len(args[0]):], f.error)\n"
	out, _, err := run(t, flow.Config{Host: open(t), Args: []string{dir}, Paths: []string{dir}}, "walk.star", src)
	if want := "/a None\n/no permission denied\n/sub permission denied\n"; out != want || err != nil {
		t.Errorf("printed\n%s\nwant\n%s%v", out, want, err)
	}
}

func TestNamesOfAnyBytes(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a file system with names of any bytes, as Linux has them")
	}
	dir := tree(t, map[string]string{"\xff": "bytes"})
	src := "f = walk(args[0])[0]\nprint(read(f.path)(), read_parts([(f, 0, 5)])())\n"
	out, _, err := run(t, flow.Config{Host: open(t), Args: []string{dir}, Paths: []string{dir}}, "walk.star", src)
	if want := "bytes [{\"data\": b\"bytes\", \"last\": True, \"first\": True}]\n"; out != want || err != nil {
		t.Errorf("printed %q, %v", out, err)
	}
}

func TestWrite(t *testing.T) {
	h := open(t)
	dir := tree(t, map[string]string{"old": "old", "target": "t", "link -> target": "", "sub/x": ""})
	write := func(path, data string) error {
		src := fmt.Sprintf("write(args[0], %s)", data)
		_, _, err := run(t, flow.Config{Host: h, Args: []string{path}, Paths: []string{path}}, "write.star", src)
		return err
	}
	if err := os.Chmod(filepath.Join(dir, "old"), 0o640); err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]string{"old": "old", "new": "new", "link": "target"} {
		if err := write(filepath.Join(dir, name), `b"new\xff"`); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(filepath.Join(dir, read)); string(b) != "new\xff" || err != nil {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "old")); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if info, err := os.Lstat(filepath.Join(dir, "link")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is none any more: %v, %v", info.Mode(), err)
	}
	if err := write(filepath.Join(dir, "sub"), `"x"`); err == nil || codeOf(t, err) != abi.Denied {
		t.Errorf("directory: %v", err)
	}
	if err := write(filepath.Join(dir, "no", "file"), `"x"`); err == nil || codeOf(t, err) != abi.Denied {
		t.Errorf("no directory: %v", err)
	}
	if err := write(filepath.Join(dir, "old"), `1`); err == nil || !strings.Contains(err.Error(), "want a string or bytes") {
		t.Errorf("int: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 5 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
