package abi

import (
	"fmt"
	"math"
	"reflect"
	"unicode/utf8"
)

// From returns x, a value of one of Go's own types, as a Value: nil, bools,
// integers, floats, strings, []byte, slices, maps with string keys, [Array],
// Value, and pointers to them. It fails on other types, on integers beyond
// int64 and on strings that are not UTF-8.
func From(x any) (Value, error) {
	switch x := x.(type) {
	case nil:
		return Null(), nil
	case Value:
		return x, nil
	case bool:
		return Bool(x), nil
	case int:
		return Int(int64(x)), nil
	case int64:
		return Int(x), nil
	case float64:
		return Float(x), nil
	case string:
		if !utf8.ValidString(x) {
			return Value{}, errInvalidUTF8
		}
		return String(x), nil
	case []byte:
		return Bytes(x), nil
	case Array:
		return ArrayValue(x)
	case []Value:
		return List(x...), nil
	}
	return fromReflect(reflect.ValueOf(x), MaxDepth)
}

func fromReflect(v reflect.Value, depth int) (Value, error) {
	if depth == 0 {
		return Value{}, fmt.Errorf("value nests deeper than %d levels", MaxDepth)
	}
	if v.Kind() == reflect.Struct || v.Kind() == reflect.Slice {
		switch x := v.Interface().(type) {
		case Value:
			return x, nil
		case Array:
			return ArrayValue(x)
		case []byte:
			return Bytes(x), nil
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		return Bool(v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return Int(v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() > math.MaxInt64 {
			return Value{}, fmt.Errorf("integer %d is beyond int64", v.Uint())
		}
		return Int(int64(v.Uint())), nil
	case reflect.Float32, reflect.Float64:
		return Float(v.Float()), nil
	case reflect.String:
		return From(v.String())
	case reflect.Slice, reflect.Array:
		vs := make([]Value, v.Len())
		for i := range vs {
			e, err := fromReflect(v.Index(i), depth-1)
			if err != nil {
				return Value{}, fmt.Errorf("element %d: %w", i, err)
			}
			vs[i] = e
		}
		return List(vs...), nil
	case reflect.Map:
		if v.Type().Key().Kind() != reflect.String {
			break
		}
		es := make([]Entry, 0, v.Len())
		for it := v.MapRange(); it.Next(); {
			e, err := fromReflect(it.Value(), depth-1)
			if err != nil {
				return Value{}, fmt.Errorf("key %q: %w", it.Key(), err)
			}
			es = append(es, Entry{it.Key().String(), e})
		}
		return Map(es...)
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return Null(), nil
		}
		return fromReflect(v.Elem(), depth-1)
	case reflect.Invalid:
		return Null(), nil
	}
	return Value{}, fmt.Errorf("a Go %v is no value that tasks can take", v.Type())
}

// Into stores v in *p, whose type must have room for it: the types that [From]
// takes, any (which gets nil, bool, int64, float64, string, []byte, []any,
// map[string]any or [Array]), and Value. An int may become a float, never the
// reverse, and nothing is cut or wrapped.
func Into(v Value, p any) error {
	switch p := p.(type) {
	case *Value:
		*p = v
		return nil
	case *int64:
		if i, ok := v.Int(); ok {
			*p = i
			return nil
		}
	case *string:
		if s, ok := v.Str(); ok {
			*p = s
			return nil
		}
	}
	r := reflect.ValueOf(p)
	if r.Kind() != reflect.Pointer || r.IsNil() {
		return fmt.Errorf("abi.Into wants a pointer, got %T", p)
	}
	return into(v, r.Elem())
}

func into(v Value, r reflect.Value) error {
	switch x := r.Addr().Interface().(type) {
	case *Value:
		*x = v
		return nil
	case *Array:
		a, ok := v.Array()
		if !ok {
			break
		}
		*x = a
		return nil
	case *[]byte:
		b, ok := v.Bytes()
		if !ok {
			break
		}
		*x = b
		return nil
	case *any:
		*x = v.Any()
		return nil
	}
	mismatch := fmt.Errorf("%s does not fit a Go %v", describe(v), r.Type())
	switch r.Kind() {
	case reflect.Bool:
		b, ok := v.Bool()
		if !ok {
			return mismatch
		}
		r.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, ok := v.Int()
		if !ok || r.OverflowInt(i) {
			return mismatch
		}
		r.SetInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		i, ok := v.Int()
		if !ok || i < 0 || r.OverflowUint(uint64(i)) {
			return mismatch
		}
		r.SetUint(uint64(i))
	case reflect.Float32, reflect.Float64:
		v, err := FloatType.Conform(v)
		if err != nil {
			return mismatch
		}
		f, _ := v.Float()
		r.SetFloat(f)
	case reflect.String:
		s, ok := v.Str()
		if !ok {
			return mismatch
		}
		r.SetString(s)
	case reflect.Slice:
		vs, ok := v.List()
		if !ok {
			return mismatch
		}
		s := reflect.MakeSlice(r.Type(), len(vs), len(vs))
		for i, e := range vs {
			if err := into(e, s.Index(i)); err != nil {
				return fmt.Errorf("element %d: %w", i, err)
			}
		}
		r.Set(s)
	case reflect.Array:
		vs, ok := v.List()
		if !ok || len(vs) != r.Len() {
			return mismatch
		}
		for i, e := range vs {
			if err := into(e, r.Index(i)); err != nil {
				return fmt.Errorf("element %d: %w", i, err)
			}
		}
	case reflect.Map:
		es, ok := v.Entries()
		if !ok || r.Type().Key().Kind() != reflect.String {
			return mismatch
		}
		m := reflect.MakeMapWithSize(r.Type(), len(es))
		for _, e := range es {
			elem := reflect.New(r.Type().Elem()).Elem()
			if err := into(e.Value, elem); err != nil {
				return fmt.Errorf("key %q: %w", e.Key, err)
			}
			m.SetMapIndex(reflect.ValueOf(e.Key).Convert(r.Type().Key()), elem)
		}
		r.Set(m)
	case reflect.Pointer:
		if v.IsNull() {
			r.SetZero()
			return nil
		}
		p := reflect.New(r.Type().Elem())
		if err := into(v, p.Elem()); err != nil {
			return err
		}
		r.Set(p)
	default:
		return mismatch
	}
	return nil
}

// Any returns v as Go's own types; see [Into].
func (v Value) Any() any {
	switch v.kind {
	case BoolKind:
		return v.num != 0
	case IntKind:
		return int64(v.num)
	case FloatKind:
		return math.Float64frombits(v.num)
	case StringKind:
		s, _ := v.Str()
		return s
	case BytesKind:
		b, _ := v.Bytes()
		return b
	case ListKind:
		vs, _ := v.List()
		out := make([]any, len(vs))
		for i, e := range vs {
			out[i] = e.Any()
		}
		return out
	case MapKind:
		es, _ := v.Entries()
		out := make(map[string]any, len(es))
		for _, e := range es {
			out[e.Key] = e.Value.Any()
		}
		return out
	case ArrayKind:
		a, _ := v.Array()
		return a
	}
	return nil
}

// TypeOf returns the type of the values that a Go type t becomes, or any.
func TypeOf(t reflect.Type) Type {
	switch t {
	case reflect.TypeFor[Value]():
		return Any
	case reflect.TypeFor[Array]():
		return ArrayType
	case reflect.TypeFor[[]byte]():
		return BytesType
	}
	switch t.Kind() {
	case reflect.Bool:
		return BoolType
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return IntType
	case reflect.Float32, reflect.Float64:
		return FloatType
	case reflect.String:
		return StringType
	case reflect.Slice, reflect.Array:
		if e := TypeOf(t.Elem()); !e.IsAny() {
			return ListOf(e)
		}
		return ListType
	case reflect.Map:
		if e := TypeOf(t.Elem()); !e.IsAny() {
			return MapTypeOf(e)
		}
		return MapType
	case reflect.Pointer:
		return TypeOf(t.Elem()).Nullable()
	}
	return Any
}
