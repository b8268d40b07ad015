package wasi

import (
	"encoding/binary"
	"io/fs"
	"math"
	"time"
)

// Types of files.
const (
	typeUnknown   = 0
	typeBlock     = 1
	typeCharacter = 2
	typeDirectory = 3
	typeRegular   = 4
	typeSocket    = 6
	typeLink      = 7
)

func typeOf(mode fs.FileMode) byte {
	switch {
	case mode.IsRegular():
		return typeRegular
	case mode.IsDir():
		return typeDirectory
	case mode&fs.ModeSymlink != 0:
		return typeLink
	case mode&fs.ModeCharDevice != 0:
		return typeCharacter
	case mode&fs.ModeDevice != 0:
		return typeBlock
	case mode&fs.ModeSocket != 0:
		return typeSocket
	}
	return typeUnknown // a FIFO: preview 1 has no type for it
}

// A filestat is what a guest is told of a file.
type filestat struct {
	dev, ino, nlink, size uint64
	atime, mtime, ctime   int64 // ns since 1970
	kind                  byte
}

func filestatOf(info fs.FileInfo) filestat {
	// Where a system does not say, there is one name, and nothing changed but content.
	mtime := info.ModTime().UnixNano()
	st := filestat{nlink: 1, size: uint64(info.Size()), atime: mtime, mtime: mtime, ctime: mtime, kind: typeOf(info.Mode())}
	st.fill(info)
	return st
}

// put writes a filestat of 64 bytes.
func (s *filestat) put(b []byte) {
	clear(b)
	binary.LittleEndian.PutUint64(b, s.dev)
	binary.LittleEndian.PutUint64(b[8:], s.ino)
	b[16] = s.kind
	binary.LittleEndian.PutUint64(b[24:], s.nlink)
	binary.LittleEndian.PutUint64(b[32:], s.size)
	binary.LittleEndian.PutUint64(b[40:], uint64(s.atime))
	binary.LittleEndian.PutUint64(b[48:], uint64(s.mtime))
	binary.LittleEndian.PutUint64(b[56:], uint64(s.ctime))
}

const filestatSize = 64

func fdFilestatGet(s *State, m memory, p []uint64) error {
	if err := s.stopped(); err != nil {
		return err
	}
	d, err := s.lookup(p[0])
	if err != nil {
		return err
	}
	b, err := m.slice(p[1], filestatSize)
	if err != nil {
		return err
	}
	var st filestat // a stream's is all zeros
	switch d.kind {
	case directory:
		st, err = d.tree.stat(".", true)
	case file:
		st, err = statFile(d.file)
	}
	if err != nil {
		return errnoOf(err)
	}
	st.put(b)
	return nil
}

// writable returns the file under a number, if it is open for writing.
func (s *State) writable(fd uint64, onStream errno) (*descriptor, error) {
	d, err := s.file(fd, onStream)
	switch {
	case err != nil:
	case d.mount.ReadOnly:
		err = erofs
	case d.base&rightFDWrite == 0:
		err = ebadf
	}
	return d, err
}

func fdFilestatSetSize(s *State, _ memory, p []uint64) error {
	d, err := s.writable(p[0], einval)
	if err != nil {
		return err
	}
	if p[1] > math.MaxInt64 {
		return efbig
	}
	return errnoOf(d.file.Truncate(int64(p[1])))
}

// times returns the times to set by fstflags; a zero one stays as it is.
func times(atim, mtim, flags uint64) (atime, mtime time.Time, err error) {
	const atimSet, atimNow, mtimSet, mtimNow = 1, 2, 4, 8
	flags &= math.MaxUint32
	if flags > 15 || flags&(atimSet|atimNow) == atimSet|atimNow || flags&(mtimSet|mtimNow) == mtimSet|mtimNow {
		return atime, mtime, einval
	}
	now := time.Now()
	if atime, err = timeOf(atim, flags, atimSet, atimNow, now); err != nil {
		return atime, mtime, err
	}
	mtime, err = timeOf(mtim, flags, mtimSet, mtimNow, now)
	return atime, mtime, err
}

func timeOf(ns, flags, set, setNow uint64, now time.Time) (time.Time, error) {
	switch {
	case flags&setNow != 0:
		return now, nil
	case flags&set == 0:
		return time.Time{}, nil
	case ns > math.MaxInt64:
		return time.Time{}, einval
	}
	return time.Unix(0, int64(ns)), nil
}

func fdFilestatSetTimes(s *State, _ memory, p []uint64) error {
	if err := s.stopped(); err != nil {
		return err
	}
	d, err := s.lookup(p[0])
	if err != nil {
		return err
	}
	atime, mtime, err := times(p[1], p[2], p[3])
	f := d.file
	switch {
	case err != nil:
		return err
	case d.kind == stream:
		return einval
	case d.mount.ReadOnly:
		return erofs
	case d.kind == directory:
		if f, err = d.tree.self(); err != nil {
			return errnoOf(err)
		}
	}
	return errnoOf(setTimes(f, atime, mtime))
}

// between returns an error unless offset and length are of a range that can be.
func between(offset, length uint64) error {
	if offset > math.MaxInt64 || length > math.MaxInt64 || offset+length > math.MaxInt64 {
		return einval
	}
	return nil
}

// fdAdvise takes advice and does nothing with it.
func fdAdvise(s *State, _ memory, p []uint64) error {
	if _, err := s.file(p[0], espipe); err != nil {
		return err
	}
	const lastAdvice = 5
	if uint32(p[3]) > lastAdvice {
		return einval
	}
	return between(p[1], p[2])
}

func fdAllocate(s *State, _ memory, p []uint64) error {
	d, err := s.writable(p[0], espipe)
	if err != nil {
		return err
	}
	if err := between(p[1], p[2]); err != nil || p[2] == 0 {
		return einval
	}
	return errnoOf(allocate(d.file, int64(p[1]), int64(p[2])))
}

// fdSync is fd_datasync too: what that may leave out, most systems do not say.
func fdSync(s *State, _ memory, p []uint64) error {
	if err := s.stopped(); err != nil {
		return err
	}
	d, err := s.lookup(p[0])
	if err != nil {
		return err
	}
	f := d.file
	switch d.kind {
	case stream:
		return einval
	case directory:
		if f, err = d.tree.self(); err != nil {
			return errnoOf(err)
		}
	}
	return errnoOf(f.Sync())
}
