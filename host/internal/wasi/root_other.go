//go:build !linux && !darwin

package wasi

import (
	"errors"
	"os"
	"time"
)

func treeOf(m *Mount) tree { return &rooted{root: m.Root, given: true} }

// rename and link go no further than os.Root does: from one open directory to another
// is as if it were to another device.
func (r *rooted) rename(old place, to tree, new place) error {
	if other, ok := to.(*rooted); !ok || other.root != r.root {
		return exdev
	}
	return r.root.Rename(old.name(), new.name())
}

func (r *rooted) link(old place, to tree, new place) error {
	if other, ok := to.(*rooted); !ok || other.root != r.root {
		return exdev
	}
	return r.root.Link(old.name(), new.name())
}

func (r *rooted) remove(p place, dir bool) error {
	switch is, err := isDir(r, p); {
	case err != nil:
		return err
	case is && !dir:
		return eisdir
	case !is && dir:
		return enotdir
	}
	return r.root.Remove(p.name())
}

func (r *rooted) setTimesAt(p place, atime, mtime time.Time) error {
	st, err := r.stat(p.name(), false)
	if err == nil && st.kind == typeLink {
		err = errors.ErrUnsupported
	}
	if err != nil {
		return err
	}
	return r.root.Chtimes(p.name(), atime, mtime)
}

func setAppend(*os.File, bool) error { return errors.ErrUnsupported }

func pwrite(*os.File, []byte, int64) (int, error) { return 0, errors.ErrUnsupported }
