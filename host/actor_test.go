package host_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

func actor(name string) graph.Policy { return graph.Policy{Actor: name} }

// count calls a task that counts the calls of its instance.
func count(t testing.TB, h *host.Host, task graph.Task, want int64) {
	t.Helper()
	if n, err := graph.Run[int64](t.Context(), h, task()); n != want || err != nil {
		t.Errorf("the instance has had %d calls, want %d; %v", n, want, err)
	}
}

// An actor keeps its state, and shares it with nobody.
func TestActorState(t *testing.T) {
	h := open(t, twoWorkers().WithGrants(grant(t, "env=HOME")))
	m := loadGuest(t, h, "busy", "")
	another, err := h.LoadBytes(t.Context(), "another", append(guest(t, "busy", ""), section(0, named("other bytes"), "x")...))
	if err != nil {
		t.Fatal(err)
	}
	task, other := m.Task("count"), another.Task("count")
	for n := range int64(5) {
		count(t, h, task.With(actor("a")), n+1)
		count(t, h, task, 1)
		if n < 3 {
			count(t, h, task.With(actor("b")), n+1)
			count(t, h, other.With(actor("a")), n+1)
			narrow := graph.Policy{Actor: "narrow", Grants: []abi.Grant{grant(t, "env=HOME")}}
			count(t, h, task.With(narrow), n+1)
		}
	}
	onEveryWorker(t, h, task, "1")
}

// What breaks an actor's instance, and only that, makes it begin anew.
func TestActorBreaks(t *testing.T) {
	h := open(t, twoWorkers())
	m := loadGuest(t, h, "busy", "")
	task := m.Task("count").With(actor("a"))
	for name, c := range map[string]struct {
		node *graph.Node
		code abi.Code
	}{
		"trap":     {m.Task("trap")(), abi.Trapped},
		"deadline": {m.Task("loop")().With(graph.Policy{Timeout: 5 * time.Millisecond}), abi.TimedOut},
		"asleep":   {m.Task("sleep")().With(graph.Policy{Timeout: 5 * time.Millisecond}), abi.TimedOut},
		"memory":   {m.Task("need")(2).With(graph.Policy{Memory: 1 << 20}), abi.LimitHit},
		"log":      {m.Task("text")(11).With(graph.Policy{Limits: graph.Limits{LogBytes: 10}}), abi.LimitHit},
	} {
		t.Run(name, func(t *testing.T) {
			count(t, h, task, 1)
			count(t, h, task, 2)
			for range 2 {
				_, err := graph.RunAll(t.Context(), h, []*graph.Node{c.node.With(actor("a"))})
				wantError(t, err, c.code)
			}
			count(t, h, task, 1)
			_, err := run(t.Context(), h, m.Task("trap").With(actor("a")))
			wantError(t, err, abi.Trapped)
		})
	}
	// These do not: the call did not reach it, or ended well with more memory.
	count(t, h, task, 1)
	if _, err := run(t.Context(), h, m.Task("need").With(actor("a")), 3); err != nil {
		t.Error(err)
	}
	count(t, h, task, 2)
	_, err := run(t.Context(), h, m.Task("need").With(actor("a")), "three")
	wantError(t, err, abi.BadCall)
	count(t, h, task, 3)
}

// Calls of an actor are made one at a time, in the order in which they come.
func TestActorOrder(t *testing.T) {
	h := open(t, twoWorkers())
	m := loadGuest(t, h, "busy", "")
	task := m.Task("count").With(actor("a"))
	holds := graph.Start(t.Context(), h, []*graph.Node{m.Task("sleep").With(actor("a"))()})
	time.Sleep(20 * time.Millisecond)
	const calls = 10
	var futures []*graph.Future
	for range calls {
		futures = append(futures, graph.Start(t.Context(), h, []*graph.Node{task()}))
		time.Sleep(20 * time.Millisecond) // until it waits
	}
	// Others go on meanwhile: who waits for an actor holds no worker.
	onEveryWorker(t, h, m.Task("count"), "1")
	holds.Cancel(errInterrupted)
	_, err := holds.Wait()
	wantError(t, err, abi.Cancelled)
	for i, f := range futures {
		if vs, err := f.Wait(); err != nil || jsonOf(t, vs[0]) != fmt.Sprint(i+1) {
			t.Errorf("call %d is %v, %v", i+1, vs, err)
		}
	}
}

// Many at once: each gets a number of its own.
func TestActorCrowd(t *testing.T) {
	h := open(t, config().WithoutCache().WithCPUs(4))
	task := loadGuest(t, h, "busy", "").Task("count").With(actor("a"))
	const runs, calls = 8, 200
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range runs {
		wg.Go(func() {
			nodes := make([]*graph.Node, calls)
			for i := range nodes {
				nodes[i] = task()
			}
			vs, err := graph.RunAll(context.WithoutCancel(t.Context()), h, nodes)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, v := range vs {
				seen[jsonOf(t, v)]++
			}
		})
	}
	wg.Wait()
	for n := 1; n <= runs*calls; n++ {
		if seen[fmt.Sprint(n)] != 1 {
			t.Fatalf("%d calls had the number %d", seen[fmt.Sprint(n)], n)
		}
	}
}

// A call that waits for its turn can be cancelled; so can the one that it waits for.
func TestActorCancel(t *testing.T) {
	h := open(t, twoWorkers())
	m := loadGuest(t, h, "busy", "")
	task := m.Task("count").With(actor("a"))
	count(t, h, task, 1)
	holds := graph.Start(t.Context(), h, []*graph.Node{m.Task("sleep").With(actor("a"))()})
	time.Sleep(10 * time.Millisecond)
	waits := graph.Start(t.Context(), h, []*graph.Node{task()})
	stays := graph.Start(t.Context(), h, []*graph.Node{task()})
	time.Sleep(10 * time.Millisecond)
	begun := time.Now()
	waits.Cancel(errInterrupted)
	_, err := waits.Wait()
	wantError(t, err, abi.Cancelled, errInterrupted.Error())
	if took := time.Since(begun); took > hostileMax {
		t.Errorf("it took %v to end", took)
	}
	holds.Cancel(errInterrupted)
	_, err = holds.Wait()
	wantError(t, err, abi.Cancelled, errInterrupted.Error())
	if vs, err := stays.Wait(); err != nil || jsonOf(t, vs[0]) != "1" { // what was stopped is broken
		t.Errorf("the call that waited is %v, %v", vs, err)
	}
	count(t, h, task, 2)
}

// Close waits for those that wait.
func TestActorClose(t *testing.T) {
	h, err := host.Open(twoWorkers())
	if err != nil {
		t.Fatal(err)
	}
	m := loadGuest(t, h, "busy", "")
	futures := []*graph.Future{graph.Start(t.Context(), h, []*graph.Node{m.Task("naps").With(actor("a"))(int64(1), 100_000_000)})}
	time.Sleep(10 * time.Millisecond)
	for range 5 {
		futures = append(futures, graph.Start(t.Context(), h, []*graph.Node{m.Task("count").With(actor("a"))()}))
	}
	within(t, 5*time.Second, "closing", func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	sum := 0
	for i, f := range futures {
		vs, err := f.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := vs[0].Int(); i > 0 {
			sum += int(n)
		}
	}
	if sum != 1+2+3+4+5 {
		t.Errorf("the calls that waited were given numbers whose sum is %d", sum)
	}
}

func TestActorsBounded(t *testing.T) {
	h := open(t, twoWorkers())
	task := loadGuest(t, h, "busy", "").Task("count")
	for i := range host.MaxActors {
		count(t, h, task.With(actor(fmt.Sprint("actor ", i))), 1)
	}
	_, err := run(t.Context(), h, task.With(actor("one more")))
	wantError(t, err, abi.LimitHit, "busy has 1024 actors already, the most that there can be")
	count(t, h, task.With(actor("actor 7")), 2)
}
