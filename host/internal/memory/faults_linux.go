package memory

// A fault on a page that is only read maps the fifteen around it too, if the file has
// them: good where a call reads them next, bad for a scan, which looks at every page
// that is mapped (40 ns each). The kernel does not do that in a range that is
// registered with a userfaultfd. So a memory that has been reset a few times is
// registered, and its pages are dropped once: then those come back that calls use.
// Nothing is ever write-protected, so nobody is told of a fault.

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// From linux/userfaultfd.h.
const (
	userModeOnly     = 1
	uffdAPI          = 0xc018aa3f // _IOWR(0xaa, 0x3f, struct uffdio_api)
	uffdRegister     = 0xc020aa00 // _IOWR(0xaa, 0x00, struct uffdio_register)
	uffdVersion      = 0xaa
	writeProtect     = 1 << 1  // a mode
	writeProtectFile = 1 << 12 // features
	writeProtectSelf = 1 << 15
)

// openFaults opens a userfaultfd, where that is allowed.
func (y *System) openFaults() {
	fd, _, e := unix.Syscall(unix.SYS_USERFAULTFD, userModeOnly|unix.O_CLOEXEC|unix.O_NONBLOCK, 0, 0)
	if e != 0 {
		return
	}
	api := struct{ version, features, calls uint64 }{uffdVersion, writeProtectFile | writeProtectSelf, 0}
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, fd, uffdAPI, uintptr(unsafe.Pointer(&api))); e != 0 {
		_ = unix.Close(int(fd))
		return
	}
	y.faults = int(fd)
}

// settle is called once, when calls have shown that l will be used again.
func (l *Linear) settle() error {
	if y, b := l.snapshot.system, l.Bytes(); y.faults >= 0 && len(b) > 0 {
		r := struct{ start, size, mode, calls uint64 }{uint64(uintptr(unsafe.Pointer(&b[0]))), uint64(len(b)), writeProtect, 0}
		// Where it fails, scans take longer.
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(y.faults), uffdRegister, uintptr(unsafe.Pointer(&r)))
	}
	return l.Trim()
}
