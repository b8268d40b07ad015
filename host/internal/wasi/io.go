package wasi

import (
	"encoding/binary"
	"io"
	"math"
)

// vectors is an array of buffers in a guest's memory, all of them within it.
type vectors struct {
	m    memory
	list []byte
}

const vectorSize = 8

// vectors checks count of them at ptr. Together they have less than 4 GiB, since their
// sum is answered in 32 bits.
func (s *State) vectors(m memory, ptr, count uint64) (vectors, error) {
	list, err := m.array(ptr, count, vectorSize)
	if err != nil {
		return vectors{}, err
	}
	total := uint64(0)
	v := vectors{m, list}
	for i := 0; len(v.list) > 0; i++ {
		if i%pollEvery == pollEvery-1 {
			if err := s.stopped(); err != nil {
				return vectors{}, err
			}
		}
		b, err := v.next()
		if err != nil {
			return vectors{}, err
		}
		total += uint64(len(b))
	}
	if total > math.MaxUint32 {
		return vectors{}, einval
	}
	return vectors{m, list}, nil
}

// next returns the next buffer.
func (v *vectors) next() ([]byte, error) {
	ptr, n := binary.LittleEndian.Uint32(v.list), binary.LittleEndian.Uint32(v.list[4:])
	v.list = v.list[vectorSize:]
	return v.m.slice(uint64(ptr), uint64(n))
}

// transfer does the buffers in order, a piece at a time, until one is not done whole,
// and answers the sum. An errno after something was done is left for the next call to
// find, as everywhere; an error that is no errno ends the guest's call.
func (s *State) transfer(m memory, ptr, count, result uint64, do func([]byte) (int, error)) error {
	v, err := s.vectors(m, ptr, count)
	if err != nil {
		return err
	}
	if _, err := m.slice(result, 4); err != nil {
		return err
	}
	total := uint32(0)
	for b := []byte(nil); len(b) > 0 || len(v.list) > 0; {
		if err := s.stopped(); err != nil {
			return err
		}
		if len(b) == 0 {
			if b, err = v.next(); err != nil { // the guest's buffers lie over the list
				return err
			}
			continue
		}
		part := b[:min(len(b), piece)]
		n, err := do(part)
		total += uint32(n)
		if _, ok := err.(errno); err != nil && (!ok || total == 0) {
			return err
		}
		if err != nil || n < len(part) {
			break
		}
		b = b[n:]
	}
	return m.putUint32(result, total)
}

// fileOrStream returns what is open under a number for reading or for writing.
func (s *State) fileOrStream(fd, right uint64) (*descriptor, error) {
	d, err := s.lookup(fd)
	switch {
	case err != nil:
	case d.kind == directory:
		err = eisdir
	case d.base&right == 0:
		err = ebadf
	}
	return d, err
}

func fdRead(s *State, m memory, p []uint64) error {
	d, err := s.fileOrStream(p[0], rightFDRead)
	if err != nil {
		return err
	}
	return s.transfer(m, p[1], p[2], p[3], d.read)
}

func (d *descriptor) read(b []byte) (n int, err error) {
	switch {
	case d.file != nil:
		n, err = d.file.Read(b)
	case d.reader != nil:
		n, err = d.reader.Read(b)
	}
	if err == io.EOF {
		err = nil
	}
	return n, errnoOf(err)
}

func fdWrite(s *State, m memory, p []uint64) error {
	d, err := s.fileOrStream(p[0], rightFDWrite)
	if err != nil {
		return err
	}
	return s.transfer(m, p[1], p[2], p[3], d.write)
}

func (d *descriptor) write(b []byte) (int, error) {
	switch {
	case d.file != nil:
		n, err := d.file.Write(b)
		return n, errnoOf(err)
	case d.writer != nil:
		n, err := d.writer.Write(b)
		if err == nil && n < len(b) {
			err = io.ErrShortWrite
		}
		return n, err
	}
	return len(b), nil
}

// at returns the file under a number for reading or writing at an offset.
func (s *State) at(fd, right, offset uint64) (*descriptor, error) {
	d, err := s.file(fd, espipe)
	switch {
	case err != nil:
	case d.base&right == 0:
		err = ebadf
	case offset > math.MaxInt64:
		err = einval
	}
	return d, err
}

func fdPread(s *State, m memory, p []uint64) error {
	d, err := s.at(p[0], rightFDRead, p[3])
	if err != nil {
		return err
	}
	offset := int64(p[3])
	return s.transfer(m, p[1], p[2], p[4], func(b []byte) (int, error) {
		n, err := d.file.ReadAt(b, offset)
		offset += int64(n)
		if err == io.EOF {
			err = nil
		}
		return n, errnoOf(err)
	})
}

func fdPwrite(s *State, m memory, p []uint64) error {
	d, err := s.at(p[0], rightFDWrite, p[3])
	if err != nil {
		return err
	}
	offset, writeAt := int64(p[3]), d.file.WriteAt
	if d.appends {
		writeAt = func(b []byte, offset int64) (int, error) { return pwrite(d.file, b, offset) }
	}
	return s.transfer(m, p[1], p[2], p[4], func(b []byte) (int, error) {
		n, err := writeAt(b, offset)
		offset += int64(n)
		return n, errnoOf(err)
	})
}

func fdSeek(s *State, m memory, p []uint64) error {
	d, err := s.file(p[0], espipe)
	if err != nil {
		return err
	}
	if _, err := m.slice(p[3], 8); err != nil {
		return err
	}
	whence := uint32(p[2])
	if whence > io.SeekEnd {
		return einval
	}
	at, err := d.file.Seek(int64(p[1]), int(whence))
	if err != nil {
		return errnoOf(err)
	}
	return m.putUint64(p[3], uint64(at))
}

func fdTell(s *State, m memory, p []uint64) error {
	return fdSeek(s, m, []uint64{p[0], 0, io.SeekCurrent, p[1]})
}
