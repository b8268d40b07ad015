package generate

// Productions, and the constructs that hold bodies.

// A production makes a value of a type, or (with no type) a statement, which
// leaves the stack as it was.
type production struct {
	weight int
	needs  feature
	make   func(f *function, t ValType, depth int)
}

// choose takes one of the productions that the features allow; the first is the
// simplest.
func (f *function) choose(list []production, t ValType, depth int) {
	total := 0
	for _, p := range list {
		if f.m.has(p.needs) {
			total += p.weight
		}
	}
	n := f.below(total)
	for _, p := range list {
		if !f.m.has(p.needs) {
			continue
		}
		if n -= p.weight; n < 0 {
			p.make(f, t, depth)
			return
		}
	}
}

// value pushes one value.
func (f *function) value(t ValType, depth int) {
	if f.kind == catcher && t == I32 && depth > 0 {
		f.bit()
		return
	}
	if depth <= 0 || f.full() || f.kind == catcher {
		f.simple(t)
		return
	}
	f.choose(f.m.values[t], t, depth-1)
}

// simple pushes a constant or a local.
func (f *function) simple(t ValType) {
	if locals := f.free[t]; len(locals) > 0 && f.chance(150) {
		f.emit(opLocalGet, one(&f.source, locals))
		return
	}
	if t == FuncRef && len(f.m.referable) > 0 && f.chance(128) {
		f.emit(opRefFunc, one(&f.source, f.m.referable).index)
		return
	}
	f.constant(t)
}

// productions returns what makes a value of a type.
func productions(t ValType) []production {
	list := []production{
		{20, 0, func(f *function, t ValType, _ int) { f.simple(t) }},
		{8, globals, (*function).globalGet},
		{5, 0, (*function).choice},
		{4, 0, (*function).tee},
		{6, calls, (*function).callFor},
		{4, calls | tables, (*function).callIndirectFor},
		{6, 0, asValue((*function).block)},
		{5, 0, asValue((*function).ifElse)},
		{4, 0, asValue((*function).loop)},
		{2, 0, (*function).branchIfValue},
		{4, exceptions, asValue((*function).tryTable)},
	}
	if t.reference() {
		return append(list, production{12, tables, (*function).tableGet})
	}
	letter := letters[t]
	list = append(list,
		production{60, 0, func(f *function, t ValType, depth int) { f.operation(letter, depth) }},
		production{14, memory, (*function).load},
	)
	switch t {
	case I32:
		list = append(list,
			production{2, memory, func(f *function, _ ValType, _ int) { f.emit(opMemorySize, 0) }},
			production{2, memory | growth, (*function).memoryGrow},
			production{2, references, (*function).isNull},
			production{2, tables, (*function).tableSize},
			production{2, tables | growth, (*function).tableGrow},
			production{4, memory | atomics, (*function).atomic},
			production{1, memory | atomics, (*function).notify},
		)
	case I64:
		list = append(list, production{4, memory | atomics, (*function).atomic})
	case V128:
		list = append(list, production{24, 0, func(f *function, _ ValType, depth int) { f.floatVector(depth) }})
	}
	return list
}

func statements() []production {
	return []production{
		{2, 0, func(f *function, _ ValType, _ int) { f.emit(opNop) }},
		{24, 0, func(f *function, _ ValType, depth int) {
			t := f.m.valueType(&f.source)
			f.value(t, depth)
			f.consume([]ValType{t})
		}},
		{14, memory, (*function).store},
		{5, memory | bulk, (*function).bulkMemory},
		{4, tables, (*function).tableStatement},
		{4, memory | atomics, (*function).atomicStore},
		{10, 0, asStatement((*function).block)},
		{9, 0, asStatement((*function).ifElse)},
		{10, 0, asStatement((*function).loop)},
		{6, exceptions, asStatement((*function).tryTable)},
		{6, exceptions, func(f *function, _ ValType, _ int) { f.throwIf() }},
		{2, exceptions, func(f *function, _ ValType, _ int) { f.throwKept() }},
		{8, calls, (*function).callAny},
		{5, calls | tables, (*function).callIndirectAny},
		{5, 0, (*function).branchIf},
		{3, 0, (*function).leaveIf},
		{1, 0, (*function).nest},
	}
}

// A construct is what holds a body and leaves results.
type construct func(f *function, results []ValType, depth int)

func asValue(c construct) func(*function, ValType, int) {
	return func(f *function, t ValType, depth int) {
		results := append([]ValType{t}, f.resultTypes()...)
		c(f, results, depth)
		f.consume(results[1:])
	}
}

func asStatement(c construct) func(*function, ValType, int) {
	return func(f *function, _ ValType, depth int) {
		results := f.resultTypes()
		c(f, results, depth)
		f.consume(results)
	}
}

func (f *function) statements(depth int) {
	if depth <= 0 {
		return
	}
	for range 1 + f.below(5) {
		if f.full() {
			return
		}
		f.statement(depth)
	}
}

func (f *function) statement(depth int) {
	list := f.m.statements
	if f.kind == catcher {
		list = f.m.catchers
	}
	f.choose(list, 0, depth-1)
}

// consume takes the values from the stack, the last first.
func (f *function) consume(types []ValType) {
	for i := len(types) - 1; i >= 0; i-- {
		t := types[i]
		if f.m.has(globals) && f.chance(60) && f.globalSet(t) {
			continue
		}
		if locals := f.free[t]; len(locals) > 0 && !f.chance(50) {
			f.emit(opLocalSet, one(&f.source, locals))
		} else {
			f.emit(opDrop)
		}
	}
}

// push makes what a label takes.
func (f *function) push(types []ValType, seen bool, depth int) {
	for _, t := range types {
		f.value(t, depth)
		if seen {
			f.canonicalise(t)
		}
	}
}

// resultTypes is what a construct gives beside what is wanted: mostly nothing.
func (f *function) resultTypes() []ValType {
	if !f.chance(90) {
		return nil
	}
	return f.m.valueTypes(&f.source, 1+f.below(3))
}

func (f *function) blockType(params, results []ValType) {
	switch {
	case len(params) == 0 && len(results) == 0:
		f.code.byte(0x40)
	case len(params) == 0 && len(results) == 1:
		f.code.byte(byte(results[0]))
	default:
		f.code.s(int64(f.m.typeIndex(params, results)))
	}
}

func (f *function) open(o op, params, results []ValType, l label) {
	f.emit(o)
	f.blockType(params, results)
	f.labels = append(f.labels, l)
}

func (f *function) end() {
	f.emit(opEnd)
	f.labels = f.labels[:len(f.labels)-1]
}

// close ends a body with its results, or in some other way and dead code.
func (f *function) close(results []ValType, seen bool, depth int) {
	if len(f.labels) > 1 && !f.full() && f.chance(25) && f.leave(depth) {
		f.dead()
		return
	}
	f.push(results, seen, depth)
}

// parameters decides what a block takes, pushes it, and returns it. With some
// luck it is how the results begin, and stays on the stack to become them.
func (f *function) parameters(results []ValType, depth int) (params []ValType, stay bool) {
	if !f.chance(50) {
		return nil, false
	}
	if len(results) > 0 && f.chance(100) {
		params, stay = results[:1], true
	} else {
		params = f.m.valueTypes(&f.source, 1+f.below(3))
	}
	f.push(params, false, depth)
	return params, stay
}

// inside writes a body whose parameters are on the stack.
func (f *function) inside(params, results []ValType, stay bool, depth int) {
	if stay {
		f.statements(depth)
		f.close(results[len(params):], false, depth)
		return
	}
	f.consume(params)
	f.statements(depth)
	f.close(results, false, depth)
}

func (f *function) block(results []ValType, depth int) {
	params, stay := f.parameters(results, depth)
	f.open(opBlock, params, results, label{types: results})
	f.inside(params, results, stay, depth)
	f.end()
}

func (f *function) ifElse(results []ValType, depth int) {
	if len(results) == 0 && f.chance(100) || f.chance(20) { // no else: it takes what it gives
		f.push(results, false, depth)
		f.value(I32, depth)
		f.open(opIf, results, results, label{types: results})
		f.inside(results, results, false, depth)
		f.end()
		return
	}
	params, stay := f.parameters(results, depth)
	f.value(I32, depth)
	f.open(opIf, params, results, label{types: results})
	f.inside(params, results, stay, depth)
	f.emit(opElse)
	f.inside(params, results, stay, depth)
	f.end()
}

// loop writes a loop that counts down a local of its own: at its end, or at its
// head, where a br from anywhere in the body is counted too.
func (f *function) loop(results []ValType, depth int) {
	counter := f.local(I32)
	rounds := f.rounds(counter)
	if rounds > 50 {
		depth = min(depth, 1)
	}
	if f.chance(110) {
		f.loopFromHead(results, counter, rounds, depth)
		return
	}
	params, stay := f.parameters(results, depth)
	f.open(opLoop, params, results, label{types: params, closed: true})
	f.factor *= rounds
	if !stay {
		f.consume(params)
	}
	f.statements(depth)
	if !stay {
		f.push(params, false, 1)
	}
	f.emit(opLocalGet, counter)
	f.i32(1)
	f.emit(opI32Sub)
	f.emit(opLocalTee, counter)
	f.emit(opBrIf, 0)
	f.factor /= rounds
	if stay {
		results = results[len(params):]
	} else {
		f.consume(params)
	}
	f.push(results, false, depth)
	f.end()
}

func (f *function) loopFromHead(results []ValType, counter, rounds, depth int) {
	params, _ := f.parameters(results, depth)
	f.open(opBlock, params, results, label{types: results})
	f.open(opLoop, params, results, label{types: params})
	f.factor *= rounds + 1
	f.emit(opLocalGet, counter)
	f.emit(opI32Eqz)
	f.open(opIf, nil, nil, label{})
	f.push(results, false, 0) // simple ones: a br to the head from here would not be counted
	f.emit(opBr, 2)
	f.dead()
	f.end()
	f.emit(opLocalGet, counter)
	f.i32(1)
	f.emit(opI32Sub)
	f.emit(opLocalSet, counter)
	f.consume(params)
	f.statements(depth)
	if f.chance(40) {
		f.close(results, false, depth)
	} else {
		f.push(params, false, 1)
		f.emit(opBr, 0)
		f.dead()
	}
	f.factor /= rounds + 1
	f.end()
	f.end()
}

// rounds sets the counter of a loop to at least 1, and returns how many rounds
// that makes at most.
func (f *function) rounds(counter int) int {
	most := min(max((f.budget-f.cost)/(f.factor*50), 1), 2000)
	if !f.chance(30) {
		most = min(most, 12)
	}
	n := 1 + f.below(most)
	if f.chance(60) && n > 1 { // a number that only running shows
		mask := 1
		for mask*2+1 < n {
			mask = mask*2 + 1
		}
		f.value(I32, 1)
		f.i32(int32(mask))
		f.emit(opI32And)
		f.i32(1)
		f.emit(opI32Add)
		n = mask + 1
	} else {
		f.i32(int32(n))
	}
	f.emit(opLocalSet, counter)
	return n
}
