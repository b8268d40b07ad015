package instrument

// Instructions. To change code, every instruction has to be read, for the only
// way to know where one ends is to know what it takes. The table covers
// WebAssembly 2.0 with SIMD, threads, tail calls, exception handling (the legacy
// instructions and exnref) and typed function references; an opcode that it does
// not know is an error, for what follows it could be anything.

// immediates is what follows an opcode.
type immediates byte

const (
	unknown    immediates = iota
	none                  // nothing
	blockType             // a value type, or a type index, as s33
	index                 // one index
	twoIndices            // two of them
	function              // a function index, which rewriting shifts
	labels                // br_table: a vector of labels and one more
	types                 // select: a vector of value types
	memArg                // alignment, perhaps a memory index, and an offset
	memArgLane            // the same and a byte
	int32Const
	int64Const
	float32Const
	float64Const
	heapType // s33
	oneByte
	bytes16
	tryTable // a block type and a vector of catch clauses
	prefixed // another opcode, as a number
)

// opcodes are the one-byte opcodes; gaps are unknown.
var opcodes = func() (t [256]immediates) {
	set := func(kind immediates, ops ...int) {
		for _, op := range ops {
			t[op] = kind
		}
	}
	span := func(kind immediates, first, last int) {
		for op := first; op <= last; op++ {
			t[op] = kind
		}
	}
	set(none, 0x00, 0x01, 0x05, 0x0a, 0x0b, 0x0f, 0x19, 0x1a, 0x1b, 0xd1, 0xd3, 0xd4)
	set(blockType, 0x02, 0x03, 0x04, 0x06)
	set(index, 0x07, 0x08, 0x09, 0x0c, 0x0d, 0x14, 0x15, 0x18, 0x3f, 0x40, 0xd5, 0xd6)
	span(index, 0x20, 0x26)
	set(labels, 0x0e)
	set(function, 0x10, 0x12, 0xd2)
	set(twoIndices, 0x11, 0x13)
	set(types, 0x1c)
	set(tryTable, 0x1f)
	span(memArg, 0x28, 0x3e)
	set(int32Const, 0x41)
	set(int64Const, 0x42)
	set(float32Const, 0x43)
	set(float64Const, 0x44)
	span(none, 0x45, 0xc4)
	set(heapType, 0xd0)
	set(prefixed, 0xfc, 0xfd, 0xfe)
	return t
}()

// prefixedImmediates returns what follows opcode op behind a prefix.
func prefixedImmediates(prefix byte, op uint32) immediates {
	switch prefix {
	case 0xfc: // saturating conversions, bulk memory, tables
		switch {
		case op <= 7:
			return none
		case op == 9 || op == 11 || op == 13 || op >= 15 && op <= 17:
			return index
		case op == 8 || op == 10 || op == 12 || op == 14:
			return twoIndices
		}
	case 0xfd: // SIMD, relaxed SIMD
		switch {
		case op <= 11 || op == 92 || op == 93:
			return memArg
		case op == 12 || op == 13:
			return bytes16
		case op >= 21 && op <= 34:
			return oneByte
		case op >= 84 && op <= 91:
			return memArgLane
		case op <= 275:
			return none
		}
	case 0xfe: // threads
		switch {
		case op <= 2 || op >= 0x10 && op <= 0x4e:
			return memArg
		case op == 3:
			return oneByte
		}
	}
	return unknown
}

// The opcodes that rewriting looks at or writes.
const (
	opLoop               = 0x03
	opIf                 = 0x04
	opEnd                = 0x0b
	opCall               = 0x10
	opCallIndirect       = 0x11
	opReturnCall         = 0x12
	opReturnCallIndirect = 0x13
	opCallRef            = 0x14
	opReturnCallRef      = 0x15
	opSelect             = 0x1b
	opLocalGet           = 0x20
	opLocalTee           = 0x22
	opGlobalGet          = 0x23
	opGlobalSet          = 0x24
	opI32Const           = 0x41
	opI32Eqz             = 0x45
	opI32GtS             = 0x4a
	opI32Sub             = 0x6b
	opI32ShrU            = 0x76
	opBulk               = 0xfc // and a number
)

// An instruction is one that a walk has read: code[start:end].
type instruction struct {
	op         byte
	sub        uint32 // behind a prefix
	start, end int
	kind       immediates
	index      uint32 // of kinds index and function; the first of twoIndices; the type of a typed block
	typed      bool   // of kinds blockType and tryTable: the type is an index
}

// isBulk reports whether in works on a range whose length is its last operand:
// memory.init, copy and fill, and table.init, copy, grow and fill.
func (in instruction) isBulk() bool {
	if in.op != opBulk {
		return false
	}
	switch in.sub {
	case 8, 10, 11, 12, 14, 15, 17:
		return true
	}
	return false
}

// instruction reads the next one.
func (r *reader) instruction() (in instruction) {
	in.start = r.off
	in.op = r.byte()
	in.kind = opcodes[in.op]
	if in.kind == prefixed {
		in.sub = r.u32()
		in.kind = prefixedImmediates(in.op, in.sub)
	}
	switch in.kind {
	case unknown:
		if r.err == nil {
			r.off = in.start
			if in.op >= 0xfc && in.op <= 0xfe {
				r.fail("unknown instruction %#x %d", in.op, in.sub)
			} else {
				r.fail("unknown instruction %#x", in.op)
			}
		}
	case none:
	case blockType:
		in.index, in.typed = r.blockType()
	case heapType:
		r.signed(33)
	case index, function:
		in.index = r.u32()
	case twoIndices:
		in.index = r.u32()
		r.u32()
	case labels:
		for range r.count(1) {
			r.u32()
		}
		r.u32()
	case types:
		for range r.count(1) {
			r.valType()
		}
	case memArg, memArgLane:
		if r.u32()&0x40 != 0 {
			r.u32()
		}
		r.leb(64)
		if in.kind == memArgLane {
			r.byte()
		}
	case int32Const:
		r.signed(32)
	case int64Const:
		r.signed(64)
	case float32Const:
		r.bytes(4)
	case float64Const:
		r.bytes(8)
	case oneByte:
		r.byte()
	case bytes16:
		r.bytes(16)
	case tryTable:
		in.index, in.typed = r.blockType()
		for range r.count(2) {
			if r.byte() <= 1 {
				r.u32()
			}
			r.u32()
		}
	}
	in.end = r.off
	return in
}

// blockType reads the type of a block: if it is a type index, which one.
func (r *reader) blockType() (index uint32, typed bool) {
	if r.off < len(r.data) && r.data[r.off]&0xc0 == 0x40 { // negative, one byte: a value type or none
		if t := r.byte(); t == 0x63 || t == 0x64 {
			r.signed(33)
		}
		return 0, false
	}
	// An index is a positive s33: the bits of a u32, and a sign that is 0.
	from := r.off
	n := uint64(0)
	for shift := uint(0); shift < 35; shift += 7 {
		b := r.byte()
		n |= uint64(b&0x7f) << shift
		if b&0x80 == 0 {
			if b&0x40 != 0 || n > 1<<32-1 {
				r.off = from
				r.fail("block type that is no index")
			}
			return uint32(n), true
		}
	}
	r.fail("block type of more than 33 bits")
	return 0, false
}

// signed skips a signed LEB128 number of at most so many bits.
func (r *reader) signed(bits uint) {
	for shift := uint(0); ; shift += 7 {
		if shift >= bits {
			r.fail("number needs more than %d bits", bits)
			return
		}
		if r.byte()&0x80 == 0 {
			return
		}
	}
}

// valType skips a value type.
func (r *reader) valType() {
	if t := r.byte(); t == 0x63 || t == 0x64 { // (ref null? ht)
		r.signed(33)
	}
}
