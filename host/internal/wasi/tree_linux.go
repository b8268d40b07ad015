package wasi

import (
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// treeOf returns the tree of a mount.
func treeOf(m *Mount) tree {
	r := rooted{root: m.Root, given: true}
	if hasOpenat2() {
		return &beneath{mount: &r}
	}
	return &r
}

// hasOpenat2 reports whether the kernel has openat2, and whoever filters system calls
// lets it pass: it then refuses what is not beneath.
var hasOpenat2 = sync.OnceValue(func() bool {
	_, err := unix.Openat2(unix.AT_FDCWD, "/", &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH})
	return err == unix.EXDEV
})

// A beneath is a tree in which the kernel finds what a path names (openat2 with
// RESOLVE_BENEATH, since Linux 5.6).
type beneath struct {
	dir   *os.File
	mount *rooted // has dir, once something needs it; or nil
}

func (b *beneath) self() (_ *os.File, err error) {
	if b.dir == nil {
		b.dir, err = b.mount.self()
	}
	return b.dir, err
}

// fd returns the number of the directory.
func (b *beneath) fd() (int, error) {
	f, err := b.self()
	if err != nil {
		return -1, err
	}
	return int(f.Fd()), nil
}

// races is how often a path is tried anew because something was moved while the kernel
// followed it.
const races = 128

// open opens what is beneath.
func (b *beneath) open(name string, follow bool, flags int) (int, error) {
	dir, err := b.fd()
	if err != nil {
		return -1, err
	}
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_BENEATH}
	if !follow {
		how.Flags |= unix.O_NOFOLLOW
	}
	if flags&unix.O_PATH == 0 {
		how.Flags |= unix.O_LARGEFILE
	}
	if flags&unix.O_CREAT != 0 {
		how.Mode = 0o666
	}
	for try := 0; ; {
		fd, err := unix.Openat2(dir, name, &how)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN && try < races:
			try++
		case err == unix.EXDEV:
			return -1, eperm
		default:
			return fd, err
		}
	}
}

// inside reports whether a name is one of the directory itself, which leads nowhere
// unless it is a link that is followed.
func inside(name string) bool { return name != ".." && strings.IndexByte(name, '/') < 0 }

func (b *beneath) stat(name string, follow bool) (st filestat, err error) {
	var sys unix.Stat_t
	if inside(name) {
		dir, err := b.fd()
		if err == nil {
			err = again(dir, func(dir int) error { return unix.Fstatat(dir, name, &sys, unix.AT_SYMLINK_NOFOLLOW) })
		}
		if err != nil || !follow || sys.Mode&unix.S_IFMT != unix.S_IFLNK {
			st.set(&sys)
			return st, err
		}
	}
	fd, err := b.open(name, follow, unix.O_PATH)
	if err != nil {
		return st, err
	}
	err = again(fd, func(fd int) error { return unix.Fstat(fd, &sys) })
	_ = unix.Close(fd) // of O_PATH there is nothing to lose
	st.set(&sys)
	return st, err
}

func (b *beneath) openFile(name string, follow bool, flags int) (*os.File, error) {
	fd, err := b.open(name, follow, flags|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	var sys unix.Stat_t
	err = again(fd, func(fd int) error { return unix.Fstat(fd, &sys) })
	if err == nil && sys.Mode&unix.S_IFMT != unix.S_IFREG {
		err = eacces
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return f, nil
}

func (b *beneath) openTree(name string, follow bool) (tree, error) {
	fd, err := b.open(name, follow, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return &beneath{dir: os.NewFile(uintptr(fd), name)}, nil
}

func (b *beneath) entries() (*os.File, error) {
	t, err := b.openTree(".", false)
	if err != nil {
		return nil, err
	}
	return t.self()
}

// in calls do with the directory that has p's base.
func (b *beneath) in(p place, do func(dir int) error) error {
	if p.dir == "" {
		dir, err := b.fd()
		if err != nil {
			return err
		}
		return again(dir, do)
	}
	dir, err := b.open(p.dir, true, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return again(dir, do)
}

func (b *beneath) readlink(name string) (string, error) {
	// A slash or dots at the end name a directory, which is no link.
	if p := placeOf(name); p.slash || p.dots() {
		st, err := b.stat(name, true)
		if err == nil && st.kind == typeDirectory {
			err = einval
		} else if err == nil {
			err = enotdir
		}
		return "", err
	}
	p, buf, n := placeOf(name), [maxPath + 1]byte{}, 0
	err := b.in(p, func(dir int) (err error) {
		n, err = unix.Readlinkat(dir, p.base, buf[:])
		return err
	})
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

func (b *beneath) setTimes(name string, follow bool, atime, mtime time.Time) error {
	if p := placeOf(name); !follow && !p.slash && !p.dots() {
		return setTimesIn(b, p, atime, mtime)
	}
	ts, err := timespecs(atime, mtime)
	if err != nil {
		return err
	}
	fd, err := b.open(name, true, unix.O_PATH)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return again(fd, func(fd int) error { return unix.UtimesNanoAt(fd, "", ts[:], unix.AT_EMPTY_PATH) })
}

func (b *beneath) mkdir(p place) error {
	return b.in(p, func(dir int) error { return unix.Mkdirat(dir, p.base, 0o777) })
}

func (b *beneath) symlink(target string, p place) error {
	return b.in(p, func(dir int) error { return unix.Symlinkat(target, dir, p.base) })
}

func (b *beneath) link(old place, to tree, new place) error   { return linkIn(b, old, to, new) }
func (b *beneath) rename(old place, to tree, new place) error { return renameIn(b, old, to, new) }
func (b *beneath) remove(p place, dir bool) error             { return removeIn(b, p, dir) }

func (b *beneath) close() error {
	if b.mount != nil {
		return b.mount.close()
	}
	return b.dir.Close()
}
