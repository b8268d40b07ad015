//go:build linux || darwin

package wasi

// What os.Root does not have: it renames no directory over an empty one, does not know
// whether a file or a directory is to be removed, changes the times of a link's target
// only, and cannot go from one Root to another. Here os.Root finds the directory of a
// name, and the name itself, which none of these calls follows, is for the system.

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// in calls do with the directory that has p's base.
func (d *descriptor) in(p place, do func(dir int) error) error {
	f, err := d.opened()
	if p.dir != "" && err == nil {
		if f, err = d.root.OpenFile(p.dir, os.O_RDONLY|syscall.O_DIRECTORY|nonBlock, 0); err == nil {
			defer f.Close() // it was only read
		}
	}
	if err != nil {
		return err
	}
	for {
		if err := do(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}

// inBoth calls do with the directories of two names.
func inBoth(from *descriptor, old place, to *descriptor, new place, do func(from, to int) error) error {
	return from.in(old, func(fromDir int) error {
		return to.in(new, func(toDir int) error { return do(fromDir, toDir) })
	})
}

func rename(from *descriptor, old place, to *descriptor, new place) error {
	return inBoth(from, old, to, new, func(f, t int) error { return unix.Renameat(f, old.base, t, new.base) })
}

func link(from *descriptor, old place, to *descriptor, new place) error {
	return inBoth(from, old, to, new, func(f, t int) error { return unix.Linkat(f, old.base, t, new.base, 0) })
}

func (d *descriptor) remove(p place, dir bool) error {
	flags := 0
	if dir {
		flags = unix.AT_REMOVEDIR
	}
	err := d.in(p, func(at int) error { return unix.Unlinkat(at, p.base, flags) })
	if err == unix.EPERM && !dir { // POSIX has it for a directory
		if isDir, statErr := d.isDir(p); statErr == nil && isDir {
			return eisdir
		}
	}
	return err
}

// setLinkTimes sets the times of a link itself.
func (d *descriptor) setLinkTimes(p place, atime, mtime time.Time) error {
	ts, err := timespecs(atime, mtime)
	if err != nil {
		return err
	}
	return d.in(p, func(at int) error { return unix.UtimesNanoAt(at, p.base, ts[:], unix.AT_SYMLINK_NOFOLLOW) })
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
