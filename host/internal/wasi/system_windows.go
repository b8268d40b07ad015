package wasi

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

func (s *filestat) fill(info fs.FileInfo) {
	if a, ok := info.Sys().(*syscall.Win32FileAttributeData); ok {
		s.atime = a.LastAccessTime.Nanoseconds()
	}
}

// setTimes sets the times of an open file; a zero one stays as it is.
func setTimes(f *os.File, atime, mtime time.Time) error {
	var times [2]*windows.Filetime
	for i, t := range []time.Time{atime, mtime} {
		if !t.IsZero() {
			ft := windows.NsecToFiletime(t.UnixNano())
			times[i] = &ft
		}
	}
	return windows.SetFileTime(windows.Handle(f.Fd()), nil, times[0], times[1])
}

func allocate(*os.File, int64, int64) error { return errors.ErrUnsupported }

// errnoOfWindows knows what the kinds of package fs do not tell apart.
func errnoOfWindows(number syscall.Errno) errno {
	switch number {
	case syscall.ERROR_DIR_NOT_EMPTY:
		return enotempty
	case windows.ERROR_DIRECTORY:
		return enotdir
	case windows.ERROR_INVALID_NAME:
		return enoent
	case windows.ERROR_NOT_SAME_DEVICE:
		return exdev
	case windows.ERROR_DISK_FULL:
		return enospc
	case windows.ERROR_SHARING_VIOLATION:
		return ebusy
	}
	return 0
}
