package instrument

// What mending a function needs to know of its try_tables, of which the locals are in
// stale.go.

// tries is what is known of a function that has try_tables.
type tries struct {
	params []ValType
	groups []group   // of locals
	count  uint32    // of locals, parameters included
	added  []ValType // the locals that are added
	saved  map[ValType][]uint32
	frames []frame // in the order of their beginnings; the first is the function
	tried  []try   // in the same order; those without clauses are none
	sets   []uint32
	jumps  []int // the frames that are named in a try, in order
	values []value
	steps  int    // that reading has taken
	why    string // there is no mending it

	leads, exits []int // of all tries, as are the others
	set          []setLocal
	stale, fresh []kept
}

// A frame is what a label names.
type frame struct {
	types      []ValType // that the label takes
	start, end uint32
	loop       bool
	in         int   // the loop around it, or -1
	depth      int32 // how many frames are around it
	at         int   // the same, of what is written
}

// A try is a try_table with clauses.
type try struct {
	frame   int
	at, end uint32 // where it begins and ends
	clauses uint32 // where its clauses begin
	typ     FuncType
	leads   []int // the frame of each clause
	inmost  int   // of those
	all     bool  // it catches all

	sets  int    // the first of those in it, while it is read
	jumps [2]int // those in it
	set   []setLocal

	stale   []kept // locals to be restored where it catches
	fresh   []kept // those of them that live in a global because of it
	exits   []int  // frames outside that are reached by way of a block of its own, ascending
	crosses bool   // a clause leads out of another try
	own     bool   // its own label is named
	place   int    // of the blocks around it, while it is open
	first   int    // of those for exits
}

// read reads the body of f. It reports whether there is anything to mend.
func (x *mender) read(f *definition, t FuncType) (needed bool, err error) {
	r := &reader{data: x.binary[:f.end], off: int(f.start)}
	x.tries = tries{params: t.Params, count: uint32(len(t.Params)), groups: x.groups[:0], saved: map[ValType][]uint32{},
		frames: append(x.frames[:0], frame{types: t.Results, end: f.end, in: -1}), tried: x.tried[:0], sets: x.sets[:0], jumps: x.jumps[:0], values: x.values[:0],
		leads: x.leads[:0], exits: x.exits[:0], set: x.set[:0], stale: x.stale[:0], fresh: x.fresh[:0]}
	for range r.count(2) {
		x.count += r.u32() // no more than MaxLocals together
		x.groups = append(x.groups, group{x.count, r.valType()})
	}
	x.number++
	x.hidden = x.hidden[:0]
	x.around[0] = 0
	depth := 1
	var open []int // tries
	label := func(n uint32) int {
		if int64(n) >= int64(depth) {
			r.fail("label %d does not exist", n)
			return 0
		}
		return x.around[depth-1-int(n)]
	}
	jump := func(to int) {
		if x.steps += len(open); len(open) > 0 {
			x.jumps = append(x.jumps, to)
		}
	}
	most := min(maxSteps*int(f.end-f.start), mostSteps)
	for depth > 0 && r.err == nil && x.steps <= most {
		in := r.instruction()
		switch in.op {
		case opBlock, opLoop, opIf, opTryTable:
			typ := x.typeAt(in)
			outer := x.around[depth-1]
			fr := frame{types: typ.Results, start: uint32(in.start), in: x.frames[outer].in, depth: int32(depth)}
			if x.frames[outer].loop {
				fr.in = outer
			}
			switch {
			case in.op == opLoop:
				fr.types, fr.loop = typ.Params, true
			case in.op == opTryTable && in.empty:
				needed = true
			case in.op == opTryTable:
				if len(x.tried) == maxTries {
					x.why = "has too many try_tables"
					return true, nil
				}
				t := try{frame: len(x.frames), at: uint32(in.start), typ: typ, sets: len(x.sets)}
				c := &reader{data: r.data, off: in.start + 1}
				c.blockType()
				t.clauses = uint32(c.off)
				first := len(x.leads)
				x.clauses(c, func(kind byte, to uint32) {
					lead := label(to)
					jump(lead)
					x.leads = append(x.leads, lead)
					t.all = t.all || kind >= catchAll
					t.crosses = t.crosses || len(open) > 0 && x.tried[open[len(open)-1]].frame >= lead
				})
				if c.err != nil {
					return false, c.err
				}
				t.leads = x.leads[first:]
				t.jumps[0] = len(x.jumps)
				open = append(open, len(x.tried))
				x.tried = append(x.tried, t)
			}
			x.around[depth] = len(x.frames)
			x.frames = append(x.frames, fr)
			depth++
		case opElse:
			x.reveal(int32(depth - 1))
		case opEnd:
			depth--
			x.reveal(int32(depth))
			n := x.around[depth]
			x.frames[n].end = uint32(in.start)
			if k := len(open) - 1; k >= 0 && x.tried[open[k]].frame == n {
				t := &x.tried[open[k]]
				t.end, t.jumps[1] = uint32(in.start), len(x.jumps)
				x.catches(t, open[k])
				if open = open[:k]; k == 0 {
					x.sets = x.sets[:0]
				}
			}
		case opBr, opBrIf:
			jump(label(in.index))
		case opBrTable:
			needed = needed || in.empty && len(open) > 0
			l := &reader{data: r.data[:in.end], off: in.start + 1}
			for range uint64(l.u32()) + 1 {
				jump(label(l.u32()))
			}
		case opReturn:
			jump(0)
		case opReturnCall, opReturnCallIndirect:
			x.steps += len(open)
		case opLocalGet, opLocalSet, opLocalTee:
			if in.index >= x.count {
				r.fail("local %d does not exist", in.index)
				break
			}
			if in.op == opLocalGet {
				x.values[x.local(in.index).value].read = uint32(in.start)
				break
			}
			x.define(in.index, int32(depth-1))
			if x.steps += len(open); len(open) > 0 {
				x.sets = append(x.sets, in.index)
			}
		}
	}
	if r.err != nil {
		return false, r.err
	}
	if x.steps <= most {
		needed = x.decide() || needed
	}
	if x.steps > most {
		x.why = "nests try_tables too deeply"
	}
	return needed || x.why != "", nil
}

// The kinds of clauses: of a tag, without and with a reference, and of all, the same.
const (
	catchAll    = 2
	catchAllRef = 3
)

// clauses reads clauses, which have been read before.
func (x *mender) clauses(r *reader, clause func(kind byte, label uint32)) {
	for range r.u32() {
		kind := r.byte()
		if kind > catchAllRef {
			r.fail("clause of kind %d", kind)
			return
		}
		if kind < catchAll {
			r.u32()
		}
		clause(kind, r.u32())
	}
}

// typeAt returns the type of the block that begins with an instruction.
func (x *mender) typeAt(in instruction) FuncType {
	if in.typed {
		return x.module.types[in.index]
	}
	if t := ValType(x.binary[in.start+1]); t != 0x40 {
		return FuncType{Results: []ValType{t}}
	}
	return FuncType{}
}
