package generate

import "slices"

// The plan of a module: all that function bodies refer to, decided before any of
// them is written.

// A module leaves most features out by chance, since what a program cannot do
// matters too: without memory, there is nothing to grow.
type feature uint16

const (
	memory feature = 1 << iota
	growth
	bulk
	atomics
	simd
	globals
	tables
	references
	calls
	tailCalls
	exceptions
)

type module struct {
	source
	options    Options
	features   feature
	arithmetic map[byte][]operations
	values     map[ValType][]production
	statements []production
	catchers   []production // their statements
	counts     map[op]int

	types   []*signature
	memory  struct{ min, max int }
	bounded bool // the memory declares its maximum
	tables  []*table
	globals []global
	data    []dataSegment
	elems   []elemSegment
	tags    []int // their types

	functions  []*function // in the order of writing, callees first
	referable  []*function // those that tables may hold
	recursions []*recursion
	start      *function
	digest     *function
	hazards    int
}

func (m *module) has(f feature) bool { return m.features&f == f }

type table struct {
	elem     ValType
	min, max int
	bounded  bool
	initial  []*function // what active segments put there
}

type global struct {
	typ               ValType
	mutable, neverSet bool
	init              buffer
}

type dataSegment struct {
	active bool
	offset buffer
	bytes  []byte
}

type mode byte

const (
	active mode = iota
	passive
	declarative
)

type elemSegment struct {
	mode   mode
	table  int
	offset buffer
	elem   ValType
	byExpr bool
	items  []*function // nil is a null
}

const (
	tierRounds = 2 // recursions; below it leaves, and what calls leaves
	tierEntry  = 3 // what the host calls, and no table holds
	tierNone   = 9
)

func (m *module) plan() {
	odds := []int{210, 170, 190, 130, 150, 210, 200, 200, 220, 150} // of 256, in the order of the features
	for i, p := range odds {
		if m.chance(p) {
			m.features |= 1 << i
		}
	}
	if m.has(tables) {
		m.features |= references
	}
	if m.options.Exceptions {
		m.features |= exceptions
	}
	m.hazards = []int{0, 16, 28, 56, 96}[m.below(5)]
	m.arithmetic = arithmeticOf(m.features)
	m.statements, m.catchers = statements(), catcherStatements()
	m.values = make(map[ValType][]production)
	for t := range letters {
		m.values[t] = productions(t)
	}
	if m.has(exceptions) {
		for range 1 + m.below(3) {
			m.tags = append(m.tags, m.typeIndex(m.some(numbers[:4], m.below(3)), nil))
		}
	}
	if m.has(memory) {
		m.planMemory()
	}
	m.planTables()
	if !m.chance(10) { // a module may well have no functions
		m.planFunctions()
	}
	m.planGlobals()
	m.planElements()
}

func (m *module) planMemory() {
	m.memory.min = min(1+m.below(8), 5)
	if m.chance(10) {
		m.memory.min = 0
	}
	m.memory.max = m.memory.min
	m.bounded = m.has(growth) || m.chance(128)
	if m.bounded {
		m.memory.max += m.below(5)
	}
	for range m.below(5) {
		d := dataSegment{active: m.chance(150)}
		n := m.below(40)
		if m.chance(20) {
			n = m.below(20000)
		}
		seed := m.byte()
		for i := range n { // what does not matter costs no choices
			seed = seed*5 + byte(i) + 17
			d.bytes = append(d.bytes, seed)
		}
		room := m.size() - n
		if room < 0 && !m.chance(3) {
			d.active = false
		}
		at := m.below(64) // segments overlap
		switch {
		case m.chance(2):
			at = room + 1
		case m.chance(20):
			at = room
		}
		d.offset = m.offset(min(at, max(room, 0)+1))
		m.data = append(m.data, d)
	}
}

// offset writes a constant expression, perhaps an extended one.
func (m *module) offset(v int) (b buffer) {
	switch a := int(m.byte()); m.below(5) {
	case 1:
		b.i32Const(int32(v - a))
		b.i32Const(int32(a))
		b.op(opI32Add)
	case 2:
		b.i32Const(3)
		b.i32Const(int32(a))
		b.op(opI32Mul)
		b.i32Const(int32(3*a - v))
		b.op(opI32Sub)
	default:
		b.i32Const(int32(v))
	}
	b.op(opEnd)
	return b
}

func (m *module) planTables() {
	if !m.has(tables) {
		return
	}
	for i := range 1 + m.below(3) {
		t := &table{elem: FuncRef, min: 4 + m.below(16), bounded: m.has(growth) || m.chance(128)}
		if i > 0 && m.chance(90) {
			t.elem = ExternRef
		}
		if i > 0 && m.chance(30) {
			t.min = 0
		}
		t.max = t.min + m.below(8)
		t.initial = make([]*function, t.min)
		m.tables = append(m.tables, t)
	}
}

// some picks n types from a list.
func (m *module) some(from []ValType, n int) (list []ValType) {
	for range n {
		list = append(list, one(&m.source, from))
	}
	return list
}

var numbers = []ValType{I32, I64, F32, F64, V128}

func (m *module) number(s *source) ValType {
	if m.has(simd) {
		return one(s, numbers)
	}
	return one(s, numbers[:4])
}

func (m *module) valueType(s *source) ValType {
	if m.has(references) && s.chance(20) {
		return []ValType{FuncRef, ExternRef}[s.below(2)]
	}
	return m.number(s)
}

func (m *module) valueTypes(s *source, n int) (list []ValType) {
	for range n {
		list = append(list, m.valueType(s))
	}
	return list
}

// signature adds a function type that no other tier has; an equal one of this
// tier may be there twice.
func (m *module) signature(tier int, params, results []ValType) int {
	s := &signature{params: params, results: results, tier: tier}
	for slices.ContainsFunc(m.types, func(o *signature) bool { return s.same(o) && (o.tier != tier || tier == tierRounds) }) {
		s.params = append(s.params, I64)
	}
	m.types = append(m.types, s)
	return len(m.types) - 1
}

func (m *module) planFunctions() {
	add := func(k kind, tier, typ int) *function {
		s := m.types[typ]
		f := &function{m: m, kind: k, tier: tier, typ: typ, params: s.params, results: s.results,
			callees: slices.Clone(m.functions), hazards: m.hazards, room: 1500}
		m.functions = append(m.functions, f)
		return f
	}
	if m.has(exceptions) && m.chance(150) {
		m.planCatchers(add)
	} else {
		m.planOthers(add)
	}
	if m.has(memory) || m.has(globals) || m.has(tables) {
		m.digest = add(plain, tierEntry, m.typeIndex(nil, []ValType{I64}))
	}
	// Callees come before their callers in one order, after them in the other.
	n := len(m.functions)
	backward, shift := m.chance(100), m.below(n)
	for i, f := range m.functions {
		if backward {
			i = n - 1 - i
		}
		f.index = (i + shift) % n
	}
}

func (m *module) planOthers(add func(kind, int, int) *function) {
	for tier := range tierRounds {
		var types []int
		for range 1 + m.below(3) {
			types = append(types, m.signature(tier, m.valueTypes(&m.source, m.below(4)), m.valueTypes(&m.source, m.below(3))))
		}
		for range m.below(4) {
			f := add(plain, tier, one(&m.source, types))
			f.budget = []int{2000, 15000}[tier]
			if tier == 0 {
				f.callees = nil
			}
			m.referable = append(m.referable, f)
		}
	}
	for range max(m.below(5)-2, 0) {
		m.planRecursion(add)
	}
	if m.has(calls) && len(m.functions) > 0 && m.chance(60) {
		typ := m.typeIndex(m.some(numbers[:4], m.below(3)), m.some(numbers[:4], m.below(2)))
		for range 2 + m.below(6) {
			add(tree, tierEntry, typ).budget = 200_000
		}
	}
	for range 1 + m.below(5) {
		typ := m.typeIndex(m.some(numbers[:4], m.below(4)), m.some(numbers[:4], m.below(4)))
		f := add(plain, tierEntry, typ)
		f.budget = []int{2000, 10_000, 50_000, 500_000}[m.below(4)]
		if m.chance(10) {
			f.kind, f.budget = long, 200_000
		}
	}
	if m.chance(25) {
		m.start = add(plain, tierEntry, m.typeIndex(nil, nil))
		m.start.budget, m.start.hazards = 5000, 0
		if m.chance(180) {
			m.start.callees = nil
		}
	}
}

func (m *module) planRecursion(add func(kind, int, int) *function) {
	if !m.has(calls) {
		return
	}
	r := &recursion{mask: 31, fan: 1}
	switch m.below(3) {
	case 1:
		r.fan, r.mask = 2, 1<<(1+m.below(3))-1
	case 2:
		if m.has(tailCalls) {
			r.tail, r.mask = true, 63
		}
	}
	typ := m.signature(tierRounds, append([]ValType{I32}, m.valueTypes(&m.source, m.below(3))...), m.valueTypes(&m.source, m.below(3)))
	known := slices.Clone(m.functions)
	for range 1 + m.below(3) {
		f := add(recursive, tierRounds, typ)
		f.round, f.callees, f.room = r, known, 300
		f.budget = 60_000 / r.calls()
		r.members = append(r.members, f)
	}
	r.indirect = m.has(tables) && m.chance(128)
	m.recursions = append(m.recursions, r)
	m.referable = append(m.referable, r.members...)
}

func (m *module) planGlobals() {
	if !m.has(globals) {
		return
	}
	for range 1 + m.below(8) {
		g := global{typ: m.valueType(&m.source), mutable: m.chance(190)}
		g.neverSet = g.mutable && m.chance(60)
		switch {
		case g.typ == FuncRef && len(m.referable) > 0:
			g.init.op(opRefFunc)
			g.init.u(uint64(one(&m.source, m.referable).index))
		case g.typ == I64 && m.chance(60):
			constant(I64, &m.source, g.init.append)
			constant(I64, &m.source, g.init.append)
			g.init.op(opI64Mul)
		case g.typ == F32 || g.typ == F64: // no NaN: it is read as it is
			constant(g.typ, &source{[]byte{m.byte() % 15}}, g.init.append)
		default:
			constant(g.typ, &m.source, g.init.append)
		}
		g.init.op(opEnd)
		m.globals = append(m.globals, g)
	}
}

func (m *module) planElements() {
	for i, t := range m.tables {
		for range m.below(4) {
			e := elemSegment{mode: mode(m.below(2)), table: i, elem: t.elem, byExpr: t.elem == ExternRef || m.chance(100)}
			for range m.below(min(t.min, 10) + 1) {
				var f *function
				if t.elem == FuncRef && len(m.referable) > 0 && (!e.byExpr || !m.chance(50)) {
					f = one(&m.source, m.referable)
				} else if !e.byExpr {
					break
				}
				e.items = append(e.items, f)
			}
			at := m.below(t.min - len(e.items) + 1) // inside: past the end, wazero 1.12 goes on without a trap
			e.offset = m.offset(at)
			if e.mode == active {
				copy(t.initial[at:], e.items)
			}
			m.elems = append(m.elems, e)
		}
	}
	for i, r := range m.recursions { // last, so that nothing overwrites them
		if r.indirect {
			r.slot = i
			m.tables[0].initial[i] = r.members[0]
			m.elems = append(m.elems, elemSegment{elem: FuncRef, offset: m.offset(i), items: r.members[:1]})
		}
	}
	// A function must be named outside code before code may refer to it.
	if len(m.referable) > 0 {
		m.elems = append(m.elems, elemSegment{mode: []mode{declarative, passive}[m.below(2)], elem: FuncRef, byExpr: m.chance(100), items: m.referable})
	}
}
