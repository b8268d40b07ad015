package generate

import "math"

// Arithmetic, scalar and vector, is one table: what an instruction takes, and
// what it gives, in letters.
//
//	i I f F v   a value of type i32, i64, f32, f64, v128
//	r e         a funcref, an externref
//	c C         f32, f64 whose NaN is the canonical one
//	x X         v128 of f32 or f64 lanes, whose NaN is any
//	t T         f32, f64 that an integer has room for (mostly)
//	d D q Q     i32, i64 to divide by; with a sign, q and Q
//
// The bits of a NaN that arithmetic made differ between engines. So whatever
// shows them takes c or C, and vectors are v only after canonicalising; what
// stays between floats (f, F, x, X) need not care.
type operations struct {
	first, last op
	in          string
	out         byte
	lanes       int // how many lanes the immediate may name
}

var arithmetic = []operations{
	{0x45, 0x45, "i", 'i', 0}, {0x46, 0x4f, "ii", 'i', 0},
	{0x50, 0x50, "I", 'i', 0}, {0x51, 0x5a, "II", 'i', 0},
	{0x5b, 0x60, "ff", 'i', 0}, {0x61, 0x66, "FF", 'i', 0},
	{0x67, 0x69, "i", 'i', 0}, {0x6a, 0x6c, "ii", 'i', 0}, {0x71, 0x78, "ii", 'i', 0},
	{0x6d, 0x6d, "iq", 'i', 0}, {0x6e, 0x6e, "id", 'i', 0}, {0x6f, 0x6f, "iq", 'i', 0}, {0x70, 0x70, "id", 'i', 0},
	{0x79, 0x7b, "I", 'I', 0}, {0x7c, 0x7e, "II", 'I', 0}, {0x83, 0x8a, "II", 'I', 0},
	{0x7f, 0x7f, "IQ", 'I', 0}, {0x80, 0x80, "ID", 'I', 0}, {0x81, 0x81, "IQ", 'I', 0}, {0x82, 0x82, "ID", 'I', 0},
	{0x8b, 0x91, "f", 'f', 0}, {0x92, 0x97, "ff", 'f', 0}, {0x98, 0x98, "fc", 'f', 0},
	{0x99, 0x9f, "F", 'F', 0}, {0xa0, 0xa5, "FF", 'F', 0}, {0xa6, 0xa6, "FC", 'F', 0},
	// Conversions.
	{0xa7, 0xa7, "I", 'i', 0}, {0xa8, 0xa9, "t", 'i', 0}, {0xaa, 0xab, "T", 'i', 0},
	{0xac, 0xad, "i", 'I', 0}, {0xae, 0xaf, "t", 'I', 0}, {0xb0, 0xb1, "T", 'I', 0},
	{0xb2, 0xb3, "i", 'f', 0}, {0xb4, 0xb5, "I", 'f', 0}, {0xb6, 0xb6, "F", 'f', 0},
	{0xb7, 0xb8, "i", 'F', 0}, {0xb9, 0xba, "I", 'F', 0}, {0xbb, 0xbb, "f", 'F', 0},
	{0xbc, 0xbc, "c", 'i', 0}, {0xbd, 0xbd, "C", 'I', 0}, {0xbe, 0xbe, "i", 'f', 0}, {0xbf, 0xbf, "I", 'F', 0},
	{0xc0, 0xc1, "i", 'i', 0}, {0xc2, 0xc4, "I", 'I', 0},
	{0xfc00, 0xfc01, "f", 'i', 0}, {0xfc02, 0xfc03, "F", 'i', 0},
	{0xfc04, 0xfc05, "f", 'I', 0}, {0xfc06, 0xfc07, "F", 'I', 0},

	// Vectors: lanes in and out.
	{0xfd0d, 0xfd0d, "vv", 'v', 32}, {0xfd0e, 0xfd0e, "vv", 'v', 0},
	{0xfd0f, 0xfd11, "i", 'v', 0}, {0xfd12, 0xfd12, "I", 'v', 0}, {0xfd13, 0xfd13, "f", 'x', 0}, {0xfd14, 0xfd14, "F", 'X', 0},
	{0xfd15, 0xfd16, "v", 'i', 16}, {0xfd17, 0xfd17, "vi", 'v', 16},
	{0xfd18, 0xfd19, "v", 'i', 8}, {0xfd1a, 0xfd1a, "vi", 'v', 8},
	{0xfd1b, 0xfd1b, "v", 'i', 4}, {0xfd1c, 0xfd1c, "vi", 'v', 4},
	{0xfd1d, 0xfd1d, "v", 'I', 2}, {0xfd1e, 0xfd1e, "vI", 'v', 2},
	{0xfd1f, 0xfd1f, "x", 'f', 4}, {0xfd20, 0xfd20, "xf", 'x', 4},
	{0xfd21, 0xfd21, "X", 'F', 2}, {0xfd22, 0xfd22, "XF", 'X', 2},
	// Comparisons and bits.
	{0xfd23, 0xfd40, "vv", 'v', 0}, {0xfd41, 0xfd46, "xx", 'v', 0}, {0xfd47, 0xfd4c, "XX", 'v', 0}, {0xfdd6, 0xfddb, "vv", 'v', 0},
	{0xfd4d, 0xfd4d, "v", 'v', 0}, {0xfd4e, 0xfd51, "vv", 'v', 0}, {0xfd52, 0xfd52, "vvv", 'v', 0}, {0xfd53, 0xfd53, "v", 'i', 0},
	// i8x16
	{0xfd60, 0xfd62, "v", 'v', 0}, {0xfd63, 0xfd64, "v", 'i', 0}, {0xfd65, 0xfd66, "vv", 'v', 0},
	{0xfd6b, 0xfd6d, "vi", 'v', 0}, {0xfd6e, 0xfd73, "vv", 'v', 0}, {0xfd76, 0xfd79, "vv", 'v', 0}, {0xfd7b, 0xfd7b, "vv", 'v', 0},
	// i16x8
	{0xfd7c, 0xfd81, "v", 'v', 0}, {0xfd82, 0xfd82, "vv", 'v', 0}, {0xfd83, 0xfd84, "v", 'i', 0}, {0xfd85, 0xfd86, "vv", 'v', 0},
	{0xfd87, 0xfd8a, "v", 'v', 0}, {0xfd8b, 0xfd8d, "vi", 'v', 0}, {0xfd8e, 0xfd93, "vv", 'v', 0}, {0xfd95, 0xfd99, "vv", 'v', 0},
	{0xfd9b, 0xfd9f, "vv", 'v', 0},
	// i32x4
	{0xfda0, 0xfda1, "v", 'v', 0}, {0xfda3, 0xfda4, "v", 'i', 0}, {0xfda7, 0xfdaa, "v", 'v', 0}, {0xfdab, 0xfdad, "vi", 'v', 0},
	{0xfdae, 0xfdae, "vv", 'v', 0}, {0xfdb1, 0xfdb1, "vv", 'v', 0}, {0xfdb5, 0xfdba, "vv", 'v', 0}, {0xfdbc, 0xfdbf, "vv", 'v', 0},
	// i64x2
	{0xfdc0, 0xfdc1, "v", 'v', 0}, {0xfdc3, 0xfdc4, "v", 'i', 0}, {0xfdc7, 0xfdca, "v", 'v', 0}, {0xfdcb, 0xfdcd, "vi", 'v', 0},
	{0xfdce, 0xfdce, "vv", 'v', 0}, {0xfdd1, 0xfdd1, "vv", 'v', 0}, {0xfdd5, 0xfdd5, "vv", 'v', 0}, {0xfddc, 0xfddf, "vv", 'v', 0},
	// f32x4 and f64x2
	{0xfd67, 0xfd6a, "x", 'x', 0}, {0xfde0, 0xfde1, "x", 'x', 0}, {0xfde3, 0xfde3, "x", 'x', 0}, {0xfde4, 0xfdeb, "xx", 'x', 0},
	{0xfd74, 0xfd75, "X", 'X', 0}, {0xfd7a, 0xfd7a, "X", 'X', 0}, {0xfd94, 0xfd94, "X", 'X', 0},
	{0xfdec, 0xfded, "X", 'X', 0}, {0xfdef, 0xfdef, "X", 'X', 0}, {0xfdf0, 0xfdf7, "XX", 'X', 0},
	{0xfd5e, 0xfd5e, "X", 'x', 0}, {0xfd5f, 0xfd5f, "x", 'X', 0},
	{0xfdf8, 0xfdf9, "x", 'v', 0}, {0xfdfa, 0xfdfb, "v", 'x', 0}, {0xfdfc, 0xfdfd, "X", 'v', 0}, {0xfdfe, 0xfdff, "v", 'X', 0},
}

var letters = map[ValType]byte{I32: 'i', I64: 'I', F32: 'f', F64: 'F', V128: 'v', FuncRef: 'r', ExternRef: 'e'}

// arithmeticOf returns, by result, the operations that these features allow, one
// entry for each opcode.
func arithmeticOf(has feature) map[byte][]operations {
	byResult := make(map[byte][]operations)
	for _, row := range arithmetic {
		if row.first>>8 == 0xfd && has&simd == 0 {
			continue
		}
		for o := row.first; o <= row.last; o++ {
			row.first = o
			byResult[row.out] = append(byResult[row.out], row)
		}
	}
	return byResult
}

func (f *function) operation(result byte, depth int) {
	row := one(&f.source, f.m.arithmetic[result])
	for _, letter := range []byte(row.in) {
		f.operand(letter, depth)
	}
	f.emit(row.first)
	switch {
	case row.first == opShuffle:
		for range 16 {
			f.code.byte(byte(f.below(row.lanes)))
		}
	case row.lanes > 0:
		f.code.byte(byte(f.below(row.lanes)))
	}
}

// operand pushes a value of a letter of the table.
func (f *function) operand(letter byte, depth int) {
	switch letter {
	case 'i':
		f.value(I32, depth)
	case 'I':
		f.value(I64, depth)
	case 'f':
		f.value(F32, depth)
	case 'F':
		f.value(F64, depth)
	case 'v':
		f.value(V128, depth)
	case 'c':
		f.observed(F32, depth)
	case 'C':
		f.observed(F64, depth)
	case 'x', 'X':
		if depth > 0 && !f.full() && f.chance(160) {
			f.operation(letter, depth-1)
		} else {
			f.value(V128, depth)
		}
	case 'd', 'q':
		f.value(I32, depth)
		if f.hazard() {
			return
		}
		f.i32(1)
		f.emit(opI32Or)
		if letter == 'q' { // -1 would overflow
			f.i32(0x7fffffff)
			f.emit(opI32And)
		}
	case 'D', 'Q':
		f.value(I64, depth)
		if f.hazard() {
			return
		}
		f.i64(1)
		f.emit(opI64Or)
		if letter == 'Q' {
			f.i64(0x7fffffffffffffff)
			f.emit(opI64And)
		}
	case 't':
		f.value(F32, depth)
		if !f.hazard() {
			f.bounded(F32, opF32Abs, opF32Lt)
		}
	case 'T':
		f.value(F64, depth)
		if !f.hazard() {
			f.bounded(F64, opF64Abs, opF64Lt)
		}
	}
}

// bounded replaces a float that an unsigned 32-bit integer has no room for.
func (f *function) bounded(t ValType, abs, less op) {
	scratch := f.scratch(t)
	f.emit(abs)
	f.emit(opLocalTee, scratch)
	f.float(t, 2.5)
	f.emit(opLocalGet, scratch)
	f.float(t, 2e9)
	f.emit(less)
	f.emit(opSelect)
}

// observed pushes a value whose bits may be seen.
func (f *function) observed(t ValType, depth int) {
	f.value(t, depth)
	f.canonicalise(t)
}

// canonicalise replaces a NaN on the stack by the one that may be seen. A vector
// on the stack has none but constants: floatVector sees to it.
func (f *function) canonicalise(t ValType) {
	equal := opF32Eq
	switch t {
	case F32:
	case F64:
		equal = opF64Eq
	default:
		return
	}
	scratch := f.scratch(t)
	f.emit(opLocalTee, scratch)
	if t == F32 {
		f.emit(opF32Const)
		f.code.fixed(nan32, 4)
	} else {
		f.emit(opF64Const)
		f.code.fixed(nan64, 8)
	}
	f.emit(opLocalGet, scratch)
	f.emit(opLocalGet, scratch)
	f.emit(equal)
	f.emit(opSelect)
}

// floatVector pushes the result of float lanes as a vector.
func (f *function) floatVector(depth int) {
	letter, equal, nan, width := byte('x'), opF32x4Eq, uint64(nan32), 4
	if f.chance(128) {
		letter, equal, nan, width = 'X', opF64x2Eq, nan64, 8
	}
	f.operation(letter, depth)
	scratch := f.scratch(V128)
	f.emit(opLocalTee, scratch)
	f.emit(opV128Const)
	for range 16 / width {
		f.code.fixed(nan, width)
	}
	f.emit(opLocalGet, scratch)
	f.emit(opLocalGet, scratch)
	f.emit(equal)
	f.emit(opV128Bitselect)
}

func (f *function) i32(v int32) {
	f.emit(opI32Const)
	f.code.s(int64(v))
}

func (f *function) i64(v int64) {
	f.emit(opI64Const)
	f.code.s(v)
}

func (f *function) float(t ValType, v float64) {
	if t == F32 {
		f.emit(opF32Const)
		f.code.fixed(uint64(math.Float32bits(float32(v))), 4)
	} else {
		f.emit(opF64Const)
		f.code.fixed(math.Float64bits(v), 8)
	}
}

// The NaN that may be seen. Go's own has other bits.
const (
	nan32 = 0x7fc00000
	nan64 = 0x7ff8 << 48
)

// constant pushes a constant of a type.
func (f *function) constant(t ValType) {
	constant(t, &f.source, func(o op) *buffer {
		f.emit(o)
		return &f.code
	})
}

// constant writes a constant: mostly one at which something changes. Emit writes
// an opcode and returns where its immediate goes.
func constant(t ValType, s *source, emit func(op) *buffer) {
	switch t {
	case I32:
		emit(opI32Const).s(int64(int32(integer(s))))
	case I64:
		emit(opI64Const).s(integer(s))
	case F32:
		emit(opF32Const).fixed(one32(s), 4)
	case F64:
		emit(opF64Const).fixed(one64(s), 8)
	case V128:
		b := emit(opV128Const)
		switch s.below(3) {
		case 0:
			b.fixed(uint64(s.byte()), 8)
			b.fixed(uint64(s.byte()), 8)
		case 1:
			b.fixed(s.bits(8), 8)
			b.fixed(s.bits(8), 8)
		default:
			b.fixed(one32(s)|one32(s)<<32, 8)
			b.fixed(one64(s), 8)
		}
	default:
		b := emit(opRefNull)
		b.byte(byte(t))
	}
}

func integer(s *source) int64 {
	switch s.below(4) {
	case 0:
		return int64(int8(s.byte()))
	case 1:
		return 1<<s.below(64) - 1 + int64(s.below(3))
	case 2:
		return -1 << s.below(64)
	}
	return int64(s.bits(8))
}

var floats = []float64{0, 1, -1, 0.5, 1.5, 3, -7.25, 100, 1e9, -1e9, 2147483648, 4294967296, 9223372036854775808, 1e-40, 1e300}

func one32(s *source) uint64 {
	if n := s.below(len(floats) + 5); n < len(floats) {
		return uint64(math.Float32bits(float32(floats[n])))
	} else if n < len(floats)+4 {
		return []uint64{0x80000000, 0x7f800000, nan32, 0xffa00001}[n-len(floats)] // -0, infinity, NaN and a signalling one
	}
	return s.bits(4)
}

func one64(s *source) uint64 {
	if n := s.below(len(floats) + 5); n < len(floats) {
		return math.Float64bits(floats[n])
	} else if n < len(floats)+4 {
		return []uint64{1 << 63, 0x7ff << 52, nan64, 0xfff4<<48 | 1}[n-len(floats)]
	}
	return s.bits(8)
}
