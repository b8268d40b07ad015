package graph

import (
	"fmt"
	"reflect"

	"entangle.example/entangle/abi"
)

// Of is a node whose result is known to be a T. See [As].
type Of[T any] struct{ n *Node }

func (o Of[T]) node() *Node { return o.n }

// Node returns the node itself.
func (o Of[T]) Node() *Node { return o.n }

// The usual instances of [Of].
type (
	Int    = Of[int64]
	Float  = Of[float64]
	String = Of[string]
	Bytes  = Of[[]byte]
)

// Value returns v as a typed node, for calls of tasks that [As] has typed.
func Value[T any](v T) Of[T] {
	n := valueDef.apply(callerPos(2), []any{v})
	return Of[T]{n}
}

var valueDef = &Def{Name: "value", Sig: abi.Signature{Params: []abi.Param{{Name: "value"}}}, Op: OpFunc(func(c *Call) (abi.Value, error) { return c.Args[0], nil })}

// As gives t a Go signature, so that the compiler checks the number and types of
// arguments and the result:
//
//	add := graph.As[func(a, b graph.Int) graph.Int](m.Task("add"))
//
// F is a function type whose parameters (the last may be variadic) and one
// result are instances of [Of]. Where F and the task's own signature disagree,
// every node that the function makes is a mistake, reported before a run. As
// panics if F is no such type.
func As[F any](t Task) F {
	ft := reflect.TypeFor[F]()
	if ft.Kind() != reflect.Func || ft.NumOut() != 1 {
		panic(fmt.Sprintf("graph.As: %v is not a function with one result", ft))
	}
	d := t.Def()
	wrong := d.err
	if wrong == nil {
		wrong = disagreement(ft, d.Sig)
	}
	if wrong != nil {
		d = Broken(d.Name, wrong).Def()
	}
	out := ft.Out(0)
	elemOf(out)
	for i := range ft.NumIn() {
		if in := ft.In(i); ft.IsVariadic() && i == ft.NumIn()-1 {
			elemOf(in.Elem())
		} else {
			elemOf(in)
		}
	}
	return reflect.MakeFunc(ft, func(in []reflect.Value) []reflect.Value {
		n := &Node{def: d, pos: callerPos(2)} // package reflect's frames are hidden as wrappers
		n.args = n.inline[:0]
		add := func(v reflect.Value) {
			if a := v.Interface().(Expr).node(); a != nil {
				n.args = append(n.args, Arg{Node: a})
			} else {
				n.args = append(n.args, Arg{})
				n.fail(fmt.Errorf("argument %d is the zero %v, which is no node", len(n.args), v.Type()))
			}
		}
		for i, v := range in {
			if ft.IsVariadic() && i == len(in)-1 {
				for k := range v.Len() {
					add(v.Index(k))
				}
			} else {
				add(v)
			}
		}
		n.check()
		r := reflect.New(out).Elem()
		r.Addr().Interface().(setter).set(n)
		return []reflect.Value{r}
	}).Interface().(F)
}

// setter is what a *Of[T] is, whatever T.
type setter interface {
	set(*Node)
	elem() reflect.Type
}

func (o *Of[T]) set(n *Node)        { o.n = n }
func (o *Of[T]) elem() reflect.Type { return reflect.TypeFor[T]() }

// elemOf returns the T of t, which is an Of[T].
func elemOf(t reflect.Type) reflect.Type {
	s, ok := reflect.New(t).Interface().(setter)
	if !ok {
		panic(fmt.Sprintf("graph.As: %v is no instance of graph.Of", t))
	}
	return s.elem()
}

// disagreement says how a Go signature and a task's differ, if they do.
func disagreement(ft reflect.Type, sig abi.Signature) error {
	least, most := sig.Arity()
	ins := ft.NumIn()
	if ft.IsVariadic() {
		if most >= 0 {
			return fmt.Errorf("graph.As: %v is variadic, and the task %v is not", ft, sig)
		}
		ins--
	}
	if ins < least || most >= 0 && ins > most {
		return fmt.Errorf("graph.As: %v does not fit the task's %v", ft, sig)
	}
	for i := range ft.NumIn() {
		in := ft.In(i)
		if ft.IsVariadic() && i == ft.NumIn()-1 {
			in = in.Elem()
		}
		if p := sig.Param(i); !p.Type.Accepts(abi.TypeOf(elemOf(in))) {
			return fmt.Errorf("graph.As: parameter %d (%s) is %v in %v, and %v in the task", i+1, p.Name, elemOf(in), ft, p.Type)
		}
	}
	if got := abi.TypeOf(elemOf(ft.Out(0))); !got.Accepts(sig.Result) {
		return fmt.Errorf("graph.As: the result is %v in %v, and %v in the task", elemOf(ft.Out(0)), ft, sig.Result)
	}
	return nil
}
