package flow

// Values on their way between a script and tasks. Strings and bytes are not
// copied: both sides hold them immutable.

import (
	"fmt"
	"slices"
	"unicode/utf8"
	"unsafe"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
)

// argument returns what x stands for as an argument of a call at pos: a value, or
// a node; for a list or dict with nodes in it, a node that gathers them.
func (s *script) argument(pos graph.Pos, x starlark.Value) (graph.Arg, error) {
	return s.convert(pos, x, abi.MaxDepth)
}

func (s *script) convert(pos graph.Pos, x starlark.Value, depth int) (graph.Arg, error) {
	switch x := x.(type) {
	case *node:
		return graph.Arg{Node: x.g}, nil
	case starlark.Int:
		i, ok := x.Int64()
		if !ok {
			return graph.Arg{}, fmt.Errorf("the integer %s is beyond int64", shorten(x.String()))
		}
		return value(abi.Int(i)), nil
	case starlark.Float:
		return value(abi.Float(float64(x))), nil
	case starlark.String:
		if !utf8.ValidString(string(x)) {
			return graph.Arg{}, fmt.Errorf("the string %s is not UTF-8; pass bytes", shorten(x.String()))
		}
		return value(abi.String(string(x))), nil
	case starlark.Bytes:
		return value(abi.Bytes(unsafe.Slice(unsafe.StringData(string(x)), len(x)))), nil
	case starlark.Bool:
		return value(abi.Bool(bool(x))), nil
	case starlark.NoneType:
		return graph.Arg{}, nil
	case *array:
		return value(x.v), nil
	}
	if depth == 0 {
		return graph.Arg{}, fmt.Errorf("the value nests deeper than %d levels, or holds itself", abi.MaxDepth)
	}
	switch x := x.(type) {
	case *starlark.List:
		return s.convertSequence(pos, x, depth)
	case starlark.Tuple:
		return s.convertSequence(pos, x, depth)
	case *starlark.Dict:
		return s.convertDict(pos, x, depth)
	case *task:
		return graph.Arg{}, fmt.Errorf("this is the task %s itself; call it: %s(…)", x.def.Name, x.def.Name)
	case *module:
		return graph.Arg{}, fmt.Errorf("this is a module, not a value")
	case starlark.Callable:
		return graph.Arg{}, fmt.Errorf("this is the function %s itself; call it: %s(…)", x.Name(), x.Name())
	case *starlarkstruct.Struct:
		return graph.Arg{}, fmt.Errorf("a struct is no value that tasks take; use a dict")
	case *starlark.Set:
		return graph.Arg{}, fmt.Errorf("a set is no value that tasks take; use list(…)")
	case starlark.Sequence:
		if r, ok := x.(starlark.Indexable); ok && x.Type() == "range" {
			return s.convertSequence(pos, r, depth)
		}
	}
	return graph.Arg{}, fmt.Errorf("a %s is no value that tasks take", x.Type())
}

func value(v abi.Value) graph.Arg { return graph.Arg{Value: v} }

func shorten(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

func (s *script) convertSequence(pos graph.Pos, x starlark.Indexable, depth int) (graph.Arg, error) {
	args := make([]graph.Arg, x.Len())
	nodes := false
	for i := range args {
		a, err := s.convert(pos, x.Index(i), depth-1)
		if err != nil {
			return graph.Arg{}, fmt.Errorf("element %d: %w", i, err)
		}
		args[i] = a
		nodes = nodes || a.Node != nil
	}
	if nodes {
		return graph.Arg{Node: graph.ListOf(pos, args)}, nil
	}
	vs := make([]abi.Value, len(args))
	for i, a := range args {
		vs[i] = a.Value
	}
	return value(abi.List(vs...)), nil
}

func (s *script) convertDict(pos graph.Pos, x *starlark.Dict, depth int) (graph.Arg, error) {
	keys := make([]string, 0, x.Len())
	args := make([]graph.Arg, 0, x.Len())
	nodes := false
	for k, v := range x.Entries() {
		key, ok := starlark.AsString(k)
		if !ok || !utf8.ValidString(key) {
			return graph.Arg{}, fmt.Errorf("the key %s is a %s; keys are strings in UTF-8", shorten(k.String()), k.Type())
		}
		a, err := s.convert(pos, v, depth-1)
		if err != nil {
			return graph.Arg{}, fmt.Errorf("key %q: %w", key, err)
		}
		keys, args = append(keys, key), append(args, a)
		nodes = nodes || a.Node != nil
	}
	if nodes {
		d := &graph.Def{Name: "dict", Op: dictOp(keys), Sig: abi.Signature{Result: abi.MapType,
			Params: []abi.Param{{Name: "values", Type: abi.Any}}, Variadic: true}}
		return graph.Arg{Node: d.Apply(pos, args)}, nil
	}
	es := make([]abi.Entry, len(keys))
	for i, k := range keys {
		es[i] = abi.Entry{Key: k, Value: args[i].Value}
	}
	m, err := abi.Map(es...)
	return value(m), err
}

// A dictOp makes a map of these keys and the arguments.
type dictOp []string

func (keys dictOp) Call(c *graph.Call) (abi.Value, error) {
	es := make([]abi.Entry, len(keys))
	for i, k := range keys {
		es[i] = abi.Entry{Key: k, Value: c.Args[i]}
	}
	return abi.Map(es...)
}

// fromValue returns v as a script sees it.
func fromValue(v abi.Value) starlark.Value {
	switch v.Kind() {
	case abi.BoolKind:
		b, _ := v.Bool()
		return starlark.Bool(b)
	case abi.IntKind:
		i, _ := v.Int()
		return starlark.MakeInt64(i)
	case abi.FloatKind:
		f, _ := v.Float()
		return starlark.Float(f)
	case abi.StringKind:
		s, _ := v.Str()
		return starlark.String(s)
	case abi.BytesKind:
		b, _ := v.Bytes()
		return starlark.Bytes(unsafe.String(unsafe.SliceData(b), len(b)))
	case abi.ListKind:
		vs, _ := v.List()
		return starlark.NewList(fromValues(vs))
	case abi.MapKind:
		es, _ := v.Entries()
		d := starlark.NewDict(len(es))
		for _, e := range es {
			_ = d.SetKey(starlark.String(e.Key), fromValue(e.Value)) // a string can be hashed, and d is not frozen
		}
		return d
	case abi.ArrayKind:
		return &array{v}
	}
	return starlark.None
}

func fromValues(vs []abi.Value) []starlark.Value {
	out := make([]starlark.Value, len(vs))
	for i, v := range vs {
		out[i] = fromValue(v)
	}
	return out
}

// An array is an array of a task's; a script can look at it and pass it on.
type array struct{ v abi.Value }

func (a *array) String() string        { return a.array().String() }
func (a *array) Type() string          { return "array" }
func (a *array) Freeze()               {}
func (a *array) Truth() starlark.Bool  { return a.array().Len() > 0 }
func (a *array) Hash() (uint32, error) { return 0, fmt.Errorf("unhashable type: array") }

func (a *array) array() abi.Array {
	x, _ := a.v.Array()
	return x
}

func (a *array) AttrNames() []string { return []string{"data", "dtype", "shape"} }

func (a *array) Attr(name string) (starlark.Value, error) {
	x := a.array()
	switch name {
	case "data":
		return starlark.Bytes(unsafe.String(unsafe.SliceData(x.Data), len(x.Data))), nil
	case "dtype":
		return starlark.String(x.DType.String()), nil
	case "shape":
		shape := make(starlark.Tuple, len(x.Shape))
		for i, n := range x.Shape {
			shape[i] = starlark.MakeInt(n)
		}
		return shape, nil
	}
	return nil, nil
}

var _ starlark.HasAttrs = (*array)(nil)

// stringList returns strings as a frozen list.
func stringList(ss []string) *starlark.List {
	vs := make([]starlark.Value, len(ss))
	for i, s := range ss {
		vs[i] = starlark.String(s)
	}
	return starlark.NewList(slices.Clip(vs))
}
