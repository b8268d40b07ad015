package host_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

// A crowd of runs on several workers never shares an instance: count would see
// another call's state.
func TestNoInstanceShared(t *testing.T) {
	h := open(t, config().WithoutCache().WithCPUs(4))
	m := loadGuest(t, h, "busy", "")
	var wg sync.WaitGroup
	for k := range 6 {
		wg.Go(func() {
			for round := range 5 {
				var nodes []*graph.Node
				for range 200 {
					nodes = append(nodes, m.Task("count")())
				}
				nodes = append(nodes, m.Task("naps")(int64(1), 60_000)) // gives a worker up and takes another
				vs, err := graph.RunAll(context.WithoutCancel(t.Context()), h, nodes)
				if err != nil {
					t.Errorf("run %d.%d: %v", k, round, err)
					return
				}
				for _, v := range vs {
					if jsonOf(t, v) != "1" {
						t.Errorf("run %d.%d: an instance has had %v calls", k, round, v)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

// The first calls of a module, all at once, while nothing is initialized yet.
func TestFirstCallsAtOnce(t *testing.T) {
	for range 5 {
		h := open(t, config().WithoutCache().WithCPUs(8))
		m := loadGuest(t, h, "variables", "")
		for range 3 {
			atOnce(t, h, 8, m.Task("found"), "0")
		}
		if n := h.Live(); n < 1 || n > 8+8 { // idle ones: a worker's, and spare ones
			t.Errorf("%d instances are left", n)
		}
	}
}

// atOnce makes n calls of a task, in as many runs.
func atOnce(t *testing.T, h *host.Host, n int, task graph.Task, want string) {
	t.Helper()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if v, err := run(context.WithoutCancel(t.Context()), h, task); err != nil || jsonOf(t, v) != want {
				t.Errorf("got %v, %v; want %s", v, err, want)
			}
		})
	}
	wg.Wait()
}

// What a module does with what it was granted, it does when it is initialized: so a
// call that is granted something has an instance that nobody had before, or after.
func TestGrantsGetFreshInstance(t *testing.T) {
	t.Setenv("ENTANGLE_TEST_A", "1")
	t.Setenv("ENTANGLE_TEST_B", "2")
	h := open(t, twoWorkers().WithGrants(grant(t, "env=ENTANGLE_TEST_A"), grant(t, "env=ENTANGLE_TEST_B")))
	found := loadGuest(t, h, "variables", "").Task("found")
	one := graph.Policy{Grants: []abi.Grant{grant(t, "env=ENTANGLE_TEST_A")}}
	none := graph.Policy{Grants: []abi.Grant{}}
	for range 3 {
		for _, c := range []struct {
			task graph.Task
			want string
		}{{found, "2"}, {found.With(none), "0"}, {found.With(one), "1"}, {found.With(none), "0"}, {found, "2"}} {
			onEveryWorker(t, h, c.task, c.want)
		}
	}
}

// The engine that a policy names gives what the host's own gives.
func TestPolicyEngine(t *testing.T) {
	h := open(t, twoWorkers())
	busy, plain := loadGuest(t, h, "busy", ""), loadGuest(t, h, "plain", "")
	text, hello := load(t, h, "../tasks/text.wasm"), load(t, h, "../examples/plain/hello.wasm")
	for _, e := range host.Engines() {
		other := graph.Policy{Engine: e.Name}
		if e.Missing != "" {
			_, err := run(t.Context(), h, plain.Task("i64").With(other), 1)
			wantError(t, err, abi.BadCall, "engine "+e.Name+" is not in this program")
			continue
		}
		for _, c := range []struct {
			task graph.Task
			args []any
		}{
			{busy.Task("tree"), []any{20}}, {busy.Task("count"), nil}, {busy.Task("trap"), nil},
			{busy.Task("down"), []any{500}}, {busy.Task("need").With(graph.Policy{Memory: 1 << 20}), []any{5}},
			{busy.Task("lines").With(graph.Policy{Limits: graph.Limits{LogLines: 3}}), []any{4}},
			{plain.Task("several"), []any{3, 1.5}}, {plain.Task("divide"), []any{1, 0}}, {plain.Task("f32"), []any{0.1}},
			{text.Task("upper"), []any{"one two"}}, {hello.Task("main"), []any{"a"}},
		} {
			a, b := outcome(t, h, c.task, c.args...), outcome(t, h, c.task.With(other), c.args...)
			if a != b {
				t.Errorf("with %s: %s\nwith %s: %s", h.Engine(), a, e.Name, b)
			}
		}
		_, err := run(t.Context(), h, busy.Task("loop").With(graph.Policy{Engine: e.Name, Timeout: 5e6}))
		wantError(t, err, abi.TimedOut, "loop ran longer than its timeout of 5ms")
	}
	_, err := run(t.Context(), h, plain.Task("i64").With(graph.Policy{Engine: "v8"}), 1)
	wantError(t, err, abi.BadCall, `unknown engine "v8"`)
}

// Warm makes instances ahead, Release gives them back, and calls are right before,
// between and after.
func TestWarm(t *testing.T) {
	h := open(t, twoWorkers())
	m := loadGuest(t, h, "busy", "")
	if n := h.Live(); n != 0 {
		t.Errorf("loading made %d instances that are left", n)
	}
	for range 2 {
		if err := m.Warm(t.Context(), 40); err != nil {
			t.Fatal(err)
		}
		if n := h.Live(); n != 40 {
			t.Errorf("%d instances, want 40", n)
		}
		onEveryWorker(t, h, m.Task("count"), "1")
		if n := h.Live(); n != 40 {
			t.Errorf("after calls, %d instances, want 40", n)
		}
		h.Release()
		if n := h.Live(); n != 0 {
			t.Errorf("released, %d instances are left", n)
		}
		onEveryWorker(t, h, m.Task("count"), "1")
		h.Release()
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupted)
	wantError(t, loadGuest(t, h, "init_spin", "").Warm(ctx, 1), abi.Cancelled, errInterrupted.Error())
	wantError(t, loadGuest(t, h, "init_trap", "").Warm(t.Context(), 1), abi.Trapped, "unreachable")
	wantError(t, loadGuest(t, h, "start_memory", "").Warm(t.Context(), 1), abi.LimitHit, "512 MiB") // the limit is 256
	if n := h.Live(); n != 0 {
		t.Errorf("%d instances are left of what cannot be made", n)
	}
}

// A module of which each call makes an instance anew says so, with why.
func TestWarmRefuses(t *testing.T) {
	h := open(t, twoWorkers())
	m := loadGuest(t, h, "tables", "")
	if reset := m.Info().Reset; reset != "a new instance for each call: its code has table.grow" {
		t.Errorf("reset: %q", reset)
	}
	wantError(t, m.Warm(t.Context(), 1), abi.BadCall, "tables makes an instance anew for each call: its code has table.grow")
	if _, err := run(t.Context(), h, m.Task("five")); err != nil || h.Live() != 0 {
		t.Errorf("error %v, %d instances are left", err, h.Live())
	}
}

// WithIdle bounds the instances of all modules together; those in use do not count.
func TestIdleBounded(t *testing.T) {
	const most = 3
	h := open(t, config().WithoutCache().WithCPUs(4).WithIdle(most))
	for i := range 10 {
		m, err := h.LoadBytes(t.Context(), fmt.Sprint("module ", i), append(guest(t, "busy", ""), section(0, named("number"), fmt.Sprint(i))...))
		if err != nil {
			t.Fatal(err)
		}
		atOnce(t, h, 4, m.Task("count"), "1")
		if n := h.Live(); n > most+4 {
			t.Errorf("after %d modules, %d instances; the bound is %d, and 4 run", i+1, n, most)
		}
	}
}

// Where a call grew its memory or ended badly, no instance is left of it.
func TestWornInstances(t *testing.T) {
	h := open(t, config().WithoutCache().WithCPUs(1))
	m := loadGuest(t, h, "busy", "")
	for _, c := range []struct {
		node *graph.Node
		left int
	}{
		{m.Task("count")(), 1}, {m.Task("need")(1), 0}, {m.Task("count")(), 1}, {m.Task("trap")(), 0}, {m.Task("lines")(3), 1},
		{m.Task("loop")().With(graph.Policy{Timeout: 1e6}), 0}, {m.Task("naps")(1, 1000), 1},
	} {
		_, _ = graph.RunAll(t.Context(), h, []*graph.Node{c.node}) // some are to fail
		if n := h.Live(); n != c.left {
			t.Errorf("after %s, %d instances are left, want %d", c.node.Def().Name, n, c.left)
		}
	}
}

// The calls of pure and of plain tasks allocate nothing.
func TestCallsAllocateNothing(t *testing.T) {
	h := open(t, config().WithoutCache().WithCPUs(1))
	busy, plain := loadGuest(t, h, "busy", ""), loadGuest(t, h, "plain", "")
	b, err := os.ReadFile(filepath.FromSlash("../cmd/entangle/bench/guests/bench.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	bench, err := h.LoadBytes(t.Context(), "bench", b)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for name, node := range map[string]*graph.Node{
		"pure":       plain.Task("i64")(7),
		"plain":      busy.Task("count")(),
		"recursion":  busy.Task("tree")(10),
		"C":          bench.Task("work")(7),
		"a deadline": busy.Task("count")().With(graph.Policy{Timeout: 3600e9}),
		"an actor":   busy.Task("count")().With(actor("a")),
	} {
		submit(t, h, ctx, func(execute func(*graph.Node) (abi.Value, error)) {
			for range 10 {
				if _, err := execute(node); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if n := testing.AllocsPerRun(1000, func() { _, _ = execute(node) }); n > 0 {
				t.Errorf("%s: %v allocations a call", name, n)
			}
		})
	}
}

// What the first call of a module was given is not in the image that others begin
// with: not its arguments, nor its standard input.
func TestFirstCall(t *testing.T) {
	h := open(t, config().WithoutCache().WithCPUs(1))
	main := load(t, h, "testdata/first.wasm").Task("main")
	for _, text := range []string{"secret", "second", "third"} {
		v, err := run(t.Context(), h, main, text, []byte("input of "+text))
		if err != nil {
			t.Fatal(err)
		}
		if got := jsonOf(t, v); text != "secret" && strings.Contains(got, "secret") {
			t.Errorf("the call for %s finds %s", text, got)
		}
	}
}
