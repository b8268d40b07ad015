package sched

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

type jobFunc func(w *Worker) *Worker

func (f jobFunc) Run(w *Worker) *Worker { return f(w) }

// do makes a job of a function that does not block.
func do(f func(w *Worker)) Job {
	return jobFunc(func(w *Worker) *Worker { f(w); return w })
}

func newPool(t testing.TB, n int) *Pool {
	t.Helper()
	p, err := New(Config{}.WithCPUs(n))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEveryJobRunsOnce(t *testing.T) {
	for _, n := range []int{1, 2, 8} {
		p := newPool(t, n)
		const width, depth = 50, 3
		var ran atomic.Int64
		var job func(depth int) Job
		job = func(depth int) Job {
			return do(func(w *Worker) {
				ran.Add(1)
				if depth > 0 {
					for range width {
						w.Push(job(depth - 1))
					}
				}
			})
		}
		p.Submit(job(depth))
		p.Close()
		if want := int64(1 + 50 + 50*50 + 50*50*50); ran.Load() != want {
			t.Errorf("%d workers ran %d jobs, want %d", n, ran.Load(), want)
		}
	}
}

func TestNoMoreThanCookies(t *testing.T) {
	p := newPool(t, 3)
	var running, most atomic.Int64
	for range 200 {
		p.Submit(do(func(*Worker) {
			n := running.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(100 * time.Microsecond)
			running.Add(-1)
		}))
	}
	p.Close()
	if most.Load() > 3 {
		t.Errorf("%d jobs ran at once on 3 workers", most.Load())
	}
}

func TestBlockGivesTheWorkerUp(t *testing.T) {
	for _, n := range []int{1, 2} {
		p := newPool(t, n)
		release := make(chan struct{})
		const waiters = 20
		var back atomic.Int64
		for range waiters {
			p.Submit(jobFunc(func(w *Worker) *Worker {
				w = w.Block(func() { <-release })
				back.Add(1)
				return w
			}))
		}
		// With every worker blocked many times over, this still runs.
		p.Submit(do(func(*Worker) { close(release) }))
		p.Close()
		if back.Load() != waiters {
			t.Errorf("%d of %d blocked jobs came back", back.Load(), waiters)
		}
	}
}

func TestBlockedNestsAndReturnsBound(t *testing.T) {
	p := newPool(t, 2)
	var wg sync.WaitGroup
	for range 100 {
		wg.Add(1)
		p.Submit(jobFunc(func(w *Worker) *Worker {
			defer wg.Done()
			for range 5 {
				w = w.Block(runtime.Gosched)
				if err := checkBound(w); err != nil {
					t.Error(err)
				}
			}
			return w
		}))
	}
	wg.Wait()
	p.Close()
}

func TestOutsideJobsAreNotStarved(t *testing.T) {
	p := newPool(t, 1)
	var stop atomic.Bool
	var spin Job
	spin = do(func(w *Worker) {
		if !stop.Load() {
			w.Push(spin)
		}
	})
	p.Submit(spin)
	done := make(chan struct{})
	p.Submit(do(func(*Worker) { stop.Store(true); close(done) }))
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		stop.Store(true)
		t.Fatal("a job from outside was starved by one that queues itself")
	}
	p.Close()
}

func TestSubmitAfterClose(t *testing.T) {
	p := newPool(t, 1)
	p.Close()
	if p.Submit(do(func(*Worker) { t.Error("ran") })) {
		t.Error("a closed pool took a job")
	}
}

func TestConfigErrors(t *testing.T) {
	for _, n := range []int{-1, 1 << 20} {
		if p, err := New(Config{}.WithCPUs(n)); err == nil {
			p.Close()
			t.Errorf("a pool of %d CPUs was made", n)
		}
	}
}

func TestNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		p := newPool(t, 4)
		for range 50 {
			p.Submit(jobFunc(func(w *Worker) *Worker { return w.Block(func() { time.Sleep(time.Microsecond) }) }))
		}
		p.Close()
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

func TestQuota(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a/cpu.max", "150000 100000\n")
	write("a/b/cpu.max", "max 100000\n")
	write("v2", "0::/a/b\n")
	write("cpu/g/cpu.cfs_quota_us", "50000\n")
	write("cpu/g/cpu.cfs_period_us", "100000\n")
	write("v1", "5:memory:/x\n4:cpu,cpuacct:/g\n")
	write("none", "0::/nowhere\n")
	write("bad", "nonsense\n::\n")
	for name, want := range map[string]float64{"v2": 1.5, "v1": 0.5} {
		if q := quota(filepath.Join(root, name), root); q != want {
			t.Errorf("%s: quota %v, want %v", name, q, want)
		}
	}
	for _, name := range []string{"none", "bad", "missing"} {
		if q := quota(filepath.Join(root, name), root); q < 1e9 {
			t.Errorf("%s: quota %v, want none", name, q)
		}
	}
}

func BenchmarkPushPop(b *testing.B) {
	p := newPool(b, 1)
	done := make(chan struct{})
	b.ReportAllocs()
	n := 0
	var j Job
	j = do(func(w *Worker) {
		if n++; n < b.N {
			w.Push(j)
		} else {
			close(done)
		}
	})
	p.Submit(j)
	<-done
	p.Close()
}

// BenchmarkSubmit measures the round trip from outside, parked workers included.
func BenchmarkSubmit(b *testing.B) {
	p := newPool(b, 0)
	done := make(chan struct{})
	j := do(func(*Worker) { done <- struct{}{} })
	for b.Loop() {
		p.Submit(j)
		<-done
	}
	p.Close()
}
