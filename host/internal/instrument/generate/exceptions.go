package generate

import "slices"

// Exceptions. What a try_table catches leads to a block of its own, which takes the
// values, or to any label that takes the same: a loop, one outside of other try_tables,
// the function's.

// A clause is one of a try_table.
type clause struct {
	kind, tag int
	takes     []ValType // of the label
	to        int       // a label that there is anyway, or -1
}

const (
	catchRef    = 1
	catchAll    = 2
	catchAllRef = 3
)

func (c clause) byReference() bool { return c.kind == catchRef || c.kind == catchAllRef }

func (f *function) clauses() (list []clause) {
	for range []int{1, 2, 1, 3, 0}[f.below(5)] {
		c := clause{kind: f.below(4), tag: f.below(len(f.m.tags)), to: -1}
		if c.kind < catchAll {
			c.takes = slices.Clone(f.m.types[f.m.tags[c.tag]].params)
		}
		if c.byReference() {
			c.takes = append(c.takes, exnRef)
		}
		same := slices.DeleteFunc(f.targets(), func(to int) bool { return !slices.Equal(f.at(to).types, c.takes) })
		if len(same) > 0 && f.chance(120) {
			c.to = one(&f.source, same)
		}
		list = append(list, c)
	}
	return list
}

func (f *function) tryTable(results []ValType, depth int) {
	clauses := f.clauses()
	var own []int // clauses that have a block, the innermost last
	for i, c := range clauses {
		if c.to < 0 {
			own = append(own, i)
		}
	}
	f.open(opBlock, nil, results, label{types: results})
	for _, i := range own {
		f.open(opBlock, nil, clauses[i].takes, label{types: clauses[i].takes, closed: clauses[i].byReference()})
	}
	params, stay := f.parameters(results, depth)
	f.emit(opTryTable)
	f.blockType(params, results)
	f.code.u(uint64(len(clauses)))
	for i, c := range clauses {
		f.code.byte(byte(c.kind))
		if c.kind < catchAll {
			f.code.u(uint64(c.tag))
		}
		if c.to < 0 {
			f.code.u(uint64(len(own) - 1 - slices.Index(own, i)))
		} else {
			f.code.u(uint64(len(own) + 1 + c.to))
		}
	}
	f.labels = append(f.labels, label{types: results})
	if len(clauses) > 0 {
		f.catching++
	}
	f.inside(params, results, stay, depth)
	if len(clauses) > 0 {
		f.catching--
	}
	f.end()
	for k, i := range slices.Backward(own) {
		f.emit(opBr, k+1)
		f.end()
		f.caught(clauses[i], depth)
		f.push(results, false, min(depth, 1))
	}
	f.end()
}

// caught does something with what a clause has caught: throws it again at once, or keeps
// it for later.
func (f *function) caught(c clause, depth int) {
	if !c.byReference() {
		f.consume(c.takes)
		return
	}
	if f.chance(60) && f.throws() {
		f.emit(opThrowRef)
		return
	}
	kept := f.scratch(exnRef)
	f.emit(opLocalSet, kept)
	f.consume(c.takes[:len(c.takes)-1])
	f.statements(min(depth, 2))
	f.throwKept()
}

// throwKept throws what was caught last, if it may.
func (f *function) throwKept() {
	kept, any := f.scratches[exnRef]
	if !any || !f.throws() {
		return
	}
	f.emit(opLocalGet, kept)
	f.emit(opRefIsNull)
	f.emit(opI32Eqz)
	if f.chance(128) { // on some condition more
		f.value(I32, 1)
		f.emit(opI32And)
	}
	f.open(opIf, nil, nil, label{})
	f.emit(opLocalGet, kept)
	f.emit(opThrowRef)
	f.dead()
	f.end()
}

// throwIf throws where a condition holds.
func (f *function) throwIf() {
	if !f.throws() {
		return
	}
	f.value(I32, 1)
	f.open(opIf, nil, nil, label{})
	f.throw()
	f.dead()
	f.end()
}

// throws decides whether to throw: where something might catch it, or a trap is due.
func (f *function) throws() bool {
	return f.catching > 0 || (f.tier < tierEntry || f.kind == catcher) && f.chance(60) || f.hazard()
}

func (f *function) throw() {
	tag := f.below(len(f.m.tags))
	f.push(f.m.types[f.m.tags[tag]].params, true, 1)
	f.emit(opThrow, tag)
}
