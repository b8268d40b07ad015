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
		s.atime, s.ctime = st.Atim.Nano(), st.Ctim.Nano()
	}
}

// set is fill for what needs no fs.FileInfo.
func (s *filestat) set(st *unix.Stat_t) {
	*s = filestat{dev: uint64(st.Dev), ino: st.Ino, nlink: uint64(st.Nlink), size: uint64(st.Size),
		atime: st.Atim.Nano(), mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano()}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFBLK:
		s.kind = typeBlock
	case unix.S_IFCHR:
		s.kind = typeCharacter
	case unix.S_IFDIR:
		s.kind = typeDirectory
	case unix.S_IFREG:
		s.kind = typeRegular
	case unix.S_IFSOCK:
		s.kind = typeSocket
	case unix.S_IFLNK:
		s.kind = typeLink
	}
}

func statFile(f *os.File) (st filestat, err error) {
	var sys unix.Stat_t
	if err = again(int(f.Fd()), func(fd int) error { return unix.Fstat(fd, &sys) }); err == nil {
		st.set(&sys)
	}
	return st, err
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
