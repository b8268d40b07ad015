package generate

import "slices"

// Calls: down only, but for the recursions, and indirect ones to types of a lower
// tier only, so that whatever a table holds by then, there is no way back up.

func (f *function) callTo(callee *function, o op, depth int) {
	f.push(callee.params, true, depth)
	f.emit(o, callee.index)
	f.cost += f.factor * callee.cost
}

// callee finds a function that can still be afforded.
func (f *function) callee(fits func(results []ValType) bool) *function {
	var found []*function
	for _, c := range f.callees {
		if f.affords(c.cost+20) && fits(c.results) {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return one(&f.source, found)
}

func begins(t ValType) func([]ValType) bool {
	return func(results []ValType) bool { return len(results) > 0 && results[0] == t }
}

func whatever([]ValType) bool { return true }

func (f *function) callFor(t ValType, depth int) {
	callee := f.callee(begins(t))
	if callee == nil {
		f.simple(t)
		return
	}
	f.callTo(callee, opCall, depth)
	f.consume(callee.results[1:])
}

func (f *function) callAny(_ ValType, depth int) {
	if callee := f.callee(whatever); callee != nil {
		f.callTo(callee, opCall, depth)
		f.consume(callee.results)
	}
}

func (f *function) callIndirectFor(t ValType, depth int) {
	results, ok := f.callIndirect(opCallIndirect, begins(t), depth)
	if !ok {
		f.simple(t)
		return
	}
	f.consume(results[1:])
}

func (f *function) callIndirectAny(_ ValType, depth int) {
	if results, ok := f.callIndirect(opCallIndirect, whatever, depth); ok {
		f.consume(results)
	}
}

// callIndirect calls, mostly, what a slot held at the start; and where a hazard
// is due, what may be null, of another type, or no slot at all.
func (f *function) callIndirect(o op, fits func([]ValType) bool, depth int) ([]ValType, bool) {
	wild := f.hazard()
	type target struct{ typ, table, slot int }
	var found []target
	for typ, s := range f.m.types {
		if s.tier >= f.tier || !f.affords(s.cost+20) || !fits(s.results) {
			continue
		}
		for table, tab := range f.m.tables {
			if tab.elem != FuncRef {
				continue
			}
			if wild {
				found = append(found, target{typ, table, f.below(tab.min + 2)})
				continue
			}
			for slot, holds := range tab.initial {
				if holds != nil && f.m.types[holds.typ].same(s) {
					found = append(found, target{typ, table, slot})
				}
			}
		}
	}
	if len(found) == 0 {
		return nil, false
	}
	to := one(&f.source, found)
	s := f.m.types[to.typ]
	f.push(s.params, true, depth)
	switch {
	case wild && f.chance(128):
		f.value(I32, 1)
	case f.chance(60): // the same slot, but not as a constant
		f.value(I32, 1)
		f.i32(0)
		f.emit(opI32And)
		f.i32(int32(to.slot))
		f.emit(opI32Or)
	default:
		f.i32(int32(to.slot))
	}
	f.emit(o, to.typ, to.table)
	f.cost += f.factor * s.cost
	return s.results, true
}

func (f *function) tailCall(depth int) bool {
	same := func(results []ValType) bool { return slices.Equal(results, f.results) }
	if f.m.has(tables) && f.chance(100) {
		_, ok := f.callIndirect(opReturnCallIndirect, same, depth)
		return ok
	}
	callee := f.callee(same)
	if callee == nil {
		return false
	}
	f.callTo(callee, opReturnCall, depth)
	return true
}
