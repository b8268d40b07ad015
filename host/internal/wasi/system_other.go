//go:build !linux && !darwin && !windows

package wasi

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

func (*filestat) fill(fs.FileInfo) {}

func setTimes(*os.File, time.Time, time.Time) error { return errors.ErrUnsupported }

func allocate(*os.File, int64, int64) error { return errors.ErrUnsupported }
