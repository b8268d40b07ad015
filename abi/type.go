package abi

import (
	"fmt"
	"math"
	"strings"
)

// A Type says which values a parameter takes or a result may be. Types are
// compared with ==, except list, map and array types, which hold a pointer:
// compare those with [Type.Accepts] or by their String. The zero Type is any.
type Type struct {
	kind     typeKind
	dtype    DType // of an array; 0 for an array of any
	nullable bool
	elem     *Type // of a list or a map; nil for any
}

type typeKind uint8

const (
	anyType typeKind = iota
	nullType
	boolType
	intType   // int64
	int32Type // int that fits 32 bits, signed or unsigned
	floatType
	float32Type // float that is rounded to 32 bits
	stringType
	bytesType
	listType
	mapType
	arrayType
)

var typeNames = [...]string{"any", "null", "bool", "int", "int32", "float", "float32", "string", "bytes", "list", "map", "array"}

// The types without parameters.
var (
	Any         = Type{}
	NullType    = Type{kind: nullType}
	BoolType    = Type{kind: boolType}
	IntType     = Type{kind: intType}
	Int32Type   = Type{kind: int32Type}
	FloatType   = Type{kind: floatType}
	Float32Type = Type{kind: float32Type}
	StringType  = Type{kind: stringType}
	BytesType   = Type{kind: bytesType}
	ListType    = Type{kind: listType}
	MapType     = Type{kind: mapType}
	ArrayType   = Type{kind: arrayType}
)

// ListOf returns the type of lists whose elements are of type t.
func ListOf(t Type) Type { return Type{kind: listType, elem: &t} }

// MapTypeOf returns the type of maps whose values are of type t.
func MapTypeOf(t Type) Type { return Type{kind: mapType, elem: &t} }

// ArrayOf returns the type of arrays of d.
func ArrayOf(d DType) Type { return Type{kind: arrayType, dtype: d} }

// Nullable returns the type of t's values and null.
func (t Type) Nullable() Type {
	if t.kind != anyType && t.kind != nullType {
		t.nullable = true
	}
	return t
}

// IsAny reports whether t says nothing.
func (t Type) IsAny() bool { return t.kind == anyType }

// String returns t as the manifest writes it.
func (t Type) String() string {
	s := typeNames[t.kind]
	switch {
	case t.elem != nil:
		s += "[" + t.elem.String() + "]"
	case t.dtype != 0:
		s += "[" + t.dtype.String() + "]"
	}
	if t.nullable {
		s += "?"
	}
	return s
}

// maxTypeDepth bounds how deep list[list[…]] goes.
const maxTypeDepth = 16

// ParseType reads a type as a manifest writes it: a name, then [elem] for the
// elements of a list, a map or an array, then "?" where null is allowed too.
func ParseType(s string) (Type, error) {
	t, rest, err := parseType(s, maxTypeDepth)
	if err == nil && strings.TrimSpace(rest) != "" {
		err = fmt.Errorf("%q follows the type", rest)
	}
	if err != nil {
		return Type{}, fmt.Errorf("type %q: %v", clip(s), err)
	}
	return t, nil
}

func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

// parseType reads one type off the front of s and returns what is left.
func parseType(s string, depth int) (t Type, rest string, err error) {
	s = strings.TrimLeft(s, " ")
	n := 0
	for n < len(s) && (s[n] >= 'a' && s[n] <= 'z' || s[n] >= '0' && s[n] <= '9') {
		n++
	}
	name, rest := s[:n], s[n:]
	found := false
	for k, known := range typeNames {
		if known == name {
			t.kind, found = typeKind(k), true
		}
	}
	if !found {
		return Type{}, "", fmt.Errorf("unknown type %q: want %s", clip(name), strings.Join(typeNames[:], ", "))
	}
	if strings.HasPrefix(rest, "[") {
		if rest, err = t.parseElem(rest[1:], depth); err != nil {
			return Type{}, "", err
		}
	}
	if strings.HasPrefix(rest, "?") {
		t, rest = t.Nullable(), rest[1:]
	}
	return t, rest, nil
}

func (t *Type) parseElem(s string, depth int) (rest string, err error) {
	switch t.kind {
	case listType, mapType:
		if depth == 0 {
			return "", fmt.Errorf("nested deeper than %d levels", maxTypeDepth)
		}
		elem, r, err := parseType(s, depth-1)
		if err != nil {
			return "", err
		}
		if !elem.IsAny() {
			t.elem = &elem
		}
		rest = r
	case arrayType:
		name, _, _ := strings.Cut(s, "]")
		if t.dtype, err = ParseDType(strings.TrimSpace(name)); err != nil {
			return "", err
		}
		rest = s[len(name):]
	default:
		return "", fmt.Errorf("%s has no element type", typeNames[t.kind])
	}
	rest = strings.TrimLeft(rest, " ")
	if !strings.HasPrefix(rest, "]") {
		return "", fmt.Errorf("%q is not closed by ]", typeNames[t.kind]+"[")
	}
	return rest[1:], nil
}

// Accepts reports whether a value of type u may be passed where t is wanted. An
// int may stand for a float. Where either type is any, nothing is known, and the
// value itself is looked at when it is there.
func (t Type) Accepts(u Type) bool {
	if t.kind == anyType || u.kind == anyType {
		return true
	}
	if u.kind == nullType {
		return t.nullable || t.kind == nullType
	}
	if u.nullable && !t.nullable {
		return false
	}
	switch {
	case t.kind == u.kind:
	case t.isInt() && u.isInt(), t.isFloat() && (u.isFloat() || u.isInt()):
		return true
	default:
		return false
	}
	if t.elem != nil && u.elem != nil {
		return t.elem.Accepts(*u.elem)
	}
	return t.dtype == 0 || u.dtype == 0 || t.dtype == u.dtype
}

func (t Type) isInt() bool   { return t.kind == intType || t.kind == int32Type }
func (t Type) isFloat() bool { return t.kind == floatType || t.kind == float32Type }

// Conform returns v as a value of type t: itself, or, where t wants a float, the
// float that an int stands for, rounded to 32 bits if t is float32. It fails where
// v is no such value.
func (t Type) Conform(v Value) (Value, error) {
	if t.kind == anyType || t.nullable && v.kind == NullKind {
		return v, nil
	}
	ok := false
	switch t.kind {
	case nullType:
		ok = v.kind == NullKind
	case boolType:
		ok = v.kind == BoolKind
	case intType:
		ok = v.kind == IntKind
	case int32Type:
		if i, isInt := v.Int(); isInt {
			if i < math.MinInt32 || i > math.MaxUint32 {
				return Value{}, fmt.Errorf("want int32, got %d, which needs more than 32 bits", i)
			}
			ok = true
		}
	case floatType, float32Type:
		if i, isInt := v.Int(); isInt {
			f := float64(i)
			if f >= 1<<63 || int64(f) != i {
				return Value{}, fmt.Errorf("want %v, got int %d, which no float64 equals", t, i)
			}
			v = Float(f)
		}
		if f, isFloat := v.Float(); isFloat {
			if t.kind == float32Type {
				v = Float(float64(float32(f)))
			}
			ok = true
		}
	case stringType:
		ok = v.kind == StringKind
	case bytesType:
		ok = v.kind == BytesKind
	case listType:
		if vs, isList := v.List(); isList {
			return t.conformList(v, vs)
		}
	case mapType:
		if es, isMap := v.Entries(); isMap {
			return t.conformMap(v, es)
		}
	case arrayType:
		a, isArray := v.Array()
		ok = isArray && (t.dtype == 0 || t.dtype == a.DType)
	}
	if !ok {
		return Value{}, fmt.Errorf("want %v, got %s", t, describe(v))
	}
	return v, nil
}

func describe(v Value) string {
	switch v.kind {
	case NullKind, ArrayKind:
		return strings.Trim(v.String(), `"`)
	}
	return v.kind.String() + " " + v.String()
}

func (t Type) conformList(v Value, vs []Value) (Value, error) {
	if t.elem == nil {
		return v, nil
	}
	var out []Value // made when the first element changes
	for i, e := range vs {
		c, err := t.elem.Conform(e)
		if err != nil {
			return Value{}, fmt.Errorf("element %d: %w", i, err)
		}
		if c != e && out == nil {
			out = append([]Value(nil), vs...)
		}
		if out != nil {
			out[i] = c
		}
	}
	if out != nil {
		return List(out...), nil
	}
	return v, nil
}

func (t Type) conformMap(v Value, es []Entry) (Value, error) {
	if t.elem == nil {
		return v, nil
	}
	var out []Entry
	for i, e := range es {
		c, err := t.elem.Conform(e.Value)
		if err != nil {
			return Value{}, fmt.Errorf("key %q: %w", e.Key, err)
		}
		if c != e.Value && out == nil {
			out = append([]Entry(nil), es...)
		}
		if out != nil {
			out[i].Value = c
		}
	}
	if out != nil {
		return sortedMap(out), nil
	}
	return v, nil
}
