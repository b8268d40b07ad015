//go:build linux || darwin || freebsd

package memory

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reserve maps size bytes, which the system backs when they are touched.
func reserve(size uint64) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	// Not unix.Mmap, which keeps a map of all mappings under one lock.
	p, err := unix.MmapPtr(-1, 0, nil, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|noReserve)
	if err != nil {
		return nil, fmt.Errorf("reserving %d bytes of address space: %w", size, err)
	}
	return unsafe.Slice((*byte)(p), size), nil
}

func release(b []byte) {
	if len(b) > 0 {
		// It fails only for a range that is not mapped, which would be our bug.
		if err := unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b))); err != nil {
			panic("memory: munmap: " + err.Error())
		}
	}
}
