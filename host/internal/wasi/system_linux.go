package wasi

import (
	"io/fs"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const utimeOmit = unix.UTIME_OMIT

func (s *filestat) fill(info fs.FileInfo) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.dev, s.ino, s.nlink = uint64(st.Dev), st.Ino, uint64(st.Nlink)
		s.atime, s.ctime = time.Unix(st.Atim.Unix()), time.Unix(st.Ctim.Unix())
	}
}

// setTimes sets the times of an open file; a zero one stays as it is.
func setTimes(f *os.File, atime, mtime time.Time) error {
	ts, err := timespecs(atime, mtime)
	if err != nil {
		return err
	}
	// unix has no futimens, which is utimensat without a path.
	if _, _, number := unix.Syscall6(unix.SYS_UTIMENSAT, f.Fd(), 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0); number != 0 {
		return number
	}
	return nil
}

func allocate(f *os.File, offset, n int64) error {
	for {
		if err := unix.Fallocate(int(f.Fd()), 0, offset, n); err != unix.EINTR {
			return err
		}
	}
}
