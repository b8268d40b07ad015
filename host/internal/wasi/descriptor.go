package wasi

import (
	"encoding/binary"
	"io"
	"math"
	"os"
)

// maxDescriptors is how many numbers of descriptors there are: the three streams', and
// 256 more. The host's own number is limited too.
const maxDescriptors = 3 + 256

// What a descriptor is of.
const (
	stream = iota
	directory
	file
)

// A descriptor is what a guest has open under a number.
type descriptor struct {
	kind             uint8
	preopened        bool
	flags            uint16 // fdflags
	base, inheriting uint64 // rights

	reader io.Reader // of a stream; nil is empty
	writer io.Writer // of a stream; nil takes all

	mount *Mount   // of a directory or file
	file  *os.File // of a file
	// appends is that file was opened to append, which os.File does not forget.
	appends bool
	tree    tree // of a directory
	// entries are those of a directory when it was last read from its beginning.
	entries []entry
}

// Rights, by their bits in preview 1.
const (
	rightFDDatasync = 1 << iota
	rightFDRead
	rightFDSeek
	rightFDSetFlags
	rightFDSync
	rightFDTell
	rightFDWrite
	rightFDAdvise
	rightFDAllocate
	rightPathCreateDirectory
	rightPathCreateFile
	rightPathLinkSource
	rightPathLinkTarget
	rightPathOpen
	rightFDReaddir
	rightPathReadlink
	rightPathRenameSource
	rightPathRenameTarget
	rightPathFilestatGet
	rightPathSetSize
	rightPathSetTimes
	rightFDFilestatGet
	rightFDSetSize
	rightFDSetTimes
	rightPathSymlink
	rightPathRemoveDirectory
	rightPathUnlinkFile
	rightPoll

	streamRights = rightFDSetFlags | rightFDFilestatGet | rightPoll
	fileRights   = streamRights | rightFDDatasync | rightFDRead | rightFDSeek | rightFDSync | rightFDTell | rightFDWrite |
		rightFDAdvise | rightFDAllocate | rightFDSetSize | rightFDSetTimes
	// Without those to read, write and seek: a guest that opens a directory with all
	// that another one has does not ask to write to it.
	dirRights = rightFDDatasync | rightFDSetFlags | rightFDSync | rightFDReaddir | rightFDFilestatGet | rightFDSetTimes |
		rightPathCreateDirectory | rightPathCreateFile | rightPathLinkSource | rightPathLinkTarget | rightPathOpen |
		rightPathReadlink | rightPathRenameSource | rightPathRenameTarget | rightPathFilestatGet | rightPathSetSize |
		rightPathSetTimes | rightPathSymlink | rightPathRemoveDirectory | rightPathUnlinkFile
)

// The flags of a descriptor.
const (
	flagAppend   = 1 << 0
	flagDsync    = 1 << 1
	flagNonblock = 1 << 2
	flagRsync    = 1 << 3
	flagSync     = 1 << 4

	flagsSync = flagDsync | flagRsync | flagSync
	flagsAll  = flagAppend | flagNonblock | flagsSync
)

// lookup returns what is open under a number.
func (s *State) lookup(fd uint64) (*descriptor, error) {
	if fd &= math.MaxUint32; fd < uint64(len(s.fds)) && s.fds[fd] != nil {
		return s.fds[fd], nil
	}
	return nil, ebadf
}

// directory returns the directory that is open under a number.
func (s *State) directory(fd uint64) (*descriptor, error) {
	if err := s.stopped(); err != nil {
		return nil, err
	}
	d, err := s.lookup(fd)
	if err == nil && d.kind != directory {
		err = enotdir
	}
	return d, err
}

// file returns the file that is open under a number. A stream has onStream.
func (s *State) file(fd uint64, onStream errno) (*descriptor, error) {
	if err := s.stopped(); err != nil {
		return nil, err
	}
	d, err := s.lookup(fd)
	switch {
	case err != nil:
	case d.kind == directory:
		err = eisdir
	case d.kind == stream:
		err = onStream
	}
	return d, err
}

// free returns the lowest number that is free.
func (s *State) free() (int, error) {
	for i, d := range s.fds {
		if d == nil {
			return i, nil
		}
	}
	if len(s.fds) == maxDescriptors {
		return 0, emfile
	}
	s.fds = append(s.fds, nil)
	return len(s.fds) - 1, nil
}

func (d *descriptor) close() error {
	switch d.kind {
	case file:
		return d.file.Close()
	case directory:
		return d.tree.close()
	}
	return nil
}

func fdClose(s *State, _ memory, p []uint64) error {
	d, err := s.lookup(p[0])
	if err != nil {
		return err
	}
	s.fds[uint32(p[0])] = nil
	return errnoOf(d.close())
}

// fdRenumber moves a descriptor to a number that another one has, and closes that. A
// number that is free is EBADF: threads may be about to open what gets it.
func fdRenumber(s *State, _ memory, p []uint64) error {
	d, err := s.lookup(p[0])
	if err != nil {
		return err
	}
	old, err := s.lookup(p[1])
	if err != nil || old == d {
		return err
	}
	s.fds[uint32(p[0])], s.fds[uint32(p[1])] = nil, d
	return errnoOf(old.close())
}

func fdFdstatGet(s *State, m memory, p []uint64) error {
	d, err := s.lookup(p[0])
	if err != nil {
		return err
	}
	b, err := m.slice(p[1], 24)
	if err != nil {
		return err
	}
	clear(b)
	switch d.kind {
	case directory:
		b[0] = typeDirectory
	case file:
		b[0] = typeRegular
	} // A stream is unknown: as a character device it would be taken for a terminal.
	binary.LittleEndian.PutUint16(b[2:], d.flags)
	binary.LittleEndian.PutUint64(b[8:], d.base)
	binary.LittleEndian.PutUint64(b[16:], d.inheriting)
	return nil
}

// fdFdstatSetFlags changes whether writes append, where the system can. What asks for
// synchronous writes must have done so when it opened the file.
func fdFdstatSetFlags(s *State, _ memory, p []uint64) error {
	d, err := s.lookup(p[0])
	if err != nil {
		return err
	}
	flags := uint16(p[1])
	switch {
	case uint32(p[1])&^flagsAll != 0:
		return einval
	case flags&flagsSync&^d.flags != 0:
		return enotsup
	}
	if d.kind == file && (flags^d.flags)&flagAppend != 0 {
		if err := setAppend(d.file, flags&flagAppend != 0); err != nil {
			return errnoOf(err)
		}
	}
	d.flags = flags | d.flags&flagsSync
	return nil
}

// fdFdstatSetRights takes rights away. Those to read, to write and to truncate by a path
// are looked at again; what else a guest may do, its grants say.
func fdFdstatSetRights(s *State, _ memory, p []uint64) error {
	d, err := s.lookup(p[0])
	if err != nil {
		return err
	}
	if p[1]&^d.base != 0 || p[2]&^d.inheriting != 0 {
		return enotcapable
	}
	d.base, d.inheriting = p[1], p[2]
	return nil
}

// preopen returns the preopened directory under a number. A guest finds them by asking
// for all numbers from 3 on, until there is none.
func (s *State) preopen(fd uint64) (*descriptor, error) {
	d, err := s.lookup(fd)
	if err == nil && !d.preopened {
		err = ebadf
	}
	return d, err
}

func fdPrestatGet(s *State, m memory, p []uint64) error {
	d, err := s.preopen(p[0])
	if err != nil {
		return err
	}
	b, err := m.slice(p[1], 8)
	if err != nil {
		return err
	}
	clear(b) // a tag of 0 is a directory
	binary.LittleEndian.PutUint32(b[4:], uint32(len(d.mount.Guest)))
	return nil
}

func fdPrestatDirName(s *State, m memory, p []uint64) error {
	d, err := s.preopen(p[0])
	if err != nil {
		return err
	}
	b, err := m.slice(p[1], p[2])
	if err != nil {
		return err
	}
	if len(b) < len(d.mount.Guest) {
		return enametoolong
	}
	copy(b, d.mount.Guest)
	return nil
}
