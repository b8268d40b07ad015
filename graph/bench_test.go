package graph_test

import (
	"context"
	"runtime"
	"testing"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/graph/shapes"
)

var empty = graph.New("empty", abi.Signature{Params: []abi.Param{{Name: "a"}}, Variadic: true, Result: abi.IntType},
	graph.OpFunc(func(*graph.Call) (abi.Value, error) { return abi.Int(1), nil }))

// BenchmarkGraph evaluates graphs of empty Go functions, composed before the
// clock starts; a million nodes each.
func BenchmarkGraph(b *testing.B) {
	for _, s := range shapes.All {
		b.Run(s.Name, func(b *testing.B) {
			x := local(b, 2)
			roots := s.Compose(empty, 1_000_000)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for b.Loop() {
				if _, err := graph.RunAll(context.Background(), x, roots); err != nil {
					b.Fatal(err)
				}
			}
			runtime.ReadMemStats(&after)
			n := float64(b.N) * float64(s.Nodes(1_000_000))
			b.ReportMetric(n/b.Elapsed().Seconds(), "nodes/s")
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/n, "B/node")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "allocs/node")
		})
	}
}

func BenchmarkObserved(b *testing.B) {
	x := local(b, 2)
	s := shapes.All[3]
	roots := s.Compose(empty, 1_000_000)
	for b.Loop() {
		if _, err := graph.RunAll(context.Background(), x, roots, graph.WithObserver(func(graph.Event) {})); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(s.Nodes(1_000_000))/b.Elapsed().Seconds(), "nodes/s")
}

func BenchmarkCompose(b *testing.B) {
	n := add(1, 2)
	b.Run("two nodes", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sinkNode = add(n, n)
		}
	})
	b.Run("values", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sinkNode = add(1000, 2000)
		}
	})
	b.Run("typed", func(b *testing.B) {
		add := graph.As[func(a, b graph.Int) graph.Int](add)
		v := graph.Value[int64](3)
		b.ReportAllocs()
		for b.Loop() {
			sinkNode = add(v, v).Node()
		}
	})
}

var sinkNode *graph.Node

// TestAllocations holds evaluation to at most one allocation and 64 bytes a node.
func TestAllocations(t *testing.T) {
	x := local(t, 2)
	const n = 100_000
	for _, s := range shapes.All[1:3] { // chain and tree: one edge a node
		roots := s.Compose(empty, n)
		run := func() {
			if _, err := graph.RunAll(context.Background(), x, roots); err != nil {
				t.Fatal(err)
			}
		}
		run()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		run()
		runtime.ReadMemStats(&after)
		nodes := float64(s.Nodes(n))
		if b := float64(after.TotalAlloc-before.TotalAlloc) / nodes; b > 64 {
			t.Errorf("%s: %.1f bytes a node", s.Name, b)
		}
		if a := float64(after.Mallocs-before.Mallocs) / nodes; a > 1 {
			t.Errorf("%s: %.3f allocations a node", s.Name, a)
		}
	}
}
