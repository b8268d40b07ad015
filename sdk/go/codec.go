package entangle

// How Go's types stand for values. A codec is made once for each type, when a
// task is registered, so that a type that cannot travel is found before anything
// runs. What it does agrees with abi.From, abi.Into and abi.TypeOf for the types
// that those know; a test holds them together.

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"

	"entangle.example/entangle/abi"
)

// A codec turns values of one Go type into Values and back.
type codec struct {
	typ abi.Type
	// decode stores v in to, which is settable and of the codec's type.
	decode func(v Value, to reflect.Value) error
	// encode returns from as a Value, which may nest depth levels.
	encode func(from reflect.Value, depth int) (Value, error)
}

// codecs holds the codec of each type that was asked for.
var (
	codecsLock sync.Mutex
	codecs     = map[reflect.Type]codec{}
)

// maxTypeDepth is how deep the manifest's types nest; a type that contains
// itself would have no end.
const maxTypeDepth = 16

func codecOf(t reflect.Type) (codec, error) {
	codecsLock.Lock()
	defer codecsLock.Unlock()
	return codecIn(t, maxTypeDepth)
}

func codecIn(t reflect.Type, depth int) (codec, error) {
	if c, ok := codecs[t]; ok {
		return c, nil
	}
	if depth == 0 {
		return codec{}, errorf("type %v nests deeper than %d levels", t, maxTypeDepth)
	}
	c, err := newCodec(t, depth)
	if err != nil {
		return codec{}, err
	}
	codecs[t] = c
	return c, nil
}

func newCodec(t reflect.Type, depth int) (codec, error) {
	switch t {
	case reflect.TypeFor[Value]():
		return valueCodec, nil
	case reflect.TypeFor[RawArray]():
		return rawArrayCodec, nil
	case reflect.TypeFor[any]():
		return anyCodec, nil
	case encodedType:
		return encodedCodec, nil
	}
	if a, ok := reflect.Zero(t).Interface().(arrayCodec); ok && t.Kind() == reflect.Struct {
		return typedArrayCodec(a.dtype()), nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return boolCodec, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intCodec, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return uintCodec, nil
	case reflect.Float32, reflect.Float64:
		return floatCodec, nil
	case reflect.String:
		return stringCodec, nil
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Kind() == reflect.Slice {
			return bytesCodec, nil
		}
		elem, err := codecIn(t.Elem(), depth-1)
		return listCodec(t, elem), err
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return codec{}, errorf("type %v: the keys of a map are strings", t)
		}
		elem, err := codecIn(t.Elem(), depth-1)
		return mapCodec(t, elem), err
	case reflect.Pointer:
		elem, err := codecIn(t.Elem(), depth-1)
		return pointerCodec(t, elem), err
	case reflect.Struct:
		return structCodec(t, depth)
	}
	return codec{}, errorf("type %v is none that a task can take or return", t)
}

// mismatch is the error for a v that a Go type has no room for.
func mismatch(v Value, t reflect.Type) error {
	if v.IsNull() {
		return errorf("null does not fit a Go %v", t)
	}
	return errorf("%v %v does not fit a Go %v", v.Kind(), v, t)
}

var valueCodec = codec{
	typ: abi.Any,
	decode: func(v Value, to reflect.Value) error {
		*to.Addr().Interface().(*Value) = v
		return nil
	},
	encode: func(from reflect.Value, _ int) (Value, error) { return from.Interface().(Value), nil },
}

var rawArrayCodec = codec{
	typ: abi.ArrayType,
	decode: func(v Value, to reflect.Value) error {
		a, ok := v.Array()
		if !ok {
			return mismatch(v, to.Type())
		}
		*to.Addr().Interface().(*RawArray) = a
		return nil
	},
	encode: func(from reflect.Value, _ int) (Value, error) {
		return abi.ArrayValue(from.Interface().(RawArray))
	},
}

// anyCodec is set by init, since encodeAny refers to it by way of codecOf.
var anyCodec codec

func init() {
	anyCodec = codec{
		typ: abi.Any,
		decode: func(v Value, to reflect.Value) error {
			if x := v.Any(); x != nil {
				to.Set(reflect.ValueOf(x))
			} else {
				to.SetZero()
			}
			return nil
		},
		encode: func(from reflect.Value, depth int) (Value, error) { return encodeAny(from.Elem(), depth) },
	}
}

// encodeAny encodes a value whose type only it knows.
func encodeAny(from reflect.Value, depth int) (Value, error) {
	if !from.IsValid() {
		return Null(), nil
	}
	c, err := codecOf(from.Type())
	if err != nil {
		return Value{}, err
	}
	return c.encode(from, depth)
}

func typedArrayCodec(d abi.DType) codec {
	return codec{
		typ: abi.ArrayOf(d),
		decode: func(v Value, to reflect.Value) error {
			a, ok := v.Array()
			if !ok || a.DType != d {
				return errorf("want array[%v], got %v", d, describe(v))
			}
			to.Addr().Interface().(arraySetter).view(a)
			return nil
		},
		encode: func(from reflect.Value, _ int) (Value, error) {
			return from.Interface().(arrayCodec).value()
		},
	}
}

func describe(v Value) string {
	if a, ok := v.Array(); ok {
		return a.String()
	}
	return v.Kind().String()
}

var boolCodec = codec{
	typ: abi.BoolType,
	decode: func(v Value, to reflect.Value) error {
		b, ok := v.Bool()
		if !ok {
			return mismatch(v, to.Type())
		}
		to.SetBool(b)
		return nil
	},
	encode: func(from reflect.Value, _ int) (Value, error) { return Bool(from.Bool()), nil },
}

var intCodec = codec{
	typ: abi.IntType,
	decode: func(v Value, to reflect.Value) error {
		i, ok := v.Int()
		if !ok || to.OverflowInt(i) {
			return mismatch(v, to.Type())
		}
		to.SetInt(i)
		return nil
	},
	encode: func(from reflect.Value, _ int) (Value, error) { return Int(from.Int()), nil },
}

var uintCodec = codec{
	typ: abi.IntType,
	decode: func(v Value, to reflect.Value) error {
		i, ok := v.Int()
		if !ok || i < 0 || to.OverflowUint(uint64(i)) {
			return mismatch(v, to.Type())
		}
		to.SetUint(uint64(i))
		return nil
	},
	encode: func(from reflect.Value, _ int) (Value, error) {
		if from.Uint() > math.MaxInt64 {
			return Value{}, errorf("integer %d is beyond int64", from.Uint())
		}
		return Int(int64(from.Uint())), nil
	},
}

var floatCodec = codec{
	typ: abi.FloatType,
	decode: func(v Value, to reflect.Value) error {
		f, err := abi.FloatType.Conform(v)
		if err != nil {
			return mismatch(v, to.Type())
		}
		x, _ := f.Float()
		to.SetFloat(x)
		return nil
	},
	encode: func(from reflect.Value, _ int) (Value, error) { return Float(from.Float()), nil },
}

var stringCodec = codec{
	typ: abi.StringType,
	decode: func(v Value, to reflect.Value) error {
		s, ok := v.Str()
		if !ok {
			return mismatch(v, to.Type())
		}
		to.SetString(s)
		return nil
	},
	encode: func(from reflect.Value, _ int) (Value, error) { return String(from.String()), nil },
}

var bytesCodec = codec{
	typ: abi.BytesType,
	decode: func(v Value, to reflect.Value) error {
		b, ok := v.Bytes()
		if !ok {
			return mismatch(v, to.Type())
		}
		to.SetBytes(b)
		return nil
	},
	encode: func(from reflect.Value, _ int) (Value, error) { return Bytes(from.Bytes()), nil },
}

func errTooDeep() error { return errorf("value nests deeper than %d levels", abi.MaxDepth) }

func listCodec(t reflect.Type, elem codec) codec {
	c := codec{typ: abi.ListType}
	if !elem.typ.IsAny() {
		c.typ = abi.ListOf(elem.typ)
	}
	c.decode = func(v Value, to reflect.Value) error {
		vs, ok := v.List()
		if !ok {
			return mismatch(v, t)
		}
		if t.Kind() == reflect.Slice {
			to.Set(reflect.MakeSlice(t, len(vs), len(vs)))
		} else if len(vs) != t.Len() {
			return errorf("a list of %d does not fit a Go %v", len(vs), t)
		}
		for i, e := range vs {
			if err := elem.decode(e, to.Index(i)); err != nil {
				return errorf("element %d: %w", i, err)
			}
		}
		return nil
	}
	c.encode = func(from reflect.Value, depth int) (Value, error) {
		if depth == 0 {
			return Value{}, errTooDeep()
		}
		vs := make([]Value, from.Len())
		for i := range vs {
			var err error
			if vs[i], err = elem.encode(from.Index(i), depth-1); err != nil {
				return Value{}, errorf("element %d: %w", i, err)
			}
		}
		return List(vs...), nil
	}
	return c
}

func mapCodec(t reflect.Type, elem codec) codec {
	c := codec{typ: abi.MapType}
	if !elem.typ.IsAny() {
		c.typ = abi.MapTypeOf(elem.typ)
	}
	c.decode = func(v Value, to reflect.Value) error {
		es, ok := v.Entries()
		if !ok {
			return mismatch(v, t)
		}
		m := reflect.MakeMapWithSize(t, len(es))
		for _, e := range es {
			x := reflect.New(t.Elem()).Elem()
			if err := elem.decode(e.Value, x); err != nil {
				return errorf("key %q: %w", e.Key, err)
			}
			m.SetMapIndex(reflect.ValueOf(e.Key).Convert(t.Key()), x)
		}
		to.Set(m)
		return nil
	}
	c.encode = func(from reflect.Value, depth int) (Value, error) {
		if depth == 0 {
			return Value{}, errTooDeep()
		}
		es := make([]Entry, 0, from.Len())
		for it := from.MapRange(); it.Next(); {
			v, err := elem.encode(it.Value(), depth-1)
			if err != nil {
				return Value{}, errorf("key %q: %w", it.Key().String(), err)
			}
			es = append(es, Entry{Key: it.Key().String(), Value: v})
		}
		return Map(es...)
	}
	return c
}

func pointerCodec(t reflect.Type, elem codec) codec {
	return codec{
		typ: elem.typ.Nullable(),
		decode: func(v Value, to reflect.Value) error {
			if v.IsNull() {
				to.SetZero()
				return nil
			}
			to.Set(reflect.New(t.Elem()))
			return elem.decode(v, to.Elem())
		},
		encode: func(from reflect.Value, depth int) (Value, error) {
			if from.IsNil() {
				return Null(), nil
			}
			if depth == 0 { // a pointer may lead back to where it came from
				return Value{}, errTooDeep()
			}
			return elem.encode(from.Elem(), depth-1)
		},
	}
}

func structCodec(t reflect.Type, depth int) (codec, error) {
	type field struct {
		key      string
		index    int
		optional bool
		codec
	}
	var fields []field
	seen := map[string]string{}
	for i := range t.NumField() {
		f := t.Field(i)
		key, tagged := f.Tag.Lookup("entangle")
		if !f.IsExported() || key == "-" {
			continue
		}
		if !tagged {
			key = strings.ToLower(f.Name)
		}
		if other, dup := seen[key]; dup {
			return codec{}, errorf("type %v: the fields %s and %s have the same key, %q", t, other, f.Name, key)
		}
		seen[key] = f.Name
		c, err := codecIn(f.Type, depth-1)
		if err != nil {
			return codec{}, errorf("field %s of %v: %w", f.Name, t, err)
		}
		fields = append(fields, field{key, i, f.Type.Kind() == reflect.Pointer, c})
	}
	if len(fields) == 0 {
		return codec{}, errorf("type %v is a struct without fields that others may see", t)
	}
	return codec{
		typ: abi.MapType,
		decode: func(v Value, to reflect.Value) error {
			if v.Kind() != MapKind {
				return mismatch(v, t)
			}
			for _, f := range fields {
				e, ok := v.Get(f.key)
				if !ok && !f.optional {
					return errorf("the key %q is missing", f.key)
				}
				if err := f.decode(e, to.Field(f.index)); err != nil {
					return errorf("key %q: %w", f.key, err)
				}
			}
			return nil
		},
		encode: func(from reflect.Value, depth int) (Value, error) {
			if depth == 0 {
				return Value{}, errTooDeep()
			}
			es := make([]Entry, len(fields))
			for i, f := range fields {
				v, err := f.encode(from.Field(f.index), depth-1)
				if err != nil {
					return Value{}, errorf("key %q: %w", f.key, err)
				}
				es[i] = Entry{Key: f.key, Value: v}
			}
			return Map(es...)
		},
	}, nil
}

// errorf makes the errors that users see; they say "entangle" once, where they
// come out.
func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }
