package engine

// Seals: large entries are verified once, and then known by what the system says of the
// file, which changes whenever it is written to. What it cannot see is a disk that
// returns other bytes than it was given.

import (
	"io/fs"
	"os"
	"strings"
	"time"
)

// SealSuffix is how the name of a seal ends, behind that of what it seals.
const SealSuffix = ".seal"

// Sealed reports whether the file path, of which info is, is as it was when Seal was
// called last.
func Sealed(path string, info fs.FileInfo) bool {
	stamp := Stamp(info)
	b, err := os.ReadFile(path + SealSuffix)
	return err == nil && stamp != "" && string(b) == stamp
}

// Seal notes that the file path has been verified, when info was what the system said of
// it. A change in the same tick of the clock would not show, so a file that has just
// been written is not sealed.
func Seal(path string, info fs.FileInfo) {
	const large = 1 << 20 // others are verified faster
	const settled = 2 * time.Second
	if info.Size() >= large && time.Since(info.ModTime()) >= settled {
		seal(path, info)
	}
}

func seal(path string, info fs.FileInfo) {
	if stamp := Stamp(info); stamp != "" {
		// Without a seal it is verified the next time.
		_ = WriteCache(path+SealSuffix, func(f *os.File) error { _, err := f.WriteString(stamp); return err })
	}
}

// IsSeal reports whether a name in a cache is that of a seal.
func IsSeal(name string) bool { return strings.HasSuffix(name, SealSuffix) }
