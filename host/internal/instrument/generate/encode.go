package generate

// ValType is a value type, as it is written in a binary.
type ValType byte

const (
	I32       ValType = 0x7f
	I64       ValType = 0x7e
	F32       ValType = 0x7d
	F64       ValType = 0x7c
	V128      ValType = 0x7b
	FuncRef   ValType = 0x70
	ExternRef ValType = 0x6f
	exnRef    ValType = 0x69
)

func (t ValType) reference() bool { return t == FuncRef || t == ExternRef }

// An op is an opcode, with its prefix in the high byte.
type op uint16

const (
	opUnreachable op = 0x00
	opNop         op = 0x01
	opBlock       op = 0x02
	opLoop        op = 0x03
	opIf          op = 0x04
	opElse        op = 0x05
	opThrow       op = 0x08
	opThrowRef    op = 0x0a
	opEnd         op = 0x0b
	opBr          op = 0x0c
	opBrIf        op = 0x0d
	opBrTable     op = 0x0e
	opReturn      op = 0x0f

	opCall               op = 0x10
	opCallIndirect       op = 0x11
	opReturnCall         op = 0x12
	opReturnCallIndirect op = 0x13

	opDrop        op = 0x1a
	opSelect      op = 0x1b
	opSelectTyped op = 0x1c
	opTryTable    op = 0x1f
	opLocalGet    op = 0x20
	opLocalSet    op = 0x21
	opLocalTee    op = 0x22
	opGlobalGet   op = 0x23
	opGlobalSet   op = 0x24
	opTableGet    op = 0x25
	opTableSet    op = 0x26

	opI32Load    op = 0x28
	opI64Load    op = 0x29
	opMemorySize op = 0x3f
	opMemoryGrow op = 0x40
	opI32Const   op = 0x41
	opI64Const   op = 0x42
	opF32Const   op = 0x43
	opF64Const   op = 0x44

	opI32Eqz   op = 0x45
	opI32Eq    op = 0x46
	opI32LtU   op = 0x49
	opF32Eq    op = 0x5b
	opF32Lt    op = 0x5d
	opF64Eq    op = 0x61
	opF64Lt    op = 0x63
	opI32Add   op = 0x6a
	opI32Sub   op = 0x6b
	opI32Mul   op = 0x6c
	opI32And   op = 0x71
	opI32Or    op = 0x72
	opI32Shl   op = 0x74
	opI64Add   op = 0x7c
	opI64Mul   op = 0x7e
	opI64And   op = 0x83
	opI64Or    op = 0x84
	opI64Xor   op = 0x85
	opI64RotL  op = 0x89
	opF32Abs   op = 0x8b
	opF64Abs   op = 0x99
	opExtendU  op = 0xad // i64.extend_i32_u
	opF32ToI32 op = 0xbc // i32.reinterpret_f32
	opF64ToI64 op = 0xbd // i64.reinterpret_f64

	opRefNull   op = 0xd0
	opRefIsNull op = 0xd1
	opRefFunc   op = 0xd2

	opMemoryInit op = 0xfc08
	opDataDrop   op = 0xfc09
	opMemoryCopy op = 0xfc0a
	opMemoryFill op = 0xfc0b
	opTableInit  op = 0xfc0c
	opElemDrop   op = 0xfc0d
	opTableCopy  op = 0xfc0e
	opTableGrow  op = 0xfc0f
	opTableSize  op = 0xfc10
	opTableFill  op = 0xfc11

	opV128Load      op = 0xfd00
	opV128Store     op = 0xfd0b
	opV128Const     op = 0xfd0c
	opShuffle       op = 0xfd0d
	opI64x2Extract  op = 0xfd1d
	opF32x4Eq       op = 0xfd41
	opF64x2Eq       op = 0xfd47
	opV128Bitselect op = 0xfd52

	opAtomicNotify op = 0xfe00
	opAtomicWait32 op = 0xfe01
	opAtomicWait64 op = 0xfe02
	opAtomicFence  op = 0xfe03
)

type buffer []byte

// u appends an unsigned LEB128 number.
func (b *buffer) u(v uint64) {
	for ; v >= 0x80; v >>= 7 {
		*b = append(*b, byte(v)|0x80)
	}
	*b = append(*b, byte(v))
}

// s appends a signed LEB128 number.
func (b *buffer) s(v int64) {
	for ; v < -0x40 || v > 0x3f; v >>= 7 {
		*b = append(*b, byte(v)|0x80)
	}
	*b = append(*b, byte(v)&0x7f)
}

// fixed appends v in n bytes, little-endian.
func (b *buffer) fixed(v uint64, n int) {
	for ; n > 0; n-- {
		*b = append(*b, byte(v))
		v >>= 8
	}
}

func (b *buffer) op(o op) {
	if o < 0x100 {
		*b = append(*b, byte(o))
		return
	}
	*b = append(*b, byte(o>>8))
	b.u(uint64(o & 0xff))
}

func (b *buffer) byte(v byte) { *b = append(*b, v) }

func (b *buffer) name(s string) {
	b.u(uint64(len(s)))
	*b = append(*b, s...)
}

func (b *buffer) types(list []ValType) {
	b.u(uint64(len(list)))
	for _, t := range list {
		b.byte(byte(t))
	}
}

// limits appends the limits of a memory or a table.
func (b *buffer) limits(min, max int, bounded bool) {
	if !bounded {
		b.byte(0)
		b.u(uint64(min))
		return
	}
	b.byte(1)
	b.u(uint64(min))
	b.u(uint64(max))
}

// append appends an opcode and returns where its immediates go.
func (b *buffer) append(o op) *buffer {
	b.op(o)
	return b
}

func (b *buffer) i32Const(v int32) {
	b.op(opI32Const)
	b.s(int64(v))
}

// section appends body as a section.
func (b *buffer) section(id byte, body buffer) {
	b.byte(id)
	b.u(uint64(len(body)))
	*b = append(*b, body...)
}

// vector is a count and n items.
func vector(n int, item func(b *buffer, i int)) (b buffer) {
	b.u(uint64(n))
	for i := range n {
		item(&b, i)
	}
	return b
}
