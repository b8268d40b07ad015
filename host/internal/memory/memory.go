// Package memory makes the linear memories of guests.
package memory

import "sync"

// A Linear is a linear memory: a reservation of address space of which the first
// bytes are in use. It never moves. Pages that the guest has not touched cost
// nothing where the system has mmap; elsewhere the whole limit is allocated.
type Linear struct {
	reserved []byte // nil once freed; then the limit is 0
	limit    uint64
	used     uint64
	refused  uint64
	pool     *Pool // nil if nobody keeps it
}

// Reserve returns a memory of no bytes that can grow to limit bytes.
func Reserve(limit uint64) (*Linear, error) { return (*Pool)(nil).Reserve(limit) }

// Reallocate returns the memory with size bytes, those that are new zero, or nil
// if that is more than its limit. It never shrinks.
func (l *Linear) Reallocate(size uint64) []byte {
	if size > l.limit {
		l.refused = size
		return nil
	}
	l.used = max(l.used, size)
	return l.reserved[:size]
}

// Refused returns the last size in bytes that was more than the limit, or 0.
func (l *Linear) Refused() uint64 { return l.refused }

// Free gives the memory back. Nothing may refer to it any more.
func (l *Linear) Free() {
	if l.reserved != nil {
		if !l.pool.keep(l.reserved, l.used) {
			release(l.reserved)
		}
		l.reserved, l.limit = nil, 0
	}
}

// A Pool keeps a few reservations of small memories for the next instances.
// Mapping and unmapping are what workers of one process contend for, and each page
// that is touched for the first time is a fault: clearing what a small guest had is
// cheaper. The zero Pool is empty; a nil one keeps nothing.
type Pool struct {
	mu     sync.Mutex
	free   [][]byte // all zero
	closed bool
}

const (
	maxKept     = 16      // reservations of a pool
	maxKeptSize = 1 << 20 // bytes in use
)

// Reserve is like the function of that name.
func (p *Pool) Reserve(limit uint64) (*Linear, error) {
	l := &Linear{limit: limit, pool: p}
	if l.reserved = p.take(limit); l.reserved != nil {
		return l, nil
	}
	var err error
	l.reserved, err = reserve(limit)
	return l, err
}

// take returns a kept reservation of limit bytes, or nil.
func (p *Pool) take(limit uint64) []byte {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.free) - 1; i >= 0; i-- {
		if b := p.free[i]; uint64(len(b)) == limit {
			last := len(p.free) - 1
			p.free[i] = p.free[last]
			p.free = p.free[:last]
			return b
		}
	}
	return nil
}

// keep clears the used bytes of b and keeps it, if it is worth that.
func (p *Pool) keep(b []byte, used uint64) bool {
	if p == nil || used > maxKeptSize || len(b) == 0 {
		return false
	}
	p.mu.Lock()
	full := p.closed || len(p.free) >= maxKept
	p.mu.Unlock()
	if full {
		return false
	}
	clear(b[:used])
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.free) >= maxKept {
		return false
	}
	p.free = append(p.free, b)
	return true
}

// Close gives back what is kept; nothing is kept any more.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.free {
		release(b)
	}
	p.free, p.closed = nil, true
}
