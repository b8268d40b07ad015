package bench

// Single calls, through the host and not through a graph: flow/… has both.

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
	"entangle.example/entangle/sched"
)

// A job runs on a worker, as the evaluator's do.
type job struct {
	run  func(*sched.Worker) (*sched.Worker, error)
	done chan error
}

func (j *job) Run(w *sched.Worker) *sched.Worker {
	w, err := j.run(w)
	j.done <- err
	return w
}

// timeCalls makes n calls of node's task, one after the other, and returns how long
// that took.
func timeCalls(ctx context.Context, h *host.Host, node *graph.Node, n int) (d time.Duration, err error) {
	values := make([]abi.Value, len(node.Args()))
	j := &job{done: make(chan error, 1), run: func(w *sched.Worker) (*sched.Worker, error) {
		c := graph.Call{Ctx: ctx, Node: node, Worker: w, Args: values}
		begun := time.Now()
		for range n {
			for k, a := range node.Args() {
				values[k] = a.Value
			}
			if _, err := h.Execute(&c); err != nil {
				return c.Worker, err
			}
		}
		d = time.Since(begun)
		return c.Worker, nil
	}}
	if !h.Pool().Submit(j) {
		return 0, errors.New("the host is closed")
	}
	return d, <-j.done
}

// perCall returns how long a call of node's task takes, in nanoseconds.
func perCall(ctx context.Context, h *host.Host, node *graph.Node) (float64, error) {
	// As many calls as take a tenth of a second.
	const trial = 20
	d, err := timeCalls(ctx, h, node, trial)
	for range 2 {
		if err == nil {
			d, err = timeCalls(ctx, h, node, trial)
		}
	}
	if err != nil {
		return 0, err
	}
	n := int(min(1_000_000, 10+100*time.Millisecond/(d/trial+1)))
	var ns []float64
	for range rounds {
		d, err := timeCalls(ctx, h, node, n)
		if err != nil {
			return 0, err
		}
		ns = append(ns, float64(d.Nanoseconds())/float64(n))
	}
	return median(ns), nil
}

// compose loads binary and composes a call.
func compose(ctx context.Context, h *host.Host, binary []byte, task string, args ...any) (*graph.Node, error) {
	m, err := h.LoadBytes(ctx, "bench", binary)
	if err != nil {
		return nil, err
	}
	n := m.Task(task)(args...)
	_, err = graph.RunAll(ctx, h, []*graph.Node{n}) // which says what is wrong with it
	return n, err
}

// call measures one call of a task, in nanoseconds.
func call(binary []byte, task string, args ...any) func(context.Context, *host.Host) (float64, error) {
	return func(ctx context.Context, h *host.Host) (float64, error) {
		n, err := compose(ctx, h, binary, task, args...)
		if err != nil {
			return 0, err
		}
		return perCall(ctx, h, n)
	}
}

// hostCall measures one call of a host function by a guest, in nanoseconds.
func hostCall(ctx context.Context, h *host.Host) (float64, error) {
	const many = 10_000
	none, err := call(benchGuest, "ask", 0)(ctx, h)
	if err != nil {
		return 0, err
	}
	all, err := call(benchGuest, "ask", many)(ctx, h)
	return (all - none) / many, err
}

// reset measures the reset in a call, in nanoseconds: an actor makes the same call
// without one.
func reset(binary []byte, task string, args ...any) func(context.Context, *host.Host) (float64, error) {
	return func(ctx context.Context, h *host.Host) (float64, error) {
		n, err := compose(ctx, h, binary, task, args...)
		if err != nil {
			return 0, err
		}
		var ns []float64
		for range rounds {
			with, err := perCall(ctx, h, n)
			if err != nil {
				return 0, err
			}
			without, err := perCall(ctx, h, n.With(graph.Policy{Actor: "bench"}))
			if err != nil {
				return 0, err
			}
			ns = append(ns, with-without)
		}
		return median(ns), nil
	}
}

// firstInstance measures making an instance of a module that is initialized, in
// nanoseconds.
func firstInstance(ctx context.Context, h *host.Host) (float64, error) {
	m, err := h.LoadBytes(ctx, "bench", benchGuest)
	if err == nil {
		err = m.Warm(ctx, 1)
	}
	if err != nil {
		return 0, err
	}
	var ns []float64
	for range 200 {
		begun := time.Now()
		if err := m.Warm(ctx, 1); err != nil {
			return 0, err
		}
		ns = append(ns, float64(time.Since(begun)))
		h.Release()
	}
	return median(ns), nil
}

// idleInstance measures the resident memory of an idle instance that has run, in
// bytes: of a thousand actors, each of which has an instance.
func idleInstance(ctx context.Context, h *host.Host) (float64, error) {
	const many = 1000
	n, err := compose(ctx, h, benchGuest, "work", 7)
	if err != nil {
		return 0, err
	}
	before, err := resident()
	if err != nil {
		return 0, err
	}
	for k := range many {
		if _, err := timeCalls(ctx, h, n.With(graph.Policy{Actor: fmt.Sprint(k)}), 1); err != nil {
			return 0, err
		}
	}
	after, err := resident()
	return float64(after-before) / many, err
}

// resident returns the resident memory of this process in bytes.
func resident() (int64, error) {
	debug.FreeOSMemory() // garbage is not of interest
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("the system does not say how much memory is resident: %w", err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// Kernels are the exports of guests/kernels.c, and for how many rounds each takes
// some tens of milliseconds.
var Kernels = []struct {
	Name   string
	Rounds int64
}{{"fib", 32}, {"sum", 400}, {"matmul", 2}, {"sieve", 8}, {"sha256", 40_000}, {"nbody", 100_000}, {"sort", 4}, {"search", 150}}

// stopOverhead measures what checks cost: the time of kernels with them over that
// without, geometric mean.
func stopOverhead(ctx context.Context, h *host.Host) (float64, error) {
	m, err := h.LoadBytes(ctx, "kernels", kernelGuest)
	if err != nil {
		return 0, err
	}
	product := 1.0
	for _, k := range Kernels {
		checked, unchecked, err := m.CompareChecks(ctx, k.Name, k.Rounds, 7)
		if err != nil {
			return 0, err
		}
		product *= checked.Seconds() / unchecked.Seconds()
	}
	return math.Pow(product, 1/float64(len(Kernels))), nil
}

// stopLatency measures how long after its deadline an endless loop ends, in
// nanoseconds.
func stopLatency(ctx context.Context, h *host.Host) (float64, error) {
	m, err := h.LoadBytes(ctx, "bench", benchGuest)
	if err != nil {
		return 0, err
	}
	const limit = 20 * time.Millisecond
	n := m.Task("forever")().With(graph.Policy{Timeout: limit})
	var ns []float64
	for range 25 {
		begun := time.Now()
		_, err := graph.RunAll(ctx, h, []*graph.Node{n})
		if e, ok := errors.AsType[*graph.Error](err); !ok || e.Code() != abi.TimedOut {
			return 0, fmt.Errorf("an endless loop gave %w", err)
		}
		ns = append(ns, float64(time.Since(begun)-limit))
	}
	return median(ns), nil
}
