package entangle

import (
	"reflect"

	"entangle.example/entangle/abi"
)

// A Value is what tasks take and return, in the form in which it travels. It is
// small, immutable and cheap to copy; the zero Value is null. Strings, bytes,
// lists and maps are held by reference: whoever makes a Value from a slice gives
// the slice up.
type Value = abi.Value

// An Entry is one key of a map with its value.
type Entry = abi.Entry

// A Kind says which of the nine shapes a [Value] has.
type Kind = abi.Kind

// The kinds of values.
const (
	NullKind   = abi.NullKind
	BoolKind   = abi.BoolKind
	IntKind    = abi.IntKind
	FloatKind  = abi.FloatKind
	StringKind = abi.StringKind
	BytesKind  = abi.BytesKind
	ListKind   = abi.ListKind
	MapKind    = abi.MapKind
	ArrayKind  = abi.ArrayKind
)

// Null returns the null value.
func Null() Value { return abi.Null() }

// Bool returns b as a Value.
func Bool(b bool) Value { return abi.Bool(b) }

// Int returns i as a Value.
func Int(i int64) Value { return abi.Int(i) }

// Float returns f as a Value.
func Float(f float64) Value { return abi.Float(f) }

// String returns s, which must be UTF-8, as a Value.
func String(s string) Value { return abi.String(s) }

// Bytes returns b, which the caller gives up, as a Value.
func Bytes(b []byte) Value { return abi.Bytes(b) }

// List returns a list of vs, which the caller gives up.
func List(vs ...Value) Value { return abi.List(vs...) }

// Map returns a map of es, which the caller gives up and Map sorts. It fails if
// a key occurs twice.
func Map(es ...Entry) (Value, error) { return abi.Map(es...) }

// MapOf returns m as a Value.
func MapOf(m map[string]Value) Value { return abi.MapOf(m) }

// From returns x, of any type that a task may return, as a [Value].
func From(x any) (Value, error) {
	if v, ok := x.(Value); ok {
		return v, nil
	}
	return encodeAny(reflect.ValueOf(x), abi.MaxDepth)
}

// Into stores v in *p, which may be of any type that a task may take.
func Into(v Value, p any) error {
	r := reflect.ValueOf(p)
	if r.Kind() != reflect.Pointer || r.IsNil() {
		return errorf("Into wants a pointer, got %T", p)
	}
	c, err := codecOf(r.Type().Elem())
	if err != nil {
		return err
	}
	return c.decode(v, r.Elem())
}
