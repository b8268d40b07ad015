package wasi

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// On other systems, errors differ in what they say first, and some of what changes
// names cannot be done.
func posixOnly(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("the errors of " + runtime.GOOS + " are others")
	}
}

// Every errno that paths lead to.
func TestPaths(t *testing.T) {
	posixOnly(t)
	g, _ := files(t)
	file := g.open(data, "f", 0, 0)
	sub := g.open(data, "d", openDirectory, 0)
	long, deep := strings.Repeat("x", 256), strings.Repeat("x/", 2048)
	// What every function says of a path that is none.
	for name, want := range map[string]errno{"": enoent, "f\x00": einval, "\x00": einval, "\xff": eilseq, "/": eperm, "/f": eperm, long: enametoolong,
		deep: enametoolong, "..": eperm, "../data/f": eperm, "d/../../data/f": eperm, "up/secret": eperm, "no/f": enoent, "f/x": enotdir, "loop/x": eloop} {
		for _, c := range []struct {
			name string
			args []any
		}{
			{"path_create_directory", []any{data, name}},
			{"path_filestat_get", []any{data, 0, name, buffer}},
			{"path_filestat_set_times", []any{data, lookupFollow, name, 0, 0, 5}},
			{"path_link", []any{data, 0, name, data, "n"}},
			{"path_link", []any{data, 0, "f", data, name}},
			{"path_open", []any{data, lookupFollow, name, 0, rightFDRead, 0, 0, result}},
			{"path_open", []any{data, lookupFollow, name, openCreate, readWrite, 0, 0, result}},
			{"path_open", []any{data, lookupFollow, name, openDirectory, 0, 0, 0, result}},
			{"path_readlink", []any{data, name, buffer, 64, result}},
			{"path_remove_directory", []any{data, name}},
			{"path_rename", []any{data, name, data, "n"}},
			{"path_rename", []any{data, "f", data, name}},
			{"path_symlink", []any{"f", data, name}},
			{"path_unlink_file", []any{data, name}},
		} {
			g.want(want, c.name, c.args...)
		}
	}
	for _, c := range []struct {
		want errno
		name string
		args []any
	}{
		{enotdir, "path_open", []any{file, 0, "x", openCreate, 0, 0, 0, result}},
		{enotdir, "path_create_directory", []any{file, "x"}},
		{enotdir, "path_rename", []any{data, "f", file, "x"}},
		{enotdir, "fd_readdir", []any{file, buffer, 64, 0, result}},
		{ebadf, "fd_prestat_get", []any{sub, result}},

		{eexist, "path_create_directory", []any{data, "d"}},
		{eexist, "path_create_directory", []any{data, "f"}},
		{eexist, "path_create_directory", []any{data, "."}},
		{eexist, "path_create_directory", []any{data, "d/.."}},
		{eexist, "path_create_directory", []any{data, "l/"}},
		{0, "path_create_directory", []any{data, "n/"}},
		{0, "path_remove_directory", []any{data, "n/"}},

		{einval, "path_filestat_get", []any{data, 2, "f", buffer}},
		{einval, "path_filestat_set_times", []any{data, 2, "f", 0, 0, 0}},
		{einval, "path_filestat_set_times", []any{data, 0, "f", 0, 0, 3}},
		{einval, "path_filestat_set_times", []any{data, 0, "f", 0, 0, 12}},
		{einval, "path_filestat_set_times", []any{data, 0, "f", 0, 0, 16}},
		{einval, "path_filestat_set_times", []any{data, 0, "f", uint64(1 << 63), 0, 1}},
		{einval, "fd_filestat_set_times", []any{file, 0, 0, 3}},
		{einval, "fd_filestat_set_times", []any{file, 0, 0, 12}},
		{eloop, "path_filestat_get", []any{data, 1, "loop", buffer}},
		{0, "path_filestat_get", []any{data, 0, "loop", buffer}},
		{enotdir, "path_filestat_get", []any{data, 0, "f/", buffer}},

		{eexist, "path_link", []any{data, 0, "f", data, "f"}},
		{eexist, "path_link", []any{data, 0, "f", data, "d"}},
		{eexist, "path_link", []any{data, 0, "f", data, "out"}},
		{eexist, "path_link", []any{data, 0, "f", data, "d/"}},
		{eexist, "path_link", []any{data, 0, "f", data, "."}},
		{enotdir, "path_link", []any{data, 0, "f", data, "l/"}},
		{enoent, "path_link", []any{data, 0, "f", data, "n/"}},
		{enoent, "path_link", []any{data, 0, "no", data, "n"}},
		{eperm, "path_link", []any{data, 0, "d", data, "n"}},
		{eperm, "path_link", []any{data, 0, "d/", data, "n"}},
		{eperm, "path_link", []any{data, 0, "d/.", data, "n"}},
		{enotdir, "path_link", []any{data, 0, "f/", data, "n"}},
		{enotdir, "path_link", []any{data, 0, "dl/", data, "n"}},
		{einval, "path_link", []any{data, lookupFollow, "l", data, "n"}},

		{einval, "path_open", []any{data, 2, "f", 0, 0, 0, 0, result}},
		{einval, "path_open", []any{data, 0, "f", 16, 0, 0, 0, result}},
		{einval, "path_open", []any{data, 0, "n", openCreate | openDirectory, 0, 0, 0, result}},
		{enoent, "path_open", []any{data, 0, "n", 0, 0, 0, 0, result}},
		{eexist, "path_open", []any{data, 0, "f", openCreate | openExclusive, 0, 0, 0, result}},
		{eexist, "path_open", []any{data, 0, "out", openCreate | openExclusive, 0, 0, 0, result}},
		{eexist, "path_open", []any{data, 0, "d", openCreate | openExclusive, 0, 0, 0, result}},
		{0, "path_open", []any{data, 0, "f", openExclusive, 0, 0, 0, result}},
		{enotdir, "path_open", []any{data, 0, "f", openDirectory, 0, 0, 0, result}},
		{enotdir, "path_open", []any{data, lookupFollow, "l", openDirectory, 0, 0, 0, result}},
		{enotdir, "path_open", []any{data, 0, "f/", 0, 0, 0, 0, result}},
		{eisdir, "path_open", []any{data, 0, "d", 0, rightFDWrite, 0, 0, result}},
		{eisdir, "path_open", []any{data, 0, "d", openDirectory, readWrite, 0, 0, result}},
		{eisdir, "path_open", []any{data, 0, "d", openTruncate, 0, 0, 0, result}},
		{eisdir, "path_open", []any{data, 0, "d", openCreate, 0, 0, 0, result}},
		{enoent, "path_open", []any{data, 0, "n/", openCreate, 0, 0, 0, result}},
		{0, "path_open", []any{data, 0, "d", 0, rightFDRead, 0, 0, result}},
		{0, "path_open", []any{data, 0, "d/", 0, 0, 0, 0, result}},
		{0, "path_open", []any{data, 0, "d///", 0, 0, 0, 0, result}},
		{0, "path_open", []any{data, 0, ".", 0, 0, 0, flagNonblock, result}},
		{0, "path_open", []any{data, 0, "d/.//../d/../d///./g", 0, 0, 0, 0, result}},
		{eloop, "path_open", []any{data, 0, "l", 0, 0, 0, 0, result}},
		{eloop, "path_open", []any{data, 0, "dl", openDirectory, 0, 0, 0, result}},
		{eloop, "path_open", []any{data, 0, "loop", 0, 0, 0, 0, result}},
		{eloop, "path_open", []any{data, 1, "loop", 0, 0, 0, 0, result}},
		{eloop, "path_open", []any{data, 0, "loop", openCreate, 0, 0, 0, result}},
		{0, "path_open", []any{data, 1, "l", 0, 0, 0, 0, result}},
		{0, "path_open", []any{data, 1, "dl", openDirectory, 0, 0, 0, result}},

		{einval, "path_readlink", []any{data, "f", buffer, 64, result}},
		{einval, "path_readlink", []any{data, "dl/", buffer, 64, result}},
		{einval, "path_readlink", []any{data, "d/.", buffer, 64, result}},
		{enotdir, "path_readlink", []any{data, "l/", buffer, 64, result}},
		{0, "path_readlink", []any{data, "l", buffer, 0, result}},

		{enotdir, "path_remove_directory", []any{data, "f"}},
		{enotdir, "path_remove_directory", []any{data, "f/"}},
		{enotdir, "path_remove_directory", []any{data, "dl"}},
		{enotdir, "path_remove_directory", []any{data, "dl/"}},
		{enotempty, "path_remove_directory", []any{data, "d"}},
		{enotempty, "path_remove_directory", []any{data, "d/.."}},
		{einval, "path_remove_directory", []any{data, "."}},
		{einval, "path_remove_directory", []any{data, "d/."}},

		{ebusy, "path_rename", []any{data, ".", data, "n"}},
		{ebusy, "path_rename", []any{data, "d/..", data, "n"}},
		{ebusy, "path_rename", []any{data, "d", data, "."}},
		{eperm, "path_rename", []any{data, "d", data, ".."}},
		{einval, "path_rename", []any{data, "d", data, "d/n"}},
		{eisdir, "path_rename", []any{data, "f", data, "d"}},
		{enotdir, "path_rename", []any{data, "d", data, "f"}},
		{enotdir, "path_rename", []any{data, "f/", data, "n"}},
		{enotdir, "path_rename", []any{data, "f", data, "n/"}},
		{enotdir, "path_rename", []any{data, "dl/", data, "n"}},
		{enoent, "path_rename", []any{data, "no/", data, "n"}},

		{eexist, "path_symlink", []any{"f", data, "f"}},
		{eexist, "path_symlink", []any{"f", data, "d"}},
		{eexist, "path_symlink", []any{"f", data, "d/"}},
		{eexist, "path_symlink", []any{"f", data, "loop"}},
		{enotdir, "path_symlink", []any{"f", data, "f/"}},
		{enoent, "path_symlink", []any{"f", data, "n/"}},
		{enoent, "path_symlink", []any{"", data, "n"}},
		{einval, "path_symlink", []any{"a\x00", data, "n"}},
		{eperm, "path_symlink", []any{"/etc", data, "n"}},
		{eperm, "path_symlink", []any{"/", data, "n"}},

		{eisdir, "path_unlink_file", []any{data, "d"}},
		{eisdir, "path_unlink_file", []any{data, "d/"}},
		{eisdir, "path_unlink_file", []any{data, "."}},
		{eisdir, "path_unlink_file", []any{data, "d/.."}},
		{enotdir, "path_unlink_file", []any{data, "f/"}},
		{enotdir, "path_unlink_file", []any{data, "l/"}},
		{enoent, "path_unlink_file", []any{data, "n"}},
	} {
		g.want(c.want, c.name, c.args...)
	}
	g.want(0, "path_filestat_get", data, 0, "d/g", buffer)
	g.want(enoent, "path_filestat_get", data, 0, "n", buffer)
}

// Nothing of a directory that may only be read changes.
func TestReadOnly(t *testing.T) {
	g, dir := files(t)
	before := contents(t, dir)
	file, sub := 0, 0
	for name, fd := range map[string]*int{"f": &file, "d": &sub} {
		g.want(0, "path_open", readOnly, 0, name, 0, all&^rightFDWrite, all, 0, result)
		*fd = int(g.u32(result))
	}
	for _, fd := range []int{readOnly, sub} {
		for _, c := range []struct {
			name string
			args []any
		}{
			{"path_create_directory", []any{fd, "n"}},
			{"path_filestat_set_times", []any{fd, 0, ".", 0, 0, 5}},
			{"path_link", []any{fd, 0, "f", data, "n"}},
			{"path_link", []any{data, 0, "f", fd, "n"}},
			{"path_open", []any{fd, 0, ".", openCreate, 0, 0, 0, result}},
			{"path_open", []any{fd, 0, "n", openCreate, 0, 0, 0, result}},
			{"path_open", []any{fd, 0, "f", openTruncate, 0, 0, 0, result}},
			{"path_open", []any{fd, 0, "f", 0, rightFDWrite, 0, 0, result}},
			{"path_remove_directory", []any{fd, "d"}},
			{"path_rename", []any{fd, "f", data, "n"}},
			{"path_rename", []any{data, "f", fd, "n"}},
			{"path_symlink", []any{"f", fd, "n"}},
			{"path_unlink_file", []any{fd, "f"}},
			{"fd_filestat_set_times", []any{fd, 0, 0, 5}},
		} {
			g.want(erofs, c.name, c.args...)
		}
	}
	g.want(erofs, "fd_filestat_set_times", file, 0, 0, 5)
	g.want(erofs, "fd_filestat_set_size", file, 0)
	g.want(erofs, "fd_allocate", file, 0, 100)
	g.want(ebadf, "fd_write", file, vec{"x"}, result)
	g.want(ebadf, "fd_pwrite", file, vec{"x"}, 0, result)
	if got := g.read(file, 100); got != "fixed" {
		t.Errorf("read %q", got)
	}
	if after := contents(t, dir); !slices.Equal(before, after) {
		t.Errorf("there was %q, there is %q", before, after)
	}
}

// contents lists what lies in a directory, with texts and where links lead.
func contents(t testing.TB, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		rel, text := name[len(dir)+1:], ""
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			text, err = os.Readlink(name)
		case e.Type().IsRegular():
			var b []byte
			b, err = os.ReadFile(name)
			text = string(b)
		}
		list = append(list, rel+" "+e.Type().String()[:1]+" "+text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Whatever a guest tries, what is outside stays as it is, and unseen.
func TestEscapes(t *testing.T) {
	g, dir := files(t)
	sub := g.open(data, "d", openDirectory, 0)
	for _, name := range []string{"..", "../secret", "d/../../secret", "out", "up/secret", "abs", "up", "dl/../../secret", "./up/./secret", "up/../secret",
		"up/data/../secret", "d/../up/secret", filepath.ToSlash(filepath.Join(dir, "secret"))} {
		for _, how := range []int{0, openCreate, openTruncate, openDirectory} {
			g.want(eperm, "path_open", data, lookupFollow, name, how, rightFDRead, 0, 0, result)
		}
		g.want(eperm, "path_filestat_get", data, lookupFollow, name, buffer)
		g.want(eperm, "path_filestat_set_times", data, lookupFollow, name, 0, 0, 5)
	}
	for _, name := range []string{"up/new", "../new", "up/secret", "up/data/new", "d/../../new"} {
		g.want(eperm, "path_create_directory", data, name)
		g.want(eperm, "path_remove_directory", data, name)
		g.want(eperm, "path_unlink_file", data, name)
		g.want(eperm, "path_rename", data, name, data, "stolen")
		g.want(eperm, "path_rename", data, "f", data, name)
		g.want(eperm, "path_link", data, 0, name, data, "stolen")
		g.want(eperm, "path_link", data, 0, "f", data, name)
		g.want(eperm, "path_symlink", "f", data, name)
		g.want(eperm, "path_readlink", data, name, buffer, 64, result)
	}
	// A directory leads out of itself no more than a grant does.
	g.want(eperm, "path_open", sub, 0, "../f", 0, rightFDRead, 0, 0, result)
	g.want(eperm, "path_open", sub, 0, "..", 0, 0, 0, 0, result)
	// A link that goes up is harmless, until it lies where that leads out.
	g.want(0, "path_symlink", "../../secret", data, "d/made")
	g.want(0, "path_create_directory", data, "d/e")
	g.want(eperm, "path_open", data, lookupFollow, "d/made", 0, rightFDRead, 0, 0, result)
	g.want(0, "path_rename", data, "d/made", data, "d/e/made")
	g.want(enoent, "path_open", data, lookupFollow, "d/e/made", 0, rightFDRead, 0, 0, result)
	g.want(0, "path_rename", data, "d/e/made", data, "made")
	g.want(eperm, "path_open", data, lookupFollow, "made", openCreate, readWrite, 0, 0, result)
	g.want(0, "path_unlink_file", data, "made")
	// Nor does one from which the ground is moved.
	g.want(0, "path_create_directory", data, "a")
	g.want(0, "path_create_directory", data, "a/b")
	deep := g.open(data, "a/b", openDirectory, 0)
	if err := os.Rename(filepath.Join(dir, "data/a/b"), filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../secret", "..", "../b/../secret"} {
		g.want(eperm, "path_open", deep, lookupFollow, name, 0, rightFDRead, 0, 0, result)
	}
	if err := os.Rename(filepath.Join(dir, "b"), filepath.Join(dir, "data/a/b")); err != nil {
		t.Fatal(err)
	}
	outside, err := os.ReadDir(dir)
	if err != nil || len(outside) != 3 {
		t.Errorf("outside there are %v, %v", outside, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "secret")); string(b) != "secret" {
		t.Errorf("the secret is %q, %v", b, err)
	}
}

func TestDirectories(t *testing.T) {
	posixOnly(t)
	g, dir := files(t)
	sub := g.open(data, "d", openDirectory, 0)
	// Names go from one open directory to another of the same grant.
	g.want(0, "path_rename", data, "f", sub, "f")
	g.want(0, "path_link", sub, 0, "f", data, "hard")
	g.want(0, "path_link", data, 0, "loop", sub, "link") // of a link, itself
	g.want(0, "path_rename", sub, "g", data, "hard")     // over a file
	g.want(0, "path_create_directory", sub, "e")
	g.want(0, "path_create_directory", data, "empty")
	g.want(0, "path_rename", sub, "e/", data, "empty") // over an empty directory
	g.want(0, "path_rename", data, "empty", data, "moved/")
	g.want(enotempty, "path_rename", data, "moved", data, "d")
	g.want(0, "path_symlink", "../f", sub, "s")
	g.want(0, "path_unlink_file", data, "dl")
	g.want(0, "path_remove_directory", data, "moved")
	g.want(0, "path_open", data, 0, "n", openCreate|openExclusive, readWrite, 0, 0, result)
	g.write(int(g.u32(result)), "text")
	g.want(0, "path_open", data, 0, "n", openCreate|openTruncate, 0, 0, 0, result)
	g.want(0, "path_symlink", "dangling", data, "to")
	g.want(0, "path_open", data, lookupFollow, "to", openCreate, 0, 0, 0, result)
	want := []string{"data d ", "data/abs L " + filepath.Join(dir, "secret"), "data/d d ", "data/d/f - hello", "data/d/link L loop", "data/d/s L ../f",
		"data/dangling - ", "data/hard - nested", "data/l L f", "data/loop L loop", "data/n - ", "data/out L ../secret", "data/to L dangling", "data/up L .."}
	if got := contents(t, dir); !slices.Equal(got[:len(got)-5], want) {
		t.Errorf("there is\n%q, want\n%q", got[:len(got)-5], want)
	}
	// One grant's files do not get into another.
	g = begin(t, Config{Mounts: []Mount{mount(t, dir, "data", false), mount(t, dir, "read", false)}})
	g.want(exdev, "path_link", data, 0, "n", readOnly, "n")
	g.want(exdev, "path_rename", data, "n", readOnly, "n")

	// A directory that is gone has nothing, and takes nothing.
	if err := os.RemoveAll(filepath.Join(dir, "read")); err != nil {
		t.Fatal(err)
	}
	g.want(enoent, "path_open", readOnly, 0, "f", openCreate, readWrite, 0, 0, result)
	g.want(enoent, "path_create_directory", readOnly, "d")
	g.want(enoent, "fd_readdir", readOnly, buffer, 256, 0, result)
}

func TestReadlink(t *testing.T) {
	g, _ := files(t)
	copy(g.mem[buffer:], "................")
	g.want(0, "path_readlink", data, "out", buffer, 64, result)
	if got := g.mem[buffer : buffer+16]; string(got) != "../secret......." || g.u32(result) != 9 {
		t.Errorf("the link leads to %q, %d", got, g.u32(result))
	}
	copy(g.mem[buffer:], "................")
	g.want(0, "path_readlink", data, "out", buffer, 4, result)
	if got := g.mem[buffer : buffer+8]; string(got) != "../s...." || g.u32(result) != 4 {
		t.Errorf("the link leads to %q, %d", got, g.u32(result))
	}
}
