// Package memory makes the linear memories of guests, snapshots of them, and the
// way back: a memory that was made from a snapshot is reset to it by restoring the
// pages that a call has changed, and no others.
package memory

import (
	"fmt"
	"unsafe"
)

// A Linear is a linear memory: a reservation of address space of which the first
// bytes are in use and the others cannot be touched. It never moves. Pages that
// the guest has not touched cost nothing where the system has mmap; elsewhere the
// whole limit is allocated. It is for one goroutine at a time.
type Linear struct {
	reserved []byte
	limit    uint64
	used     uint64
	refused  uint64
	snapshot *Snapshot // nil if it was not made from one, or has not become one
	resets   uint
	private  int // pages that differ from the snapshot's, as of the last reset
	known    []pages
	thread   uint64 // that known and faults are of; 0 if they are not known
	faults   int64
}

// PageSize is the size of a page of linear memory in bytes (WebAssembly 2.0, §4.2.8).
const PageSize = 64 << 10

// Reservation is how much address space a memory takes on 64-bit systems: all that
// 32 bits can name, and a guard behind it, which lets an engine leave out the check
// of most addresses.
const Reservation = 4<<30 + 32<<20

// New returns a memory of no bytes that can grow to limit bytes, in a reservation
// of so many.
func New(limit, reservation uint64) (*Linear, error) {
	l := &Linear{limit: limit}
	var err error
	if l.reserved, err = reserve(limit, reservation); err != nil {
		return nil, fmt.Errorf("reserving %d bytes of address space: %w", reservation, err)
	}
	return l, nil
}

// Base returns the address of the reservation, which holds Reserved bytes.
func (l *Linear) Base() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(l.reserved)) }

// Reserved returns the size of the reservation in bytes; 0 once it is freed.
func (l *Linear) Reserved() uint64 { return uint64(len(l.reserved)) }

// Bytes returns the bytes in use. They are valid until the memory is freed.
func (l *Linear) Bytes() []byte { return l.reserved[:l.used] }

// SetLimit changes how many bytes the memory can grow to, and forgets what was
// refused.
func (l *Linear) SetLimit(limit uint64) { l.limit, l.refused = min(limit, l.most()), 0 }

// Reallocate returns the memory with size bytes, or with those that it has if they
// are more; those that are new are zero. If size is more than its limit, or the
// system has no memory, it returns nil.
func (l *Linear) Reallocate(size uint64) []byte {
	if size > l.used {
		if size > l.limit || commit(l.reserved[l.used:size]) != nil {
			l.refused = size
			return nil
		}
		l.used = size
	}
	return l.reserved[:l.used]
}

// Refused returns the last size in bytes that the memory could not grow to, or 0.
func (l *Linear) Refused() uint64 { return l.refused }

// Grew reports whether the memory has grown since it was made from its snapshot.
func (l *Linear) Grew() bool { return l.snapshot != nil && l.used != l.snapshot.size }

// Free gives the memory back. Nothing may refer to it any more.
func (l *Linear) Free() {
	if len(l.reserved) > 0 {
		release(l.reserved)
	}
	*l = Linear{}
}
