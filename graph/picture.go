package graph

// Pictures of a graph as it is composed: an edge list, JSON, DOT and Mermaid.
// Nodes are numbered in the order in which a reader meets them, from the roots
// down, so that a picture of the same graph is the same text every time.

import (
	"encoding/json"
	"fmt"
	"strings"
)

// number lists the nodes of a graph, roots first, each before what it needs.
func number(roots []*Node) (nodes []*Node, ids map[*Node]int) {
	ids = map[*Node]int{}
	stack := append([]*Node(nil), roots...)
	for i, j := 0, len(stack)-1; i < j; i, j = i+1, j-1 {
		stack[i], stack[j] = stack[j], stack[i]
	}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if _, seen := ids[n]; n == nil || seen {
			continue
		}
		ids[n] = len(nodes)
		nodes = append(nodes, n)
		var deps []*Node
		n.deps(func(d *Node) { deps = append(deps, d) })
		for i := len(deps) - 1; i >= 0; i-- {
			stack = append(stack, deps[i])
		}
	}
	return nodes, ids
}

func (n *Node) after() []*Node {
	if n.more == nil {
		return nil
	}
	return n.more.after
}

// String returns the graph below n, one edge a line: consumer[argument] <- producer.
func (n *Node) String() string {
	nodes, ids := number([]*Node{n})
	name := func(n *Node) string { return fmt.Sprintf("%s@%d", n.def.Name, ids[n]) }
	var b strings.Builder
	for _, n := range nodes {
		if len(n.args)+len(n.after()) == 0 {
			fmt.Fprintf(&b, "%s\n", name(n))
		}
		for i, a := range n.args {
			if a.Node != nil {
				fmt.Fprintf(&b, "%s[%d] <- %s\n", name(n), i, name(a.Node))
			} else {
				fmt.Fprintf(&b, "%s[%d] <- %v\n", name(n), i, a.Value)
			}
		}
		for _, d := range n.after() {
			fmt.Fprintf(&b, "%s after %s\n", name(n), name(d))
		}
	}
	return b.String()
}

// Picture returns the graph below roots as it is composed, in one of the formats
// "json", "dot" (Graphviz) and "mmd" (Mermaid).
func Picture(format string, roots ...*Node) ([]byte, error) {
	switch format {
	case "json":
		return toJSON(roots)
	case "dot":
		return []byte(toDOT(roots)), nil
	case "mmd":
		return []byte(toMermaid(roots)), nil
	}
	return nil, fmt.Errorf("graph: unknown format %q: want json, dot or mmd", format)
}

// toJSON returns the graph as an object with its nodes: for each an id, the task,
// where it was composed, and arguments, each {"node": id} or {"value": …}
// (shortened; see [abi.Value.String]).
func toJSON(roots []*Node) ([]byte, error) {
	type arg struct {
		Node  *int   `json:"node,omitempty"`
		Value string `json:"value,omitempty"`
	}
	type node struct {
		ID    int    `json:"id"`
		Task  string `json:"task"`
		Pos   string `json:"pos"`
		Args  []arg  `json:"args"`
		After []int  `json:"after,omitempty"`
	}
	nodes, ids := number(roots)
	out := struct {
		Roots []int  `json:"roots"`
		Nodes []node `json:"nodes"`
	}{[]int{}, []node{}}
	for _, r := range roots {
		out.Roots = append(out.Roots, ids[r])
	}
	for i, n := range nodes {
		o := node{ID: i, Task: n.def.Name, Pos: n.pos.String(), Args: []arg{}}
		for _, a := range n.args {
			if a.Node != nil {
				id := ids[a.Node]
				o.Args = append(o.Args, arg{Node: &id})
			} else {
				o.Args = append(o.Args, arg{Value: a.Value.String()})
			}
		}
		for _, d := range n.after() {
			o.After = append(o.After, ids[d])
		}
		out.Nodes = append(out.Nodes, o)
	}
	return json.MarshalIndent(out, "", "  ")
}

// label returns what a node is called in a picture: the task with the arguments
// that are values.
func label(n *Node) string {
	var vals []string
	for _, a := range n.args {
		if a.Node == nil {
			vals = append(vals, a.Value.String())
		}
	}
	if len(vals) == 0 {
		return n.def.Name
	}
	return n.def.Name + "(" + strings.Join(vals, ", ") + ")"
}

// toDOT returns the graph in the language of Graphviz, edges drawn the
// way that values flow.
func toDOT(roots []*Node) string {
	nodes, ids := number(roots)
	var b strings.Builder
	b.WriteString("digraph entangle {\n  rankdir=BT; node [shape=box, style=rounded];\n")
	for i, n := range nodes {
		fmt.Fprintf(&b, "  n%d [label=%s];\n", i, dotQuote(label(n)))
	}
	for i, n := range nodes {
		for k, a := range n.args {
			if a.Node != nil && len(n.args) > 1 {
				fmt.Fprintf(&b, "  n%d -> n%d [label=%d];\n", ids[a.Node], i, k)
			} else if a.Node != nil {
				fmt.Fprintf(&b, "  n%d -> n%d;\n", ids[a.Node], i)
			}
		}
		for _, d := range n.after() {
			fmt.Fprintf(&b, "  n%d -> n%d [style=dashed];\n", ids[d], i)
		}
	}
	b.WriteString("}\n")
	return b.String()
}

func dotQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// toMermaid returns the graph as a Mermaid flowchart.
func toMermaid(roots []*Node) string {
	nodes, ids := number(roots)
	var b strings.Builder
	b.WriteString("flowchart BT\n")
	quote := strings.NewReplacer(`"`, "#quot;", "\n", " ", "#", "#35;", "<", "&lt;", ">", "&gt;", "`", "#96;")
	for i, n := range nodes {
		fmt.Fprintf(&b, "  n%d[\"%s\"]\n", i, quote.Replace(label(n)))
	}
	for i, n := range nodes {
		for _, a := range n.args {
			if a.Node != nil {
				fmt.Fprintf(&b, "  n%d --> n%d\n", ids[a.Node], i)
			}
		}
		for _, d := range n.after() {
			fmt.Fprintf(&b, "  n%d -.-> n%d\n", ids[d], i)
		}
	}
	return b.String()
}
