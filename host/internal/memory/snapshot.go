package memory

// A snapshot's bytes lie in a memory file, which every memory that is made from it
// maps copy-on-write. What a call has changed is then what is no longer the file's,
// and the kernel knows that: the pages that a scan of the page tables finds are
// copied back. They stay private, so that the next call does not fault on them; a
// scan finds them whether that call changes them or not.
//
// Only pages up to the last that is not zero are in the file. What is behind it is
// anonymous memory: reading it costs no memory, and it is reset to zero.
//
// Where the system has no memory files, a snapshot is a copy, and so is what is
// made of it.

import (
	"fmt"
	"os"
	"sync/atomic"
)

// A Snapshot is the state of a memory at one moment. Its methods may be called by
// several goroutines.
type Snapshot struct {
	system *System
	size   uint64 // of the memory
	file   int    // -1 if there is none
	offset int64  // of the image in it
	image  []byte // the bytes up to the last page that is not zero; not to be written
	users  atomic.Int64
}

// osPage is the size that memory files and resets work in. Systems with larger
// pages see resets of whole pages all the same: they divide PageSize.
const osPage = 4096

// Content returns the bytes of the memory up to the last page that is not zero. They
// are valid until the snapshot is freed, and must not be written.
func (s *Snapshot) Content() []byte { return s.image }

// WriteTo writes Content to f, which has nothing there yet, at an offset, with holes where
// it is zero.
func (s *Snapshot) WriteTo(f *os.File, offset int64) error {
	if err := f.Truncate(offset + int64(len(s.image))); err != nil {
		return err
	}
	return stretches(s.image, func(at, end int) error {
		_, err := f.WriteAt(s.image[at:end], offset+int64(at))
		return err
	})
}

// stretches calls fn for each stretch of whole pages of content that is not zero.
func stretches(content []byte, fn func(at, end int) error) error {
	for at := 0; at < len(content); {
		end := at + osPage
		if isZero(content[at:end]) {
			at = end
			continue
		}
		for end < len(content) && !isZero(content[end:end+osPage]) {
			end += osPage
		}
		if err := fn(at, end); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// Hold keeps the snapshot from being freed until one more Close.
func (s *Snapshot) Hold() { s.users.Add(1) }

// FromFile returns a snapshot of a memory of size bytes that begins with the n bytes at
// offset of f, and is zero behind them. All three are multiples of 4 KiB. The file may be
// closed, but must never be cut off nor written to: memories map it.
func (y *System) FromFile(f *os.File, offset, n int64, size uint64) (*Snapshot, error) {
	if n < 0 || uint64(n) > size || offset%osPage != 0 || n%osPage != 0 || size%PageSize != 0 {
		return nil, fmt.Errorf("%d bytes at %d of a memory of %d bytes", n, offset, size)
	}
	s := &Snapshot{system: y, size: size, file: -1}
	if err := s.open(f, offset, n); err != nil {
		return nil, err
	}
	s.users.Store(1)
	return s, nil
}

// read reads the image of a snapshot that maps nothing.
func (s *Snapshot) read(f *os.File, offset, n int64) error {
	s.image = make([]byte, n)
	_, err := f.ReadAt(s.image, offset)
	return err
}

// Size returns the size of the memory in bytes.
func (s *Snapshot) Size() uint64 { return s.size }

// Stored returns how many bytes the snapshot takes at the most.
func (s *Snapshot) Stored() uint64 { return uint64(len(s.image)) }

// Snapshot takes a snapshot of l, which becomes a memory made from it. If that
// fails, l cannot be used any more.
func (y *System) Snapshot(l *Linear) (*Snapshot, error) {
	content := l.Bytes()
	n := len(content)
	for n > 0 && isZero(content[n-osPage:n]) {
		n -= osPage
	}
	s := &Snapshot{system: y, size: l.used, file: -1}
	if err := s.store(content[:n]); err != nil {
		return nil, err
	}
	s.users.Store(1)
	if err := s.show(l.reserved[:n]); err != nil {
		s.Close()
		return nil, err
	}
	y.smallPages(content[n:])
	s.users.Add(1)
	l.snapshot = s
	return s, nil
}

// New returns a memory with the snapshot's bytes, which can grow to limit bytes, in
// a reservation of so many.
func (s *Snapshot) New(limit, reservation uint64) (*Linear, error) {
	l, err := New(max(limit, s.size), reservation)
	if err != nil {
		return nil, err
	}
	n := len(s.image)
	if err = s.show(l.reserved[:n]); err == nil {
		err = commit(l.reserved[n:s.size])
	}
	if err != nil {
		l.Free()
		return nil, err
	}
	s.system.smallPages(l.reserved[n:s.size])
	s.users.Add(1)
	l.used, l.snapshot = s.size, s
	return l, nil
}

// Close frees the snapshot, once nothing is made from it any more.
func (s *Snapshot) Close() {
	if s.users.Add(-1) == 0 {
		s.free()
	}
}

// Discard is Free for a memory that was made from a snapshot.
func (l *Linear) Discard() {
	s := l.snapshot
	l.Free()
	if s != nil {
		s.Close()
	}
}

// isZero reports whether a page is zero.
func isZero(page []byte) bool { return [osPage]byte(page) == [osPage]byte{} }

const (
	// dropAbove is how many changed pages are given back to the system instead of
	// being copied, so that no idle memory holds more.
	dropAbove = 1024
	// settleAfter is how many resets pass before a memory is made ready for many.
	settleAfter = 8
	// Pages that one call has changed would be copied for all that follow. So every
	// staleEvery resets all are given back, where there are more than staleAbove.
	staleEvery = 1024
	staleAbove = 8
)

// A pages is a range of a memory.
type pages struct{ from, to uint32 } // in pages of the system

// Reset brings the memory back to its snapshot; it must not have grown.
func (l *Linear) Reset() error { return l.ResetOn(0) }

// ResetOn is Reset after a call all of which was on one thread: the calling one, which
// thread stands for, as it did before if and only if nothing else was on it in between.
// 0 means that the call may have been on several.
//
// A page becomes private by a fault. So if the thread has had none since the last reset,
// the pages to restore are those of then, and the page tables need not be looked at.
func (l *Linear) ResetOn(thread uint64) error {
	s := l.snapshot
	if s.file < 0 {
		s.copyBack(l)
		return nil
	}
	if thread != 0 && thread == l.thread && threadFaults() == l.faults {
		for _, p := range l.known {
			s.restorePages(l.Bytes(), uintptr(p.from)*osPage, uintptr(p.to)*osPage)
		}
	} else {
		l.known, l.thread = l.known[:0], 0
		n, err := s.system.restore(l)
		if err != nil || n > dropAbove {
			return l.Trim()
		}
		l.private = n
		if thread != 0 && s.system.counts {
			if f := threadFaults(); f >= 0 {
				l.thread, l.faults = thread, f
			}
		}
	}
	n := l.private
	switch l.resets++; {
	case l.resets == settleAfter:
		return l.settle()
	case l.resets%staleEvery == 0 && n > staleAbove:
		return l.Trim() // what the next call needs, it faults in again
	}
	return nil
}

// Resident returns about how many bytes of real memory are l's own: those that its
// last reset restored.
func (l *Linear) Resident() uint64 { return uint64(l.private) * osPage }

// restorePages restores the bytes [from, to), which are whole pages that are private.
func (s *Snapshot) restorePages(content []byte, from, to uintptr) {
	k := uintptr(0)
	if from < uintptr(len(s.image)) {
		k = uintptr(copy(content[from:to], s.image[from:]))
	}
	clear(content[from+k : to])
}

// copyBack resets without a memory file.
func (s *Snapshot) copyBack(l *Linear) {
	content := l.Bytes()
	for at := 0; at < len(content); at += osPage {
		page := content[at : at+osPage]
		if at >= len(s.image) {
			if !isZero(page) { // reading leaves a page that was never touched as it is
				clear(page)
			}
		} else if [osPage]byte(page) != [osPage]byte(s.image[at:]) {
			copy(page, s.image[at:])
		}
	}
}
