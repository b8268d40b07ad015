package abi

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// A Kind says which of the nine shapes a [Value] has.
type Kind uint8

// The kinds of values, in the order in which abi/README.md defines them.
const (
	NullKind Kind = iota
	BoolKind
	IntKind
	FloatKind
	StringKind
	BytesKind
	ListKind
	MapKind
	ArrayKind
)

var kindNames = [...]string{"null", "bool", "int", "float", "string", "bytes", "list", "map", "array"}

// String returns the name that the type language uses for k.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// A Value is what tasks take and return. It is 24 bytes, immutable and cheap
// to copy; scalars need no allocation. The zero Value is null.
//
// Strings, bytes, lists, maps and arrays are held by reference: whoever makes a
// Value from a slice gives the slice up, and whoever gets a slice out of one
// must not write to it.
type Value struct {
	// ptr refers to the bytes of a string or of bytes, to the first Value of a
	// list, to the first Entry of a map, or to an Array. It is nil for scalars
	// and for whatever is empty.
	ptr unsafe.Pointer
	// num is the scalar itself, or the number of elements behind ptr.
	num  uint64
	kind Kind
}

// An Entry is one key of a map with its value.
type Entry struct {
	Key   string
	Value Value
}

// Null returns the null value, which is also the zero Value.
func Null() Value { return Value{} }

// Bool returns b as a Value.
func Bool(b bool) Value {
	if b {
		return Value{kind: BoolKind, num: 1}
	}
	return Value{kind: BoolKind}
}

// Int returns i as a Value.
func Int(i int64) Value { return Value{kind: IntKind, num: uint64(i)} }

// Float returns f as a Value. NaN and the infinities are values like any other.
func Float(f float64) Value { return Value{kind: FloatKind, num: math.Float64bits(f)} }

// String returns s as a Value. It must be valid UTF-8; what checks that is
// [Encode], and [From] for values of Go's own types.
func String(s string) Value {
	return Value{kind: StringKind, ptr: unsafe.Pointer(unsafe.StringData(s)), num: uint64(len(s))}
}

// Bytes returns b, which the caller gives up, as a Value.
func Bytes(b []byte) Value {
	return Value{kind: BytesKind, ptr: unsafe.Pointer(unsafe.SliceData(b)), num: uint64(len(b))}
}

// List returns a list of vs, a slice that the caller gives up.
func List(vs ...Value) Value {
	return Value{kind: ListKind, ptr: unsafe.Pointer(unsafe.SliceData(vs)), num: uint64(len(vs))}
}

// Map returns a map of es, a slice that the caller gives up and that Map sorts
// into the order of the wire: shorter keys first, then bytewise. It fails if a
// key occurs twice.
func Map(es ...Entry) (Value, error) {
	slices.SortFunc(es, func(a, b Entry) int { return compareKeys(a.Key, b.Key) })
	for i := 1; i < len(es); i++ {
		if es[i].Key == es[i-1].Key {
			return Value{}, fmt.Errorf("duplicate key %q", es[i].Key)
		}
	}
	return sortedMap(es), nil
}

// MapOf returns m as a Value.
func MapOf(m map[string]Value) Value {
	es := make([]Entry, 0, len(m))
	for k, v := range m {
		es = append(es, Entry{k, v})
	}
	v, _ := Map(es...) // the keys of a Go map are distinct
	return v
}

func sortedMap(es []Entry) Value {
	return Value{kind: MapKind, ptr: unsafe.Pointer(unsafe.SliceData(es)), num: uint64(len(es))}
}

// compareKeys orders keys as RFC 8949 §4.2.1 orders their encodings: the length
// comes first in the encoding, so shorter keys sort first.
func compareKeys(a, b string) int {
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// ArrayValue returns a as a Value. It fails if a's data does not fit its shape.
func ArrayValue(a Array) (Value, error) {
	if err := a.check(); err != nil {
		return Value{}, err
	}
	return Value{kind: ArrayKind, ptr: unsafe.Pointer(&a)}, nil
}

// Kind returns v's kind.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether v is null.
func (v Value) IsNull() bool { return v.kind == NullKind }

// Bool returns v's bool, and whether v is one.
func (v Value) Bool() (b, ok bool) { return v.num != 0, v.kind == BoolKind }

// Int returns v's int64, and whether v is an int.
func (v Value) Int() (i int64, ok bool) { return int64(v.num), v.kind == IntKind }

// Float returns v's float64, and whether v is a float.
func (v Value) Float() (f float64, ok bool) {
	return math.Float64frombits(v.num), v.kind == FloatKind
}

// Str returns v's string, and whether v is one.
func (v Value) Str() (s string, ok bool) {
	if v.kind != StringKind {
		return "", false
	}
	return unsafe.String((*byte)(v.ptr), int(v.num)), true
}

// Bytes returns v's bytes, which are not to be written to, and whether v has any.
func (v Value) Bytes() (b []byte, ok bool) {
	if v.kind != BytesKind {
		return nil, false
	}
	return unsafe.Slice((*byte)(v.ptr), int(v.num)), true
}

// List returns v's elements, which are not to be written to, and whether v is a list.
func (v Value) List() (vs []Value, ok bool) {
	if v.kind != ListKind {
		return nil, false
	}
	return unsafe.Slice((*Value)(v.ptr), int(v.num)), true
}

// Entries returns v's entries in the order of the wire, not to be written to,
// and whether v is a map.
func (v Value) Entries() (es []Entry, ok bool) {
	if v.kind != MapKind {
		return nil, false
	}
	return unsafe.Slice((*Entry)(v.ptr), int(v.num)), true
}

// Get returns the value of key in a map, and whether there is one.
func (v Value) Get(key string) (Value, bool) {
	es, _ := v.Entries()
	i, found := slices.BinarySearchFunc(es, key, func(e Entry, k string) int { return compareKeys(e.Key, k) })
	if !found {
		return Value{}, false
	}
	return es[i].Value, true
}

// Array returns v's array, whose data is not to be written to, and whether v is one.
func (v Value) Array() (a Array, ok bool) {
	if v.kind != ArrayKind {
		return Array{}, false
	}
	return *(*Array)(v.ptr), true
}

// Len returns the number of bytes of a string or of bytes, of elements of a
// list or an array, or of keys of a map; it is 0 for everything else.
func (v Value) Len() int {
	switch v.kind {
	case StringKind, BytesKind, ListKind, MapKind:
		return int(v.num)
	case ArrayKind:
		a, _ := v.Array()
		return a.Len()
	}
	return 0
}

// Equal reports whether a and b are the same value: of one kind and with equal
// contents. Unlike in Go, a NaN equals a NaN of the same bits.
func Equal(a, b Value) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case StringKind, BytesKind:
		return unsafe.String((*byte)(a.ptr), int(a.num)) == unsafe.String((*byte)(b.ptr), int(b.num))
	case ListKind:
		x, _ := a.List()
		y, _ := b.List()
		return slices.EqualFunc(x, y, Equal)
	case MapKind:
		x, _ := a.Entries()
		y, _ := b.Entries()
		return slices.EqualFunc(x, y, func(e, f Entry) bool { return e.Key == f.Key && Equal(e.Value, f.Value) })
	case ArrayKind:
		x, _ := a.Array()
		y, _ := b.Array()
		return x.DType == y.DType && slices.Equal(x.Shape, y.Shape) && string(x.Data) == string(y.Data)
	}
	return a.num == b.num
}

// String returns v as JSON, shortened to be read by people: it is for messages,
// not for machines.
func (v Value) String() string {
	const most = 80
	b, err := AppendJSON(nil, v.preview(3))
	if err != nil {
		return "<" + v.kind.String() + ": " + err.Error() + ">"
	}
	if len(b) <= most {
		return string(b)
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(b[cut]) {
		cut--
	}
	return string(b[:cut]) + "…"
}

// preview returns a part of v that is small enough to print whole.
func (v Value) preview(depth int) Value {
	const most = 16
	switch v.kind {
	case StringKind:
		if s, _ := v.Str(); len(s) > 100 {
			return String(strings.ToValidUTF8(s[:100], ""))
		}
	case BytesKind:
		if b, _ := v.Bytes(); len(b) > 60 {
			return Bytes(b[:60])
		}
	case ListKind:
		vs, _ := v.List()
		if depth == 0 && len(vs) > 0 {
			return String("…")
		}
		out := make([]Value, min(len(vs), most))
		for i := range out {
			out[i] = vs[i].preview(depth - 1)
		}
		return List(out...)
	case MapKind:
		es, _ := v.Entries()
		if depth == 0 && len(es) > 0 {
			return String("…")
		}
		out := make([]Entry, min(len(es), most))
		for i := range out {
			out[i] = Entry{es[i].Key, es[i].Value.preview(depth - 1)}
		}
		return sortedMap(out)
	case ArrayKind:
		a, _ := v.Array()
		return String(a.String())
	}
	return v
}
