//go:build unix

package host

import (
	"io/fs"
	"syscall"
)

// sizeOnDisk returns how many bytes a file takes: fewer than it has, if it has holes.
func sizeOnDisk(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(s.Blocks) * 512
	}
	return info.Size()
}
