package engine

import (
	"fmt"
	"io/fs"
	"syscall"
)

// Stamp returns what tells a file from every other, and from what it was before it was
// last written to; "" if the system does not say. Nobody but the system sets the time
// of the last change.
func Stamp(info fs.FileInfo) string {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d %d %d %d.%09d %d.%09d", s.Dev, s.Ino, s.Size, s.Mtim.Sec, s.Mtim.Nsec, s.Ctim.Sec, s.Ctim.Nsec)
}
