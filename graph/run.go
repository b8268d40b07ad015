package graph

import (
	"context"
	"fmt"
	"sync"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/sched"
)

// Run evaluates n on x and returns its result as a T, as [abi.Into] converts it.
// It returns the first error, an *[Error] where a node is to blame, once nothing
// of the run is running any more.
func Run[T any](ctx context.Context, x Executor, n Expr, opts ...Option) (T, error) {
	var t T
	vs, err := RunAll(ctx, x, []*Node{n.node()}, opts...)
	if err != nil {
		return t, err
	}
	if err := abi.Into(vs[0], &t); err != nil {
		return t, newError(n.node(), abi.Errorf(abi.BadCall, "result: %w", err))
	}
	return t, nil
}

// RunAll evaluates nodes, as one graph, and returns their results.
func RunAll(ctx context.Context, x Executor, nodes []*Node, opts ...Option) ([]abi.Value, error) {
	return Start(ctx, x, nodes, opts...).Wait()
}

// An Option changes how a graph is run.
type Option func(*run)

// WithObserver has o told of every event of the run. It is called by the
// workers, several at once, and must not wait.
func WithObserver(o Observer) Option { return func(r *run) { r.observer = o } }

// WithFuture has fn called with the run's future before anything runs: for whoever
// shows progress of runs that others start.
func WithFuture(fn func(*Future)) Option { return func(r *run) { r.starting = fn } }

// An Observer is told what happens in a run.
type Observer func(Event)

// An Event is something that happened to a node.
type Event struct {
	Kind   EventKind
	Node   *Node
	ID     int // of the node in its run
	Worker int // -1 if none
	CPU    int
	Time   time.Time
	Began  time.Time // of Finished and Failed: when the node started
	Err    error     // of Failed
}

// An EventKind says what happened.
type EventKind uint8

// The kinds of events, in the order in which they happen to a node.
const (
	Queued EventKind = iota
	Started
	Finished
	Failed
)

func (k EventKind) String() string {
	return [...]string{"queued", "started", "finished", "failed"}[k]
}

// observe tells the observer. For Finished and Failed, t is when the node began.
func (r *run) observe(k EventKind, s *state, w *sched.Worker, t time.Time, err error) {
	e := Event{Kind: k, Node: s.node, ID: int(r.number(s.node)), Worker: -1, Time: t, Err: err}
	if k >= Finished {
		e.Began, e.Time = t, time.Now()
	}
	if w != nil {
		e.Worker, e.CPU = w.ID(), w.CPU()
	}
	r.observer(e)
}

// A Future is a run whose results may not be there yet.
type Future struct {
	r    *run
	done chan struct{}
	vals []abi.Value
	err  error

	mu        sync.Mutex
	callbacks []func(*Future)
}

// Start begins to evaluate nodes, as one graph, and returns at once.
func Start(ctx context.Context, x Executor, nodes []*Node, opts ...Option) *Future {
	r := &run{ex: x, roots: nodes, ran: make([]counter, x.Pool().Workers())}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	for _, o := range opts {
		o(r)
	}
	f := &Future{r: r, done: make(chan struct{})}
	r.finish = f.finish
	err := r.plan()
	if r.starting != nil {
		r.starting(f)
	}
	switch {
	case err != nil:
		r.err = err
		f.finish()
	case r.nodes == 0:
		f.finish()
	default:
		r.start()
	}
	return f
}

// finish takes the results over from the run, which is over.
func (f *Future) finish() {
	r := f.r
	if r.err == nil && int(r.nodes) > 0 && r.progress() < int(r.nodes) {
		// Nothing failed, yet not everything ran: it was cancelled in between.
		r.err = &cancelled{context.Cause(r.ctx), r.progress(), int(r.nodes)}
	}
	if f.err = r.err; f.err == nil {
		f.vals = make([]abi.Value, len(r.roots))
		for i, n := range r.roots {
			f.vals[i] = r.at(r.number(n)).value
		}
	}
	r.leaveLane()
	argBuffers.put(r.args)
	r.cancel(nil)
	f.mu.Lock()
	callbacks := f.callbacks
	f.callbacks = nil
	close(f.done)
	f.mu.Unlock()
	// This is a worker: what callbacks do, and how long, is not its business.
	for _, c := range callbacks {
		go c(f)
	}
	r.chunks, r.args, r.succs, r.sources, r.foreign = nil, nil, nil, nil, nil
}

// cancelled is the error of a run that was cancelled between two nodes.
type cancelled struct {
	cause     error
	ran, many int
}

func (c *cancelled) Error() string {
	return fmt.Sprintf("cancelled after %d of %d nodes: %v", c.ran, c.many, c.cause)
}
func (c *cancelled) Unwrap() []error {
	return []error{c.cause, abi.Errorf(abi.Cancelled, "cancelled")}
}

// Wait returns the results, one for each node that was started, once the run is over.
func (f *Future) Wait() ([]abi.Value, error) {
	<-f.done
	return f.vals, f.err
}

// Done is closed when the run is over.
func (f *Future) Done() <-chan struct{} { return f.done }

// Cancel stops the run; cause, which may be nil, becomes part of its error. What
// runs is interrupted, what has not started does not start.
func (f *Future) Cancel(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	f.r.stopped.Store(true)
	f.r.cancel(cause)
}

// OnDone has fn called, on a goroutine of its own, when the run is over; at once
// if it is.
func (f *Future) OnDone(fn func(*Future)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.done:
		go fn(f)
	default:
		f.callbacks = append(f.callbacks, fn)
	}
}

// Progress returns how many of the run's nodes have run, and how many there are.
func (f *Future) Progress() (ran, nodes int) { return f.r.progress(), int(f.r.nodes) }
