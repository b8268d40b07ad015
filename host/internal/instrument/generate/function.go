package generate

import "slices"

// A function under construction. Its code is written front to back, every
// production leaving a stack that validates, so there is nothing to repair.
//
// It ends because each instruction that is written adds to cost how often it may
// run at most: once for every round of the loops around it, whose number is a
// constant. A call adds what the callee costs, which is known, since callees are
// written first. When cost has passed budget, what follows is as short as can be.
type function struct {
	source
	m     *module
	index int // in the module
	typ   int
	kind  kind
	tier  int // may call indirectly what has a type of a lower tier

	callees []*function // that it may call
	round   *recursion  // if it is recursive

	params, results []ValType
	locals          []ValType
	free            map[ValType][]int // the locals that any code may set
	scratches       map[ValType]int
	labels          []label
	code            buffer

	cost, factor, budget int
	size, room           int // instructions written, and how many there may be
	hazards              int // of 256 risky instructions, those left unguarded
	catching             int // how many try_tables there are around
}

type kind byte

const (
	plain     kind = iota
	tree           // calls the function before it, more than once
	recursive      // calls its round
	long
	catcher
)

// A label is what a br can name.
type label struct {
	types []ValType // what it takes
	// A br to the head of a loop has to be counted: only loops that count there
	// may be targets.
	closed bool
	result bool // it is the function's, so NaNs may be seen
}

func (f *function) full() bool {
	return f.cost > f.budget || f.size > f.room || len(f.bytes) == 0
}

// affords says whether work that costs n may be added here.
func (f *function) affords(n int) bool { return f.cost+f.factor*n <= f.budget }

func (f *function) hazard() bool { return f.hazards > 0 && f.chance(f.hazards) }

func (f *function) emit(o op, immediates ...int) {
	f.m.counts[o]++
	f.cost += f.factor
	f.size++
	f.code.op(o)
	for _, i := range immediates {
		f.code.u(uint64(i))
	}
}

// local makes a local that only its maker sets.
func (f *function) local(t ValType) int {
	f.locals = append(f.locals, t)
	return len(f.params) + len(f.locals) - 1
}

func (f *function) scratch(t ValType) int {
	i, made := f.scratches[t]
	if !made {
		i = f.local(t)
		f.scratches[t] = i
	}
	return i
}

func (f *function) build() {
	f.factor = 1
	f.free = make(map[ValType][]int)
	f.scratches = make(map[ValType]int)
	for i, t := range f.params {
		f.free[t] = append(f.free[t], i)
	}
	if f.round != nil {
		f.round.enter(f)
	}
	for range 3 {
		if f.kind == catcher {
			f.free[I32] = append(f.free[I32], f.local(I32))
		}
	}
	for range f.below(6) {
		t := f.m.valueType(&f.source)
		f.free[t] = append(f.free[t], f.local(t))
	}
	if f.chance(10) { // hundreds more, in long runs
		for range 1 + f.below(4) {
			t := f.m.valueType(&f.source)
			n := 20 + f.below(150)
			if f.round != nil {
				n /= 8 // many frames must fit a stack
			}
			for range n {
				f.free[t] = append(f.free[t], f.local(t))
			}
		}
	}
	f.labels = append(f.labels, label{types: f.results, result: true})
	if !f.chance(8) { // else it does nothing but return
		f.work()
	}
	f.close(f.results, true, 3)
	f.code.op(opEnd)
}

// work writes the body up to the results.
func (f *function) work() {
	switch f.kind {
	case tree:
		callee := f.callees[len(f.callees)-1]
		for range 2 + f.below(2) {
			if f.affords(callee.cost + 20) {
				f.callTo(callee, opCall, 1)
				f.consume(callee.results)
			}
		}
	case recursive:
		if f.chance(128) {
			f.statements(2)
			f.round.recur(f)
			return
		}
		f.round.recur(f)
	case long:
		f.unrolled()
	case catcher:
		f.writeCatcher()
		return
	}
	f.statements(4)
}

// unrolled repeats a stretch of code to a length that no choices would reach.
func (f *function) unrolled() {
	from, size, cost := len(f.code), f.size, f.cost
	f.statements(2)
	stretch := slices.Clone(f.code[from:])
	size, cost = f.size-size, f.cost-cost
	for f.size < 12000 && size > 0 && f.cost+cost < f.budget {
		f.code = append(f.code, stretch...)
		f.size += size
		f.cost += cost
	}
	f.room = f.size + 1000
}

// encode writes locals and code.
func (f *function) encode() (b buffer) {
	type run struct {
		n int
		t ValType
	}
	var runs []run
	for _, t := range f.locals {
		if n := len(runs); n > 0 && runs[n-1].t == t {
			runs[n-1].n++
		} else {
			runs = append(runs, run{1, t})
		}
	}
	b = vector(len(runs), func(b *buffer, i int) {
		b.u(uint64(runs[i].n))
		b.byte(byte(runs[i].t))
	})
	return append(b, f.code...)
}

// A recursion is one function that calls itself, or a few that call each other.
// The first parameter is the depth; it is masked on entry, so any will do.
type recursion struct {
	members  []*function
	mask     int
	fan      int // how often each calls the next
	tail     bool
	indirect bool // through the table
	slot     int  // of the first member
	depth    int  // the local
}

func (r *recursion) calls() int {
	if r.fan == 1 {
		return r.mask + 1
	}
	return 1 << (r.mask + 1)
}

func (r *recursion) enter(f *function) {
	r.depth = f.local(I32)
	f.emit(opLocalGet, 0)
	f.i32(int32(r.mask))
	f.emit(opI32And)
	f.emit(opLocalSet, r.depth)
}

// recur calls the next member, unless the depth is used up. Through a table, it
// may be any member: whoever reaches one has its type, which is theirs alone.
func (r *recursion) recur(f *function) {
	next := r.members[(slices.Index(r.members, f)+1)%len(r.members)]
	f.emit(opLocalGet, r.depth)
	f.open(opIf, nil, nil, label{})
	for range r.fan {
		f.emit(opLocalGet, r.depth)
		f.i32(1)
		f.emit(opI32Sub)
		for _, t := range f.params[1:] {
			f.observed(t, 1)
		}
		switch {
		case r.indirect && r.tail:
			f.i32(int32(r.slot))
			f.emit(opReturnCallIndirect, f.typ, 0)
		case r.indirect:
			f.i32(int32(r.slot))
			f.emit(opCallIndirect, f.typ, 0)
		case r.tail:
			f.emit(opReturnCall, next.index)
		default:
			f.emit(opCall, next.index)
		}
		if r.tail {
			f.dead()
			break
		}
		f.consume(f.results)
	}
	f.end()
}
