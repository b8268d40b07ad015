package wasi

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const utimeOmit = -2 // UTIME_OMIT of <sys/stat.h>

func (s *filestat) fill(info fs.FileInfo) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.dev, s.ino, s.nlink = uint64(st.Dev), st.Ino, uint64(st.Nlink)
		s.atime, s.ctime = st.Atimespec.Nano(), st.Ctimespec.Nano()
	}
}

// setTimes sets the times of an open file; a zero one stays as it is. futimes knows
// microseconds only.
func setTimes(f *os.File, atime, mtime time.Time) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var st filestat
	st.fill(info)
	if atime.IsZero() {
		atime = time.Unix(0, st.atime)
	}
	if mtime.IsZero() {
		mtime = info.ModTime()
	}
	return unix.Futimes(int(f.Fd()), []unix.Timeval{unix.NsecToTimeval(atime.UnixNano()), unix.NsecToTimeval(mtime.UnixNano())})
}

func allocate(*os.File, int64, int64) error { return errors.ErrUnsupported }
