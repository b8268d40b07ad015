package wasi

import (
	"math"
	"os"
)

// What path_open may be asked for.
const (
	openCreate    = 1 << 0
	openDirectory = 1 << 1
	openExclusive = 1 << 2
	openTruncate  = 1 << 3

	openAll = openCreate | openDirectory | openExclusive | openTruncate
)

// An opening is what path_open is asked for.
type opening struct {
	lookup uint64 // lookupflags
	how    uint32 // oflags
	base   uint64 // rights
	flags  uint32 // fdflags
}

func (o *opening) writes() bool {
	return o.base&rightFDWrite != 0 || o.how&openTruncate != 0
}

func pathOpen(s *State, m memory, p []uint64) error {
	d, err := s.directory(p[0])
	if err != nil {
		return err
	}
	name, err := m.path(p[2], p[3])
	if err != nil {
		return err
	}
	if _, err := m.slice(p[8], 4); err != nil {
		return err
	}
	fd, err := s.free()
	if err != nil {
		return err
	}
	opened, err := d.open(name, &opening{p[1] & math.MaxUint32, uint32(p[4]), p[5], uint32(p[7])})
	if err != nil {
		return err
	}
	s.fds[fd] = opened
	return m.putUint32(p[8], uint32(fd))
}

// open opens what a path names. A file has the rights that the guest asks for, since they
// say whether it is for reading or for writing. A directory has all, since guests ask for
// fewer than they go on to use; and what a directory may hand on does not matter here:
// what a guest may do is for its grants to say.
func (d *descriptor) open(name string, o *opening) (*descriptor, error) {
	create := o.how&openCreate != 0
	switch {
	case o.how&^openAll != 0 || o.flags&^flagsAll != 0 || create && o.how&openDirectory != 0:
		return nil, einval
	case o.how&openTruncate != 0 && d.base&rightPathSetSize == 0:
		return nil, enotcapable
	case d.mount.ReadOnly && (create || o.writes()):
		return nil, erofs
	}
	st, err := d.stat(name, o.lookup)
	switch {
	case err == enoent && create && !placeOf(name).slash: // open makes it
	case err != nil:
		return nil, err
	case create && o.how&openExclusive != 0:
		return nil, eexist
	case st.kind == typeLink:
		return nil, eloop
	case st.kind == typeDirectory:
		if create || o.writes() {
			return nil, eisdir
		}
		return d.openDirectory(name, o)
	case o.how&openDirectory != 0:
		return nil, enotdir
	case st.kind != typeRegular:
		return nil, eacces // a FIFO or a device would make the host wait, or worse
	}
	return d.openFile(name, o)
}

func (d *descriptor) openDirectory(name string, o *opening) (*descriptor, error) {
	t, err := d.tree.openTree(name, o.lookup == lookupFollow)
	if err != nil {
		return nil, errnoOf(err)
	}
	return &descriptor{kind: directory, flags: uint16(o.flags & flagNonblock), base: dirRights,
		inheriting: dirRights | fileRights, mount: d.mount, tree: t}, nil
}

func (d *descriptor) openFile(name string, o *opening) (*descriptor, error) {
	flags := os.O_RDONLY
	switch {
	case o.writes() && (o.base&rightFDRead != 0 || o.base&rightFDWrite == 0):
		flags = os.O_RDWR
	case o.writes():
		flags = os.O_WRONLY
	}
	if o.how&openCreate != 0 {
		flags |= os.O_CREATE
	}
	if o.how&openExclusive != 0 && o.how&openCreate != 0 {
		flags |= os.O_EXCL
	}
	if o.how&openTruncate != 0 {
		flags |= os.O_TRUNC
	}
	if o.flags&flagAppend != 0 {
		flags |= os.O_APPEND
	}
	if o.flags&flagsSync != 0 {
		flags |= os.O_SYNC
	}
	f, err := d.tree.openFile(name, o.lookup == lookupFollow, flags)
	if err != nil {
		return nil, errnoOf(err)
	}
	return &descriptor{kind: file, flags: uint16(o.flags), base: o.base & fileRights, mount: d.mount,
		file: f, appends: o.flags&flagAppend != 0}, nil
}
