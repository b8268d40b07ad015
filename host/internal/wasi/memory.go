package wasi

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// memory is a guest's. Parameters are 64 bits wide on the stack, and i32s among them are
// cut to 32 here, so that no sum of a pointer and a length wraps around.
type memory []byte

// slice returns n bytes at ptr.
func (m memory) slice(ptr, n uint64) ([]byte, error) {
	ptr, n = ptr&0xffffffff, n&0xffffffff
	if m == nil || ptr+n > uint64(len(m)) {
		return nil, efault
	}
	return m[ptr : ptr+n : ptr+n], nil
}

// array returns count elements of size bytes at ptr.
func (m memory) array(ptr, count, size uint64) ([]byte, error) {
	ptr, count = ptr&0xffffffff, count&0xffffffff
	if m == nil || ptr+count*size > uint64(len(m)) {
		return nil, efault
	}
	return m[ptr : ptr+count*size : ptr+count*size], nil
}

func (m memory) putUint32(ptr uint64, v uint32) error {
	b, err := m.slice(ptr, 4)
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(b, v)
	return nil
}

func (m memory) putUint64(ptr, v uint64) error {
	b, err := m.slice(ptr, 8)
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(b, v)
	return nil
}

// maxPath is how many bytes a path may have: a longer one need not be copied to know
// that no system takes it.
const maxPath = 4095

// path returns a path of n bytes at ptr. It is relative: what is absolute names nothing
// beneath the directory that it starts from.
func (m memory) path(ptr, n uint64) (string, error) {
	b, err := m.slice(ptr, n)
	switch {
	case err != nil:
		return "", err
	case len(b) == 0:
		return "", enoent
	case len(b) > maxPath:
		return "", enametoolong
	}
	name := string(b)
	switch {
	case strings.IndexByte(name, 0) >= 0:
		return "", einval
	case !utf8.ValidString(name):
		return "", eilseq
	case name[0] == '/':
		return "", eperm
	}
	return name, nil
}
