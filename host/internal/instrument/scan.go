package instrument

// The first pass: what there is, and where. It reads every instruction once and
// keeps the places that rewriting may change (edits) and what each function does by
// itself (its own effects, its calls), so that everything else can be decided
// without reading code again, and copied in long stretches.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

type table struct {
	typ   ValType
	least uint64 // entries
	ours  bool   // the module defines it
}

// A segment is a data segment.
type segment struct {
	active     bool
	exprStart  int // of its offset, with the end
	exprEnd    int
	start, end int // of its bytes
}

type global struct {
	typ     ValType
	mutable bool
	set     bool // by code
}

// module is what the first pass finds.
type module struct {
	binary   []byte
	sections []part

	types     []FuncType
	funcTypes []uint32 // of each function, imported ones first
	imported  uint32   // functions
	globals   []global // imported ones first
	given     uint32   // imported globals
	tables    []table
	memories  uint32
	exports   map[string]uint32 // functions
	prefix    string            // that no export begins with
	start     int64             // the start function, or -1
	dataCount int64             // or -1
	segments  []segment
	taken     []bool // functions whose address is taken
	functions []definition
	edits     []edit

	needsDataCount bool
	inits          map[uint32]bool // segments that code copies
	unsafe         string
	outside        int64 // the table of an active element segment that lies outside of it, or -1

	codeStart uint32 // where the bodies begin
	loops     []int  // depths of the loops that are open, while a body is read

	lost string // see Rewritten.Lost
	kept uint32 // globals of the original: the others are what mending has added
}

// A part is one section of a module: data[off:] is its content.
type part struct {
	id   byte
	data []byte // of the module, up to the section's end
	off  int
}

func (s part) reader() *reader { return &reader{data: s.data, off: s.off} }

// order is the order of the sections that have one (§5.5.2, and the tag section
// of exception handling).
var order = []byte{typeSection, importSection, functionSection, tableSection, memorySection, tagSection, globalSection,
	exportSection, startSection, elementSection, dataCountSection, codeSection, dataSection}

// scan reads a module that [Describe] has accepted.
func scan(binary []byte) (*module, error) {
	m := &module{binary: binary, start: -1, dataCount: -1, outside: -1, prefix: reservedPrefix, exports: map[string]uint32{}, inits: map[uint32]bool{}}
	if int64(len(binary)) > 1<<32-1 {
		return nil, fmt.Errorf("%d bytes: a module has at most 4 GiB", len(binary))
	}
	if err := m.split(); err != nil {
		return nil, err
	}
	for _, s := range m.sections {
		r := s.reader()
		m.section(s.id, r)
		if r.err == nil && r.off != len(r.data) {
			r.fail("section %d has %d bytes too many", s.id, len(r.data)-r.off)
		}
		if r.err != nil {
			return nil, r.err
		}
	}
	if defined := len(m.funcTypes) - int(m.imported); defined != len(m.functions) {
		return nil, fmt.Errorf("%d functions have %d bodies", defined, len(m.functions))
	}
	if m.needsDataCount && m.dataCount < 0 {
		return nil, fmt.Errorf("its code names data segments, and it has no data count section")
	}
	m.kept = uint32(len(m.globals))
	return m, nil
}

// split finds the sections, of which there is one of each kind, in order.
func (m *module) split() error {
	r := reader{data: m.binary, off: 8}
	last := -1
	for r.err == nil && r.off < len(m.binary) {
		id := r.byte()
		size := r.u32()
		at := r.off
		r.bytes(size)
		if place := slices.Index(order, id); id != 0 {
			if place <= last {
				r.fail("section %d is unknown or out of order", id)
			}
			last = place
		}
		if r.err == nil {
			m.sections = append(m.sections, part{id, m.binary[:r.off], at})
		}
	}
	return r.err
}

func (m *module) section(id byte, r *reader) {
	switch id {
	case typeSection:
		for range r.items(3) {
			t := r.funcType()
			if len(t.Params) > MaxValues || len(t.Results) > MaxValues {
				r.fail("type of %d parameters and %d results: at most %d", len(t.Params), len(t.Results), MaxValues)
			}
			m.types = append(m.types, t)
		}
	case importSection:
		for range r.items(4) {
			m.imports(r)
		}
		m.imported, m.given = uint32(len(m.funcTypes)), uint32(len(m.globals))
		m.taken = make([]bool, len(m.funcTypes))
		m.oneMemory(r)
	case functionSection:
		n := r.count(1)
		if n > MaxFunctions {
			r.fail("%d functions: at most %d", n, MaxFunctions)
		}
		for range n {
			m.funcTypes = append(m.funcTypes, m.typeIndex(r, r.u32()))
		}
		m.taken = make([]bool, len(m.funcTypes))
	case tableSection:
		for range r.items(3) {
			t := table{typ: ValType(r.byte()), ours: true}
			_, t.least, _ = r.limits()
			m.tables = append(m.tables, t)
		}
	case memorySection:
		for range r.items(2) {
			r.memory()
			m.memories++
		}
		m.oneMemory(r)
	case tagSection:
		for range r.items(2) {
			m.tag(r)
		}
	case globalSection:
		for range r.items(3) {
			g := global{typ: r.valType(), mutable: r.byte() == 1}
			m.constant(r, nil)
			m.globals = append(m.globals, g)
		}
	case exportSection:
		m.readExports(r)
	case startSection:
		m.start = int64(m.funcIndex(r, r.u32()))
	case elementSection:
		m.elements(r, nil)
	case dataCountSection:
		m.dataCount = int64(r.u32())
	case codeSection:
		m.code(r)
	case dataSection:
		m.data(r)
	default:
		r.off = len(r.data)
	}
}

func (m *module) oneMemory(r *reader) {
	if m.memories > 1 {
		r.fail("%d memories: a module has at most one", m.memories)
	}
}

func (m *module) imports(r *reader) {
	r.name()
	r.name()
	switch kind := Kind(r.byte()); kind {
	case FuncKind:
		m.funcTypes = append(m.funcTypes, m.typeIndex(r, r.u32()))
	case TableKind:
		m.tables = append(m.tables, table{typ: r.valType()})
		r.limits()
	case MemoryKind:
		r.memory()
		m.memories++
	case GlobalKind:
		m.globals = append(m.globals, global{typ: r.valType(), mutable: r.byte() == 1})
	case TagKind:
		m.tag(r)
	default:
		r.fail("import of kind %d", kind)
	}
}

// tag reads a tag. For each value of an exception wazero v1.12 has eight bytes of Go's
// memory, and writes sixteen of a v128.
func (m *module) tag(r *reader) {
	r.byte()
	if t := m.typeIndex(r, r.u32()); r.err == nil && slices.Contains(m.types[t].Params, v128) {
		m.lost = "it has a tag with a parameter of type v128"
	}
}

func (m *module) readExports(r *reader) {
	var names []string
	for range r.items(3) {
		name, kind, i := r.name(), Kind(r.byte()), r.u32()
		switch kind {
		case FuncKind:
			m.exports[name] = m.funcIndex(r, i)
		case GlobalKind:
			m.globalIndex(r, i)
		case MemoryKind:
			if i >= m.memories {
				r.fail("memory %d does not exist", i)
			}
		}
		names = append(names, name)
	}
	m.prefix = freePrefix(names)
}

// reservedPrefix is how the exports begin that are added.
const reservedPrefix = "entangle:"

// freePrefix returns reservedPrefix, or, if one of names begins with it, that and the
// least number with which none does.
func freePrefix(names []string) string {
	any := false
	taken := make([]bool, len(names)+1)
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, reservedPrefix)
		any = any || ok
		number, _, _ := strings.Cut(rest, ":")
		if n, err := strconv.Atoi(number); ok && err == nil && n >= 0 && n < len(taken) {
			taken[n] = true
		}
	}
	if !any {
		return reservedPrefix
	}
	return fmt.Sprintf("%s%d:", reservedPrefix, slices.Index(taken, false))
}

// typeIndex checks that i is a type of the original, as the others do for what they
// name: what is added is nobody else's.
func (m *module) typeIndex(r *reader, i uint32) uint32 {
	if int64(i) >= int64(len(m.types)) {
		r.fail("type %d does not exist", i)
		return 0
	}
	return i
}

func (m *module) funcIndex(r *reader, i uint32) uint32 {
	if int64(i) >= int64(len(m.funcTypes)) {
		r.fail("function %d does not exist", i)
		return 0
	}
	return i
}

func (m *module) globalIndex(r *reader, i uint32) uint32 {
	if int64(i) >= int64(len(m.globals)) {
		r.fail("global %d does not exist", i)
		return 0
	}
	return i
}

// constant reads a constant expression, its end included; shift, if it is not nil,
// is called for each function index with where it stands.
func (m *module) constant(r *reader, shift func(from, to int, fn uint32)) {
	for r.err == nil {
		in := r.instruction()
		switch {
		case r.err != nil:
		case in.op == opEnd:
			return
		case in.op == opRefFunc:
			fn := m.funcIndex(r, in.index)
			if r.err != nil {
				return
			}
			m.taken[fn] = true
			if shift != nil {
				shift(in.start+1, in.end, in.index)
			}
		case in.op == opGlobalGet:
			m.globalIndex(r, in.index)
		case in.kind == blockType, in.kind == tryTable, in.kind == function:
			r.fail("instruction %#x in a constant expression", in.op)
		}
	}
}

// elements reads element segments (§5.5.12). If shift is not nil, it is called for
// each function index with where it stands.
func (m *module) elements(r *reader, shift func(from, to int, fn uint32)) {
	for range r.items(2) {
		flags := r.u32()
		if flags > 7 {
			r.fail("element segment of kind %d", flags)
		}
		passive, explicit, expressions := flags&1 != 0, flags&2 != 0, flags&4 != 0
		in := uint32(0)
		if explicit && !passive {
			in = r.u32()
		}
		at, from := int64(-1), r.off
		if !passive {
			m.constant(r, shift)
			at = offsetOf(r.data[from:r.off])
		}
		if passive || explicit {
			if expressions {
				r.valType()
			} else if kind := r.byte(); kind != 0 {
				r.fail("elements of kind %d", kind)
			}
		}
		n := r.count(1)
		// Not every engine sees that.
		if at >= 0 && int64(in) < int64(len(m.tables)) && m.tables[in].ours && uint64(at)+uint64(n) > m.tables[in].least {
			m.outside = int64(in)
		}
		for range n {
			if expressions {
				m.constant(r, shift)
				continue
			}
			from := r.off
			fn := m.funcIndex(r, r.u32())
			if r.err != nil {
				return
			}
			m.taken[fn] = true
			if shift != nil {
				shift(from, r.off, fn)
			}
		}
	}
}

// offsetOf returns the value of an offset that depends on no global, or -1.
func offsetOf(expression []byte) int64 {
	r := &reader{data: expression}
	var stack []uint32
	for r.err == nil {
		in := r.instruction()
		n := len(stack)
		switch {
		case in.op == opI32Const:
			stack = append(stack, uint32(number(expression[in.start+1:in.end])))
		case in.op == opEnd && n == 1:
			return int64(stack[0])
		case n >= 2 && in.op == opI32Add:
			stack = append(stack[:n-2], stack[n-2]+stack[n-1])
		case n >= 2 && in.op == opI32Sub:
			stack = append(stack[:n-2], stack[n-2]-stack[n-1])
		case n >= 2 && in.op == opI32Mul:
			stack = append(stack[:n-2], stack[n-2]*stack[n-1])
		default:
			return -1
		}
	}
	return -1
}

// number returns the value of a signed LEB128 number that has been read already.
func number(leb []byte) (n int64) {
	for i, b := range leb {
		n |= int64(b&0x7f) << (7 * i)
		if i == len(leb)-1 && b&0x40 != 0 {
			n |= -1 << (7 * (i + 1))
		}
	}
	return n
}

// data reads the data segments (§5.5.14).
func (m *module) data(r *reader) {
	n := r.count(1)
	if n > MaxSegments {
		r.fail("%d data segments: at most %d", n, MaxSegments)
	}
	if m.dataCount >= 0 && int64(n) != m.dataCount {
		r.fail("%d data segments, and the data count section says %d", n, m.dataCount)
	}
	for range n {
		var s segment
		flags := r.u32()
		switch flags {
		case 0, 1, 2:
			s.active = flags != 1
		default:
			r.fail("data segment of kind %d", flags)
		}
		if flags == 2 && r.u32() != 0 { // a number, unlike those in code (§5.5.14)
			r.fail("data segment of another memory than 0")
		}
		if s.active {
			if m.memories == 0 {
				r.fail("data segment without a memory")
			}
			s.exprStart = r.off
			m.offset(r)
			s.exprEnd = r.off
		}
		size := r.u32()
		s.start = r.off
		r.bytes(size)
		s.end = r.off
		if r.err != nil {
			return
		}
		m.segments = append(m.segments, s)
	}
}

// offset reads the offset of an active segment. It will be code, where more is
// allowed than in a constant expression, so what it may hold is checked here.
func (m *module) offset(r *reader) {
	for depth := 0; r.err == nil; {
		in := r.instruction()
		switch in.op {
		case opEnd:
			if depth != 1 {
				r.fail("offset of a data segment that leaves %d values", depth)
			}
			return
		case opI32Const:
			depth++
		case opI32Add, opI32Sub, opI32Mul:
			if depth--; depth < 1 {
				r.fail("offset of a data segment that lacks an operand")
			}
		case opGlobalGet:
			depth++
			if i := m.globalIndex(r, in.index); r.err == nil && (i >= m.given || m.globals[i].mutable) {
				r.fail("global %d in a constant expression", i)
			}
		default:
			r.fail("instruction %#x in the offset of a data segment", in.op)
		}
	}
}
