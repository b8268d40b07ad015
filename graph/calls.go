package graph

// The call graph in the shape that the original Entangle prints. It is a tree: a
// node used twice is written twice, so the size of what is written, and not of
// the graph, is bounded. It is written without recursion, for a chain may be a
// million calls long.

import (
	"encoding/json"

	"entangle.example/entangle/abi"
)

// maxCalls bounds how many calls and values [Calls] writes.
const maxCalls = 1 << 20

// Calls returns the tree of calls that n is, as JSON:
//
//	{"add": [{"num": {"6": []}}, {"one": []}]}
//
// A call is a key, the task's name, with its arguments in order: an object whose
// keys are the names of their tasks, or, where two of them have the same name, a
// list of objects of one key each. The outermost call's arguments are always a
// list. An argument that is a value is a key too, with an empty list; a call
// without arguments has an empty list. What n waits for by [Node.After] is no
// argument. A node used twice is there twice; Calls fails with code LimitHit
// where more than a million keys would be.
func Calls(n Expr) (json.RawMessage, error) {
	// What is open: a node, the next of its arguments, and whether they are a list.
	type frame struct {
		n    *Node
		next int
		list bool
	}
	key := func(b []byte, k string) ([]byte, error) {
		q, err := json.Marshal(k)
		return append(append(b, q...), ':'), err
	}
	root := n.node()
	if root == nil {
		return nil, abi.Errorf(abi.BadCall, "graph.Calls: the node is nil")
	}
	b, err := key([]byte{'{'}, root.def.Name)
	if err != nil {
		return nil, err
	}
	b = append(b, '[')
	stack := []frame{{n: root, list: true}}
	keys := 1
	for len(stack) > 0 {
		f := &stack[len(stack)-1]
		if f.next == len(f.n.args) {
			end := byte('}')
			if f.list {
				end = ']'
			}
			b = append(b, end)
			stack = stack[:len(stack)-1]
			if len(stack) > 0 && stack[len(stack)-1].list {
				b = append(b, '}')
			}
			continue
		}
		if keys++; keys > maxCalls {
			return nil, newError(root, abi.Errorf(abi.LimitHit, "its tree of calls has more than %d entries: some nodes are used many times", maxCalls))
		}
		if f.next > 0 {
			b = append(b, ',')
		}
		a := &f.n.args[f.next]
		f.next++
		if f.list {
			b = append(b, '{')
		}
		if b, err = key(b, a.name()); err != nil {
			return nil, err
		}
		if a.Node == nil {
			b = append(b, '[', ']')
			if f.list {
				b = append(b, '}')
			}
			continue
		}
		list := len(a.Node.args) == 0 || a.Node.repeats()
		if list {
			b = append(b, '[')
		} else {
			b = append(b, '{')
		}
		stack = append(stack, frame{n: a.Node, list: list})
	}
	return append(b, '}'), nil
}

// name returns what an argument is called in a tree of calls.
func (a *Arg) name() string {
	if a.Node != nil {
		return a.Node.def.Name
	}
	if s, ok := a.Value.Str(); ok {
		return s
	}
	return a.Value.String()
}

// repeats reports whether two of n's arguments have the same name.
func (n *Node) repeats() bool {
	if len(n.args) == 2 {
		return n.args[0].name() == n.args[1].name()
	}
	seen := make(map[string]bool, len(n.args))
	for i := range n.args {
		name := n.args[i].name()
		if seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}
