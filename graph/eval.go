package graph

// The evaluator. A node is ready when the last of its producers has run; whoever
// ran that producer readies it. Of the nodes that one node readies, the worker
// runs the first itself and queues the others, where idle workers steal them; so
// evaluation goes deep before it goes wide, and few results wait at any time.
//
// run.live counts the activities of a run: jobs that are queued or running. An
// activity that readies one node becomes that node's, and one that readies none
// ends. When the last ends, the run is over, whether it went well or not: so no
// task of a run is running any more when its future is done.
//
// A state's value is written by the worker that ran the node, before it counts
// down its consumers' pending; and cleared by the worker that counts its readers
// down to zero. Both counts are atomic, which orders these.

import (
	"context"
	"errors"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/sched"
)

// A run is one evaluation of a graph.
type run struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	ex       Executor
	observer Observer
	starting func(*Future)

	// Made by plan.
	lane    *atomic.Uint32
	mark    uint64 // in the upper half of the slots of this run's nodes
	roots   []*Node
	nodes   int32
	chunks  [][]state
	args    []int32  // of each node in turn, the number behind each of its arguments and afters; -1: none
	succs   []int32  // of each node in turn, the numbers of its consumers
	sources []uint64 // bit i is set if node i waits for nothing
	foreign map[*Node]int32

	live    atomic.Int64
	stopped atomic.Bool // nothing more is to start
	ran     []counter   // nodes that each worker has run

	mu  sync.Mutex
	err error // the first failure

	finish func() // once, when live reaches zero
}

// A counter is written by one worker and read by anyone.
type counter struct {
	n atomic.Int64
	_ [56]byte // a cache line of its own
}

// start queues what can run. The run must have been planned.
func (r *run) start() {
	r.stopped.Store(r.ctx.Err() != nil)
	stop := context.AfterFunc(r.ctx, func() { r.stopped.Store(true) })
	finish := r.finish
	r.finish = func() {
		stop()
		finish()
	}
	r.live.Store(1)
	if r.observer != nil {
		for i := r.nextSource(0, r.nodes); i < r.nodes; i = r.nextSource(i+1, r.nodes) {
			r.observe(Queued, r.at(i), nil, time.Now(), nil)
		}
	}
	if !r.ex.Pool().Submit(&span{r, 0, r.nodes}) {
		r.mu.Lock()
		r.err = abi.Errorf(abi.Cancelled, "graph: the executor is closed")
		r.mu.Unlock()
		r.done(1)
	}
}

// done ends n activities.
func (r *run) done(n int64) {
	if r.live.Add(-n) == 0 {
		r.finish()
	}
}

// nextSource returns the first source from number i on, or end if there is none
// before that.
func (r *run) nextSource(i, end int32) int32 {
	for i < end {
		if word := r.sources[i>>6] >> (i & 63); word != 0 {
			return min(end, i+int32(bits.TrailingZeros64(word)))
		}
		i = (i | 63) + 1
	}
	return end
}

// A span is the job of running the sources among the nodes [lo, hi) of a run.
type span struct {
	r      *run
	lo, hi int32
}

// Run runs the sources one by one, and whatever they ready. Whenever its worker
// has nothing queued that others could steal, it queues half of what is left, and
// while others are idle, half of that, and so on: what it keeps waits for the
// source that it runs.
func (p *span) Run(w *sched.Worker) *sched.Worker {
	r := p.r
	for i := r.nextSource(p.lo, p.hi); i < p.hi && !r.stopped.Load(); i = r.nextSource(i+1, p.hi) {
		for left := p.hi - i - 1; left > 0 && (w.Len() == 0 || w.Pool().Idle()); left = p.hi - i - 1 {
			mid := p.hi - (left+1)/2
			if next := r.nextSource(mid, p.hi); next < p.hi {
				r.live.Add(1)
				w.Push(&span{r, next, p.hi})
			}
			p.hi = mid
		}
		var rest *state
		if w, rest = r.follow(w, r.at(i)); rest != nil {
			r.live.Add(1)
			w.Push(rest)
		}
	}
	r.done(1)
	return w
}

// Run makes a ready node a job.
func (s *state) Run(w *sched.Worker) *sched.Worker {
	r := s.run
	w, rest := r.follow(w, s)
	if rest != nil {
		w.Push(rest)
	} else {
		r.done(1)
	}
	return w
}

// followed is how many nodes in a row a worker runs before it looks at its queue
// again, so that a long chain does not keep jobs of other runs waiting.
const followed = 64

// follow runs s, then the first node that it readies, and so on; it returns the
// node at which it stopped halfway, if it did.
func (r *run) follow(w *sched.Worker, s *state) (*sched.Worker, *state) {
	for range followed {
		if w, s = r.exec(w, s); s == nil {
			break
		}
	}
	return w, s
}

// scratch is what a worker keeps between nodes.
type scratch struct {
	call Call
	args []abi.Value
}

// exec runs s's task and returns the first node that is ready now, if any; it
// queues the others.
func (r *run) exec(w *sched.Worker, s *state) (*sched.Worker, *state) {
	if r.stopped.Load() {
		return w, nil
	}
	n := s.node
	sc, _ := w.Local.(*scratch)
	if sc == nil {
		sc = &scratch{}
		w.Local = sc
	}
	args := sc.args[:0]
	deps := s.deps()
	for i, d := range deps[:len(n.args)] {
		if d < 0 {
			args = append(args, n.args[i].Value)
		} else {
			args = append(args, r.at(d).value)
		}
	}
	sc.args = args
	c := &sc.call
	c.Ctx, c.Node, c.Args, c.Worker = r.ctx, n, args, w
	var began time.Time
	if r.observer != nil {
		began = time.Now()
		r.observe(Started, s, w, began, nil)
	}
	v, err := execute(r.ex, c)
	w = c.Worker
	clear(args) // whoever else holds the values keeps them
	if err != nil {
		err = r.fail(s, err)
		if r.observer != nil {
			r.observe(Failed, s, w, began, err)
		}
		return w, nil
	}
	s.value = v
	if r.observer != nil {
		r.observe(Finished, s, w, began, nil)
	}
	count := &r.ran[w.ID()].n
	count.Store(count.Load() + 1)
	for _, d := range deps {
		if d >= 0 {
			if p := r.at(d); p.readers.Add(-1) == 0 {
				p.value = abi.Value{}
			}
		}
	}
	return w, r.ready(w, s)
}

// ready counts s off its consumers' lists and returns the first of those that
// now wait for nothing; it queues the others.
func (r *run) ready(w *sched.Worker, s *state) (first *state) {
	if s.succ < 0 {
		return nil
	}
	for k := s.succ; ; k++ {
		i := r.succs[k]
		last := i < 0
		if last {
			i = ^i
		}
		if t := r.at(i); t.pending.Add(-1) == 0 {
			if r.observer != nil {
				r.observe(Queued, t, w, time.Now(), nil)
			}
			if first == nil {
				first = t
			} else {
				r.live.Add(1)
				w.Push(t)
			}
		}
		if last {
			return first
		}
	}
}

// execute runs c's task; a panic in it is its error.
func execute(ex Executor, c *Call) (v abi.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = abi.Value{}, panicError(r)
		}
	}()
	return ex.Execute(c)
}

// fail records that s failed, and stops the run if it is the first to.
func (r *run) fail(s *state, err error) error {
	e := newError(s.node, err)
	if cause := context.Cause(r.ctx); cause != nil && (e.Code() == abi.Cancelled || errors.Is(err, context.Cause(r.ctx)) || errors.Is(err, context.Canceled)) {
		c := abi.Errorf(abi.Cancelled, "cancelled: %w", cause)
		if a, ok := errors.AsType[*abi.Error](err); ok { // where it was
			c.Stack, c.Log = a.Stack, a.Log
		}
		e.err = c
	}
	r.mu.Lock()
	if r.err == nil {
		e.Path, e.Skipped = r.path(s)
		r.err = e
	}
	r.mu.Unlock()
	r.stopped.Store(true)
	r.cancel(e)
	return e
}

// progress returns how many nodes have run.
func (r *run) progress() (n int) {
	for i := range r.ran {
		n += int(r.ran[i].n.Load())
	}
	return n
}

// pathEnds is how many steps of a path are kept at each end.
const pathEnds = 5

// path returns the way from a root to s: each step a task and the place of the
// argument through which it continues; and how many steps it leaves out between
// the first and the last pathEnds of them.
func (r *run) path(s *state) (steps []Step, skipped int) {
	length := 1
	for t := s; t.succ >= 0; t = r.consumer(t) {
		length++
	}
	skipped = max(0, length-2*pathEnds)
	below := (*state)(nil)
	for i, t := 0, s; i < length; i++ {
		if i < pathEnds || i >= pathEnds+skipped {
			steps = append(steps, t.step(below))
		}
		if below = t; t.succ >= 0 {
			t = r.consumer(t)
		}
	}
	slices.Reverse(steps)
	return steps, skipped
}

// consumer returns the first consumer of s, which has one.
func (r *run) consumer(s *state) *state {
	i := r.succs[s.succ]
	if i < 0 {
		i = ^i
	}
	return r.at(i)
}

// step returns the step from s to below, one of its producers; nil ends the path.
func (s *state) step(below *state) Step {
	step := Step{Task: s.node.def.Name, Arg: -1}
	if below != nil {
		step.Arg = slices.IndexFunc(s.node.args, func(a Arg) bool { return a.Node == below.node })
	}
	return step
}
