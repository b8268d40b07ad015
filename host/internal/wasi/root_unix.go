//go:build linux || darwin

package wasi

// What os.Root does not have: it renames no directory over an empty one, does not know
// whether a file or a directory is to be removed, changes the times of a link's target
// only, and cannot go from one Root to another. Here os.Root finds the directory of a
// name, and the name itself is for the system.

import (
	"os"
	"syscall"
	"time"
)

// in calls do with the directory that has p's base.
func (r *rooted) in(p place, do func(dir int) error) error {
	f, err := r.self()
	if p.dir != "" && err == nil {
		if f, err = r.root.OpenFile(p.dir, os.O_RDONLY|syscall.O_DIRECTORY|nonBlock, 0); err == nil {
			defer f.Close() // it was only read
		}
	}
	if err != nil {
		return err
	}
	return again(int(f.Fd()), do)
}

func (r *rooted) link(old place, to tree, new place) error   { return linkIn(r, old, to, new) }
func (r *rooted) rename(old place, to tree, new place) error { return renameIn(r, old, to, new) }
func (r *rooted) remove(p place, dir bool) error             { return removeIn(r, p, dir) }
func (r *rooted) setTimesAt(p place, atime, mtime time.Time) error {
	return setTimesIn(r, p, atime, mtime)
}
