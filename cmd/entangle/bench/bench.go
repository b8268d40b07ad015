// Package bench measures what `entangle bench` prints. The names and units are
// part of the command line's contract.
package bench

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/graph/shapes"
	"entangle.example/entangle/host"
)

//go:embed guests/bench.wasm
var benchGuest []byte

//go:embed guests/hello.wasm
var helloGuest []byte

//go:embed guests/go.wasm
var goGuest []byte

//go:embed guests/kernels.wasm
var kernelGuest []byte

// A Result is one measurement.
type Result struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// measurement is one thing that can be measured with a host.
type measurement struct {
	name string
	unit string
	run  func(context.Context, *host.Host) (float64, error)
	// open is run's place in what opens hosts of its own.
	open func(context.Context, host.Config) (float64, error)
}

// graphNodes and flowNodes are how many nodes the graphs have.
const (
	graphNodes = 1_000_000
	flowNodes  = 50_000
)

func measurements() []measurement {
	text := strings.Repeat("x", 100)
	ms := []measurement{
		{name: "call/plain", unit: "ns", run: call(benchGuest, "work", 7)},
		{name: "call/pure", unit: "ns", run: call(benchGuest, "empty2", 1, 2)},
		{name: "call/typed", unit: "ns", run: call(benchGuest, "echo", text)},
		{name: "call/typed-go", unit: "ns", run: call(goGuest, "echo", text)},
		{name: "call/command", unit: "ns", run: call(helloGuest, "main", "x")},
		{name: "call/go", unit: "ns", run: call(goGuest, "add", 1, 2)},
		{name: "call/host", unit: "ns", run: hostCall},
		{name: "reset/c", unit: "ns", run: reset(benchGuest, "work", 7)},
		{name: "reset/go", unit: "ns", run: reset(goGuest, "add", 1, 2)},
		{name: "instances/first", unit: "ns", run: firstInstance},
		{name: "instances/idle", unit: "bytes", run: idleInstance},
		{name: "stop/overhead", unit: "ratio", run: stopOverhead},
		{name: "stop/latency", unit: "ns", run: stopLatency},
		{name: "wasi/fd_write", unit: "ns", run: wasiCall("writes")},
		{name: "wasi/clock", unit: "ns", run: wasiCall("clocks")},
		{name: "wasi/random", unit: "ns", run: wasiCall("randoms")},
		{name: "wasi/read", unit: "ratio", open: wasiRead},
		{name: "wasi/files", unit: "ratio", open: wasiFiles},
	}
	for _, s := range shapes.All {
		ms = append(ms, measurement{name: "graph/" + s.Name, unit: "nodes/s", run: evaluate(s, graphNodes, func(context.Context, *host.Host) (graph.Task, error) {
			return emptyFunc, nil
		})})
	}
	for _, s := range shapes.All {
		ms = append(ms, measurement{name: "flow/" + s.Name, unit: "nodes/s", run: evaluate(s, flowNodes, emptyGuest)})
	}
	ms = append(ms, measurement{name: "metg", unit: "µs", run: metg})
	if os.Getenv(PythonFolder) != "" {
		ms = append(ms, measurement{name: "python/turn", unit: "ns", open: pythonTurns},
			measurement{name: "python/first", unit: "ns", open: pythonFirst})
	}
	return ms
}

// Names returns the names of all measurements.
func Names() []string {
	var names []string
	for _, m := range measurements() {
		names = append(names, m.name)
	}
	return names
}

// Select returns the names that begin with one of prefixes, or all without any.
// A prefix of nothing is an error.
func Select(prefixes []string) ([]string, error) {
	if len(prefixes) == 0 {
		return Names(), nil
	}
	var names []string
	for _, p := range prefixes {
		found := false
		for _, n := range Names() {
			if strings.HasPrefix(n, p) {
				found = true
				if !slices.Contains(names, n) {
					names = append(names, n)
				}
			}
		}
		if !found {
			return nil, fmt.Errorf("nothing to measure begins with %q; there are %s", p, strings.Join(Names(), ", "))
		}
	}
	return names, nil
}

// Run measures names, in that order, on a host made from c, and gives each result
// to report as it comes.
func Run(ctx context.Context, c host.Config, names []string, report func(Result) error) error {
	for _, m := range measurements() {
		if !slices.Contains(names, m.name) {
			continue
		}
		v, err := measure(ctx, c, m)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if err := report(Result{m.name, v, m.unit}); err != nil {
			return err
		}
	}
	return nil
}

func measure(ctx context.Context, c host.Config, m measurement) (v float64, err error) {
	if m.open != nil {
		return m.open(ctx, c)
	}
	if !strings.HasPrefix(m.name, "graph/") && !strings.HasPrefix(m.name, "flow/") && m.name != "metg" {
		c = c.WithCPUs(1) // one call after the other
	}
	h, err := host.Open(c)
	if err != nil {
		return 0, err
	}
	defer func() {
		if closeErr := h.Close(); err == nil {
			err = closeErr
		}
	}()
	return m.run(ctx, h)
}

// rounds is how often a thing is measured; the median counts.
const rounds = 5

func median(vs []float64) float64 {
	slices.Sort(vs)
	return vs[len(vs)/2]
}

// timed runs nodes and returns how long that took.
func timed(ctx context.Context, h *host.Host, nodes []*graph.Node) (time.Duration, error) {
	start := time.Now()
	_, err := graph.RunAll(ctx, h, nodes)
	return time.Since(start), err
}

var emptyFunc = graph.New("empty", abi.Signature{Params: []abi.Param{{Name: "a"}}, Variadic: true, Result: abi.IntType},
	graph.OpFunc(func(*graph.Call) (abi.Value, error) { return abi.Int(1), nil }))

// emptyGuest returns a task that applies the plain export of as many parameters
// as it is given arguments.
func emptyGuest(ctx context.Context, h *host.Host) (graph.Task, error) {
	m, err := h.LoadBytes(ctx, "bench", benchGuest)
	if err != nil {
		return nil, err
	}
	byArity := []graph.Task{m.Task("empty0"), m.Task("empty1"), m.Task("empty2")}
	return func(args ...any) *graph.Node { return byArity[len(args)](args...) }, nil
}

// evaluate measures nodes a second of a graph that is composed before.
func evaluate(s shapes.Shape, n int, task func(context.Context, *host.Host) (graph.Task, error)) func(context.Context, *host.Host) (float64, error) {
	return func(ctx context.Context, h *host.Host) (float64, error) {
		t, err := task(ctx, h)
		if err != nil {
			return 0, err
		}
		roots := s.Compose(t, n)
		var rates []float64
		for range rounds {
			d, err := timed(ctx, h, roots)
			if err != nil {
				return 0, err
			}
			rates = append(rates, float64(s.Nodes(n))/d.Seconds())
		}
		return median(rates), nil
	}
}

// metg measures the minimum effective task granularity (Slaughter et al., "Task
// Bench", SC20): the mean time that a task of a stencil holds a worker, in
// microseconds, where the machine does half of the work that it could.
func metg(ctx context.Context, h *host.Host) (float64, error) {
	m, err := h.LoadBytes(ctx, "bench", benchGuest)
	if err != nil {
		return 0, err
	}
	spin := m.Task("spin")
	const nodes = 4000
	stencil := shapes.All[slices.IndexFunc(shapes.All, func(s shapes.Shape) bool { return s.Name == "stencil" })]
	workers := float64(h.Pool().Workers())
	type point struct{ steps, rate, granularity float64 }
	at := func(steps int) (point, error) {
		roots := stencil.Compose(func(args ...any) *graph.Node {
			in := []any{steps, 0, 0}
			copy(in[1:], args)
			return spin(in...)
		}, nodes)
		var best time.Duration
		for range 3 {
			d, err := timed(ctx, h, roots)
			if err != nil {
				return point{}, err
			}
			if best == 0 || d < best {
				best = d
			}
		}
		n := float64(stencil.Nodes(nodes))
		return point{float64(steps), n * float64(steps) / best.Seconds(), best.Seconds() * 1e6 * workers / n}, nil
	}
	var points []point
	for steps := 64; ; steps *= 2 {
		p, err := at(steps)
		if err != nil {
			return 0, err
		}
		points = append(points, p)
		// The peak is reached when twice the work gives hardly more a second.
		if k := len(points); k > 3 && p.rate < 1.03*points[k-2].rate && p.granularity > 4*points[0].granularity || p.granularity > 20_000 {
			break
		}
	}
	half := slices.MaxFunc(points, func(a, b point) int { return cmp.Compare(a.rate, b.rate) }).rate / 2
	for i, p := range points {
		if p.rate < half {
			continue
		}
		if i == 0 {
			return p.granularity, nil
		}
		q := points[i-1]
		f := (half - q.rate) / (p.rate - q.rate)
		return q.granularity + f*(p.granularity-q.granularity), nil
	}
	return 0, fmt.Errorf("no granularity reaches half of the peak")
}
