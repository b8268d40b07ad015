package host_test

import (
	"strings"
	"testing"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

// TestEachLimit tries every limit of a call, as the host's default and as a task's
// policy: what is just within it works, what is just beyond says which it was.
func TestEachLimit(t *testing.T) {
	deep := graph.Limits{Stack: host.MaxStack}
	for name, c := range map[string]struct {
		guest, task    string
		within, beyond any
		policy         graph.Policy // with one limit
		want           string       // in the error; if it begins with "=", the result
	}{
		"memory":     {"busy", "need", 1, 2, graph.Policy{Memory: 1 << 20}, "need: out of memory: it asked for 2 MiB, and the limit is 1 MiB (raise it with --memory); then unreachable"},
		"stack":      {"busy", "down", 500, 100_000, limited(graph.Limits{Stack: 64 << 10}), "64 KiB of stack"},
		"more stack": {"busy", "down", 80_000, 1_000_000, limited(deep), "4 MiB of stack"},
		"log bytes":  {"busy", "text", 1000, 1001, limited(graph.Limits{LogBytes: 1000}), "text: it logged more than 1000 bytes, the limit of a call"},
		"log lines":  {"busy", "lines", 10, 11, limited(graph.Limits{LogLines: 10}), "lines: it logged more than 10 lines, the limit of a call"},
		"host calls": {"busy", "lines", 10, 11, limited(graph.Limits{HostCalls: 10}), "lines: it called the host more than 10 times, the limit of a call"},
		"table":      {"tables", "entries", 10, 11, limited(graph.Limits{Table: 10}), "=-1"},
		"result": {"../../tasks/text", "upper", strings.Repeat("a", 98), strings.Repeat("a", 99), limited(graph.Limits{Result: 100}),
			"upper: the result has 101 bytes, more than 100 bytes, the limit of a call"},
		"output": {"../../examples/plain/hello", "main", "a", strings.Repeat("a", 100), limited(graph.Limits{Result: 100}),
			"main: it wrote more than 100 bytes to standard output, the limit of a call"},
	} {
		t.Run(name, func(t *testing.T) {
			limits := c.policy.Limits
			hosts := twoWorkers()
			if name == "stack" { // which goes deeper than the default lets it
				hosts = hosts.WithLimits(deep)
			}
			for by, h := range map[string]*host.Host{
				"policy": open(t, hosts),
				"host":   open(t, twoWorkers().WithMemory(c.policy.Memory).WithLimits(limits)),
			} {
				task := load(t, h, "testdata/"+c.guest+".wasm").Task(c.task)
				if by == "policy" {
					task = task.With(c.policy)
				}
				for range 3 { // a limit of one call is none of the next
					if got := outcome(t, h, task, c.within); strings.Contains(got, "limit") || got == "-1" {
						t.Errorf("by the %s, within the limit: %s", by, got)
					}
					v, err := run(t.Context(), h, task, c.beyond)
					if want, ok := strings.CutPrefix(c.want, "="); ok {
						if err != nil || jsonOf(t, v) != want {
							t.Errorf("by the %s, beyond the limit: %v, %v; want %s", by, v, err, want)
						}
						continue
					}
					wantError(t, err, abi.LimitHit, c.want)
				}
			}
		})
	}
}

func limited(l graph.Limits) graph.Policy { return graph.Policy{Limits: l} }

// Calls with limits of their own, between others that have the host's, on the same
// instances: each has its own.
func TestLimitsBetweenCalls(t *testing.T) {
	h := open(t, config().WithoutCache().WithCPUs(1).WithLimits(graph.Limits{Stack: host.MaxStack}))
	m := loadGuest(t, h, "busy", "")
	need, lines, down := m.Task("need"), m.Task("lines"), m.Task("down")
	little := graph.Policy{Memory: 1 << 20, Limits: graph.Limits{LogLines: 2, HostCalls: 3, Stack: 64 << 10}}
	for range 5 {
		for _, c := range []struct {
			node *graph.Node
			code abi.Code // 0: it works
		}{
			{need(1), 0}, {need(200), 0}, {need.With(little)(2), abi.LimitHit}, {need(200), 0},
			{lines(1000), 0}, {lines.With(little)(3), abi.LimitHit}, {lines.With(little)(2), 0}, {lines(1000), 0},
			{down(100_000), 0}, {down.With(little)(100_000), abi.LimitHit}, {down(100_000), 0},
		} {
			_, err := graph.RunAll(t.Context(), h, []*graph.Node{c.node})
			if codeOf(err) != c.code {
				t.Errorf("%s: %v, want the code %v", c.node.Def().Name, err, c.code)
			}
		}
	}
}

// Limits that make no sense, in a policy, are a mistake of whoever wrote it.
func TestPolicyLimitsChecked(t *testing.T) {
	h := open(t, twoWorkers())
	task := loadGuest(t, h, "tables", "").Task("entries")
	for name, p := range map[string]graph.Policy{
		"memory": {Memory: -1}, "more memory": {Memory: host.MaxMemory + 1}, "table": limited(graph.Limits{Table: -1}),
		"stack": limited(graph.Limits{Stack: -1}), "log": limited(graph.Limits{LogBytes: -1}), "lines": limited(graph.Limits{LogLines: -1}),
		"result": limited(graph.Limits{Result: -1}), "host calls": limited(graph.Limits{HostCalls: -1}),
	} {
		if _, err := run(t.Context(), h, task.With(p), 1); codeOf(err) != abi.BadCall {
			t.Errorf("%s: error %v, want one with the code %v", name, err, abi.BadCall)
		}
	}
}
