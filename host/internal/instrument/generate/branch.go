package generate

import "slices"

// Branches, what ends a body early, and the dead code behind it.

// targets are the labels that a br may name, by how many levels up they are.
func (f *function) targets() (depths []int) {
	for i := range f.labels {
		if !f.labels[len(f.labels)-1-i].closed {
			depths = append(depths, i)
		}
	}
	return depths
}

func (f *function) at(depth int) label { return f.labels[len(f.labels)-1-depth] }

// pushFor pushes what a label takes.
func (f *function) pushFor(l label, depth int) { f.push(l.types, l.result, depth) }

// leave ends a body without its results; all that follows is dead. It reports
// whether it found a way.
func (f *function) leave(depth int) bool {
	switch f.below(8) {
	case 0, 1, 2:
		to := one(&f.source, f.targets())
		f.pushFor(f.at(to), depth)
		f.emit(opBr, to)
	case 3, 4:
		f.branchTable(depth)
	case 5:
		if f.m.has(tailCalls | calls) {
			return f.tailCall(depth)
		}
		fallthrough
	case 6:
		f.push(f.results, true, depth)
		f.emit(opReturn)
	default:
		switch {
		case f.m.has(exceptions) && f.throws():
			f.throw()
		case f.hazard():
			f.emit(opUnreachable)
		default:
			return false
		}
	}
	return true
}

// branchTable jumps to one of the labels that take the same.
func (f *function) branchTable(depth int) {
	targets := f.targets()
	last := one(&f.source, targets)
	types, seen := f.at(last).types, false
	targets = slices.DeleteFunc(targets, func(to int) bool { return !slices.Equal(f.at(to).types, types) })
	for _, to := range targets {
		seen = seen || f.at(to).result
	}
	n := f.below(8)
	if f.chance(8) {
		n = 200 + f.below(2000)
	}
	f.push(types, seen, depth)
	f.value(I32, depth)
	if !f.chance(40) {
		f.i32(7)
		f.emit(opI32And)
	}
	f.emit(opBrTable, n)
	for i := range n {
		f.code.u(uint64(targets[i%len(targets)]))
	}
	f.code.u(uint64(last))
}

func (f *function) branchIf(_ ValType, depth int) {
	to := one(&f.source, f.targets())
	l := f.at(to)
	f.pushFor(l, depth)
	f.value(I32, depth)
	f.emit(opBrIf, to)
	f.consume(l.types)
}

// branchIfValue leaves what a br_if did not take along.
func (f *function) branchIfValue(t ValType, depth int) {
	targets := slices.DeleteFunc(f.targets(), func(to int) bool {
		types := f.at(to).types
		return len(types) == 0 || types[0] != t
	})
	if len(targets) == 0 {
		f.simple(t)
		return
	}
	to := one(&f.source, targets)
	l := f.at(to)
	f.pushFor(l, depth)
	f.value(I32, depth)
	f.emit(opBrIf, to)
	f.consume(l.types[1:])
}

// leaveIf leaves, or traps, where a condition holds.
func (f *function) leaveIf(_ ValType, depth int) {
	f.value(I32, depth)
	if !f.chance(80) {
		f.i32(int32(f.below(16)))
		f.emit(opI32Eq)
	}
	f.open(opIf, nil, nil, label{})
	if f.chance(50) && f.hazards > 0 {
		f.emit(opUnreachable)
		f.dead()
	} else if f.leave(depth) {
		f.dead()
	}
	f.end()
}

// nest wraps a statement into many blocks, and jumps out of them.
func (f *function) nest(_ ValType, depth int) {
	n := 5 + f.below(90)
	for range n {
		f.open(opBlock, nil, nil, label{})
	}
	f.statements(min(depth, 2))
	f.branchTable(1)
	f.dead()
	for range n {
		f.end()
		if f.chance(20) && depth > 0 && !f.full() {
			f.statement(1)
		}
	}
}

// Dead code takes operands that nobody pushed, and need not end.
var deadOps = []struct {
	o          op
	immediates []int
	in         []ValType
	out        []ValType
}{
	{opDrop, nil, nil, nil},
	{opI32Add, nil, []ValType{I32, I32}, []ValType{I32}},
	{opI64Mul, nil, []ValType{I64, I64}, []ValType{I64}},
	{opF32Lt, nil, []ValType{F32, F32}, []ValType{I32}},
	{opF64Abs, nil, []ValType{F64}, []ValType{F64}},
	{opF32ToI32, nil, []ValType{F32}, []ValType{I32}},
	{opSelect, nil, nil, nil},
	{opSelectTyped, []int{1, int(I64)}, []ValType{I64, I64, I32}, []ValType{I64}},
	{opUnreachable, nil, nil, nil},
	{opRefIsNull, nil, nil, nil},
}

// dead writes code behind an instruction that does not come back, and leaves a
// stack from which anything can be taken.
func (f *function) dead() {
	if f.full() || !f.chance(110) {
		return
	}
	cost := f.cost
	var stack []ValType // above it is what is missing, of any type
	for range 1 + f.below(6) {
		switch f.below(8) {
		case 0:
			f.open(opLoop, nil, nil, label{})
			if f.chance(100) {
				f.statements(1)
			}
			f.emit(opBr, 0)
			f.end()
			continue
		case 1:
			f.statement(2)
			continue
		case 2:
			t := f.m.valueType(&f.source)
			f.value(t, 1)
			stack = append(stack, t)
			continue
		case 3:
			if l := f.at(0); len(l.types) > 0 && !l.closed {
				f.drop(&stack)
				f.i32(0)
				f.emit(opBrIf, 0) // its values appear from nothing
				stack = append(stack, l.types...)
			}
			continue
		case 4:
			if f.m.has(calls) && len(f.callees) > 0 {
				f.drop(&stack)
				callee := one(&f.source, f.callees)
				f.emit(opCall, callee.index)
				stack = append(stack, callee.results...)
			}
			continue
		}
		d := one(&f.source, deadOps)
		if !fits(stack, d.in) || d.in == nil {
			f.drop(&stack)
		}
		f.emit(d.o)
		for _, i := range d.immediates {
			f.code.byte(byte(i))
		}
		switch d.o {
		case opSelect:
			f.emit(opDrop)
		case opRefIsNull:
			stack = append(stack, I32)
		}
		stack = append(stack[:max(len(stack)-len(d.in), 0)], d.out...)
	}
	f.drop(&stack)
	f.cost = cost // none of it runs
}

func fits(stack, in []ValType) bool {
	n := min(len(stack), len(in))
	return slices.Equal(stack[len(stack)-n:], in[len(in)-n:])
}

func (f *function) drop(stack *[]ValType) {
	for range *stack {
		f.emit(opDrop)
	}
	*stack = nil
}
