package generate

import (
	"cmp"
	"slices"
	"strconv"
)

// encode writes the sections, in their order, with custom ones between.
func (m *module) encode() []byte {
	b := buffer{0, 'a', 's', 'm', 1, 0, 0, 0}
	byIndex := slices.SortedFunc(slices.Values(m.functions), func(x, y *function) int { return cmp.Compare(x.index, y.index) })
	section := func(id byte, n int, item func(b *buffer, i int)) {
		if m.chance(20) {
			var custom buffer
			custom.name("note " + strconv.Itoa(int(id)))
			custom = append(custom, make([]byte, m.below(9))...)
			b.section(0, custom)
		}
		if n > 0 {
			b.section(id, vector(n, item))
		}
	}
	section(1, len(m.types), func(b *buffer, i int) {
		b.byte(0x60)
		b.types(m.types[i].params)
		b.types(m.types[i].results)
	})
	section(3, len(byIndex), func(b *buffer, i int) { b.u(uint64(byIndex[i].typ)) })
	section(4, len(m.tables), func(b *buffer, i int) {
		t := m.tables[i]
		b.byte(byte(t.elem))
		b.limits(t.min, t.max, t.bounded)
	})
	if m.has(memory) {
		section(5, 1, func(b *buffer, _ int) { b.limits(m.memory.min, m.memory.max, m.bounded) })
	}
	section(13, len(m.tags), func(b *buffer, i int) {
		b.byte(0)
		b.u(uint64(m.tags[i]))
	})
	section(6, len(m.globals), func(b *buffer, i int) {
		g := m.globals[i]
		b.byte(byte(g.typ))
		b.byte(map[bool]byte{true: 1}[g.mutable])
		*b = append(*b, g.init...)
	})
	exports := m.exports(byIndex)
	section(7, len(exports), func(b *buffer, i int) {
		b.name(exports[i].name)
		b.byte(exports[i].kind)
		b.u(uint64(exports[i].index))
	})
	if m.start != nil {
		var body buffer
		body.u(uint64(m.start.index))
		b.section(8, body)
	}
	section(9, len(m.elems), func(b *buffer, i int) { m.elems[i].encode(b) })
	if len(m.data) > 0 {
		var body buffer
		body.u(uint64(len(m.data)))
		b.section(12, body)
	}
	section(10, len(byIndex), func(b *buffer, i int) {
		body := byIndex[i].encode()
		b.u(uint64(len(body)))
		*b = append(*b, body...)
	})
	section(11, len(m.data), func(b *buffer, i int) {
		d := m.data[i]
		switch {
		case !d.active:
			b.byte(1)
		case i%3 == 2:
			b.byte(2)
			b.byte(0)
			*b = append(*b, d.offset...)
		default:
			b.byte(0)
			*b = append(*b, d.offset...)
		}
		b.name(string(d.bytes))
	})
	if m.chance(100) {
		b.section(0, m.names(byIndex))
	}
	return b
}

type export struct {
	name  string
	kind  byte
	index int
}

func (m *module) exports(byIndex []*function) (list []export) {
	for _, f := range byIndex {
		if m.exported(f) {
			list = append(list, export{f.export(), 0, f.index})
		}
	}
	for i := range m.tables {
		if m.chance(80) {
			list = append(list, export{"t" + strconv.Itoa(i), 1, i})
		}
	}
	if m.has(memory) && !m.chance(50) {
		list = append(list, export{"memory", 2, 0})
	}
	for i := range m.globals {
		if m.chance(80) {
			list = append(list, export{"g" + strconv.Itoa(i), 3, i})
		}
	}
	return list
}

// encode writes a segment in one of the eight forms.
func (e elemSegment) encode(b *buffer) {
	flags, explicit := byte(0), e.table > 0 || e.elem != FuncRef
	switch {
	case e.mode == passive:
		flags = 1
	case e.mode == declarative:
		flags = 3
	case explicit || len(e.items)%2 == 1: // the long form is allowed where the short one would do
		flags = 2
	}
	if e.byExpr {
		flags |= 4
	}
	b.byte(flags)
	if flags&3 == 2 {
		b.u(uint64(e.table))
	}
	if e.mode == active {
		*b = append(*b, e.offset...)
	}
	if flags&3 != 0 {
		if e.byExpr {
			b.byte(byte(e.elem))
		} else {
			b.byte(0)
		}
	}
	b.u(uint64(len(e.items)))
	for _, f := range e.items {
		switch {
		case !e.byExpr:
			b.u(uint64(f.index))
		case f == nil:
			b.op(opRefNull)
			b.byte(byte(e.elem))
			b.op(opEnd)
		default:
			b.op(opRefFunc)
			b.u(uint64(f.index))
			b.op(opEnd)
		}
	}
}

// names writes the name section: of the module, functions and some locals.
func (m *module) names(byIndex []*function) (b buffer) {
	b.name("name")
	var body buffer
	body.name("generated")
	b.section(0, body)
	b.section(1, vector(len(byIndex), func(b *buffer, i int) {
		b.u(uint64(i))
		b.name("function " + strconv.Itoa(i))
	}))
	b.section(2, vector(len(byIndex), func(b *buffer, i int) {
		b.u(uint64(i))
		params := len(byIndex[i].params)
		*b = append(*b, vector(params, func(b *buffer, i int) {
			b.u(uint64(i))
			b.name("p" + strconv.Itoa(i))
		})...)
	}))
	return b
}
