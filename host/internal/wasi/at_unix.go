//go:build linux || darwin

package wasi

// The system calls that change one name in an open directory. None follows the name.

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A parent is a tree that finds the directory of a name.
type parent interface {
	tree
	// in calls do with the directory that has p's base, again while it is EINTR.
	in(p place, do func(dir int) error) error
}

func again(dir int, do func(dir int) error) error {
	for {
		if err := do(dir); err != unix.EINTR {
			return err
		}
	}
}

// inBoth calls do with the directories of two names.
func inBoth(from parent, old place, to tree, new place, do func(from, to int) error) error {
	t, ok := to.(parent)
	if !ok {
		return exdev
	}
	return from.in(old, func(fromDir int) error {
		return t.in(new, func(toDir int) error { return do(fromDir, toDir) })
	})
}

func renameIn(from parent, old place, to tree, new place) error {
	return inBoth(from, old, to, new, func(f, t int) error { return unix.Renameat(f, old.base, t, new.base) })
}

func linkIn(from parent, old place, to tree, new place) error {
	return inBoth(from, old, to, new, func(f, t int) error { return unix.Linkat(f, old.base, t, new.base, 0) })
}

func removeIn(t parent, p place, dir bool) error {
	flags := 0
	if dir {
		flags = unix.AT_REMOVEDIR
	}
	err := t.in(p, func(at int) error { return unix.Unlinkat(at, p.base, flags) })
	if err == unix.EPERM && !dir { // POSIX has it for a directory
		if is, statErr := isDir(t, p); statErr == nil && is {
			return eisdir
		}
	}
	return err
}

// setTimesIn sets the times of what has a name, be it a link.
func setTimesIn(t parent, p place, atime, mtime time.Time) error {
	ts, err := timespecs(atime, mtime)
	if err != nil {
		return err
	}
	return t.in(p, func(at int) error { return unix.UtimesNanoAt(at, p.base, ts[:], unix.AT_SYMLINK_NOFOLLOW) })
}

// timespecs returns times as utimensat takes them.
func timespecs(times ...time.Time) (ts [2]unix.Timespec, err error) {
	for i, t := range times {
		if t.IsZero() {
			ts[i] = unix.Timespec{Nsec: utimeOmit}
		} else if ts[i], err = unix.TimeToTimespec(t); err != nil {
			return ts, err
		}
	}
	return ts, nil
}

func setAppend(f *os.File, on bool) error {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return err
	}
	if flags &^= unix.O_APPEND; on {
		flags |= unix.O_APPEND
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETFL, flags)
	return err
}

// pwrite writes to a file that was opened to append, which os.File refuses. While it
// still appends, Linux appends here too.
func pwrite(f *os.File, b []byte, offset int64) (n int, err error) {
	for n < len(b) {
		m, err := unix.Pwrite(int(f.Fd()), b[n:], offset+int64(n))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}
