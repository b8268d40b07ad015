package host

// Stopping. One watchdog stops the calls of all instances. A call costs it no
// goroutine, no timer and no lock: each instance has a ticket, on which whoever
// calls writes until when the call may last and which run it is of.
//
// Two orders make that safe. A call publishes its ticket, then looks whether its run
// has ended and when the watchdog will wake; the watchdog, and whoever ends a run,
// first say so, then look at the tickets. And only a ticket's state decides: a call
// goes from running to idle, or it is stopped, never both, so that a deadline which
// passes as its call returns does not stop the next.

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// The states of a ticket; the bits above count calls.
const (
	idle     = iota
	running  // the guest may be stopped
	stopping // somebody is stopping it
	stopped
	stateMask = 3
	oneCall   = 4
)

// A ticket is what the watchdog knows of an instance.
type ticket struct {
	state    atomic.Uint64
	deadline atomic.Int64 // of the clock, or noDeadline
	run      atomic.Pointer[watchedRun]
	cause    error         // why it was stopped; written by who stops, before stopped
	wake     chan struct{} // for a guest that sleeps
	stop     func()        // makes the guest trap
	at       int           // in the watchdog's list
}

const noDeadline = math.MaxInt64

// A watchedRun is a context that calls run under.
type watchedRun struct {
	ctx   context.Context
	ended atomic.Bool
}

// unwatched is the run of calls whose context never ends.
var unwatched = &watchedRun{}

type watchdog struct {
	epoch time.Time
	next  atomic.Int64 // when it wakes; noDeadline: not before it is told to
	hint  atomic.Int64 // what it was told
	bell  chan struct{}
	quit  chan struct{}
	done  chan struct{}

	mu      sync.Mutex
	tickets []*ticket
	runs    map[context.Context]*watchedRun
}

func newWatchdog() *watchdog {
	d := &watchdog{epoch: time.Now(), bell: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}), runs: map[context.Context]*watchedRun{}}
	d.next.Store(noDeadline)
	d.hint.Store(noDeadline)
	go d.watch()
	return d
}

// close ends the watchdog. No call may be running.
func (d *watchdog) close() {
	close(d.quit)
	<-d.done
}

// clock returns the time in nanoseconds since the watchdog was made.
func (d *watchdog) clock() int64 { return int64(time.Since(d.epoch)) }

// add makes t known.
func (d *watchdog) add(t *ticket) {
	t.deadline.Store(noDeadline)
	t.run.Store(unwatched)
	d.mu.Lock()
	defer d.mu.Unlock()
	t.at = len(d.tickets)
	d.tickets = append(d.tickets, t)
}

func (d *watchdog) remove(t *ticket) {
	d.mu.Lock()
	defer d.mu.Unlock()
	last := len(d.tickets) - 1
	d.tickets[t.at] = d.tickets[last]
	d.tickets[t.at].at = t.at
	d.tickets[last] = nil
	d.tickets = d.tickets[:last]
}

// runOf returns what is known of the run that ctx belongs to.
func (d *watchdog) runOf(ctx context.Context) *watchedRun {
	if ctx.Done() == nil {
		return unwatched
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.runs[ctx]; r != nil {
		return r
	}
	r := &watchedRun{ctx: ctx}
	if ctx.Err() != nil {
		r.ended.Store(true)
		return r
	}
	d.runs[ctx] = r
	context.AfterFunc(ctx, func() { d.end(r) })
	return r
}

// end stops what runs under r.
func (d *watchdog) end(r *watchedRun) {
	r.ended.Store(true)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.runs, r.ctx)
	for _, t := range d.tickets {
		if s := t.state.Load(); s&stateMask == running && t.run.Load() == r {
			t.halt(s, context.Cause(r.ctx))
		}
	}
}

// begin says that a call begins, which may last until deadline.
func (d *watchdog) begin(t *ticket, r *watchedRun, deadline int64) {
	if t.deadline.Load() != deadline {
		t.deadline.Store(deadline)
	}
	if t.run.Load() != r {
		t.run.Store(r)
	}
	s := t.state.Load() + oneCall + running
	t.state.Store(s)
	if r.ended.Load() {
		t.halt(s, context.Cause(r.ctx))
	}
	if deadline < d.next.Load() {
		for {
			h := d.hint.Load()
			if h <= deadline || d.hint.CompareAndSwap(h, deadline) {
				break
			}
		}
		select {
		case d.bell <- struct{}{}:
		default: // it rings already
		}
	}
}

// halt stops the call of which t had the state s, if it still runs.
func (t *ticket) halt(s uint64, cause error) {
	if !t.state.CompareAndSwap(s, s&^stateMask|stopping) {
		return
	}
	t.cause = cause
	t.stop()
	// Before the call can end: the next one, when it sleeps, finds it and knows.
	select {
	case t.wake <- struct{}{}:
	default: // nobody has heard the last one
	}
	t.state.Store(s&^stateMask | stopped)
}

// end says that the call is over, and returns why it was stopped, or nil. Nobody
// stops it from now on.
func (t *ticket) end() error {
	s := t.state.Load()
	if s&stateMask == running && t.state.CompareAndSwap(s, s&^stateMask) {
		return nil
	}
	for t.state.Load()&stateMask == stopping {
		runtime.Gosched() // whoever stops it is about to have done so
	}
	cause := t.cause
	t.cause = nil
	t.state.Store(s &^ stateMask)
	return cause
}

// stopped reports whether the call has been stopped; the caller is the guest's own
// goroutine.
func (t *ticket) isStopped() bool { return t.state.Load()&stateMask != running }

// errStopped ends a host function of a call that was stopped. Why is on the ticket.
var errStopped = errors.New("the call was stopped")

// sleep waits, unless the call is stopped. The guest's goroutine calls it.
func (t *ticket) sleep(pause time.Duration) error {
	select {
	case <-t.wake: // of an earlier call
	default:
	}
	if t.isStopped() {
		return errStopped
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-t.wake:
		return errStopped
	}
}

// errDeadline is the cause of a call that has lasted too long.
var errDeadline = errors.New("its time was over")

// overdue stops the call of t if its time is over.
func (d *watchdog) overdue(t *ticket) bool {
	limit := t.deadline.Load()
	if limit == noDeadline || d.clock() < limit {
		return false
	}
	if s := t.state.Load(); s&stateMask == running {
		t.halt(s, errDeadline)
	}
	return true
}

// watch is the watchdog's life.
func (d *watchdog) watch() {
	defer close(d.done)
	timer := time.NewTimer(math.MaxInt64)
	defer timer.Stop()
	for {
		next := d.look()
		// What was asked for meanwhile, and the last that it was told: calls that end
		// before their time come again with a later one, and need not ring.
		next = min(next, d.hint.Swap(noDeadline))
		d.next.Store(next)
		timer.Reset(time.Duration(min(next-d.clock(), math.MaxInt64)))
		select {
		case <-timer.C:
		case <-d.bell:
		case <-d.quit:
			return
		}
		d.next.Store(noDeadline)
	}
}

// look stops the calls whose time is over and returns when the next one's is.
func (d *watchdog) look() (next int64) {
	now := d.clock()
	next = noDeadline
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.tickets {
		s := t.state.Load()
		if s&stateMask != running {
			continue
		}
		// The deadline was written before the state: if that is still the same, they
		// belong together.
		limit := t.deadline.Load()
		if t.state.Load() != s {
			next = min(next, limit)
			continue
		}
		if limit <= now {
			t.halt(s, errDeadline)
		} else {
			next = min(next, limit)
		}
	}
	return next
}
