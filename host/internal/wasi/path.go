package wasi

import (
	"io/fs"
	"math"
	"path"
	"strings"
)

const lookupFollow = 1 // of lookupflags

// A place is a path, cut where a system call would cut it. Two of its names cannot be
// made or removed; the caller looks for them first.
type place struct {
	dir, base string // dir is "" or ends in a slash
	slash     bool   // base must be a directory
}

func placeOf(name string) place {
	trimmed := strings.TrimRight(name, "/")
	dir, base := path.Split(trimmed)
	return place{dir, base, len(trimmed) < len(name)}
}

func (p place) dots() bool   { return p.base == "." || p.base == ".." }
func (p place) name() string { return p.dir + p.base }

// isDir reports whether there is a directory at p, links not followed.
func (d *descriptor) isDir(p place) (bool, error) {
	info, err := d.root.Lstat(p.name())
	return err == nil && info.IsDir(), errnoOf(err)
}

// changing returns the directory under a number and a path from it, where something is
// to change.
func (s *State) changing(m memory, fd, ptr, n uint64) (*descriptor, string, error) {
	d, err := s.directory(fd)
	if err != nil {
		return nil, "", err
	}
	name, err := m.path(ptr, n)
	if err == nil && d.mount.ReadOnly {
		err = erofs
	}
	return d, name, err
}

func pathCreateDirectory(s *State, m memory, p []uint64) error {
	d, name, err := s.changing(m, p[0], p[1], p[2])
	if err != nil {
		return err
	}
	return errnoOf(d.root.Mkdir(name, 0o777))
}

func pathFilestatGet(s *State, m memory, p []uint64) error {
	d, err := s.directory(p[0])
	if err != nil {
		return err
	}
	name, err := m.path(p[2], p[3])
	if err != nil {
		return err
	}
	b, err := m.slice(p[4], filestatSize)
	if err != nil {
		return err
	}
	info, err := d.stat(name, p[1])
	if err != nil {
		return err
	}
	putFilestat(b, info)
	return nil
}

// stat describes what a path names by lookupflags.
func (d *descriptor) stat(name string, flags uint64) (info fs.FileInfo, err error) {
	switch flags & math.MaxUint32 {
	case 0:
		info, err = d.root.Lstat(name)
	case lookupFollow:
		info, err = d.root.Stat(name)
	default:
		err = einval
	}
	return info, errnoOf(err)
}

func pathFilestatSetTimes(s *State, m memory, p []uint64) error {
	d, name, err := s.changing(m, p[0], p[2], p[3])
	if err != nil {
		return err
	}
	atime, mtime, err := times(p[4], p[5], p[6])
	if err != nil {
		return err
	}
	info, err := d.stat(name, p[1])
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return errnoOf(d.setLinkTimes(placeOf(name), atime, mtime))
	}
	return errnoOf(d.root.Chtimes(name, atime, mtime))
}

// pathLink makes another name for a file. It does not follow a link to it.
func pathLink(s *State, m memory, p []uint64) error {
	from, oldName, err := s.changing(m, p[0], p[2], p[3])
	if err != nil {
		return err
	}
	to, newName, err := s.changing(m, p[4], p[5], p[6])
	if err != nil {
		return err
	}
	if uint32(p[1]) != 0 {
		return einval
	}
	if from.mount != to.mount {
		return exdev
	}
	old, new := placeOf(oldName), placeOf(newName)
	if old.slash || old.dots() {
		switch dir, err := from.isDir(old); {
		case err != nil:
			return err
		case dir:
			return eperm
		}
		return enotdir
	}
	if new.slash || new.dots() {
		switch dir, err := to.isDir(new); {
		case err != nil:
			return err
		case dir:
			return eexist
		}
		return enotdir
	}
	return errnoOf(link(from, old, to, new))
}

func pathRename(s *State, m memory, p []uint64) error {
	from, oldName, err := s.changing(m, p[0], p[1], p[2])
	if err != nil {
		return err
	}
	to, newName, err := s.changing(m, p[3], p[4], p[5])
	if err != nil {
		return err
	}
	if from.mount != to.mount {
		return exdev
	}
	old, new := placeOf(oldName), placeOf(newName)
	if old.slash || new.slash || old.dots() || new.dots() {
		dir, err := from.isDir(old)
		if err == nil && new.dots() {
			_, err = to.isDir(new) // it may lead out
		}
		switch {
		case err != nil:
			return err
		case old.dots() || new.dots():
			return ebusy
		case !dir:
			return enotdir
		}
	}
	return errnoOf(rename(from, old, to, new))
}

func pathReadlink(s *State, m memory, p []uint64) error {
	d, err := s.directory(p[0])
	if err != nil {
		return err
	}
	name, err := m.path(p[1], p[2])
	if err != nil {
		return err
	}
	b, err := m.slice(p[3], p[4])
	if err != nil {
		return err
	}
	if _, err := m.slice(p[5], 4); err != nil {
		return err
	}
	target, err := d.root.Readlink(name)
	if err != nil {
		return errnoOf(err)
	}
	return m.putUint32(p[5], uint32(copy(b, target)))
}

func pathRemoveDirectory(s *State, m memory, p []uint64) error {
	d, name, err := s.changing(m, p[0], p[1], p[2])
	if err != nil {
		return err
	}
	at := placeOf(name)
	if at.dots() {
		if _, err := d.isDir(at); err != nil {
			return err
		}
		if at.base == "." {
			return einval
		}
		return enotempty
	}
	return errnoOf(d.remove(at, true))
}

// pathSymlink makes a link. Where it leads is looked at when it is followed, but an
// absolute target never leads anywhere.
func pathSymlink(s *State, m memory, p []uint64) error {
	d, name, err := s.changing(m, p[2], p[3], p[4])
	if err != nil {
		return err
	}
	target, err := m.path(p[0], p[1])
	if err != nil {
		return err
	}
	return errnoOf(d.root.Symlink(target, name))
}

func pathUnlinkFile(s *State, m memory, p []uint64) error {
	d, name, err := s.changing(m, p[0], p[1], p[2])
	if err != nil {
		return err
	}
	at := placeOf(name)
	if at.slash || at.dots() {
		switch dir, err := d.isDir(at); {
		case err != nil:
			return err
		case dir:
			return eisdir
		}
		return enotdir
	}
	return errnoOf(d.remove(at, false))
}
