package instrument

// Of the first pass, the code: each instruction is read once, and what rewriting looks
// at again is noted.

import (
	"fmt"
)

// An edit is a place in the code that rewriting looks at again.
type edit struct {
	at   uint32 // of the instruction, in the binary
	kind editKind
	x    uint32 // what it names
}

type editKind uint8

const (
	loopHead  editKind = iota // behind the block type of a loop, with x instructions of the function before
	loopEnd                   // the end of a loop, the same
	callSite                  // of function x
	indirect                  // a call through a table
	funcIndex                 // ref.func x
	tryHead                   // a try_table
	throwing                  // throw or throw_ref
	fillSite                  // memory.fill
	copySite                  // memory.copy
	initSite                  // memory.init of segment x
	tableSite                 // table.init, copy or fill
	dearSite                  // something else that takes long: memory.grow
	growSite                  // table.grow of table x
)

// A definition is a function that the module defines.
type definition struct {
	start, end uint32 // of its body in the binary, behind its size
	code       uint32 // where the locals end
	size       uint32 // instructions
	edits      uint32 // index of the first; they end where those of the next begin
	tries      bool   // it has a try_table
	effect     Effect
}

// code reads the functions' bodies.
func (m *module) code(r *reader) {
	n := r.count(1)
	m.codeStart = uint32(r.off)
	m.functions = make([]definition, 0, n)
	for i := range n {
		size := r.u32()
		if size > MaxFunctionSize {
			r.fail("function %d has %d bytes: at most %d", m.imported+i, size, MaxFunctionSize)
		}
		at := r.off
		r.bytes(size)
		if r.err != nil {
			return
		}
		f := definition{start: uint32(at), end: uint32(r.off), edits: uint32(len(m.edits))}
		b := &reader{data: r.data[:r.off], off: at}
		m.body(b, &f)
		if b.err != nil {
			r.err = fmt.Errorf("function %d: %w", m.imported+i, b.err)
			return
		}
		m.functions = append(m.functions, f)
	}
}

// body reads one function's body.
func (m *module) body(r *reader, f *definition) {
	var locals uint64
	for range r.count(2) {
		locals += uint64(r.u32())
		r.valType()
	}
	if locals > MaxLocals {
		r.fail("%d locals: at most %d", locals, MaxLocals)
	}
	f.code = uint32(r.off)
	depth := 1
	m.loops = m.loops[:0]
	for depth > 0 {
		if r.err != nil {
			return
		}
		in := r.instruction()
		if r.err != nil {
			return
		}
		f.size++
		note := func(kind editKind, x uint32) { m.edits = append(m.edits, edit{uint32(in.start), kind, x}) }
		switch in.op {
		case opBlock, opIf:
			if depth++; depth > MaxNesting {
				r.fail("blocks nested in more than %d", MaxNesting)
			}
			if in.typed {
				m.typeIndex(r, in.index)
			}
		case opLoop:
			depth++
			if in.typed {
				m.typeIndex(r, in.index)
			}
			m.loops = append(m.loops, depth)
			if depth > MaxNesting || len(m.loops) > MaxLoopNesting {
				r.fail("blocks nested in more than %d, or loops in more than %d", MaxNesting, MaxLoopNesting)
			}
			in.start = in.end
			note(loopHead, f.size)
		case opTryTable:
			if depth++; depth > MaxNesting {
				r.fail("blocks nested in more than %d", MaxNesting)
			}
			f.tries = true
			if in.typed {
				m.typeIndex(r, in.index)
			}
			note(tryHead, 0)
		case opThrow, opThrowRef:
			f.size += dear
			f.effect |= WritesGlobals // the engine keeps something
			note(throwing, 0)
		case opEnd:
			if n := len(m.loops) - 1; n >= 0 && m.loops[n] == depth {
				m.loops = m.loops[:n]
				note(loopEnd, f.size)
			}
			depth--
		case opCall, opReturnCall:
			fn := m.funcIndex(r, in.index)
			if fn < m.imported {
				f.size += dear
			}
			note(callSite, fn)
		case opCallIndirect, opReturnCallIndirect:
			note(indirect, m.typeIndex(r, in.index))
		case opRefFunc:
			fn := m.funcIndex(r, in.index)
			if r.err == nil {
				m.taken[fn] = true
			}
			note(funcIndex, fn)
		case opGlobalGet:
			m.globalIndex(r, in.index)
		case opGlobalSet:
			if i := m.globalIndex(r, in.index); r.err == nil {
				m.globals[i].set = true
				f.effect |= WritesGlobals
			}
		case opTableSet:
			m.changesTables(f, "table.set")
		case opMemorySize:
			m.needsMemory(r)
		case opMemoryGrow:
			m.needsMemory(r)
			f.effect |= WritesMemory
			f.size += dear
			note(dearSite, 0)
		case opBulk:
			m.bulk(r, f, in, note)
		case opAtomic:
			if in.kind == memArg {
				m.needsMemory(r)
			}
			if in.sub < 0x10 || in.sub > 0x16 { // not a load
				f.effect |= WritesMemory
			}
		case opSIMD:
			if in.kind == memArg || in.kind == memArgLane {
				m.needsMemory(r)
				if in.sub == 11 || in.sub >= 88 && in.sub <= 91 {
					f.effect |= WritesMemory
				}
			}
		default:
			if in.kind == memArg {
				m.needsMemory(r)
				if in.op >= opI32Store && in.op <= opI64Store32 {
					f.effect |= WritesMemory
				}
			}
		}
	}
	if r.err == nil && r.off != len(r.data) {
		r.fail("code behind the end of the function")
	}
}

// dear is as how many instructions one counts that may take microseconds: on a range,
// a call of the host, memory.grow, an exception.
const dear = 200

// needsMemory refuses to use a memory where there is none: the one that is added is
// not the guest's.
func (m *module) needsMemory(r *reader) {
	if m.memories == 0 {
		r.fail("memory 0 does not exist")
	}
}

// bulk notes an instruction that works on a range.
func (m *module) bulk(r *reader, f *definition, in instruction, note func(editKind, uint32)) {
	if in.sub >= memoryInit && in.sub != dataDrop && in.sub != elemDrop {
		f.size += dear
	}
	switch in.sub {
	case memoryInit:
		m.needsMemory(r)
		m.needsDataCount = true
		m.inits[in.index] = true
		f.effect |= WritesMemory
		note(initSite, in.index)
	case memoryCopy:
		m.needsMemory(r)
		f.effect |= WritesMemory
		note(copySite, 0)
	case memoryFill:
		m.needsMemory(r)
		f.effect |= WritesMemory
		note(fillSite, 0)
	case dataDrop:
		m.needsDataCount = true
		m.changesTables(f, "data.drop")
	case elemDrop:
		m.changesTables(f, "elem.drop")
	case tableInit:
		m.changesTables(f, "table.init")
		note(tableSite, 0)
	case tableCopy:
		m.changesTables(f, "table.copy")
		note(tableSite, 0)
	case tableFill:
		m.changesTables(f, "table.fill")
		note(tableSite, 0)
	case tableGrow:
		m.changesTables(f, "table.grow")
		if int64(in.index) >= int64(len(m.tables)) {
			r.fail("table %d does not exist", in.index)
			return
		}
		note(growSite, in.index)
	}
}

// changesTables notes that state is changed which no snapshot restores.
func (m *module) changesTables(f *definition, instruction string) {
	f.effect |= WritesTables
	if m.unsafe == "" {
		m.unsafe = "its code has " + instruction
	}
}

// editsOf returns the edits of function i of those that are defined.
func (m *module) editsOf(i int) []edit {
	end := uint32(len(m.edits))
	if i+1 < len(m.functions) {
		end = m.functions[i+1].edits
	}
	return m.edits[m.functions[i].edits:end]
}
