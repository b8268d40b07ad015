//go:build linux || darwin || freebsd

package memory

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// reserve maps size bytes, which the system backs when they are touched.
func reserve(size uint64) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	b, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|noReserve)
	if err != nil {
		return nil, fmt.Errorf("reserving %d bytes of address space: %w", size, err)
	}
	return b, nil
}

func release(b []byte) {
	if len(b) > 0 {
		// It fails only for a range that is not mapped, which would be our bug.
		if err := unix.Munmap(b); err != nil {
			panic("memory: munmap: " + err.Error())
		}
	}
}
