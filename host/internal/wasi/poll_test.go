package wasi

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"
	"time"
)

// A sub is a subscription: to a clock, or to a descriptor.
type sub struct {
	userdata uint64
	kind     byte
	id       uint32 // of the clock, or the descriptor
	timeout  uint64
	flags    uint16
}

type event struct {
	userdata uint64
	errno    errno
	kind     byte
}

// poll polls, and returns what happened and how long the guest slept.
func (g *guest) poll(subs ...sub) (events []event, slept []time.Duration) {
	g.t.Helper()
	g.sleeps = nil
	in := make([]byte, subscriptionSize*len(subs))
	for i, s := range subs {
		b := in[i*subscriptionSize:]
		binary.LittleEndian.PutUint64(b, s.userdata)
		b[8] = s.kind
		binary.LittleEndian.PutUint32(b[16:], s.id)
		binary.LittleEndian.PutUint64(b[24:], s.timeout)
		binary.LittleEndian.PutUint16(b[40:], s.flags)
	}
	copy(g.mem[buffer:], in)
	out := buffer + len(in)
	g.want(0, "poll_oneoff", buffer, out, len(subs), result)
	for i := range int(g.u32(result)) {
		at := out + i*eventSize
		events = append(events, event{g.u64(at), errno(g.u32(at + 8)), g.mem[at+10]})
	}
	for i := range events { // the errno has 16 bits
		events[i].errno &= math.MaxUint16
	}
	return events, g.sleeps
}

func TestPoll(t *testing.T) {
	g, _ := files(t)
	hour := uint64(time.Hour)
	for _, c := range []struct {
		name  string
		subs  []sub
		want  []event
		slept []time.Duration
	}{
		{"relative", []sub{{1, eventClock, clockMonotonic, 500, 0}}, []event{{1, 0, eventClock}}, []time.Duration{500}},
		{"realtime", []sub{{1, eventClock, clockRealtime, 500, 0}}, []event{{1, 0, eventClock}}, []time.Duration{500}},
		{"the first of two", []sub{{1, eventClock, 1, 500, 0}, {2, eventClock, 1, 300, 0}}, []event{{2, 0, eventClock}}, []time.Duration{300}},
		{"a later one among them", []sub{{1, eventClock, 0, 300, 0}, {2, eventClock, 1, 500, 0}, {3, eventClock, 1, 300, 0}}, []event{{1, 0, eventClock}, {3, 0, eventClock}}, []time.Duration{300}},
		{"both at once", []sub{{1, eventClock, 0, 500, 0}, {2, eventClock, 1, 500, 0}}, []event{{1, 0, eventClock}, {2, 0, eventClock}}, []time.Duration{500}},
		{"no time", []sub{{1, eventClock, 1, 0, 0}}, []event{{1, 0, eventClock}}, nil},
		{"long ago", []sub{{1, eventClock, 0, 1, 1}, {2, eventClock, 1, 1, 1}}, []event{{1, 0, eventClock}, {2, 0, eventClock}}, nil},
		{"for ever", []sub{{1, eventClock, 1, math.MaxUint64, 0}}, []event{{1, 0, eventClock}}, []time.Duration{math.MaxInt64}},
		{"streams", []sub{{1, eventFDRead, 0, 0, 0}, {2, eventFDWrite, 1, 0, 0}, {3, eventClock, 1, hour, 0}}, []event{{1, 0, eventFDRead}, {2, 0, eventFDWrite}}, nil},
		{"no descriptor", []sub{{1, eventFDRead, 99, 0, 0}, {2, eventFDWrite, math.MaxUint32, 0, 0}}, []event{{1, ebadf, eventFDRead}, {2, ebadf, eventFDWrite}}, nil},
		{"no clock", []sub{{1, eventClock, 2, hour, 0}, {2, eventClock, math.MaxUint32, 0, 0}}, []event{{1, einval, eventClock}, {2, einval, eventClock}}, nil},
		{"no such flag", []sub{{1, eventClock, 1, hour, 2}}, []event{{1, einval, eventClock}}, nil},
	} {
		events, slept := g.poll(c.subs...)
		if !slices.Equal(events, c.want) || !slices.Equal(slept, c.slept) {
			t.Errorf("%s: %v after %v, want %v after %v", c.name, events, slept, c.want, c.slept)
		}
	}

	// Until a moment of either clock.
	for id := range uint32(2) {
		now, err := clock(id)
		if err != nil {
			t.Fatal(err)
		}
		_, slept := g.poll(sub{1, eventClock, id, now + hour, 1})
		if len(slept) != 1 || slept[0] > time.Hour || slept[0] < time.Hour-time.Minute {
			t.Errorf("clock %d: slept %v, want almost an hour", id, slept)
		}
	}

	g.want(einval, "poll_oneoff", buffer, buffer, 0, result)
	g.mem[buffer+8] = 3
	g.want(einval, "poll_oneoff", buffer, buffer+1024, 1, result)
	// As many as the memory holds, and one more.
	clear(g.mem)
	most := memSize / subscriptionSize
	g.want(0, "poll_oneoff", 0, 0, most, memSize-4)
	g.want(efault, "poll_oneoff", 0, 0, most+1, result)
	g.want(efault, "poll_oneoff", 0, memSize-eventSize*most+1, most, result)

	// Events may lie over subscriptions that have been read, and no others.
	for i := range 3 {
		b := g.mem[buffer+i*subscriptionSize:]
		clear(b[:subscriptionSize])
		b[0], b[8], b[24] = byte(i+1), eventClock, byte(5-i%2) // after 5, 4 and 5 ns
	}
	g.want(einval, "poll_oneoff", buffer, buffer+1, 3, result)
	g.want(einval, "poll_oneoff", buffer, buffer+3*subscriptionSize-1, 3, result)
	g.want(0, "poll_oneoff", buffer, buffer-eventSize, 3, result)
	if g.u32(result) != 1 || g.u64(buffer-eventSize) != 2 {
		t.Errorf("%d events, the first of %d", g.u32(result), g.u64(buffer-eventSize))
	}

	over := errors.New("over")
	g.s.config.Sleep = func(time.Duration) error { return over }
	clear(g.mem)
	binary.LittleEndian.PutUint64(g.mem[buffer+24:], 1)
	if _, err := g.try("poll_oneoff", buffer, buffer+64, 1, result); err != over {
		t.Errorf("a sleep that was ended is %v", err)
	}
}

func TestSleep(t *testing.T) {
	g := begin(t, Config{})
	g.s.config.Sleep = nil
	start := time.Now()
	g.poll(sub{1, eventClock, clockMonotonic, uint64(20 * time.Millisecond), 0})
	if d := time.Since(start); d < 20*time.Millisecond {
		t.Errorf("slept for %v", d)
	}
}
