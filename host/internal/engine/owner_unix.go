//go:build unix

package engine

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// onlyOurs reports why others may have written into a directory: compiled code is
// run without a question.
func onlyOurs(info fs.FileInfo) error {
	if s, ok := info.Sys().(*syscall.Stat_t); ok && int64(s.Uid) != int64(os.Geteuid()) {
		return errors.New("it belongs to another user")
	}
	if info.Mode().Perm()&0o022 != 0 {
		return errors.New("others may write there")
	}
	return nil
}
