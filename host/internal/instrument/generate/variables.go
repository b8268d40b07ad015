package generate

import "slices"

// Locals, globals and select.

func (f *function) tee(t ValType, depth int) {
	f.value(t, depth)
	if locals := f.free[t]; len(locals) > 0 {
		f.emit(opLocalTee, one(&f.source, locals))
	}
}

func (f *function) globalGet(t ValType, _ int) {
	var found []int
	for i, g := range f.m.globals {
		if g.typ == t {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		f.simple(t)
		return
	}
	f.emit(opGlobalGet, one(&f.source, found))
}

// globalSet takes the value on the stack, if a global has its type and is one
// that is ever set.
func (f *function) globalSet(t ValType) bool {
	var found []int
	for i, g := range f.m.globals {
		if g.typ == t && g.mutable && !g.neverSet {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		return false
	}
	f.canonicalise(t)
	f.emit(opGlobalSet, one(&f.source, found))
	return true
}

// choice is a select, which has to name its type where that is a reference.
func (f *function) choice(t ValType, depth int) {
	f.value(t, depth)
	f.value(t, depth)
	f.value(I32, depth)
	if t.reference() || f.chance(80) {
		f.emit(opSelectTyped, 1, int(t))
		return
	}
	f.emit(opSelect)
}

// A signature is a function type. Its tier bounds who may call it indirectly,
// and its cost is that of the dearest function that a table may hold of it.
type signature struct {
	params, results []ValType
	tier            int
	cost            int
}

func (s *signature) same(o *signature) bool {
	return slices.Equal(s.params, o.params) && slices.Equal(s.results, o.results)
}

// typeIndex finds or adds a type for a block or a tag.
func (m *module) typeIndex(params, results []ValType) int {
	s := &signature{params: slices.Clone(params), results: slices.Clone(results), tier: tierNone}
	if i := slices.IndexFunc(m.types, s.same); i >= 0 {
		return i
	}
	m.types = append(m.types, s)
	return len(m.types) - 1
}
