package flow

import (
	"fmt"
	"hash/maphash"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
)

// A node is a node of the graph. To the script it is opaque until it is called.
//
// A node that is used as if it were its result is a mistake that is easily made.
// The interpreter has no way to return an error from some of these uses; refuse
// stops the script at the next step instead.
type node struct {
	s *script
	g *graph.Node
}

func (n *node) String() string {
	var b strings.Builder
	b.WriteString("<node " + n.g.Def().Name + "(")
	const most = 4
	for i, a := range n.g.Args() {
		if i > 0 {
			b.WriteString(", ")
		}
		switch {
		case i == most:
			b.WriteString("…")
		case a.Node != nil && len(a.Node.Args()) > 0:
			b.WriteString(a.Node.Def().Name + "(…)")
		case a.Node != nil:
			b.WriteString(a.Node.Def().Name + "()")
		default:
			b.WriteString(a.Value.String())
		}
		if i == most {
			break
		}
	}
	b.WriteString(")>")
	return b.String()
}

func (n *node) Type() string { return "node" }
func (n *node) Freeze()      {}
func (n *node) Name() string { return n.g.Def().Name }

// hashSeed differs from process to process; nothing shows in what order nodes hash.
var hashSeed = maphash.MakeSeed()

// Hash makes a node a key of dicts and sets, by identity.
func (n *node) Hash() (uint32, error) { return uint32(maphash.Comparable(hashSeed, n.g)), nil }

// CallInternal runs the node.
func (n *node) CallInternal(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if len(args)+len(kwargs) > 0 {
		return nil, badScript("a node of %s takes no arguments: calling it runs it", n.Name())
	}
	vs, err := n.s.evaluate([]*graph.Node{n.g})
	if err != nil {
		return nil, err
	}
	return fromValue(vs[0]), nil
}

// unrun returns the error of using n for its result.
func (n *node) unrun(use string) error {
	return failure("%s: this is a node of %s, which has not run; call it to run it, as in result()", use, n.Name())
}

func (n *node) Truth() starlark.Bool {
	n.s.refuse(n.unrun("true or false?"))
	return false
}

func (n *node) Iterate() starlark.Iterator {
	n.s.refuse(n.unrun("cannot go through its elements"))
	return starlark.Tuple(nil).Iterate()
}

func (n *node) Get(starlark.Value) (starlark.Value, bool, error) {
	err := n.unrun("cannot look into it")
	n.s.refuse(err) // where an error would count as "not found"
	return nil, false, fmt.Errorf("%w; or compose item(node, key)", err)
}

func (n *node) Binary(op syntax.Token, _ starlark.Value, _ starlark.Side) (starlark.Value, error) {
	return nil, n.unrun("operator " + op.String())
}

func (n *node) Unary(op syntax.Token) (starlark.Value, error) {
	return nil, n.unrun("operator " + op.String())
}

var (
	_ starlark.Callable  = (*node)(nil)
	_ starlark.Iterable  = (*node)(nil)
	_ starlark.Mapping   = (*node)(nil)
	_ starlark.HasBinary = (*node)(nil)
	_ starlark.HasUnary  = (*node)(nil)
)

// run is run(a, b, …) and run([a, b, …]): all at once, as one graph.
func (s *script) run(args starlark.Tuple) (starlark.Value, error) {
	var elems starlark.Indexable = args
	if len(args) == 1 {
		switch x := args[0].(type) {
		case *starlark.List:
			elems = x
		case starlark.Tuple:
			elems = x
		}
	}
	roots := make([]*graph.Node, elems.Len())
	for i := range roots {
		n, ok := elems.Index(i).(*node)
		if !ok {
			return nil, badScript("run: argument %d is a %s, want a node, which is what calling a task gives", i+1, elems.Index(i).Type())
		}
		roots[i] = n.g
	}
	vs, err := s.evaluate(roots)
	if err != nil {
		return nil, err
	}
	return starlark.NewList(fromValues(vs)), nil
}

// itemDef is the task of item(of, key).
var itemDef = &graph.Def{Name: "item", Doc: "Takes one element of a list (by number, from the end if negative) or of a map (by key).",
	Sig: abi.Signature{Params: []abi.Param{{Name: "of", Type: abi.Any}, {Name: "key", Type: abi.Any}}}, Op: graph.OpFunc(item)}

func item(c *graph.Call) (abi.Value, error) {
	of, key := c.Args[0], c.Args[1]
	if vs, ok := of.List(); ok {
		i, ok := key.Int()
		if !ok {
			return abi.Value{}, abi.Errorf(abi.BadCall, "a list is indexed by an int, got %v", key)
		}
		if i < 0 {
			i += int64(len(vs))
		}
		if i < 0 || i >= int64(len(vs)) {
			return abi.Value{}, abi.Errorf(abi.Failed, "a list of %d elements has no element %v", len(vs), key)
		}
		return vs[i], nil
	}
	if of.Kind() != abi.MapKind {
		return abi.Value{}, abi.Errorf(abi.BadCall, "want a list or a map, got %v", of.Kind())
	}
	name, ok := key.Str()
	if !ok {
		return abi.Value{}, abi.Errorf(abi.BadCall, "a map is indexed by a string, got %v", key)
	}
	v, found := of.Get(name)
	if !found {
		return abi.Value{}, abi.Errorf(abi.Failed, "the map has no key %q", name)
	}
	return v, nil
}
