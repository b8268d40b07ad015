// Package shapes composes the graphs that benchmarks run: `go test -bench` and
// `entangle bench` measure the same ones.
package shapes

import "entangle.example/entangle/graph"

// A Shape is a way to connect nodes.
type Shape struct {
	Name string
	// Compose returns the roots of a graph of about n applications of task,
	// which takes up to two arguments.
	Compose func(task graph.Task, n int) []*graph.Node
	// Nodes returns how many nodes exactly Compose makes.
	Nodes func(n int) int
}

// stencilWidth is how many nodes of a stencil are independent.
const stencilWidth = 1000

// All are the shapes of the contract: graph/* and flow/* of `entangle bench`.
var All = []Shape{
	{"fanout", fanout, func(n int) int { return n }},
	{"chain", chain, func(n int) int { return n }},
	{"tree", tree, func(n int) int { return 2*((n+1)/2) - 1 }},
	{"stencil", stencil, func(n int) int { return max(1, n/stencilWidth) * stencilWidth }},
}

// fanout makes n nodes without edges.
func fanout(task graph.Task, n int) []*graph.Node {
	roots := make([]*graph.Node, n)
	for i := range roots {
		roots[i] = task()
	}
	return roots
}

// chain makes each node the argument of the next.
func chain(task graph.Task, n int) []*graph.Node {
	node := task()
	for range n - 1 {
		node = task(node)
	}
	return []*graph.Node{node}
}

// tree reduces leaves in pairs.
func tree(task graph.Task, n int) []*graph.Node {
	level := fanout(task, (n+1)/2)
	for len(level) > 1 {
		var up []*graph.Node
		for i := 0; i+1 < len(level); i += 2 {
			up = append(up, task(level[i], level[i+1]))
		}
		if len(level)%2 == 1 {
			up = append(up, level[len(level)-1])
		}
		level = up
	}
	return level
}

// stencil makes rows in which each node needs two neighbours of the row before.
func stencil(task graph.Task, n int) []*graph.Node {
	row := fanout(task, stencilWidth)
	for range max(1, n/stencilWidth) - 1 {
		next := make([]*graph.Node, stencilWidth)
		for i := range next {
			next[i] = task(row[i], row[(i+1)%stencilWidth])
		}
		row = next
	}
	return row
}
