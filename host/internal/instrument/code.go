package instrument

// Instructions. To change code, every instruction has to be read, for the only
// way to know where one ends is to know what it takes. The table covers
// WebAssembly 2.0 with SIMD, threads, tail calls and exception handling; an opcode
// that it does not know is an error, for what follows it could be anything. So is
// whatever names a second memory: rewriting adds one, which is nobody else's.

// immediates is what follows an opcode.
type immediates byte

const (
	unknown    immediates = iota
	none                  // nothing
	blockType             // a value type, or a type index, as s33
	index                 // one index
	twoIndices            // two of them
	function              // a function index, which rewriting may shift
	oneMemory             // a memory index, which is 0
	twoMemories
	segmentMemory // a data segment and a memory
	labels        // br_table: a vector of labels and one more
	types         // select: a vector of value types
	memArg        // alignment and offset
	memArgLane    // the same and a byte
	int32Const
	int64Const
	float32Const
	float64Const
	heapType // of a reference, a byte
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
	set(none, 0x00, 0x01, 0x05, 0x0a, 0x0b, 0x0f, 0x1a, 0x1b, 0xd1)
	set(blockType, 0x02, 0x03, 0x04)
	set(index, 0x08, 0x0c, 0x0d)
	set(oneMemory, 0x3f, 0x40)
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
		case op == 8:
			return segmentMemory
		case op == 10:
			return twoMemories
		case op == 11:
			return oneMemory
		case op == 9 || op == 13 || op >= 15 && op <= 17:
			return index
		case op == 12 || op == 14:
			return twoIndices
		}
	case 0xfd: // SIMD, not the relaxed one: its results differ between machines
		switch {
		case op <= 11 || op == 92 || op == 93:
			return memArg
		case op == 12 || op == 13:
			return bytes16
		case op >= 21 && op <= 34:
			return oneByte
		case op >= 84 && op <= 91:
			return memArgLane
		case op <= 255:
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
	opUnreachable        = 0x00
	opBlock              = 0x02
	opLoop               = 0x03
	opIf                 = 0x04
	opElse               = 0x05
	opThrow              = 0x08
	opThrowRef           = 0x0a
	opEnd                = 0x0b
	opBr                 = 0x0c
	opBrIf               = 0x0d
	opBrTable            = 0x0e
	opReturn             = 0x0f
	opCall               = 0x10
	opCallIndirect       = 0x11
	opReturnCall         = 0x12
	opReturnCallIndirect = 0x13
	opTryTable           = 0x1f
	opLocalGet           = 0x20
	opLocalSet           = 0x21
	opLocalTee           = 0x22
	opGlobalGet          = 0x23
	opGlobalSet          = 0x24
	opTableGet           = 0x25
	opTableSet           = 0x26
	opI32Load            = 0x28
	opI32Store           = 0x36 // the first that stores
	opI64Store32         = 0x3e // the last
	opMemorySize         = 0x3f
	opMemoryGrow         = 0x40
	opI32Const           = 0x41
	opI64Const           = 0x42
	opI32LeS             = 0x4c
	opI32GtU             = 0x4b
	opI32LeU             = 0x4d
	opI64GtU             = 0x56
	opI32Add             = 0x6a
	opI32Sub             = 0x6b
	opI32Mul             = 0x6c
	opI32ShrU            = 0x76
	opI64Add             = 0x7c
	opI64Shl             = 0x86
	opI64ExtendI32U      = 0xad
	opRefFunc            = 0xd2
	opBulk               = 0xfc // and a number
	opSIMD               = 0xfd // and a number
	opAtomic             = 0xfe // and a number
)

// The numbers behind opBulk.
const (
	memoryInit = 8
	dataDrop   = 9
	memoryCopy = 10
	memoryFill = 11
	tableInit  = 12
	elemDrop   = 13
	tableCopy  = 14
	tableGrow  = 15
	tableFill  = 17
)

// An instruction is one that a walk has read: code[start:end].
type instruction struct {
	op         byte
	sub        uint32 // behind a prefix
	start, end int
	kind       immediates
	index      uint32 // of kinds index, function and segmentMemory; the first of twoIndices; the type of a typed block
	typed      bool   // of kinds blockType and tryTable: the type is an index
	empty      bool   // a tryTable without clauses, labels with nothing but the default
}

// instruction reads the next one.
func (r *reader) instruction() (in instruction) {
	in.start = r.off
	in.op = r.byte()
	in.kind = opcodes[in.op]
	if in.kind == prefixed {
		in.sub = r.u32()
		// wazero reads these as a byte: then they must not be written with more, or what
		// follows is other code to it than to us.
		if n := r.off - in.start - 1; in.op != opBulk && (n > 2 || n == 2 && in.sub < 0x80) {
			r.fail("instruction %#x %d in %d bytes", in.op, in.sub, n+1)
		}
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
		if t := r.valType(); t != funcRef && t != externRef && t != exnRef {
			r.fail("reference of type %v", t)
		}
	case index, function:
		in.index = r.u32()
	case twoIndices:
		in.index = r.u32()
		r.u32()
	case labels:
		n := r.count(1)
		if n > MaxBranchTargets {
			r.fail("br_table of %d targets: at most %d", n, MaxBranchTargets)
			n = 0
		}
		in.empty = n == 0
		for range n {
			r.u32()
		}
		r.u32()
	case types:
		for range r.count(1) {
			r.valType()
		}
	case oneMemory:
		r.memoryIndex()
	case twoMemories:
		r.memoryIndex()
		r.memoryIndex()
	case segmentMemory:
		in.index = r.u32()
		r.memoryIndex()
	case memArg, memArgLane:
		if r.u32()&0x40 != 0 {
			r.fail("memory argument that names a memory: a module has one")
		}
		r.u32()
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
		n := r.count(2)
		in.empty = n == 0
		for range n {
			if r.byte() <= 1 {
				r.u32()
			}
			r.u32()
		}
	}
	in.end = r.off
	return in
}

// memoryIndex reads the index of the only memory, as WebAssembly 2.0 writes it: the
// byte 0.
func (r *reader) memoryIndex() {
	if r.byte() != 0 {
		r.fail("memory index that is not 0: a module has one memory")
	}
}

// blockType reads the type of a block: if it is a type index, which one.
func (r *reader) blockType() (index uint32, typed bool) {
	if r.off < len(r.data) && r.data[r.off]&0xc0 == 0x40 { // negative, one byte: a value type or none
		if r.data[r.off] == 0x40 {
			r.off++
		} else {
			r.valType()
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
