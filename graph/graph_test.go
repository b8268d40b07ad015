package graph_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/sched"
)

var update = flag.Bool("update", false, "write golden files anew")

func local(t testing.TB, cpus int) graph.Executor {
	t.Helper()
	p, err := sched.New(sched.Config{}.WithCPUs(cpus))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return graph.Local(p)
}

var (
	num      = graph.Func("num", func(n int64) int64 { return n })
	one      = graph.Func("one", func() int64 { return 1 })
	two      = graph.Func("two", func() int64 { return 2 })
	five     = graph.Func("five", func() int64 { return 5 })
	add      = graph.Func("add", func(a, b int64) int64 { return a + b })
	subtract = graph.Func("subtract", func(a, b int64) int64 { return a - b })
	upper    = graph.Func("upper", strings.ToUpper)
	sum      = graph.Func("sum", func(xs ...int64) (n int64) {
		for _, x := range xs {
			n += x
		}
		return n
	})
	total = graph.Func("total", func(xs []int64) (n int64) {
		for _, x := range xs {
			n += x
		}
		return n
	})
	div = graph.Func("div", func(a, b int64) (int64, error) {
		if b == 0 {
			return 0, errors.New("division by zero")
		}
		return a / b, nil
	})
)

func TestQuickstart(t *testing.T) {
	x := local(t, 2)
	n := add(add(num(6), one()), subtract(five(), two()))
	for range 3 { // a graph is run as often as you like
		v, err := graph.Run[int64](t.Context(), x, n)
		if v != 10 || err != nil {
			t.Fatalf("got %v, %v; want 10", v, err)
		}
	}
}

func TestComposition(t *testing.T) {
	x := local(t, 2)
	a := num(3)
	for want, n := range map[int64]*graph.Node{
		6:  add(a, a),
		10: sum(1, 2, 3, 4),
		0:  sum(),
		12: total([]*graph.Node{a, add(a, a), a}),
		9:  total([]any{a, 2, add(1, a)}),
		7:  total(graph.List(3, add(2, 2))),
		5:  num(5).After(one(), two()),
	} {
		if v, err := graph.Run[int64](t.Context(), x, n); v != want || err != nil {
			t.Errorf("%v = %v, %v; want %d", n, v, err, want)
		}
	}
}

func TestTyped(t *testing.T) {
	x := local(t, 2)
	add := graph.As[func(a, b graph.Int) graph.Int](add)
	num := graph.As[func(graph.Int) graph.Int](num)
	sum := graph.As[func(...graph.Int) graph.Int](sum)
	n := add(num(graph.Value[int64](6)), sum(num(graph.Value[int64](1)), graph.Value[int64](2)))
	if v, err := graph.Run[int64](t.Context(), x, n); v != 9 || err != nil {
		t.Errorf("got %v, %v; want 9", v, err)
	}
	bad := graph.As[func(graph.String) graph.Int](graph.Func("num", func(n int64) int64 { return n }))
	_, err := graph.Run[int64](t.Context(), x, bad(graph.Value("six")))
	if err == nil || !strings.Contains(err.Error(), "graph_test.go:") || !strings.Contains(err.Error(), "parameter 1") {
		t.Errorf("error %v does not say what and where", err)
	}
}

func TestANodeUsedTwiceRunsOnce(t *testing.T) {
	x := local(t, 2)
	var runs atomic.Int64
	once := graph.Func("once", func() int64 { return runs.Add(1) })
	n := once()
	for i := range 10 {
		n = add(n, n)
		if i == 5 {
			n = n.After(n)
		}
	}
	if v, err := graph.Run[int64](t.Context(), x, n); v != 1<<10 || err != nil || runs.Load() != 1 {
		t.Errorf("got %v, %v, and %d runs", v, err, runs.Load())
	}
}

// here returns the line that it is called from, as errors print it.
func here() string {
	_, _, line, _ := runtime.Caller(1)
	return fmt.Sprintf("graph_test.go:%d: ", line)
}

func TestMistakesAreReportedBeforeAnythingRuns(t *testing.T) {
	x := local(t, 2)
	var ran atomic.Bool
	spy := graph.Func("spy", func() int64 { ran.Store(true); return 1 })
	for name, c := range map[string]struct {
		n    *graph.Node
		at   string
		want string
	}{
		"arity":           {add(add(1), spy()), here(), "add(a: int, b: int) -> int takes 2 arguments, got 1"},
		"literal":         {add(spy(), "x"), here(), `argument 2 (b): want int, got string "x"`},
		"edge":            {add(spy(), upper("x")), here(), "argument 2 (b): want int, got string from upper (composed at "},
		"list":            {total([]*graph.Node{upper("x")}), here(), "want list[int], got list[string] from list"},
		"nil node":        {num((*graph.Node)(nil)), here(), "node is nil"},
		"no value":        {num(make(chan int)), here(), "is no value"},
		"beyond int64":    {num(uint64(1 << 63)), here(), "beyond int64"},
		"not UTF-8":       {upper("\xff"), here(), "not valid UTF-8"},
		"broken":          {graph.Broken("mul", errors.New("no task mul; did you mean mult?"))(1, spy()), here(), "did you mean mult?"},
		"no function":     {graph.Func("f", 3)(), here(), "want a function, got int"},
		"results":         {graph.Func("f", func() (int, int) { return 1, 2 })(), here(), "want one result"},
		"negative policy": {spy().With(graph.Policy{Timeout: -1}), here(), "is negative"},
	} {
		_, err := graph.RunAll(t.Context(), x, []*graph.Node{spy(), c.n})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.at) {
			t.Errorf("%s: error %v\nwant %q at %s", name, err, c.want, c.at)
		}
		if e, ok := errors.AsType[*graph.Error](err); !ok || e.Code() != abi.BadCall {
			t.Errorf("%s: error %v has the wrong code", name, err)
		}
	}
	if ran.Load() {
		t.Error("something ran")
	}
	// Several mistakes are reported at once.
	_, err := graph.Run[int64](t.Context(), x, add(add(1), upper(2)))
	if err == nil || strings.Count(err.Error(), "graph_test.go:") < 2 {
		t.Errorf("error %v", err)
	}
}

func TestFailure(t *testing.T) {
	x := local(t, 2)
	var after atomic.Bool
	never := graph.Func("never", func(int64) int64 { after.Store(true); return 1 })
	bad := div(1, 0)
	at := here()
	_, err := graph.Run[int64](t.Context(), x, add(one(), never(add(2, bad))))
	e, ok := errors.AsType[*graph.Error](err)
	if !ok || e.Task != "div" || e.Code() != abi.Failed || e.PathString() != "add[1] > never[0] > add[1] > div" {
		t.Fatalf("error %v", err)
	}
	if s := err.Error(); !strings.HasPrefix(s, "graph/"+strings.Replace(at, fmt.Sprint(line(at)), fmt.Sprint(line(at)-1), 1)+"div: division by zero (at add[1]") {
		t.Errorf("error %q, want it at %s", s, at)
	}
	if after.Load() {
		t.Error("a consumer of a failed node ran")
	}
	panics := graph.Func("panics", func() int64 { panic("oh no") })
	_, err = graph.Run[int64](t.Context(), x, panics())
	if err == nil || !strings.Contains(err.Error(), "panic: oh no") {
		t.Errorf("error %v", err)
	}
	if a, ok := errors.AsType[*abi.Error](err); !ok || len(a.Stack) == 0 || !strings.Contains(a.Stack[0]+a.Stack[1], "graph_test") {
		t.Errorf("the panic has the stack %q", a.Stack)
	}
	if _, err = graph.Run[string](t.Context(), x, one()); err == nil || !strings.Contains(err.Error(), "does not fit a Go string") {
		t.Errorf("error %v", err)
	}
}

func line(at string) (n int) {
	fmt.Sscanf(at, "graph_test.go:%d", &n)
	return n
}

func TestLongPathIsShortened(t *testing.T) {
	x := local(t, 2)
	n := div(1, 0)
	for range 100_000 {
		n = num(n)
	}
	_, err := graph.Run[int64](t.Context(), x, n)
	if err == nil || !strings.Contains(err.Error(), "(at num[0] > num[0] > num[0] > num[0] > num[0] > … 99991 more … > num[0] > num[0] > num[0] > num[0] > div)") {
		t.Errorf("error %v", err)
	}
}

func TestFalsyResultsAreResults(t *testing.T) {
	x := local(t, 2)
	id := graph.Func("id", func(v abi.Value) abi.Value { return v })
	for _, v := range []any{0, "", false, nil, []int{}, map[string]int{}, 0.0} {
		want, err := abi.From(v)
		if err != nil {
			t.Fatal(err)
		}
		vs, err := graph.RunAll(t.Context(), x, []*graph.Node{id(id(v))})
		if err != nil || !abi.Equal(vs[0], want) {
			t.Errorf("%v came back as %v, %v", v, vs, err)
		}
	}
}

func TestCancel(t *testing.T) {
	x := local(t, 2)
	started := make(chan struct{})
	wait := graph.Func("wait", func(ctx context.Context) error { close(started); <-ctx.Done(); return ctx.Err() })
	cause := errors.New("enough")
	f := graph.Start(t.Context(), x, []*graph.Node{add(1, wait())}[:0])
	if vs, err := f.Wait(); len(vs) != 0 || err != nil {
		t.Errorf("nothing gave %v, %v", vs, err)
	}
	f = graph.Start(t.Context(), x, []*graph.Node{num(3).After(wait())})
	<-started
	f.Cancel(cause)
	if _, err := f.Wait(); !errors.Is(err, cause) {
		t.Errorf("error %v, want one of %v", err, cause)
	}
	// Between two nodes, too.
	ctx, cancel := context.WithCancel(t.Context())
	stop := graph.Func("stop", func() { cancel() })
	slow := graph.Func("slow", func(n int64) int64 { time.Sleep(time.Millisecond); return n })
	n := num(1).After(stop())
	for range 1000 {
		n = slow(n)
	}
	_, err := graph.Run[int64](ctx, x, n)
	if err == nil || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if a, ok := errors.AsType[*abi.Error](err); !ok || a.Code != abi.Cancelled {
		t.Errorf("error %v has the wrong code", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := graph.Run[int64](ctx, x, one()); !errors.Is(err, context.Canceled) {
		t.Errorf("a run under a context that had ended: %v", err)
	}
}

func TestTimeout(t *testing.T) {
	x := local(t, 2)
	wait := graph.Func("wait", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	_, err := graph.RunAll(t.Context(), x, []*graph.Node{wait.With(graph.Policy{Timeout: time.Millisecond})()})
	e, ok := errors.AsType[*graph.Error](err)
	if !ok || e.Code() != abi.TimedOut || !strings.Contains(err.Error(), "wait ran longer than its timeout of 1ms") {
		t.Errorf("error %v", err)
	}
}

func TestFutures(t *testing.T) {
	x := local(t, 2)
	release := make(chan struct{})
	gate := graph.Func("gate", func(_ context.Context, n int64) int64 { <-release; return n })
	var wg sync.WaitGroup
	var futures []*graph.Future
	for i := range 100 {
		f := graph.Start(t.Context(), x, []*graph.Node{num(gate(i))})
		wg.Add(1)
		f.OnDone(func(f *graph.Future) {
			defer wg.Done()
			if vs, err := f.Wait(); err != nil || vs[0].String() != fmt.Sprint(i) {
				t.Errorf("future %d: %v, %v", i, vs, err)
			}
		})
		futures = append(futures, f)
	}
	select {
	case <-futures[0].Done():
		t.Error("done before the gate opened")
	default:
	}
	close(release)
	wg.Wait()
	for _, f := range futures {
		if ran, nodes := f.Progress(); ran != 2 || nodes != 2 {
			t.Errorf("progress %d of %d", ran, nodes)
		}
	}
	called := make(chan bool)
	futures[0].OnDone(func(*graph.Future) { called <- true })
	<-called
}

func TestGraphsThatRunGraphs(t *testing.T) {
	x := local(t, 1) // one worker: it would deadlock if waiting held it
	var depth func(ctx context.Context, n int64) (int64, error)
	depth = func(ctx context.Context, n int64) (int64, error) {
		if n == 0 {
			return 0, nil
		}
		v, err := graph.Run[int64](ctx, x, graph.Func("depth", depth)(n-1))
		return v + 1, err
	}
	if v, err := graph.Run[int64](t.Context(), x, graph.Func("depth", depth)(50)); v != 50 || err != nil {
		t.Errorf("got %v, %v; want 50", v, err)
	}
}

func TestOneNodeInManyRuns(t *testing.T) {
	x := local(t, 4)
	shared := num(1)
	for range 50 {
		shared = add(shared, shared).After(one())
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 20 {
				if v, err := graph.Run[int64](t.Context(), x, add(shared, i)); v != 1<<50+int64(i) || err != nil {
					t.Errorf("got %v, %v", v, err)
				}
			}
		}()
	}
	wg.Wait()
}

// lossy is an executor that fails calls at random, as places do.
type lossy struct {
	graph.Executor
	n atomic.Int64
}

func (l *lossy) Execute(c *graph.Call) (abi.Value, error) {
	if l.n.Add(1)%97 == 0 {
		return abi.Value{}, errors.New("lost")
	}
	return l.Executor.Execute(c)
}

func TestLossyExecutor(t *testing.T) {
	x := &lossy{Executor: local(t, 4)}
	ok, lost := 0, 0
	for range 200 {
		n := num(0)
		for i := range 20 {
			n = add(n, num(i))
		}
		v, err := graph.Run[int64](t.Context(), x, n)
		switch {
		case err == nil && v == 190:
			ok++
		case err != nil && strings.Contains(err.Error(), "lost"):
			lost++
		default:
			t.Fatalf("got %v, %v", v, err)
		}
	}
	if ok == 0 || lost == 0 {
		t.Errorf("%d runs went well and %d were lost", ok, lost)
	}
}

func TestClosedExecutor(t *testing.T) {
	p, err := sched.New(sched.Config{}.WithCPUs(1))
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if _, err := graph.Run[int64](t.Context(), graph.Local(p), one()); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("error %v", err)
	}
}

func TestEvents(t *testing.T) {
	x := local(t, 2)
	var mu sync.Mutex
	seen := map[string]int{}
	var order []string
	o := graph.WithObserver(func(e graph.Event) {
		mu.Lock()
		defer mu.Unlock()
		seen[e.Kind.String()]++
		if e.Node.Def().Name == "div" {
			order = append(order, e.Kind.String())
		}
		if e.Kind == graph.Finished && (e.Time.Before(e.Began) || e.Worker < 0) || e.Kind == graph.Failed && e.Err == nil {
			t.Errorf("event %+v", e)
		}
	})
	if _, err := graph.Run[int64](t.Context(), x, add(div(4, 2), num(1)), o); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(seen) != "map[finished:3 queued:3 started:3]" || fmt.Sprint(order) != "[queued started finished]" {
		t.Errorf("events %v; of div %v", seen, order)
	}
	clear(seen)
	if _, err := graph.Run[int64](t.Context(), x, num(div(4, 0)), o); err == nil || seen["failed"] != 1 {
		t.Errorf("events %v, error %v", seen, err)
	}
}

func TestValuesAreFreedAsNodesFinish(t *testing.T) {
	x := local(t, 2)
	const size, links = 8 << 20, 200
	grow := graph.Func("grow", func(b []byte) []byte { return make([]byte, size) })
	n := grow([]byte{})
	for range links {
		n = grow(n)
	}
	var most atomic.Uint64
	o := graph.WithObserver(func(e graph.Event) {
		if e.Kind == graph.Finished && e.ID%20 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if m.HeapAlloc > most.Load() {
				most.Store(m.HeapAlloc)
			}
		}
	})
	if _, err := graph.RunAll(t.Context(), x, []*graph.Node{n}, o); err != nil {
		t.Fatal(err)
	}
	if most.Load() > 10*size {
		t.Errorf("a chain of %d links of %d bytes held %d", links, size, most.Load())
	}
}

func TestPictures(t *testing.T) {
	shared := num(6)
	n := add(add(shared, one()), subtract(five(), graph.List(shared, "a \"b\"\n<c>"))).After(two())
	pictures := map[string]string{"edges.txt": n.String()}
	for _, format := range []string{"json", "dot", "mmd"} {
		b, err := graph.Picture(format, n, shared)
		if err != nil {
			t.Fatal(err)
		}
		pictures["graph."+format] = string(b)
	}
	if _, err := graph.Picture("bmp", n); err == nil {
		t.Error("a bitmap was drawn")
	}
	for name, got := range pictures {
		got = dropLines(got)
		file := "testdata/" + name
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s:\n%s\nwant\n%s(go test ./graph -update)", name, got, want)
		}
	}
}

// dropLines takes the line numbers of this file out of s.
func dropLines(s string) string {
	parts := strings.Split(s, "graph_test.go:")
	for i := range parts[1:] {
		parts[i+1] = strings.TrimLeft(parts[i+1], "0123456789")
	}
	return strings.Join(parts, "graph_test.go")
}
