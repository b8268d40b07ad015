package host_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

const typedSleepers = `task echo(a: bytes) -> any
task sleep() -> int
`

// endless are tasks that do not end by themselves.
func endless(t testing.TB, h *host.Host) map[string]*graph.Node {
	stop, typed := loadGuest(t, h, "stop", ""), loadGuest(t, h, "typed", typedSleepers)
	bulk := loadGuest(t, h, "bulk", "")
	return map[string]*graph.Node{
		"loop":        stop.Task("spin")(),
		"fills":       bulk.Task("fill")(),
		"copies":      bulk.Task("copy")(),
		"recursion":   stop.Task("fib")(90),
		"tail calls":  stop.Task("tail")(),
		"call by ref": stop.Task("indirect")(),
		"start":       loadGuest(t, h, "start_spin", "").Task("f")(),
		"_initialize": loadGuest(t, h, "init_spin", "").Task("f")(),
		"alloc":       typed.Task("echo")(make([]byte, 4)),
		"sleep":       typed.Task("sleep")(),
	}
}

// TestStops stops guests, after the garbage collector has run beside them: where it
// cannot, the process freezes.
func TestStops(t *testing.T) {
	h := open(t, config().WithoutCache().WithCPUs(2))
	for name, node := range endless(t, h) {
		t.Run("timeout/"+name, func(t *testing.T) {
			within(t, 2*time.Second, name, func() {
				_, err := graph.RunAll(t.Context(), h, []*graph.Node{node.With(graph.Policy{Timeout: 50 * time.Millisecond})})
				wantError(t, err, abi.TimedOut, "ran longer than its timeout of 50ms")
			})
		})
		t.Run("cancel/"+name, func(t *testing.T) {
			f := graph.Start(t.Context(), h, []*graph.Node{node})
			time.Sleep(10 * time.Millisecond)
			within(t, time.Minute, "collecting garbage", runtime.GC) // seconds, where there is one CPU
			reason := errors.New("had enough")
			f.Cancel(reason)
			within(t, 2*time.Second, name, func() {
				_, err := f.Wait()
				wantError(t, err, abi.Cancelled, "had enough")
				if !errors.Is(err, reason) {
					t.Errorf("%v does not wrap the cause", err)
				}
			})
		})
	}
}

// A failure stops what runs beside it, and errors of several calls stay apart.
func TestFailureStopsOthers(t *testing.T) {
	h := open(t, config().WithoutCache().WithCPUs(4))
	stop, plain := loadGuest(t, h, "stop", ""), loadGuest(t, h, "plain", "")
	wait := graph.Func("wait", func(ctx context.Context) int64 { time.Sleep(20 * time.Millisecond); return 0 })
	nodes := []*graph.Node{stop.Task("spin")(), stop.Task("spin")(), plain.Task("divide")(1, wait())}
	within(t, 2*time.Second, "a failed run", func() {
		_, err := graph.RunAll(t.Context(), h, nodes)
		if e := wantError(t, err, abi.Trapped, "divide: integer divide by zero"); len(e.Log) > 0 || len(e.Stack) != 1 {
			t.Errorf("%+v", e)
		}
	})
}

func TestStackOverflow(t *testing.T) {
	h := open(t, config().WithoutCache())
	recurse := loadGuest(t, h, "stop", "").Task("recurse")
	_, err := run(t.Context(), h, recurse, 0)
	e := wantError(t, err, abi.LimitHit, "more than 1 MiB of stack")
	if len(e.Stack) > 100 {
		t.Errorf("a stack of %d lines", len(e.Stack))
	}
}

func TestStartTraps(t *testing.T) {
	h := open(t, config().WithoutCache())
	_, err := run(t.Context(), h, loadGuest(t, h, "start_trap", "").Task("f"))
	if e := wantError(t, err, abi.Trapped, "f: unreachable"); len(e.Stack) == 0 || e.Stack[0] != "boom" {
		t.Errorf("stack %q", e.Stack)
	}
	_, err = run(t.Context(), h, loadGuest(t, h, "init_trap", "").Task("f"))
	wantError(t, err, abi.Trapped, "f: unreachable")
}

func TestMemoryLimit(t *testing.T) {
	h := open(t, config().WithoutCache().WithMemory(1<<20))
	m := loadGuest(t, h, "state", "")
	for pages, want := range map[int]string{0: "1", 15: "1", 16: "-1", 65535: "-1", -1: "-1"} {
		v, err := run(t.Context(), h, m.Task("grow"), pages)
		if err != nil || jsonOf(t, v) != want {
			t.Errorf("growing by %d pages gives %v, %v; want %s", pages, v, err, want)
		}
	}
	_, err := run(t.Context(), h, m.Task("need"), 99)
	wantError(t, err, abi.LimitHit, "out of memory: it asked for 6.2 MiB, and the limit is 1 MiB (raise it with --memory); then unreachable")
	if _, err = run(t.Context(), h, m.Task("need").With(graph.Policy{Memory: 8 << 20}), 99); err != nil {
		t.Errorf("with a limit of its own: %v", err)
	}
	_, err = run(t.Context(), h, m.Task("need").With(graph.Policy{Memory: 65535}), 0)
	wantError(t, err, abi.LimitHit, "begins with 64 KiB of memory, and the limit is 65535 bytes")

	big := loadGuest(t, h, "start_memory", "").Task("f")
	_, err = run(t.Context(), h, big)
	wantError(t, err, abi.LimitHit, "start_memory begins with 512 MiB of memory, and the limit is 1 MiB; raise it with --memory")
	if _, err = run(t.Context(), h, big.With(graph.Policy{Memory: 512 << 20})); err != nil {
		t.Errorf("with enough: %v", err)
	}
}

// Tables are memory too.
func TestTableLimit(t *testing.T) {
	h := open(t, config().WithoutCache())
	entries := loadGuest(t, h, "state", "").Task("entries")
	for n, want := range map[int]string{1: "1", 2_000_000: "1", 1 << 21: "-1", -2: "-1"} {
		if v, err := run(t.Context(), h, entries, n); err != nil || jsonOf(t, v) != want {
			t.Errorf("%d more entries: %v, %v; want %s", n, v, err, want)
		}
	}
}

func TestFloods(t *testing.T) {
	var log logs
	h := open(t, config().WithoutCache().WithLog(log.logger()))
	m := loadGuest(t, h, "typed", "task log_flood()\ntask print_flood()\n")
	for _, c := range []struct {
		task graph.Task
		want string
	}{
		{m.Task("log_flood"), "log_flood: it logged more than 1 MiB"},
		{m.Task("print_flood"), "print_flood: it logged more than 1 MiB"},
		{loadGuest(t, h, "flood", "").Task("main"), "main: it wrote more than 64 MiB to standard output"},
	} {
		within(t, 5*time.Second, c.want, func() {
			_, err := run(t.Context(), h, c.task)
			wantError(t, err, abi.LimitHit, c.want)
		})
	}
	if n := len(log.String()); n > 16<<20 {
		t.Errorf("%d bytes were logged", n)
	}
}

// A line without an end is cut, between characters.
func TestLongLines(t *testing.T) {
	var log logs
	h := open(t, config().WithoutCache().WithLog(log.logger()))
	files := load(t, h, "testdata/files.wasm").Task("main")
	_, err := run(t.Context(), h, files, strings.Repeat("é", 10_000))
	e := wantError(t, err, abi.Failed, "unknown verb")
	if len(e.Log) < 2 || strings.Contains(strings.Join(e.Log, ""), "\uFFFD") || strings.Count(strings.Join(e.Log, ""), "é") != 10_000 {
		t.Errorf("%d lines: %.100q", len(e.Log), e.Log)
	}
}

// Calls that wazero's WASI would do with gigabytes of the host's memory.
func TestHostileWASI(t *testing.T) {
	h := open(t, config().WithoutCache())
	m := loadGuest(t, h, "typed", "task renumber() -> int\ntask poll_many() -> int\n")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := run(t.Context(), h, m.Task("renumber")); err != nil {
		t.Error(err)
	}
	if _, err := run(t.Context(), h, m.Task("poll_many")); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
		t.Errorf("they allocated %d MiB", n>>20)
	}
}
