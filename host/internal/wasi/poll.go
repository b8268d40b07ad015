package wasi

import (
	"encoding/binary"
	"math"
	"time"
)

const (
	subscriptionSize = 48
	eventSize        = 32

	eventClock   = 0
	eventFDRead  = 1
	eventFDWrite = 2

	pollEvery = 1 << 16 // subscriptions between two looks at whether the call is over
)

// A subscription is to a clock, or to a descriptor, which is always ready: nothing that
// a guest can have open makes it wait.
type subscription struct {
	userdata uint64
	kind     byte
	fd       uint64
	wait     time.Duration // of a clock
	err      error         // why it is answered at once
}

// pollOneoff waits for the first of the clocks if there is nothing else to answer. Each
// subscription is read once, and its event is written at once, over those of clocks that
// turn out not to be the first: their number costs the host no memory.
func pollOneoff(s *State, m memory, p []uint64) error {
	count := p[2] & math.MaxUint32
	if count == 0 {
		return einval
	}
	in, err := m.array(p[0], count, subscriptionSize)
	if err != nil {
		return err
	}
	out, err := m.array(p[1], count, eventSize)
	if err != nil {
		return err
	}
	if _, err := m.slice(p[3], 4); err != nil {
		return err
	}
	// Events are smaller, and stay behind the subscriptions unless they begin among them.
	if in, out := p[0]&math.MaxUint32, p[1]&math.MaxUint32; out > in && out < in+count*subscriptionSize {
		return einval
	}
	var now [2]uint64 // by clock, at one moment
	for id := range now {
		if now[id], err = clock(uint32(id)); err != nil {
			return err
		}
	}
	wait, events := time.Duration(math.MaxInt64), uint32(0)
	for i := range count {
		if i%pollEvery == 0 {
			if err := s.stopped(); err != nil {
				return err
			}
		}
		sub, err := s.subscription(in[i*subscriptionSize:], &now)
		if err != nil {
			return err
		}
		if sub.wait < wait {
			wait, events = sub.wait, 0
		}
		if sub.wait == wait {
			sub.putEvent(out[events*eventSize:])
			events++
		}
	}
	if wait > 0 {
		if err := s.sleep(wait); err != nil {
			return err
		}
	}
	return m.putUint32(p[3], events)
}

// subscription decodes one. An error is of the call as a whole.
func (s *State) subscription(b []byte, now *[2]uint64) (subscription, error) {
	sub := subscription{userdata: binary.LittleEndian.Uint64(b), kind: b[8]}
	switch sub.kind {
	case eventFDRead, eventFDWrite:
		sub.fd = uint64(binary.LittleEndian.Uint32(b[16:]))
		_, sub.err = s.lookup(sub.fd)
		return sub, nil
	case eventClock:
	default:
		return sub, einval
	}
	id, timeout, flags := binary.LittleEndian.Uint32(b[16:]), binary.LittleEndian.Uint64(b[24:]), binary.LittleEndian.Uint16(b[40:])
	if id >= uint32(len(now)) || flags > 1 {
		sub.err = einval
		return sub, nil
	}
	if absolute := flags == 1; absolute {
		timeout -= min(timeout, now[id])
	}
	sub.wait = time.Duration(min(timeout, math.MaxInt64))
	return sub, nil
}

func (sub *subscription) putEvent(b []byte) {
	clear(b[:eventSize])
	binary.LittleEndian.PutUint64(b, sub.userdata)
	if e, ok := sub.err.(errno); ok {
		binary.LittleEndian.PutUint16(b[8:], uint16(e))
	}
	b[10] = sub.kind
	if sub.kind != eventClock && sub.err == nil {
		binary.LittleEndian.PutUint64(b[16:], 1) // at least a byte
	}
}
