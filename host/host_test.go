package host_test

import (
	"testing"

	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

func open(t testing.TB, c host.Config) *host.Host {
	t.Helper()
	h, err := host.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func load(t testing.TB, h *host.Host, path string) *host.Module {
	t.Helper()
	m, err := h.Load(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestQuickstart(t *testing.T) {
	h := open(t, host.Config{})
	m := load(t, h, "../tasks/math.wasm")
	add, num, one, subtract, five, two := m.Task("add"), m.Task("num"), m.Task("one"), m.Task("subtract"), m.Task("five"), m.Task("two")
	v, err := graph.Run[int64](t.Context(), h, add(add(num(6), one()), subtract(five(), two())))
	if v != 10 || err != nil {
		t.Errorf("got %v, %v; want 10", v, err)
	}
}

func BenchmarkPlain(b *testing.B) {
	h := open(b, host.Config{})
	m := load(b, h, "../tasks/math.wasm")
	add := m.Task("add")
	nodes := make([]*graph.Node, 1000)
	for i := range nodes {
		nodes[i] = add(1, 2)
	}
	for b.Loop() {
		if _, err := graph.RunAll(b.Context(), h, nodes); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/call")
}
