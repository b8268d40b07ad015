// Package memory makes the linear memories of guests.
package memory

// A Linear is a linear memory: a reservation of address space of which the first
// bytes are in use. It never moves. Pages that the guest has not touched cost
// nothing where the system has mmap; elsewhere the whole limit is allocated.
type Linear struct {
	reserved []byte // nil once freed; then the limit is 0
	limit    uint64
	refused  uint64
}

// Reserve returns a memory of no bytes that can grow to limit bytes.
func Reserve(limit uint64) (*Linear, error) {
	b, err := reserve(limit)
	if err != nil {
		return nil, err
	}
	return &Linear{reserved: b, limit: limit}, nil
}

// Reallocate returns the memory with size bytes, those that are new zero, or nil
// if that is more than its limit. It never shrinks.
func (l *Linear) Reallocate(size uint64) []byte {
	if size > l.limit {
		l.refused = size
		return nil
	}
	return l.reserved[:size]
}

// Refused returns the last size in bytes that was more than the limit, or 0.
func (l *Linear) Refused() uint64 { return l.refused }

// Free gives the memory back. Nothing may refer to it any more.
func (l *Linear) Free() {
	if l.reserved != nil {
		release(l.reserved)
		l.reserved, l.limit = nil, 0
	}
}
