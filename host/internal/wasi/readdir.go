package wasi

import (
	"encoding/binary"
	"errors"
	"io"
)

// An entry is one of a directory.
type entry struct {
	name string
	kind byte
}

const (
	direntSize = 24
	// entriesEvery is how many entries are read between two looks at whether the call
	// is over.
	entriesEvery = 1024
)

// fdReaddir writes the entries from a cookie on, which is a number of entries; the last
// one is cut if it does not fit. From cookie 0 on, the directory is read anew.
func fdReaddir(s *State, m memory, p []uint64) error {
	d, err := s.directory(p[0])
	if err != nil {
		return err
	}
	b, err := m.slice(p[1], p[2])
	if err != nil {
		return err
	}
	if _, err := m.slice(p[4], 4); err != nil {
		return err
	}
	if p[3] == 0 || d.entries == nil {
		if d.entries, err = s.entries(d.tree); err != nil {
			return err
		}
	}
	used := 0
	for i := p[3]; i < uint64(len(d.entries)) && used < len(b); i++ {
		if i%entriesEvery == 0 {
			if err := s.stopped(); err != nil {
				return err
			}
		}
		e := &d.entries[i]
		var head [direntSize]byte
		binary.LittleEndian.PutUint64(head[:], i+1)
		// The number of the parent is not the guest's to know.
		if e.name != ".." {
			binary.LittleEndian.PutUint64(head[8:], inode(d.tree, e.name))
		}
		binary.LittleEndian.PutUint32(head[16:], uint32(len(e.name)))
		head[20] = e.kind
		used += copy(b[used:], head[:])
		used += copy(b[used:], e.name)
	}
	return m.putUint32(p[4], uint32(used))
}

// entries reads a directory.
func (s *State) entries(t tree) (list []entry, err error) {
	f, err := t.entries()
	if err != nil {
		return nil, errnoOf(err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = errnoOf(closeErr)
		}
	}()
	list = []entry{{".", typeDirectory}, {"..", typeDirectory}}
	for {
		if err := s.stopped(); err != nil {
			return nil, err
		}
		some, err := f.ReadDir(entriesEvery)
		for _, e := range some {
			list = append(list, entry{e.Name(), typeOf(e.Type())})
		}
		if errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, errnoOf(err)
		}
	}
}

// inode returns the number of a file, or 0 if it is gone, or has none.
func inode(t tree, name string) uint64 {
	st, err := t.stat(name, false)
	if err != nil {
		return 0
	}
	return st.ino
}
