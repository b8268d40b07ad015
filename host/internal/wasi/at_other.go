//go:build !linux && !darwin

package wasi

import (
	"errors"
	"os"
	"time"
)

// rename and link go no further than os.Root does: from one open directory to another
// is as if it were to another device.
func rename(from *descriptor, old place, to *descriptor, new place) error {
	if from.root != to.root {
		return exdev
	}
	return from.root.Rename(old.name(), new.name())
}

func link(from *descriptor, old place, to *descriptor, new place) error {
	if from.root != to.root {
		return exdev
	}
	return from.root.Link(old.name(), new.name())
}

func (d *descriptor) remove(p place, dir bool) error {
	switch isDir, err := d.isDir(p); {
	case err != nil:
		return err
	case isDir && !dir:
		return eisdir
	case !isDir && dir:
		return enotdir
	}
	return d.root.Remove(p.name())
}

func (d *descriptor) setLinkTimes(place, time.Time, time.Time) error { return errors.ErrUnsupported }

func setAppend(*os.File, bool) error { return errors.ErrUnsupported }

func pwrite(*os.File, []byte, int64) (int, error) { return 0, errors.ErrUnsupported }
