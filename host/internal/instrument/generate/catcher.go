package generate

// A catcher is a function that does little but set locals, throw and catch: of what an
// exception finds and leaves in locals, globals and handlers, other programs show less.
// Its locals are numbers that depend on all that came before, and it returns them all.

func (m *module) planCatchers(add func(kind, int, int) *function) {
	typ := m.typeIndex([]ValType{I32}, []ValType{I32})
	var known []*function
	for range 1 + m.below(4) {
		f := add(catcher, tierEntry, typ)
		f.budget, f.room = 20_000, 600
		f.callees = known[:len(known):len(known)]
		known = append(known, f)
	}
}

func catcherStatements() []production {
	return []production{
		{20, 0, func(f *function, _ ValType, _ int) { f.mix() }},
		{16, 0, asStatement((*function).tryTable)},
		{12, 0, func(f *function, _ ValType, _ int) { f.throwIf() }},
		{4, 0, func(f *function, _ ValType, _ int) { f.throwKept() }},
		{6, 0, asStatement((*function).block)},
		{6, 0, asStatement((*function).ifElse)},
		{6, 0, asStatement((*function).loop)},
		{6, 0, (*function).branchIf},
		{4, 0, (*function).leaveIf},
		{10, 0, func(f *function, _ ValType, _ int) {
			if callee := f.callee(whatever); callee != nil {
				f.callTo(callee, opCall, 1)
				f.mixIn()
			}
		}},
	}
}

// writeCatcher writes the body up to the result.
func (f *function) writeCatcher() {
	f.statements(6)
	f.i32(1)
	for _, l := range f.free[I32] {
		f.i32(31)
		f.emit(opI32Mul)
		f.emit(opLocalGet, l)
		f.emit(opI32Add)
	}
	f.mixIn()
}

// mix sets a local to something of two others.
func (f *function) mix() {
	f.emit(opLocalGet, one(&f.source, f.free[I32]))
	f.mixIn()
}

// mixIn sets a local to something of the number on the stack and another local.
func (f *function) mixIn() {
	f.i32(int32(3 + 2*f.below(100)))
	f.emit(opI32Mul)
	f.emit(opLocalGet, one(&f.source, f.free[I32]))
	f.emit(opI32Add)
	to := one(&f.source, f.free[I32])
	if f.chance(60) {
		f.emit(opLocalTee, to)
		f.emit(opDrop)
		return
	}
	f.emit(opLocalSet, to)
}

// bit pushes a bit of a local.
func (f *function) bit() {
	f.emit(opLocalGet, one(&f.source, f.free[I32]))
	f.i32(1 << f.below(6))
	f.emit(opI32And)
}
