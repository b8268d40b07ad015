package abi

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A DType is the type of an array's elements.
type DType uint8

// The element types. All are little-endian; a bool is one byte, 0 or 1.
const (
	BoolArray DType = iota + 1
	Int8
	Int16
	Int32
	Int64
	Uint8
	Uint16
	Uint32
	Uint64
	Float16
	Float32
	Float64
)

// dtypes defines every element type once: its name, the size of an element in
// bytes, and the tag of RFC 8746 §2 for its little-endian typed array (0 where
// that has none).
var dtypes = [...]struct {
	name string
	size int
	tag  uint64
}{
	BoolArray: {"bool", 1, 0},
	Int8:      {"int8", 1, 72},
	Int16:     {"int16", 2, 77},
	Int32:     {"int32", 4, 78},
	Int64:     {"int64", 8, 79},
	Uint8:     {"uint8", 1, 64},
	Uint16:    {"uint16", 2, 69},
	Uint32:    {"uint32", 4, 70},
	Uint64:    {"uint64", 8, 71},
	Float16:   {"float16", 2, 84},
	Float32:   {"float32", 4, 85},
	Float64:   {"float64", 8, 86},
}

// ParseDType returns the element type named s, such as "float64".
func ParseDType(s string) (DType, error) {
	for d := BoolArray; int(d) < len(dtypes); d++ {
		if dtypes[d].name == s {
			return d, nil
		}
	}
	return 0, fmt.Errorf("unknown element type %q: want bool, int8 … int64, uint8 … uint64, float16, float32 or float64", s)
}

// valid reports whether d is one of the element types.
func (d DType) valid() bool { return d >= BoolArray && int(d) < len(dtypes) }

// String returns d's name.
func (d DType) String() string {
	if !d.valid() {
		return fmt.Sprintf("dtype(%d)", uint8(d))
	}
	return dtypes[d].name
}

// Size returns the size of one element in bytes.
func (d DType) Size() int {
	if !d.valid() {
		return 0
	}
	return dtypes[d].size
}

// MaxRank is the largest number of dimensions of an array.
const MaxRank = 32

// An Array is a dense array, its elements in row-major order (the last index
// varies fastest), little-endian. A Shape of no dimensions is a single element.
type Array struct {
	DType DType
	Shape []int
	Data  []byte // DType.Size() bytes an element
}

// Len returns the number of elements.
func (a Array) Len() int {
	n := 1
	for _, d := range a.Shape {
		n *= d
	}
	return n
}

// String returns a's element type and shape, such as "array[float64](3, 4)".
func (a Array) String() string {
	dims := make([]string, len(a.Shape))
	for i, d := range a.Shape {
		dims[i] = strconv.Itoa(d)
	}
	return "array[" + a.DType.String() + "](" + strings.Join(dims, ", ") + ")"
}

// check reports whether a's shape is one, and its data as long as that says.
func (a Array) check() error {
	if !a.DType.valid() {
		return fmt.Errorf("array of unknown element type %d", uint8(a.DType))
	}
	n, err := shapeLen(a.Shape, a.DType.Size())
	if err != nil {
		return err
	}
	if n*a.DType.Size() != len(a.Data) {
		return fmt.Errorf("%v has %d bytes of data, want %d", a, len(a.Data), n*a.DType.Size())
	}
	if a.DType == BoolArray {
		for i, b := range a.Data {
			if b > 1 {
				return fmt.Errorf("element %d of a bool array is %d, want 0 or 1", i, b)
			}
		}
	}
	return nil
}

// shapeLen returns the number of elements of shape, whose size in bytes fits an int.
func shapeLen(shape []int, size int) (int, error) {
	if len(shape) > MaxRank {
		return 0, fmt.Errorf("array of %d dimensions: at most %d", len(shape), MaxRank)
	}
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("array with dimension %d", d)
		}
		if d > 0 && n > math.MaxInt/size/d {
			return 0, fmt.Errorf("array of shape %v is too large", shape)
		}
		n *= d
	}
	return n, nil
}

// uint64At returns element i of a uint64 array, which an int Value might not hold.
func (a Array) uint64At(i int) uint64 { return binary.LittleEndian.Uint64(a.Data[i*8:]) }

// element returns element i as a scalar value; the JSON form is built on it.
func (a Array) element(i int) Value {
	b := a.Data[i*a.DType.Size():]
	switch a.DType {
	case BoolArray:
		return Bool(b[0] != 0)
	case Int8:
		return Int(int64(int8(b[0])))
	case Int16:
		return Int(int64(int16(binary.LittleEndian.Uint16(b))))
	case Int32:
		return Int(int64(int32(binary.LittleEndian.Uint32(b))))
	case Int64:
		return Int(int64(binary.LittleEndian.Uint64(b)))
	case Uint8:
		return Int(int64(b[0]))
	case Uint16:
		return Int(int64(binary.LittleEndian.Uint16(b)))
	case Uint32:
		return Int(int64(binary.LittleEndian.Uint32(b)))
	case Uint64:
		return Int(int64(binary.LittleEndian.Uint64(b))) // beyond int64: see uint64At
	case Float16:
		return Float(float16ToFloat64(binary.LittleEndian.Uint16(b)))
	case Float32:
		return Float(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
	case Float64:
		return Float(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	panic("abi: element of " + a.DType.String())
}

// appendElement appends v as an element of type d; it fails where v is out of d's range.
func appendElement(b []byte, d DType, v Value) ([]byte, error) {
	if d == BoolArray {
		if x, ok := v.Bool(); ok {
			if x {
				return append(b, 1), nil
			}
			return append(b, 0), nil
		}
		return nil, fmt.Errorf("want bool, got %v", v)
	}
	if d >= Float16 {
		f, ok := v.Float()
		if i, isInt := v.Int(); isInt {
			f, ok = float64(i), true
		}
		if !ok {
			return nil, fmt.Errorf("want %v, got %v", d, v)
		}
		switch d {
		case Float16:
			h, exact := float64ToFloat16(f)
			if !exact && !math.IsNaN(f) {
				return nil, fmt.Errorf("%v is not a float16", f)
			}
			return binary.LittleEndian.AppendUint16(b, h), nil
		case Float32:
			return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(f))), nil
		}
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(f)), nil
	}
	i, ok := v.Int()
	if !ok {
		return nil, fmt.Errorf("want %v, got %v", d, v)
	}
	size := d.Size()
	bits := uint(size * 8)
	signed := d <= Int64
	if signed && bits < 64 && (i < -1<<(bits-1) || i >= 1<<(bits-1)) ||
		!signed && (i < 0 || bits < 64 && i >= 1<<bits) {
		return nil, fmt.Errorf("%d is out of the range of %v", i, d)
	}
	var le [8]byte
	binary.LittleEndian.PutUint64(le[:], uint64(i))
	return append(b, le[:size]...), nil
}

// float16ToFloat64 widens an IEEE 754 binary16, exactly.
func float16ToFloat64(h uint16) float64 {
	sign, exp, frac := uint64(h>>15), int(h>>10&0x1f), uint64(h&0x3ff)
	switch {
	case exp == 0x1f:
		return math.Float64frombits(sign<<63 | 0x7ff<<52 | frac<<42)
	case exp == 0:
		f := float64(frac) * 0x1p-24
		if sign != 0 {
			f = -f // also -0
			if frac == 0 {
				f = math.Copysign(0, -1)
			}
		}
		return f
	}
	return math.Float64frombits(sign<<63 | uint64(exp-15+1023)<<52 | frac<<42)
}

// float64ToFloat16 narrows f to a binary16 and reports whether no bit was lost.
func float64ToFloat16(f float64) (h uint16, exact bool) {
	bits := math.Float64bits(f)
	sign := uint16(bits >> 48 & 0x8000)
	exp, frac := int(bits>>52&0x7ff), bits&(1<<52-1)
	switch {
	case exp == 0x7ff:
		h := sign | 0x7c00 | uint16(frac>>42)
		if frac != 0 && frac>>42 == 0 {
			h |= 0x200 // a NaN stays one, whatever bits it loses
		}
		return h, frac&(1<<42-1) == 0
	case exp == 0 && frac == 0:
		return sign, true
	}
	switch e := exp - 1023; {
	case e > 15:
		return sign | 0x7c00, false
	case e >= -14:
		return sign | uint16(e+15)<<10 | uint16(frac>>42), frac&(1<<42-1) == 0
	case e >= -24:
		shift := uint(42 + -14 - e)
		full := frac | 1<<52
		return sign | uint16(full>>shift), full&(1<<shift-1) == 0
	}
	return sign, false
}
