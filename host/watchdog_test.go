package host_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
	"entangle.example/entangle/sched"
)

// errInterrupted is what Ctrl-C is to a run.
var errInterrupted = errors.New("interrupted by a signal")

// TestDeadlineSays checks what the error of a deadline says: which task, how long it
// ran, and in which functions it was.
func TestDeadlineSays(t *testing.T) {
	const limit = 60 * time.Millisecond
	h := open(t, twoWorkers())
	m := loadGuest(t, h, "busy", "")
	most := graph.Policy{Memory: host.MaxMemory}
	for name, c := range map[string]struct {
		node  *graph.Node
		stack []string // is in it, in this order, first where not much is missing
	}{
		"a loop":            {m.Task("loop")(), []string{"forever", "deeper", "loop"}},
		"recursion":         {m.Task("tree")(90), []string{"tree", "tree", "tree"}},
		"tail calls":        {m.Task("tail")(), []string{"tail"}},
		"host calls":        {m.Task("host_calls")(), []string{"host_calls"}},
		"filling gigabytes": {m.Task("fill")(1024).With(most), []string{"fill"}},
		"copying gigabytes": {m.Task("copy")(1024).With(most), []string{"copy"}},
		"sleeping":          {m.Task("sleep")(), []string{"nap", "naps", "sleep"}},
		"many short sleeps": {m.Task("naps")(int64(1)<<40, 1000), []string{"naps"}},
		"sleeps of nothing": {m.Task("naps")(int64(1)<<40, 0), []string{"naps"}},
	} {
		t.Run(name, func(t *testing.T) {
			task := c.node.Def().Name
			_, err := graph.RunAll(t.Context(), h, []*graph.Node{c.node.With(graph.Policy{Timeout: limit})})
			e := wantError(t, err, abi.TimedOut, task+" ran longer than its timeout of 60ms (")
			text := regexp.MustCompile(`timeout of 60ms \(([^)]+)\)`).FindStringSubmatch(err.Error())
			if text == nil {
				t.Fatalf("%q does not say for how long it ran", err)
			}
			if ran, err := time.ParseDuration(text[1]); err != nil || ran < limit || ran > limit+aliveMax {
				t.Errorf("it ran for %v (%v), its limit is %v", ran, err, limit)
			}
			// Above them may be what the host injected or was called for, no more.
			at := slices.Index(e.Stack, c.stack[0])
			if at < 0 || at > 2 || len(e.Stack) < at+len(c.stack) || !slices.Equal(e.Stack[at:at+len(c.stack)], c.stack) {
				t.Errorf("the stack is %q, want %q near its beginning", e.Stack, c.stack)
			}
			onEveryWorker(t, h, m.Task("count"), "1")
		})
	}
}

// A guest that was refused memory, and then runs on, has run out of time.
func TestDeadlineNotMemory(t *testing.T) {
	h := open(t, twoWorkers())
	probe := loadGuest(t, h, "busy", "").Task("probe")
	_, err := run(t.Context(), h, probe.With(graph.Policy{Timeout: 20 * time.Millisecond}))
	wantError(t, err, abi.TimedOut, "probe ran longer than its timeout of 20ms")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(errInterrupted) })
	_, err = run(ctx, h, probe)
	wantError(t, err, abi.Cancelled, errInterrupted.Error())
}

// The time of a run ends its calls, as cancelling it does.
func TestRunDeadline(t *testing.T) {
	h := open(t, twoWorkers())
	m := loadGuest(t, h, "busy", "")
	for _, task := range []string{"loop", "sleep", "host_calls"} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		begun := time.Now()
		_, err := run(ctx, h, m.Task(task).With(graph.Policy{Timeout: time.Hour}))
		wantError(t, err, abi.Cancelled, task+": ", "deadline exceeded")
		if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "1h") {
			t.Errorf("%v: want one that wraps the context's, and does not blame the task's timeout", err)
		}
		if took := time.Since(begun); took < 30*time.Millisecond || took > 30*time.Millisecond+aliveMax {
			t.Errorf("%s ended after %v", task, took)
		}
		cancel()
		_, err = run(ctx, h, m.Task(task)) // nothing begins any more
		wantError(t, err, abi.Cancelled)
	}
}

// The watchdog sleeps until the first deadline, whichever call it is of.
func TestDeadlinesInAnyOrder(t *testing.T) {
	h := open(t, config().WithoutCache().WithCPUs(2))
	m := loadGuest(t, h, "busy", "")
	x := &together{Host: h}
	for _, limits := range [][]time.Duration{{400, 20}, {20, 400}, {20, 21}, {1, 100}, {100, 1}, {30, 30}} {
		x.all.Add(len(limits))
		ends := make(chan time.Duration, len(limits))
		for _, limit := range limits {
			limit *= time.Millisecond
			go func() {
				begun := time.Now()
				node := m.Task("sleep")().With(graph.Policy{Timeout: limit})
				_, err := graph.RunAll(context.WithoutCancel(t.Context()), x, []*graph.Node{node})
				if codeOf(err) != abi.TimedOut {
					t.Errorf("%v", err)
				}
				ends <- time.Since(begun) - limit
			}()
		}
		for range limits {
			if late := <-ends; late < 0 || late > aliveMax {
				t.Errorf("of %v ms, one ended %v after its time", limits, late)
			}
		}
	}
}

// A task runs on a worker.
type onWorker struct {
	run  func(*sched.Worker) *sched.Worker
	done chan struct{}
}

func (o *onWorker) Run(w *sched.Worker) *sched.Worker {
	defer close(o.done)
	return o.run(w)
}

// submit has fn run on a worker of h, with a func that executes a node there, and
// waits for it.
func submit(t testing.TB, h *host.Host, ctx context.Context, fn func(execute func(*graph.Node) (abi.Value, error))) {
	t.Helper()
	o := &onWorker{done: make(chan struct{})}
	o.run = func(w *sched.Worker) *sched.Worker {
		c := graph.Call{Ctx: ctx, Worker: w, Args: make([]abi.Value, 0, 4)}
		fn(func(n *graph.Node) (abi.Value, error) {
			c.Node, c.Args = n, c.Args[:0]
			for _, a := range n.Args() {
				c.Args = append(c.Args, a.Value)
			}
			return h.Execute(&c)
		})
		return c.Worker
	}
	if !h.Pool().Submit(o) {
		t.Fatal("the host is closed")
	}
	<-o.done
}

// TestDeadlineAtTheEnd has deadlines pass while calls return, over and over: each
// call is right or timed out, and the next, which has no deadline, is right.
func TestDeadlineAtTheEnd(t *testing.T) {
	fewer := 1
	if testing.Short() {
		fewer = 20
	}
	h := open(t, config().WithoutCache().WithCPUs(1))
	m := loadGuest(t, h, "busy", "")
	r := rand.New(rand.NewPCG(3, 4))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for name, c := range map[string]struct {
		calls int
		node  *graph.Node
		want  int64
	}{
		"computing":   {200_000, m.Task("tree")(16), 987},
		"sleeping":    {2000, m.Task("naps")(int64(2), 20_000), 2},
		"without CPU": {1000, m.Task("naps")(int64(1), 60_000), 1}, // it gives its worker up meanwhile
	} {
		t.Run(name, func(t *testing.T) {
			submit(t, h, ctx, func(execute func(*graph.Node) (abi.Value, error)) {
				is := func(v abi.Value, err error) bool {
					got, _ := v.Int()
					return err == nil && got == c.want
				}
				took := make([]time.Duration, 201)
				for i := range took {
					begun := time.Now()
					if v, err := execute(c.node); !is(v, err) {
						t.Errorf("without a deadline: %v, %v", v, err)
						return
					}
					took[i] = time.Since(begun)
				}
				slices.Sort(took)
				usual := took[len(took)/2]
				// From far too little to twice as much as such a call takes.
				timed := make([]*graph.Node, 64)
				for i := range timed {
					timed[i] = c.node.With(graph.Policy{Timeout: usual*time.Duration(i+1)/32 + 1})
				}
				late, right := 0, 0
				// Where the machine was slow when usual was measured, more calls are needed.
				for n, calls := 0, c.calls/2/fewer; n < calls || n < 20*calls && (late == 0 || right == 0); n++ {
					v, err := execute(timed[r.IntN(len(timed))])
					switch {
					case codeOf(err) == abi.TimedOut:
						late++
					case is(v, err):
						right++
					default:
						t.Errorf("with a deadline: %v, %v", v, err)
						return
					}
					if v, err := execute(c.node); !is(v, err) {
						t.Errorf("the call after %d that were stopped and %d that were not: %v, %v", late, right, v, err)
						return
					}
				}
				t.Logf("%d were stopped, %d returned; without a deadline such a call takes %v", late, right, usual)
				if late == 0 || right == 0 {
					t.Errorf("%d were stopped, %d returned: nothing was tried", late, right)
				}
			})
		})
	}
}

// The same for cancellation: what one run's end stops is never the next run's call.
func TestCancelAtTheEnd(t *testing.T) {
	rounds := 5000
	if testing.Short() {
		rounds = 500
	}
	h := open(t, config().WithoutCache().WithCPUs(1))
	node := loadGuest(t, h, "busy", "").Task("tree")(12)
	r := rand.New(rand.NewPCG(5, 6))
	stopped := 0
	for range rounds {
		ctx, cancel := context.WithCancelCause(t.Context())
		timer := time.AfterFunc(time.Duration(r.IntN(200_000)), func() { cancel(errInterrupted) })
		_, err := graph.RunAll(ctx, h, []*graph.Node{node, node})
		if err != nil {
			stopped++
			wantError(t, err, abi.Cancelled, errInterrupted.Error())
		}
		if v, err := graph.Run[int64](t.Context(), h, node); v != 144 || err != nil {
			t.Fatalf("the next run is %v, %v", v, err)
		}
		timer.Stop()
		cancel(nil)
	}
	if stopped == 0 || stopped == rounds {
		t.Errorf("%d of %d were cancelled: nothing was tried", stopped, rounds)
	}
}
