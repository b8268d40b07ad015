//go:build linux || darwin || freebsd

package memory

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// reserve maps addresses that nothing can touch yet.
func reserve(_, size uint64) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	// Not unix.Mmap, which keeps a map of all mappings under one lock.
	p, err := unix.MmapPtr(-1, 0, nil, uintptr(size), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|noReserve)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(p), size), nil
}

// most is the largest limit that l can have.
func (l *Linear) most() uint64 { return uint64(len(l.reserved)) }

// commit makes reserved bytes usable; they are zero.
func commit(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return protect(b, unix.PROT_READ|unix.PROT_WRITE)
}

// protect is mprotect, without the copy of its arguments that unix.Mprotect makes.
func protect(b []byte, prot int) error {
	_, _, e := unix.Syscall(unix.SYS_MPROTECT, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(prot))
	if e != 0 {
		return e
	}
	return nil
}

func release(b []byte) {
	// It fails only for a range that is not mapped, which would be our bug.
	if err := unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b))); err != nil {
		panic("memory: munmap: " + err.Error())
	}
}
