// Package graph composes tasks into graphs and evaluates them.
//
// A [Task] is an ordinary Go function value. Calling it does no work: it returns
// a [Node] that remembers the task and its arguments, so a graph is written as
// the expression that it computes:
//
//	sum := add(add(num(6), one()), subtract(five(), two()))
//	v, err := graph.Run[int64](ctx, h, sum) // 10
//
// Nodes are immutable, and graphs have no cycles. A node used twice runs once.
//
// Mistakes made while composing (a wrong number of arguments, a string where an
// int is wanted) do not panic. They travel in the node, and Run reports them, with
// the file and line of the call, before anything runs.
//
// The package says when a node runs, an [Executor] (a *host.Host is one) where.
package graph

import (
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"

	"entangle.example/entangle/abi"
)

// A Task is a function from values to a value that is evaluated later. An
// argument is a node, whose result is passed, or a value that [abi.From] takes.
// A slice with nodes in it becomes a list of their results.
type Task func(args ...any) *Node

// An Expr is a *Node or an [Of].
type Expr interface{ node() *Node }

// A Node is one application of a task to arguments.
type Node struct {
	def  *Def
	args []Arg
	pos  Pos
	more *more // what few nodes have
	// slot is the number of this node in the run that has claimed it; see plan.
	slot atomic.Uint64
	// The arguments of most nodes fit here, so that a node is one allocation.
	inline [2]Arg
}

// more is what a node has beyond task and arguments.
type more struct {
	err    error   // the mistake made while composing
	after  []*Node // nodes to wait for, whose results are not used
	policy *Policy // in place of the task's
}

// An Arg is an argument of a node: the result of Node if that is not nil, else Value.
type Arg struct {
	Node  *Node
	Value abi.Value
}

// A Def is what a Task applies: the operation with its name and types.
type Def struct {
	Name   string
	Doc    string
	Sig    abi.Signature
	Op     Op
	Policy Policy
	err    error // every node of this task has it
}

// New returns a task that applies op, which takes and returns what sig says.
func New(name string, sig abi.Signature, op Op) Task {
	return (&Def{Name: name, Sig: sig, Op: op}).Task()
}

// Broken returns a task whose nodes cannot run, for the reason err: for whoever
// looks tasks up by a name that does not exist.
func Broken(name string, err error) Task {
	return (&Def{Name: name, Sig: anySignature, err: err}).Task()
}

var anySignature = abi.Signature{Params: []abi.Param{{Name: "args", Type: abi.Any}}, Variadic: true}

// Task returns d as a task. Changes to d later change the task's nodes too.
func (d *Def) Task() Task {
	return func(args ...any) *Node {
		if len(args) == 1 {
			if p, ok := args[0].(probe); ok {
				*p.def = d
				return nil
			}
		}
		return d.apply(callerPos(2), args)
	}
}

// probe, as a task's only argument, asks it for its definition.
type probe struct{ def **Def }

// Def returns what t applies.
func (t Task) Def() *Def {
	var d *Def
	t(probe{&d})
	return d
}

// With returns t under policy p: what p leaves at zero stays as it was.
func (t Task) With(p Policy) Task {
	d := *t.Def()
	d.Policy = d.Policy.with(p)
	return d.Task()
}

// Apply is a call of the task from pos, by whoever composes on behalf of another
// language. The slice is copied.
func (d *Def) Apply(pos Pos, args []Arg) *Node {
	n := &Node{def: d, pos: pos}
	n.args = append(n.inline[:0], args...)
	n.check()
	return n
}

func (d *Def) apply(pos Pos, args []any) *Node {
	n := &Node{def: d, pos: pos}
	n.args = n.inline[:0]
	for i, a := range args {
		arg, err := argOf(pos, a)
		if err != nil {
			n.fail(fmt.Errorf("argument %d: %w", i+1, err))
		}
		n.args = append(n.args, arg)
	}
	n.check()
	return n
}

// argOf returns what a stands for as an argument of a call at pos.
func argOf(pos Pos, a any) (Arg, error) {
	switch a := a.(type) {
	case *Node:
		if a == nil {
			return Arg{}, fmt.Errorf("the node is nil")
		}
		return Arg{Node: a}, nil
	case int:
		return Arg{Value: abi.Int(int64(a))}, nil
	case Expr:
		if n := a.node(); n != nil {
			return Arg{Node: n}, nil
		}
		return Arg{}, fmt.Errorf("the node is nil")
	}
	if v := reflect.ValueOf(a); v.Kind() == reflect.Slice && holdsExpr(v) {
		elems := make([]any, v.Len())
		for i := range elems {
			elems[i] = v.Index(i).Interface()
		}
		return Arg{Node: list(pos, elems)}, nil
	}
	v, err := abi.From(a)
	return Arg{Value: v}, err
}

var exprType = reflect.TypeFor[Expr]()

// holdsExpr reports whether a node is among the elements of v, a slice, or of
// the slices in it.
func holdsExpr(v reflect.Value) bool {
	if e := v.Type().Elem(); e.Implements(exprType) {
		return true
	} else if k := e.Kind(); k != reflect.Interface && k != reflect.Slice {
		return false
	}
	for i := range v.Len() {
		e := v.Index(i)
		if e.Kind() == reflect.Interface {
			e = e.Elem()
		}
		if e.IsValid() && (e.Type().Implements(exprType) || e.Kind() == reflect.Slice && holdsExpr(e)) {
			return true
		}
	}
	return false
}

// check finds what can be found out at composition: the number of arguments and
// the types of those that are values. Types of edges are checked before a run.
func (n *Node) check() {
	d := n.def
	if d.err != nil {
		n.fail(d.err)
		return
	}
	if least, most := d.Sig.Arity(); len(n.args) < least || most >= 0 && len(n.args) > most {
		n.fail(arityError(d, len(n.args)))
		return
	}
	for i := range n.args {
		a := &n.args[i]
		if a.Node != nil || n.more != nil {
			continue
		}
		p := d.Sig.Param(i)
		if p.Type.IsAny() {
			continue
		}
		v, err := p.Type.Conform(a.Value)
		if err != nil {
			n.fail(fmt.Errorf("argument %d (%s): %w", i+1, p.Name, err))
			continue
		}
		a.Value = v
	}
}

func arityError(d *Def, got int) error {
	least, most := d.Sig.Arity()
	want := fmt.Sprintf("%d", least)
	if most < 0 {
		want = "at least " + want
	}
	plural := "s"
	if least == 1 {
		plural = ""
	}
	return fmt.Errorf("%s%v takes %s argument%s, got %d", d.Name, d.Sig, want, plural, got)
}

func (n *Node) fail(err error) {
	m := n.moreCopy()
	if m.err == nil {
		m.err = abi.Errorf(abi.BadCall, "%w", err)
	}
	n.more = m
}

func (n *Node) moreCopy() *more {
	if n.more == nil {
		return &more{}
	}
	m := *n.more
	return &m
}

func (n *Node) node() *Node { return n }

// clone returns a copy of n to be changed before anyone sees it.
func (n *Node) clone() *Node {
	return &Node{def: n.def, args: n.args, pos: n.pos, more: n.moreCopy()}
}

// With returns a copy of n under policy p: what p leaves at zero stays as it was.
func (n *Node) With(p Policy) *Node {
	m := n.clone()
	q := n.Policy().with(p)
	m.more.policy = &q
	return m
}

// After returns a copy of n that waits for deps too, whose results it ignores.
func (n *Node) After(deps ...Expr) *Node {
	m := n.clone()
	m.more.after = slices.Clone(m.more.after)
	for _, d := range deps {
		m.more.after = append(m.more.after, d.node())
	}
	return m
}

// Def returns the definition of n's task, not to be changed.
func (n *Node) Def() *Def { return n.def }

// Args returns n's arguments, not to be changed.
func (n *Node) Args() []Arg { return n.args }

// Pos returns where n was composed.
func (n *Node) Pos() Pos { return n.pos }

// Policy returns how n is to run.
func (n *Node) Policy() Policy { return *n.policy() }

func (n *Node) policy() *Policy {
	if n.more != nil && n.more.policy != nil {
		return n.more.policy
	}
	return &n.def.Policy
}

// deps calls yield for each node that n waits for: arguments first, in order.
func (n *Node) deps(yield func(*Node)) {
	for i := range n.args {
		if d := n.args[i].Node; d != nil {
			yield(d)
		}
	}
	if n.more != nil {
		for _, d := range n.more.after {
			yield(d)
		}
	}
}

// List returns a node whose result is the list of the results of args, which are
// nodes and values.
func List(args ...any) *Node { return list(callerPos(2), args) }

func list(pos Pos, args []any) *Node {
	n := (&Def{Name: "list", Sig: anySignature, Op: listOp{}}).apply(pos, args)
	n.def.Sig.Result = listType(n.args)
	return n
}

// ListOf is [List] for whoever composes on behalf of another language. The slice
// is kept.
func ListOf(pos Pos, args []Arg) *Node {
	sig := anySignature
	sig.Result = listType(args)
	return &Node{def: &Def{Name: "list", Sig: sig, Op: listOp{}}, pos: pos, args: args} // whatever it is, it fits
}

// listType returns the type of a list of args: that of its elements too, where
// all have one.
func listType(args []Arg) abi.Type {
	var elem abi.Type
	for i, a := range args {
		if a.Node == nil {
			return abi.ListType
		}
		t := a.Node.def.Sig.Result
		if i > 0 && t != elem {
			return abi.ListType
		}
		elem = t
	}
	if elem.IsAny() {
		return abi.ListType
	}
	return abi.ListOf(elem)
}

type listOp struct{}

func (listOp) Call(c *Call) (abi.Value, error) { return abi.List(slices.Clone(c.Args)...), nil }
