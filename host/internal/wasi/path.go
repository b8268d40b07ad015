package wasi

import "math"

const lookupFollow = 1 // of lookupflags

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

// taken says why nothing but a directory can be made with a name that only a directory
// may have.
func taken(t tree, p place) error {
	switch dir, err := isDir(t, p); {
	case err != nil:
		return err
	case dir:
		return eexist
	}
	return enotdir
}

func pathCreateDirectory(s *State, m memory, p []uint64) error {
	d, name, err := s.changing(m, p[0], p[1], p[2])
	if err != nil {
		return err
	}
	at := placeOf(name)
	if at.dots() {
		return taken(d.tree, at)
	}
	return errnoOf(d.tree.mkdir(at))
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
	st, err := d.stat(name, p[1])
	if err != nil {
		return err
	}
	st.put(b)
	return nil
}

// stat describes what a path names by lookupflags.
func (d *descriptor) stat(name string, flags uint64) (filestat, error) {
	if flags&math.MaxUint32 > lookupFollow {
		return filestat{}, einval
	}
	st, err := d.tree.stat(name, uint32(flags) == lookupFollow)
	return st, errnoOf(err)
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
	if uint32(p[1]) > lookupFollow {
		return einval
	}
	return errnoOf(d.tree.setTimes(name, uint32(p[1]) == lookupFollow, atime, mtime))
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
		switch dir, err := isDir(from.tree, old); {
		case err != nil:
			return err
		case dir:
			return eperm
		}
		return enotdir
	}
	if new.slash || new.dots() {
		return taken(to.tree, new)
	}
	return errnoOf(from.tree.link(old, to.tree, new))
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
		dir, err := isDir(from.tree, old)
		if err == nil && new.dots() {
			_, err = isDir(to.tree, new) // it may lead out
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
	return errnoOf(from.tree.rename(old, to.tree, new))
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
	target, err := d.tree.readlink(name)
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
		if _, err := isDir(d.tree, at); err != nil {
			return err
		}
		if at.base == "." {
			return einval
		}
		return enotempty
	}
	return errnoOf(d.tree.remove(at, true))
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
	at := placeOf(name)
	if at.slash || at.dots() {
		return taken(d.tree, at)
	}
	return errnoOf(d.tree.symlink(target, at))
}

func pathUnlinkFile(s *State, m memory, p []uint64) error {
	d, name, err := s.changing(m, p[0], p[1], p[2])
	if err != nil {
		return err
	}
	at := placeOf(name)
	if at.slash || at.dots() {
		switch dir, err := isDir(d.tree, at); {
		case err != nil:
			return err
		case dir:
			return eisdir
		}
		return enotdir
	}
	return errnoOf(d.tree.remove(at, false))
}
