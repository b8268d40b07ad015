package wazero

// Files for wazero's WASI, beneath an os.Root: whatever a guest does with "..",
// links and renames, the operating system does not let a path leave the directory.
// wazero's own DirFS joins strings.

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	experimental "github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/sys"
)

// maxFiles is how many files an instance may have open: the host's own number is
// limited too.
const maxFiles = 256

type rootFS struct {
	experimental.UnimplementedFS
	instance *instance
	root     *os.Root
	readOnly bool
}

// clean returns the path that a guest gave as one that os.Root takes.
func clean(name string) string {
	// Not path.Clean: "a/../b" means what a is, which may be a link.
	name = strings.Trim(name, "/")
	if name == "" {
		return "."
	}
	return name
}

// errno returns the WASI error of err.
func errno(err error) experimental.Errno {
	var number syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &number): // before the kinds: ENOTEMPTY is an ErrExist
		return experimental.UnwrapOSError(err)
	case errors.Is(err, fs.ErrNotExist):
		return experimental.ENOENT
	case errors.Is(err, fs.ErrExist):
		return experimental.EEXIST
	case errors.Is(err, fs.ErrPermission):
		return experimental.EPERM
	case errors.Is(err, fs.ErrInvalid):
		return experimental.EINVAL
	case errors.Is(err, fs.ErrClosed):
		return experimental.EBADF
	}
	if strings.Contains(err.Error(), "path escapes from parent") {
		return experimental.EPERM
	}
	return experimental.EIO
}

func (r *rootFS) OpenFile(name string, flag experimental.Oflag, perm fs.FileMode) (experimental.File, experimental.Errno) {
	const writing = experimental.O_RDWR | experimental.O_WRONLY | experimental.O_APPEND | experimental.O_CREAT | experimental.O_TRUNC
	if r.readOnly && flag&writing != 0 {
		return nil, experimental.EROFS
	}
	flags := os.O_RDONLY
	switch {
	case flag&experimental.O_RDWR != 0:
		flags = os.O_RDWR
	case flag&experimental.O_WRONLY != 0:
		flags = os.O_WRONLY
	}
	for _, f := range []struct {
		wasi experimental.Oflag
		os   int
	}{{experimental.O_APPEND, os.O_APPEND}, {experimental.O_CREAT, os.O_CREATE}, {experimental.O_EXCL, os.O_EXCL}, {experimental.O_TRUNC, os.O_TRUNC}, {experimental.O_SYNC, os.O_SYNC}} {
		if flag&f.wasi != 0 {
			flags |= f.os
		}
	}
	if len(r.instance.files) == maxFiles {
		return nil, experimental.EAGAIN // wazero has no EMFILE
	}
	name = clean(name)
	info, err := r.root.Stat(name)
	// A FIFO or a device would make the host wait, or worse.
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return nil, experimental.EACCES
	}
	if err == nil && flag&experimental.O_DIRECTORY != 0 && !info.IsDir() {
		return nil, experimental.ENOTDIR
	}
	if flag&experimental.O_NOFOLLOW != 0 {
		if l, err := r.root.Lstat(name); err == nil && l.Mode()&fs.ModeSymlink != 0 {
			return nil, experimental.ELOOP
		}
	}
	f, err := r.root.OpenFile(name, flags|nonBlock, perm.Perm())
	if err != nil {
		return nil, errno(err)
	}
	return r.instance.open(f, flag&experimental.O_APPEND != 0)
}

func (r *rootFS) Stat(name string) (sys.Stat_t, experimental.Errno) {
	return stat(r.root.Stat(clean(name)))
}

func (r *rootFS) Lstat(name string) (sys.Stat_t, experimental.Errno) {
	return stat(r.root.Lstat(clean(name)))
}

func stat(info fs.FileInfo, err error) (sys.Stat_t, experimental.Errno) {
	if err != nil {
		return sys.Stat_t{}, errno(err)
	}
	return sys.NewStat_t(info), 0
}

func (r *rootFS) Readlink(name string) (string, experimental.Errno) {
	target, err := r.root.Readlink(clean(name))
	return target, errno(err)
}

// write does something that changes the directory.
func (r *rootFS) write(do func() error) experimental.Errno {
	if r.readOnly {
		return experimental.EROFS
	}
	return errno(do())
}

func (r *rootFS) Mkdir(name string, perm fs.FileMode) experimental.Errno {
	return r.write(func() error { return r.root.Mkdir(clean(name), perm.Perm()) })
}

func (r *rootFS) Chmod(name string, perm fs.FileMode) experimental.Errno {
	return r.write(func() error { return r.root.Chmod(clean(name), perm.Perm()) })
}

func (r *rootFS) Rename(from, to string) experimental.Errno {
	return r.write(func() error { return r.root.Rename(clean(from), clean(to)) })
}

func (r *rootFS) Rmdir(name string) experimental.Errno { return r.remove(name, true) }

func (r *rootFS) Unlink(name string) experimental.Errno { return r.remove(name, false) }

// remove removes a directory or something else, as asked.
func (r *rootFS) remove(name string, dir bool) experimental.Errno {
	if info, err := r.root.Lstat(clean(name)); err == nil && info.IsDir() != dir {
		if dir {
			return experimental.ENOTDIR
		}
		return experimental.EISDIR
	}
	return r.write(func() error { return r.root.Remove(clean(name)) })
}

func (r *rootFS) Link(old, new string) experimental.Errno {
	return r.write(func() error { return r.root.Link(clean(old), clean(new)) })
}

func (r *rootFS) Symlink(target, link string) experimental.Errno {
	if path.IsAbs(target) { // no WASI host makes links to the outside
		return experimental.EPERM
	}
	return r.write(func() error { return r.root.Symlink(target, clean(link)) })
}

func (r *rootFS) Utimens(name string, atim, mtim int64) experimental.Errno {
	return r.write(func() error { return r.root.Chtimes(clean(name), fileTime(atim), fileTime(mtim)) })
}

// fileTime returns the time that os.Chtimes wants: zero leaves it as it is.
func fileTime(ns int64) time.Time {
	if ns == experimental.UTIME_OMIT {
		return time.Time{}
	}
	return time.Unix(0, ns)
}
