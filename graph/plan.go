package graph

// A plan numbers the nodes that a run will evaluate, so that evaluating needs no
// map from nodes to what is known of them, and turns each node's list of
// producers into each node's list of consumers.
//
// A node's number stands in the node itself, in Node.slot, as long as the run
// that claimed it lives. A run that finds nodes claimed by another one (a node
// shared by two graphs that run at once) keeps the numbers of those in a map.

import (
	"errors"
	"fmt"
	"math"
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

var runIDs atomic.Uint32

// maxErrors bounds how many mistakes are reported at once.
const maxErrors = 20

// plan numbers the roots and all that they need, and reports every mistake that
// is known before anything runs.
func (r *run) plan() error {
	r.id = uint64(runIDs.Add(1)) << 32
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
				waits := s.countDeps()
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
			j := r.number(d)
			if j < 0 {
				if r.nodes == math.MaxInt32 {
					return fmt.Errorf("graph: more than %d nodes", math.MaxInt32)
				}
				j = r.claim(d, i)
				i = j
			}
			r.at(j).readers.Add(1)
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

// countDeps returns how many nodes s waits for, as often as it names them.
func (s *state) countDeps() (n int32) {
	for i := range s.node.args {
		if s.node.args[i].Node != nil {
			n++
		}
	}
	if s.node.more != nil {
		n += int32(len(s.node.more.after))
	}
	return n
}

// number returns n's number, or -1 if it has none yet.
func (r *run) number(n *Node) int32 {
	if s := n.slot.Load(); s&^math.MaxUint32 == r.id {
		return int32(uint32(s))
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
	if !n.slot.CompareAndSwap(0, r.id|uint64(i)) {
		if r.foreign == nil {
			r.foreign = map[*Node]int32{}
		}
		r.foreign[n] = i
	}
	return i
}

// release gives the nodes up to other runs.
func (r *run) release() {
	for i := range r.nodes {
		n := r.at(i).node
		n.slot.CompareAndSwap(r.id|uint64(i), 0)
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
	if t := n.Policy().Timeout; t < 0 {
		return append(errs, newError(n, abi.Errorf(abi.BadCall, "the timeout %v is negative", t)))
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
		n := r.at(i).node
		for k := 0; ; k++ {
			d, more := n.dep(k)
			if !more {
				break
			}
			if d != nil {
				p := r.at(r.number(d))
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
