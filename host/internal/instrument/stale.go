package instrument

// Which locals a try_table gets wrong: those that it sets, and whose value may be read
// where it has caught.
//
// A local.set hides the values from before it until its frame ends: code from there to
// the frame's end is reached through it only, or else from further inside, for labels
// lead to the ends of frames and to the heads of loops. So each local.get reads the value
// that is the last set, or one that came by a branch over it: from where a try_table has
// caught, it reads a value that was set in it only if the place that it leads to is in
// the part of the code whose last value is that of the local.get, as the value of the
// place itself is or one that this hides. And the local.get must lie behind the place, or
// in a loop that is around it.
//
// What this calls stale and is not costs some time, no more.

import (
	"math"
	"slices"
	"sort"
)

// A group of locals of one type ends before local number end.
type group struct {
	end uint32
	typ ValType
}

// A localState is what is known of a local at the place at hand. There are as many as the
// largest function has locals, and most functions use few of theirs.
type localState struct {
	function int   // whose local it is of; if it is another's, nothing is known
	value    int32 // the last that was set
	seen     int   // one more than the try that was looked at last, of those that set it
	home     *kept // it lives in a global
}

// A value is what a local holds from a local.set on, or from the beginning.
type value struct {
	read  uint32 // where it is read last
	outer int32  // the value that it hides, or -1
	depth int32  // of the frame in which it was set, or -1
}

// A setLocal was set in a try, and is no longer where that catches: its value is
// there the last that was set outside, which a local.get may take for what was set since.
type setLocal struct {
	local uint32
	value int32
}

// A kept local lives in a global.
type kept struct{ local, global, saved uint32 }

// local returns the state of local i.
func (x *mender) local(i uint32) *localState {
	if int(i) >= len(x.states) {
		x.states = slices.Grow(x.states, int(i)+1-len(x.states))[:i+1]
	}
	s := &x.states[i]
	if s.function != x.number {
		*s = localState{function: x.number, value: int32(len(x.values))}
		x.values = append(x.values, value{outer: -1, depth: -1})
	}
	return s
}

// localType returns the type of local i.
func (x *mender) localType(i uint32) ValType {
	if int(i) < len(x.params) {
		return x.params[i]
	}
	return x.groups[sort.Search(len(x.groups), func(k int) bool { return x.groups[k].end > i })].typ
}

// define notes that local i is set, in a frame of such a depth.
func (x *mender) define(i uint32, depth int32) {
	s := x.local(i)
	outer := s.value
	if x.values[outer].depth == depth {
		outer = x.values[outer].outer
	} else {
		x.hidden = append(x.hidden, hidden{i, depth})
	}
	s.value = int32(len(x.values))
	x.values = append(x.values, value{outer: outer, depth: depth})
}

// A hidden value of a local is one that a frame of such a depth has hidden.
type hidden struct {
	local uint32
	depth int32
}

// reveal ends a frame of such a depth, or one half of it.
func (x *mender) reveal(depth int32) {
	for n := len(x.hidden) - 1; n >= 0 && x.hidden[n].depth == depth; n-- {
		s := x.local(x.hidden[n].local)
		s.value = x.values[s.value].outer
		x.hidden = x.hidden[:n]
	}
}

// catches notes what t, which is number k and has just ended, has set.
func (x *mender) catches(t *try, k int) {
	t.inmost = slices.Max(t.leads) // all are around it
	depth := x.frames[t.inmost].depth
	first := len(x.set)
	for _, i := range x.sets[t.sets:] {
		s := x.local(i)
		if s.seen == k+1 {
			continue
		}
		s.seen = k + 1
		v := s.value
		for ; x.values[v].depth >= depth; x.steps++ {
			v = x.values[v].outer
		}
		x.set = append(x.set, setLocal{i, v})
	}
	t.set = x.set[first:]
}

// readFrom reports whether a value, or one that it hides, is read when a frame of that
// number was jumped to, in loops around it.
func (x *mender) readFrom(to int, loops []int, v int32) bool {
	place := x.frames[to].end
	for ; v >= 0; v = x.values[v].outer {
		// One round of these does not come by where it was set.
		for len(loops) > 0 && x.frames[loops[0]].depth > x.values[v].depth {
			place = x.frames[loops[0]].start
			loops = loops[1:]
		}
		if x.steps++; x.values[v].read > place {
			return true
		}
	}
	return false
}

// decide decides what becomes of each try, and reports whether that is anything.
func (x *mender) decide() (needed bool) {
	used := map[ValType]int{}
	seen := make([]int, len(x.frames)) // one more than the try that was looked at last
	cost := 0
	var loops []int // around the place where a try catches, from the inside
	var open []*try
	closeUpTo := func(at uint32) {
		for ; len(open) > 0 && open[len(open)-1].end <= at; open = open[:len(open)-1] {
			for _, l := range open[len(open)-1].fresh {
				x.local(l.local).home = nil
				used[x.localType(l.local)]--
			}
		}
	}
	for k := range x.tried {
		t := &x.tried[k]
		closeUpTo(t.at)
		open = append(open, t)
		stale, fresh, exits := len(x.stale), len(x.fresh), len(x.exits)
		loops = loops[:0]
		if x.frames[t.inmost].loop {
			loops = append(loops, t.inmost)
		}
		for l := x.frames[t.inmost].in; l >= 0; l = x.frames[l].in {
			loops = append(loops, l)
		}
		for _, l := range t.set {
			if !x.readFrom(t.inmost, loops, l.value) {
				continue
			}
			s := x.local(l.local)
			if s.home == nil {
				typ := x.localType(l.local)
				global, saved := x.home(typ, used[typ])
				used[typ]++
				s.home = &kept{l.local, global, saved}
				x.fresh = append(x.fresh, *s.home)
			}
			x.stale = append(x.stale, *s.home)
			if cost += 4; cost > x.room { // it is restored somewhere
				x.why = "sets too many locals in try_tables"
			}
			if x.why != "" {
				return true
			}
		}
		t.stale, t.fresh = x.stale[stale:], x.fresh[fresh:]
		exit := func(to int) {
			if to < t.frame && seen[to] != k+1 {
				seen[to] = k + 1
				x.exits = append(x.exits, to)
			}
		}
		if len(t.stale) > 0 || t.crosses {
			for _, to := range t.leads {
				exit(to)
			}
		}
		for _, to := range x.jumps[t.jumps[0]:t.jumps[1]] {
			t.own = t.own || to == t.frame
			if len(t.fresh) > 0 {
				exit(to)
			}
		}
		t.exits = x.exits[exits:]
		slices.Sort(t.exits)
		needed = needed || t.own || len(t.exits) > 0
	}
	closeUpTo(math.MaxUint32)
	if int(x.count)+len(x.added) > MaxLocals {
		x.why = "has too many locals"
	}
	return needed
}
