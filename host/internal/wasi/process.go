package wasi

import (
	"crypto/rand"
	"encoding/binary"
	"math"
	"runtime"
	"sync"
	"time"
)

func argsGet(s *State, m memory, p []uint64) error      { return putStrings(m, s.config.Args, p) }
func argsSizesGet(s *State, m memory, p []uint64) error { return putSizes(m, s.config.Args, p) }
func environGet(s *State, m memory, p []uint64) error   { return putStrings(m, s.config.Env, p) }
func environSizesGet(s *State, m memory, p []uint64) error {
	return putSizes(m, s.config.Env, p)
}

// stringsSize is how many bytes list takes, with a NUL after each.
func stringsSize(list []string) (n uint64) {
	for _, s := range list {
		n += uint64(len(s)) + 1
	}
	return n
}

// putSizes answers the number of strings and their size.
func putSizes(m memory, list []string, p []uint64) error {
	size := stringsSize(list)
	if size > math.MaxUint32 {
		return eoverflow
	}
	if _, err := m.slice(p[1], 4); err != nil {
		return err
	}
	if err := m.putUint32(p[0], uint32(len(list))); err != nil {
		return err
	}
	return m.putUint32(p[1], uint32(size))
}

// putStrings writes an array of pointers, and the strings that they point to.
func putStrings(m memory, list []string, p []uint64) error {
	size := stringsSize(list)
	if size > math.MaxUint32 {
		return eoverflow
	}
	pointers, err := m.array(p[0], uint64(len(list)), 4)
	if err != nil {
		return err
	}
	text, err := m.slice(p[1], size)
	if err != nil {
		return err
	}
	at := uint32(p[1])
	for i, s := range list {
		binary.LittleEndian.PutUint32(pointers[4*i:], at)
		n := copy(text, s)
		text[n] = 0
		text = text[n+1:]
		at += uint32(n) + 1
	}
	return nil
}

// The clocks that there are. Those of CPU time are not: nothing here knows what a guest
// has used, and the specification has EINVAL for a clock that is not supported.
const (
	clockRealtime  = 0
	clockMonotonic = 1
)

// anchor is when the monotonic clock was first read.
var anchor = sync.OnceValue(time.Now)

// clock reads a clock.
func clock(id uint32) (ns uint64, err error) {
	switch id {
	case clockRealtime:
		return uint64(time.Now().UnixNano()), nil
	case clockMonotonic:
		// It does not start at zero: a guest may live on from a snapshot that an
		// earlier process took, and must not see this clock go back.
		return uint64(anchor().UnixNano() + int64(time.Since(anchor()))), nil
	}
	return 0, einval
}

func clockResGet(_ *State, m memory, p []uint64) error {
	if _, err := clock(uint32(p[0])); err != nil {
		return err
	}
	return m.putUint64(p[1], 1)
}

func clockTimeGet(_ *State, m memory, p []uint64) error {
	now, err := clock(uint32(p[0]))
	if err != nil {
		return err
	}
	return m.putUint64(p[2], now)
}

// piece is how much is done between two looks at whether the call is over.
const piece = 1 << 20

func randomGet(s *State, m memory, p []uint64) error {
	b, err := m.slice(p[0], p[1])
	if err != nil {
		return err
	}
	for {
		n := min(len(b), piece)
		rand.Read(b[:n]) // it never fails
		if b = b[n:]; len(b) == 0 {
			return nil
		}
		if err := s.stopped(); err != nil {
			return err
		}
	}
}

func procExit(_ *State, _ []byte, stack []uint64) error { return &Exit{uint32(stack[0])} }

// procRaise sends no signal: there is nothing to handle one.
func procRaise(*State, memory, []uint64) error { return enosys }

func schedYield(s *State, _ memory, _ []uint64) error {
	runtime.Gosched()
	return s.stopped()
}

// notSocket serves all that sockets do: a guest has none.
func notSocket(s *State, _ memory, p []uint64) error {
	if _, err := s.lookup(p[0]); err != nil {
		return err
	}
	return enotsock
}
