package graph

// A plan numbers the nodes that a run will evaluate, so that evaluating needs no
// map from nodes to what is known of them, and turns each node's list of
// producers into each node's list of consumers.
//
// A node's number stands in the node itself, in Node.slot, with the mark of the
// run that claimed it. A run that finds nodes claimed by another that is still
// alive (a node shared by two graphs that run at once) keeps the numbers of those
// in a map. Nobody cleans up: a mark of a run that is over means nothing.

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"entangle.example/entangle/abi"
)

// A state is what a run knows of a node: 56 bytes.
type state struct {
	run   *run
	node  *Node
	value abi.Value // once the node has run, and until its last reader has
	// pending counts the edges to this node whose producers have not run. While
	// the plan is made it is the number of edges that have been walked.
	pending atomic.Int32
	// readers counts the edges from this node whose consumers have not run, and
	// one for each time that it is a root.
	readers atomic.Int32
	args    int32 // where in run.args the numbers of its producers begin; see there
	// succ is where in run.succs the numbers of its consumers begin; the last of
	// them is complemented (^i). -1 if there are none. While the plan is made it
	// is the number of the node that the walk came from.
	succ int32
}

// States live in chunks, so that a graph of unknown size is numbered without
// copying; only the first chunk starts small and grows.
const (
	chunkBits = 10
	chunkSize = 1 << chunkBits
)

// at returns the state of node number i.
func (r *run) at(i int32) *state { return &r.chunks[i>>chunkBits][i&(chunkSize-1)] }

// A mark is the upper half of a slot: a lane and the lane's count. The run that
// holds a lane is alive while the lane's count, which is odd then, stands.
const (
	lanes     = 1 << 10
	laneBits  = 10
	countBits = 32 - laneBits
)

var laneCounts [lanes]atomic.Uint32

// nextLane is where the next run begins to look for a free lane.
var nextLane atomic.Uint32

// takeLane takes a free lane. With none free, the run keeps all its numbers in
// its map.
func (r *run) takeLane() {
	for range lanes {
		lane := nextLane.Add(1) % lanes
		c := &laneCounts[lane]
		if n := c.Load(); n&1 == 0 && c.CompareAndSwap(n, n+1) {
			r.lane = c
			r.mark = uint64((n+1)<<laneBits|lane) << 32
			return
		}
	}
}

// leaveLane ends the life of the run's marks.
func (r *run) leaveLane() {
	if r.lane != nil {
		r.lane.Add(1)
		r.lane = nil
	}
}

// alive reports whether the run that a slot is marked by is.
func alive(slot uint64) bool {
	mark := uint32(slot >> 32)
	count := laneCounts[mark%lanes].Load() << laneBits >> laneBits
	return count&1 == 1 && count == mark>>laneBits
}

// maxErrors bounds how many mistakes are reported at once.
const maxErrors = 20

// plan numbers the roots and all that they need, and reports every mistake that
// is known before anything runs.
func (r *run) plan() error {
	r.takeLane()
	r.args = argBuffers.get()
	var errs []error
	edges := 0
	for i, root := range r.roots {
		if root == nil {
			return fmt.Errorf("graph: root %d is nil", i)
		}
		if r.number(root) >= 0 {
			continue
		}
		// A walk without a stack, for a chain may be a million nodes long: each
		// state remembers where the walk came from and how far it got.
		r.claim(root, -1)
		for i := r.number(root); i >= 0; {
			s := r.at(i)
			k := s.pending.Load()
			d, more := s.node.dep(int(k))
			if !more {
				errs = s.check(errs)
				waits := int32(0)
				for _, d := range r.args[s.args : s.args+k] {
					if d >= 0 {
						waits++
					}
				}
				s.pending.Store(waits)
				edges += int(waits)
				if waits == 0 {
					r.sources[i>>6] |= 1 << (i & 63)
				}
				i = s.succ
				continue
			}
			s.pending.Store(k + 1)
			if d == nil {
				continue
			}
			at := s.args + k
			j := r.number(d)
			if j < 0 {
				if r.nodes == math.MaxInt32 || len(r.args) > math.MaxInt32 {
					return fmt.Errorf("graph: more than %d nodes or arguments", math.MaxInt32)
				}
				j = r.claim(d, i)
				i = j
			}
			r.args[at] = j
			p := r.at(j)
			p.readers.Store(p.readers.Load() + 1)
		}
		if len(errs) >= maxErrors {
			break
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	r.link(edges)
	for _, n := range r.roots {
		r.at(r.number(n)).readers.Add(1)
	}
	return nil
}

// dep returns what n waits for in place i, arguments first: nil for an argument
// that is a value, and false behind the last.
func (n *Node) dep(i int) (d *Node, ok bool) {
	if i < len(n.args) {
		return n.args[i].Node, true
	}
	if n.more == nil || i-len(n.args) >= len(n.more.after) {
		return nil, false
	}
	return n.more.after[i-len(n.args)], true
}

// number returns n's number, or -1 if it has none yet. Whoever marked the slot,
// a number whose state is n's is right.
func (r *run) number(n *Node) int32 {
	if i := int32(uint32(n.slot.Load())); i < r.nodes && r.at(i).node == n {
		return i
	}
	if i, ok := r.foreign[n]; ok {
		return i
	}
	return -1
}

// claim gives n, which the walk reached from number from, the next number.
func (r *run) claim(n *Node, from int32) int32 {
	i := r.nodes
	c := int(i >> chunkBits)
	switch {
	case c == len(r.chunks):
		size := chunkSize
		if c == 0 {
			size = 16
		}
		r.chunks = append(r.chunks, make([]state, size))
	case c == 0 && int(i) == len(r.chunks[0]): // nothing refers to a state yet
		bigger := make([]state, min(4*len(r.chunks[0]), chunkSize))
		copy(bigger, r.chunks[0])
		r.chunks[0] = bigger
	}
	r.nodes++
	if int(i>>6) == len(r.sources) {
		r.sources = append(r.sources, 0)
	}
	s := r.at(i)
	s.run, s.node, s.succ = r, n, from
	s.args = int32(len(r.args))
	for range len(n.args) {
		r.args = append(r.args, -1)
	}
	if n.more != nil {
		for range n.more.after {
			r.args = append(r.args, -1)
		}
	}
	old := n.slot.Load()
	if r.lane == nil || alive(old) || !n.slot.CompareAndSwap(old, r.mark|uint64(i)) {
		if r.foreign == nil {
			r.foreign = map[*Node]int32{}
		}
		r.foreign[n] = i
	}
	return i
}

// deps returns the numbers of s's producers, as run.args has them.
func (s *state) deps() []int32 {
	r, n := s.run, len(s.node.args)
	if s.node.more != nil {
		n += len(s.node.more.after)
	}
	return r.args[s.args : int(s.args)+n]
}

// argBuffers keeps a few args of runs that are over for later ones: growing them
// anew would be a third of what a run allocates.
var argBuffers buffers

type buffers struct {
	mu   sync.Mutex
	free [][]int32
}

const (
	maxFree       = 2
	maxFreeLength = 4 << 20
)

func (p *buffers) get() []int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.free)
	if n == 0 {
		return nil
	}
	b := p.free[n-1]
	p.free = p.free[:n-1]
	return b[:0]
}

func (p *buffers) put(b []int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cap(b) > 0 && cap(b) <= maxFreeLength && len(p.free) < maxFree {
		p.free = append(p.free, b)
	}
}

// check appends the mistakes of s's node: its own, and edges of wrong types.
func (s *state) check(errs []error) []error {
	n := s.node
	if n.more != nil && n.more.err != nil {
		return append(errs, newError(n, n.more.err))
	}
	if n.def.Op == nil {
		return append(errs, newError(n, abi.Errorf(abi.BadCall, "the task has nothing to run")))
	}
	if err := n.policy().check(); err != nil {
		return append(errs, newError(n, err))
	}
	for k := range n.args {
		d := n.args[k].Node
		if d == nil || d.def.Sig.Result.IsAny() {
			continue
		}
		want := n.def.Sig.Param(k)
		if !want.Type.Accepts(d.def.Sig.Result) && len(errs) < maxErrors {
			errs = append(errs, newError(n, abi.Errorf(abi.BadCall, "argument %d (%s): want %v, got %v from %s (composed at %v)",
				k+1, want.Name, want.Type, d.def.Sig.Result, d.def.Name, d.pos)))
		}
	}
	return errs
}

// link lists the consumers of each node, in the order of their numbers.
func (r *run) link(edges int) {
	r.succs = make([]int32, edges)
	at := int32(0)
	for i := range r.nodes {
		s := r.at(i)
		s.succ = at // to be moved to the end of its list, and back
		at += s.readers.Load()
	}
	for i := range r.nodes {
		end := int32(len(r.args)) // in the order of the nodes, so without looking at them
		if i+1 < r.nodes {
			end = r.at(i + 1).args
		}
		for _, d := range r.args[r.at(i).args:end] {
			if d >= 0 {
				p := r.at(d)
				r.succs[p.succ] = i
				p.succ++
			}
		}
	}
	for i := range r.nodes {
		s := r.at(i)
		n := s.readers.Load()
		if n == 0 {
			s.succ = -1
			continue
		}
		r.succs[s.succ-1] = ^r.succs[s.succ-1]
		s.succ -= n
	}
}
