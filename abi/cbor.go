package abi

// The wire form: CBOR (RFC 8949) with definite lengths, written in the core
// deterministic encoding (§4.2.1) so that equal values have equal bytes; arrays
// are the typed arrays of RFC 8746. Decoding is strict and works on a slice that
// an untrusted guest wrote: no count is believed before the bytes for it are
// known to be there, and depth, items and size are bounded by [Limits].
//
// The codec is our own, not a library's, because it goes from bytes to Values
// with no tree of `any` in between, bounds the number of items in the whole
// value, and is small enough to be the Go guests' codec too. RATIONALE.md has
// the measurements; a fuzz target holds it against fxamacker/cbor.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// CBOR major types (RFC 8949 §3.1), as they stand in the top three bits.
const (
	majorUint   = 0 << 5
	majorNegint = 1 << 5
	majorBytes  = 2 << 5
	majorText   = 3 << 5
	majorArray  = 4 << 5
	majorMap    = 5 << 5
	majorTag    = 6 << 5
	majorSimple = 7 << 5
)

const (
	cborFalse   = 0xf4
	cborTrue    = 0xf5
	cborNull    = 0xf6
	cborFloat16 = 0xf9
	cborFloat32 = 0xfa
	cborFloat64 = 0xfb

	tagMultiDim    = 40 // RFC 8746 §3.1.1: [dimensions, elements], row-major
	tagHomogeneous = 41 // RFC 8746 §3.2: an array whose elements are all of one type
)

// Limits bound what a decoder accepts. A zero field means its default.
type Limits struct {
	Bytes int // size of the encoding; default 256 MiB
	Items int // values in all, those within lists and maps included; default 8 Mi
	Depth int // nesting of lists, maps and tags; default 64
}

// The defaults of [Limits].
const (
	MaxBytes = 256 << 20
	MaxItems = 8 << 20
	MaxDepth = 64
)

func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = MaxBytes
	}
	if l.Items <= 0 {
		l.Items = MaxItems
	}
	if l.Depth <= 0 {
		l.Depth = MaxDepth
	}
	return l
}

// A DecodeError says what is wrong with an encoding, and where.
type DecodeError struct {
	Offset int // of the offending item, in bytes
	Reason string
}

func (e *DecodeError) Error() string { return fmt.Sprintf("%s at byte %d", e.Reason, e.Offset) }

// errInvalidUTF8 is what [Append] answers to a string that is not UTF-8.
var errInvalidUTF8 = errors.New("string is not valid UTF-8")

// Encode returns v's deterministic encoding. It fails on a string that is not
// UTF-8 and on nesting deeper than [MaxDepth].
func Encode(v Value) ([]byte, error) { return Append(nil, v) }

// Append appends v's deterministic encoding to b; see [Encode].
func Append(b []byte, v Value) ([]byte, error) { return appendValue(b, v, MaxDepth) }

// AppendList appends the encoding of a list of vs, as the arguments of a typed
// task are passed: the list itself does not count towards MaxDepth.
func AppendList(b []byte, vs []Value) ([]byte, error) {
	return appendValue(b, List(vs...), MaxDepth+1)
}

func appendValue(b []byte, v Value, depth int) ([]byte, error) {
	switch v.kind {
	case NullKind:
		return append(b, cborNull), nil
	case BoolKind:
		return append(b, cborFalse+byte(v.num)), nil
	case IntKind:
		if i := int64(v.num); i < 0 {
			return appendHead(b, majorNegint, uint64(^i)), nil
		}
		return appendHead(b, majorUint, v.num), nil
	case FloatKind:
		return appendFloat(b, math.Float64frombits(v.num)), nil
	case StringKind:
		s, _ := v.Str()
		if !utf8.ValidString(s) {
			return nil, errInvalidUTF8
		}
		return append(appendHead(b, majorText, v.num), s...), nil
	case BytesKind:
		p, _ := v.Bytes()
		return append(appendHead(b, majorBytes, v.num), p...), nil
	}
	if depth--; depth < 0 {
		return nil, fmt.Errorf("value nests deeper than %d levels", MaxDepth)
	}
	var err error
	switch v.kind {
	case ListKind:
		vs, _ := v.List()
		b = appendHead(b, majorArray, v.num)
		for _, e := range vs {
			if b, err = appendValue(b, e, depth); err != nil {
				return nil, err
			}
		}
	case MapKind:
		es, _ := v.Entries()
		b = appendHead(b, majorMap, v.num)
		for _, e := range es {
			if !utf8.ValidString(e.Key) {
				return nil, errInvalidUTF8
			}
			b = append(appendHead(b, majorText, uint64(len(e.Key))), e.Key...)
			if b, err = appendValue(b, e.Value, depth); err != nil {
				return nil, err
			}
		}
	case ArrayKind:
		a, _ := v.Array()
		b = appendArray(b, a)
	}
	return b, nil
}

// appendHead appends an item's initial byte and argument, as short as it goes.
func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}

// appendFloat appends f in the shortest of the three widths that keeps its value.
func appendFloat(b []byte, f float64) []byte {
	if f != f { // every NaN is the same one on the wire
		return append(b, cborFloat16, 0x7e, 0x00)
	}
	if h, exact := float64ToFloat16(f); exact {
		return binary.BigEndian.AppendUint16(append(b, cborFloat16), h)
	}
	if s := float32(f); float64(s) == f {
		return binary.BigEndian.AppendUint32(append(b, cborFloat32), math.Float32bits(s))
	}
	return binary.BigEndian.AppendUint64(append(b, cborFloat64), math.Float64bits(f))
}

func appendArray(b []byte, a Array) []byte {
	if len(a.Shape) != 1 { // one dimension needs no shape: its length says it
		b = appendHead(b, majorTag, tagMultiDim)
		b = append(b, majorArray|2)
		b = appendHead(b, majorArray, uint64(len(a.Shape)))
		for _, d := range a.Shape {
			b = appendHead(b, majorUint, uint64(d))
		}
	}
	if a.DType == BoolArray {
		b = appendHead(b, majorTag, tagHomogeneous)
		b = appendHead(b, majorArray, uint64(len(a.Data)))
		for _, x := range a.Data {
			b = append(b, cborFalse+x)
		}
		return b
	}
	b = appendHead(b, majorTag, dtypes[a.DType].tag)
	return append(appendHead(b, majorBytes, uint64(len(a.Data))), a.Data...)
}

// Decode returns the one value that data encodes. It refuses whatever
// abi/README.md does not define: other tags, indefinite lengths, integers beyond
// int64, keys that are no strings or come twice, strings that are not UTF-8,
// bytes after the value, and more than lim allows. The value does not refer to
// data afterwards.
func Decode(data []byte, lim Limits) (Value, error) {
	lim = lim.withDefaults()
	if len(data) > lim.Bytes {
		return Value{}, &DecodeError{0, fmt.Sprintf("value of %d bytes is larger than the limit of %d", len(data), lim.Bytes)}
	}
	d := decoder{data: data, items: lim.Items, depth: lim.Depth, lim: lim}
	v, err := d.value()
	if err != nil {
		return Value{}, err
	}
	if d.off != len(data) {
		return Value{}, d.fail(d.off, fmt.Sprintf("%d bytes follow the value", len(data)-d.off))
	}
	return v, nil
}

type decoder struct {
	data  []byte
	off   int
	items int // how many more are allowed
	depth int // how many more levels are allowed
	lim   Limits
}

func (d *decoder) fail(off int, reason string) error { return &DecodeError{off, reason} }

// head reads an item's initial byte and argument.
func (d *decoder) head() (major, info byte, n uint64, err error) {
	start := d.off
	if start >= len(d.data) {
		return 0, 0, 0, d.fail(start, "value ends early")
	}
	major, info = d.data[start]&0xe0, d.data[start]&0x1f
	rest := d.data[start+1:]
	size := 0
	switch {
	case info < 24:
		d.off = start + 1
		return major, info, uint64(info), nil
	case info <= 27:
		size = 1 << (info - 24)
	case info == 31:
		return 0, 0, 0, d.fail(start, "indefinite length")
	default:
		return 0, 0, 0, d.fail(start, "reserved initial byte")
	}
	if len(rest) < size {
		return 0, 0, 0, d.fail(start, "value ends early")
	}
	switch size {
	case 1:
		n = uint64(rest[0])
	case 2:
		n = uint64(binary.BigEndian.Uint16(rest))
	case 4:
		n = uint64(binary.BigEndian.Uint32(rest))
	case 8:
		n = binary.BigEndian.Uint64(rest)
	}
	d.off = start + 1 + size
	return major, info, n, nil
}

// take returns the next n bytes, of the item that starts at start.
func (d *decoder) take(start int, n uint64) ([]byte, error) {
	if n > uint64(len(d.data)-d.off) {
		return nil, d.fail(start, "value ends early")
	}
	b := d.data[d.off : d.off+int(n)]
	d.off += int(n)
	return b, nil
}

func (d *decoder) text(start int, n uint64) (string, error) {
	b, err := d.take(start, n)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", d.fail(start, errInvalidUTF8.Error())
	}
	return string(b), nil
}

// count checks that n items of at least size bytes each can follow, and takes
// them off the allowance, before anyone allocates for them.
func (d *decoder) count(start int, n uint64, size int) (int, error) {
	if n > uint64((len(d.data)-d.off)/size) {
		return 0, d.fail(start, "value ends early")
	}
	if n > uint64(d.items) {
		return 0, d.fail(start, fmt.Sprintf("more than %d items", d.lim.Items))
	}
	d.items -= int(n)
	return int(n), nil
}

func (d *decoder) enter(start int) error {
	if d.depth--; d.depth < 0 {
		return d.fail(start, fmt.Sprintf("nested deeper than %d levels", d.lim.Depth))
	}
	return nil
}

func (d *decoder) value() (Value, error) {
	start := d.off
	major, info, n, err := d.head()
	if err != nil {
		return Value{}, err
	}
	switch major {
	case majorUint, majorNegint:
		if n > math.MaxInt64 {
			return Value{}, d.fail(start, "integer beyond int64")
		}
		if major == majorNegint {
			n = ^n
		}
		return Int(int64(n)), nil
	case majorBytes:
		b, err := d.take(start, n)
		return Bytes(append([]byte(nil), b...)), err
	case majorText:
		s, err := d.text(start, n)
		return String(s), err
	case majorSimple:
		return d.simple(start, info, n)
	}
	if err := d.enter(start); err != nil {
		return Value{}, err
	}
	defer func() { d.depth++ }()
	switch major {
	case majorArray:
		return d.list(start, n)
	case majorMap:
		return d.mapping(start, n)
	}
	return d.array(start, n)
}

func (d *decoder) simple(start int, info byte, n uint64) (Value, error) {
	switch majorSimple | info {
	case cborFalse:
		return Bool(false), nil
	case cborTrue:
		return Bool(true), nil
	case cborNull:
		return Null(), nil
	case cborFloat16:
		return Float(float16ToFloat64(uint16(n))), nil
	case cborFloat32:
		return Float(float64(math.Float32frombits(uint32(n)))), nil
	case cborFloat64:
		return Float(math.Float64frombits(n)), nil
	}
	return Value{}, d.fail(start, "undefined or unknown simple value")
}

func (d *decoder) list(start int, n uint64) (Value, error) {
	count, err := d.count(start, n, 1)
	if err != nil {
		return Value{}, err
	}
	vs := make([]Value, count)
	for i := range vs {
		if vs[i], err = d.value(); err != nil {
			return Value{}, err
		}
	}
	return List(vs...), nil
}

func (d *decoder) mapping(start int, n uint64) (Value, error) {
	count, err := d.count(start, n, 2)
	if err != nil {
		return Value{}, err
	}
	es := make([]Entry, count)
	sorted := true
	for i := range es {
		at := d.off
		major, _, n, err := d.head()
		if err != nil {
			return Value{}, err
		}
		if major != majorText {
			return Value{}, d.fail(at, "map key is not a string")
		}
		if es[i].Key, err = d.text(at, n); err != nil {
			return Value{}, err
		}
		if es[i].Value, err = d.value(); err != nil {
			return Value{}, err
		}
		sorted = sorted && (i == 0 || compareKeys(es[i-1].Key, es[i].Key) < 0)
	}
	if sorted { // as a deterministic encoder leaves them
		return sortedMap(es), nil
	}
	v, err := Map(es...)
	if err != nil {
		return Value{}, d.fail(start, err.Error())
	}
	return v, nil
}

// array decodes what follows a tag, which is one of RFC 8746's or nothing we know.
func (d *decoder) array(start int, tag uint64) (Value, error) {
	a := Array{}
	if tag != tagMultiDim {
		if err := d.elements(start, tag, &a); err != nil {
			return Value{}, err
		}
		a.Shape = []int{len(a.Data) / a.DType.Size()}
		return arrayOrFail(d, start, a)
	}
	major, _, n, err := d.head()
	if err != nil {
		return Value{}, err
	}
	if major != majorArray || n != 2 {
		return Value{}, d.fail(start, "tag 40 is not followed by [shape, elements]")
	}
	if err := d.shape(start, &a); err != nil {
		return Value{}, err
	}
	if len(a.Shape) == 1 {
		return Value{}, d.fail(start, "array of one dimension with a shape")
	}
	at := d.off
	if major, _, tag, err = d.head(); err != nil {
		return Value{}, err
	}
	if major != majorTag || tag == tagMultiDim {
		return Value{}, d.fail(at, "tag 40 is not followed by [shape, elements]")
	}
	if err := d.elements(at, tag, &a); err != nil {
		return Value{}, err
	}
	return arrayOrFail(d, start, a)
}

func arrayOrFail(d *decoder, start int, a Array) (Value, error) {
	v, err := ArrayValue(a)
	if err != nil {
		return Value{}, d.fail(start, err.Error())
	}
	return v, nil
}

func (d *decoder) shape(start int, a *Array) error {
	major, _, n, err := d.head()
	if err != nil {
		return err
	}
	if major != majorArray || n > MaxRank {
		return d.fail(start, fmt.Sprintf("shape is not a list of at most %d dimensions", MaxRank))
	}
	a.Shape = make([]int, n)
	for i := range a.Shape {
		at := d.off
		major, _, dim, err := d.head()
		if err != nil {
			return err
		}
		if major != majorUint || dim > math.MaxInt32 && dim > math.MaxInt {
			return d.fail(at, "dimension is not a natural number")
		}
		a.Shape[i] = int(dim)
	}
	return nil
}

// elements decodes the data of an array of the type that tag names.
func (d *decoder) elements(start int, tag uint64, a *Array) error {
	major, _, n, err := d.head()
	if err != nil {
		return err
	}
	if tag == tagHomogeneous {
		if major != majorArray {
			return d.fail(start, "tag 41 is not followed by a list of bools")
		}
		b, err := d.take(start, n)
		if err != nil {
			return err
		}
		a.DType, a.Data = BoolArray, make([]byte, len(b))
		for i, x := range b {
			if x != cborFalse && x != cborTrue {
				return d.fail(start, "tag 41 is not followed by a list of bools")
			}
			a.Data[i] = x - cborFalse
		}
		return nil
	}
	for t := BoolArray + 1; int(t) < len(dtypes); t++ {
		if dtypes[t].tag == tag {
			a.DType = t
		}
	}
	if a.DType == 0 {
		return d.fail(start, fmt.Sprintf("tag %d is none of ours", tag))
	}
	if major != majorBytes {
		return d.fail(start, "typed array is not bytes")
	}
	b, err := d.take(start, n)
	if err != nil {
		return err
	}
	if len(b)%a.DType.Size() != 0 {
		return d.fail(start, fmt.Sprintf("%d bytes are no whole number of %v", len(b), a.DType))
	}
	a.Data = append([]byte(nil), b...)
	return nil
}
