//go:build cgo && (linux || darwin) && (amd64 || arm64)

package wasmtime

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"entangle.example/entangle/host/internal/memory"
)

// A control word is the first word of a control memory, in which wasmtime sees a
// page. Only the checks that instrument.Rewrite adds can name that memory, and they
// load that word; so the memories of many instances overlap, a word every
// wordStride bytes of one page. Behind the page lies as much of nothing as behind
// any memory: whatever a guest could reach through one, it would reach no memory of
// the host's.
const (
	wordStride = 64 // a cache line: stopping one guest slows no other
	slabSize   = memory.PageSize
)

type controlWords struct {
	mu    sync.Mutex
	slabs []*memory.Linear
	free  []*atomic.Uint32 // all zero
}

func (c *controlWords) get() (*atomic.Uint32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.free) == 0 {
		l, err := memory.New(slabSize, memory.Reservation+slabSize)
		if err != nil {
			return nil, err
		}
		b := l.Reallocate(slabSize)
		if b == nil {
			l.Free()
			return nil, fmt.Errorf("no memory for control words")
		}
		c.slabs = append(c.slabs, l)
		for at := len(b) - wordStride; at >= 0; at -= wordStride {
			c.free = append(c.free, (*atomic.Uint32)(unsafe.Pointer(&b[at])))
		}
	}
	last := len(c.free) - 1
	w := c.free[last]
	c.free = c.free[:last]
	return w, nil
}

func (c *controlWords) put(w *atomic.Uint32) {
	w.Store(0)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free = append(c.free, w)
}

func (c *controlWords) close() {
	for _, l := range c.slabs {
		l.Free()
	}
	c.slabs, c.free = nil, nil
}
