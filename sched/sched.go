// Package sched runs jobs on pinned workers. It knows nothing of tasks, graphs
// or guests.
//
// A cookie stands for one CPU. A [Worker] is what holds a cookie: a queue of
// jobs, and the goroutine that runs them on a thread bound to that CPU. Workers
// pull: each runs the newest job of its own queue, steals the older half of
// another's when its own is empty, and parks last. So no job costs a goroutine,
// and nobody hands jobs out.
//
// A job that must wait for something gives its worker up meanwhile, with
// [Worker.Block]: another goroutine takes over queue and CPU.
package sched

// Invariants. A Worker is held by exactly one goroutine (its holder) from the
// start of the pool to its end; only the holder calls its methods other than
// steal. Lock order: Pool.mu before deque.mu; no job runs under either. A job is
// in exactly one queue until somebody has taken it out, and is then run once.

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Job is what a worker runs. Run returns the worker that its goroutine holds
// at the end: w, or, if it called [Worker.Block], what that returned last.
// It must not panic.
type Job interface {
	Run(w *Worker) *Worker
}

// A Config says how many workers a pool has. The zero Config has one on each CPU
// that the process may use.
type Config struct {
	cpus int
}

// WithCPUs returns c with n cookies, 0 for the default. Beyond the usable CPUs,
// cookies share CPUs.
func (c Config) WithCPUs(n int) Config { c.cpus = n; return c }

// A Pool is a set of workers.
type Pool struct {
	workers []*Worker
	pinErr  error // why threads are not bound, if they are not
	pin     bool

	mu      sync.Mutex
	inject  deque          // jobs from outside, oldest first
	idle    []*Worker      // parked, each waiting on its wake
	spares  []chan *Worker // goroutines that wait for a worker to hold
	blocked int            // jobs within Block, which want a worker back
	closed  bool

	idlers   atomic.Int32 // len(idle)
	spinning atomic.Int32 // workers that look for a job, and will see a new one
	done     sync.WaitGroup
}

// A Worker holds a cookie. Its methods are for the job that it runs.
type Worker struct {
	pool *Pool
	id   int
	cpu  int
	tick uint
	q    deque
	wake chan struct{}
	// Local is for the jobs of the worker: whatever belongs to one worker at a
	// time, such as a cache. Only the job that runs may touch it.
	Local any
	// binding tells the thread that w is on, and for how long without a break.
	binding uint64
	_       [64]byte // no false sharing with the next worker
}

// New starts a pool. It fails for a negative number of CPUs.
func New(c Config) (*Pool, error) {
	usable, err := UsableCPUs()
	if err != nil {
		return nil, err
	}
	n := c.cpus
	if n == 0 {
		n = len(usable)
	}
	const most = 4096
	if n < 0 || n > most {
		return nil, fmt.Errorf("sched: %d CPUs: want 1 to %d, or 0 for all", n, most)
	}
	p := &Pool{pinErr: canPin(usable[0])}
	p.pin = p.pinErr == nil
	for i := range n {
		p.workers = append(p.workers, &Worker{pool: p, id: i, cpu: usable[i%len(usable)], wake: make(chan struct{}, 1)})
	}
	for _, w := range p.workers {
		p.done.Add(1)
		go p.hold(w)
	}
	return p, nil
}

// Workers returns the number of workers.
func (p *Pool) Workers() int { return len(p.workers) }

// CPUs returns the CPU of each worker.
func (p *Pool) CPUs() []int {
	cpus := make([]int, len(p.workers))
	for i, w := range p.workers {
		cpus[i] = w.cpu
	}
	return cpus
}

// Pinned reports whether the workers' threads are bound to CPUs, and why not.
func (p *Pool) Pinned() (bool, error) { return p.pin, p.pinErr }

// Submit queues jobs from outside the pool. Jobs that are submitted to a closed
// pool never run; Submit then reports false.
func (p *Pool) Submit(jobs ...Job) bool {
	p.mu.Lock()
	closed := p.closed
	if !closed {
		for _, j := range jobs {
			p.inject.push(j)
		}
	}
	p.mu.Unlock()
	for range min(len(jobs), len(p.workers)) {
		p.wakeOne()
	}
	return !closed
}

// Close ends the workers once they have run what is queued, and waits for them
// and for jobs within [Worker.Block]. A job must not call it.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	spares := p.spares
	p.spares = nil
	p.mu.Unlock()
	for _, s := range spares {
		close(s)
	}
	p.wakeAll()
	p.done.Wait()
}

// Idle reports whether a worker is parked.
func (p *Pool) Idle() bool { return p.idlers.Load() > 0 }

// wakeAll wakes every parked worker.
func (p *Pool) wakeAll() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.idlers.Store(0)
	p.mu.Unlock()
	for _, w := range idle {
		w.wake <- struct{}{}
	}
}

// hold is the life of a goroutine that holds workers: w now, another one later
// if it gives this one up to a job that has been waiting.
func (p *Pool) hold(w *Worker) {
	defer p.done.Done()
	// The thread is never unlocked while it is bound: when this goroutine ends,
	// the runtime ends the thread with it.
	runtime.LockOSThread()
	for w != nil {
		w.bind()
		w = p.serve(w)
	}
}

// serve runs w's jobs until the pool is closed (it returns nil), or until w goes
// to a returning job; then it waits to be needed again.
func (p *Pool) serve(w *Worker) *Worker {
	for {
		j := w.next()
		switch j := j.(type) {
		case nil:
			return nil
		case *returning:
			j.worker <- w
			return p.spare()
		default:
			w = j.Run(w)
		}
	}
}

// spare waits until a worker needs a holder. It returns nil when enough
// goroutines wait already, and when the pool is closed.
func (p *Pool) spare() *Worker {
	p.mu.Lock()
	if p.closed || len(p.spares) >= len(p.workers) {
		p.mu.Unlock()
		return nil
	}
	c := make(chan *Worker, 1)
	p.spares = append(p.spares, c)
	p.mu.Unlock()
	return <-c
}

// ID returns w's number, from 0.
func (w *Worker) ID() int { return w.id }

// CPU returns the CPU that w's cookie stands for.
func (w *Worker) CPU() int { return w.cpu }

// Pool returns the pool that w belongs to.
func (w *Worker) Pool() *Pool { return w.pool }

// Len returns how many jobs are queued at w.
func (w *Worker) Len() int { return int(w.q.size.Load()) }

// Push queues j as w's newest job.
func (w *Worker) Push(j Job) {
	w.q.lockedPush(j)
	if p := w.pool; p.idlers.Load() > 0 && p.spinning.Load() == 0 {
		p.wakeOne()
	}
}

// Block runs fn, which may wait, without holding a worker, so that others use
// the CPU meanwhile. It returns the worker that the caller holds afterwards,
// which may be another one; w is no longer the caller's.
func (w *Worker) Block(fn func()) *Worker {
	p := w.pool
	p.unbind()
	p.mu.Lock()
	p.blocked++
	if n := len(p.spares); n > 0 {
		c := p.spares[n-1]
		p.spares = p.spares[:n-1]
		p.mu.Unlock()
		c <- w
	} else {
		p.done.Add(1)
		p.mu.Unlock()
		go p.hold(w)
	}
	// Whoever waits needs no thread of its own.
	runtime.UnlockOSThread()
	fn()
	runtime.LockOSThread()
	r := &returning{worker: make(chan *Worker, 1)}
	p.mu.Lock()
	p.inject.pushFront(r)
	p.mu.Unlock()
	p.wakeOne()
	w = <-r.worker
	w.bind()
	p.mu.Lock()
	p.blocked--
	ended := p.closed && p.blocked == 0
	p.mu.Unlock()
	if ended {
		p.wakeAll()
	}
	return w
}

// returning is the job that a goroutine queues to get a worker back.
type returning struct{ worker chan *Worker }

func (*returning) Run(*Worker) *Worker { panic("sched: returning is handled by serve") }

// injectEvery is how often a busy worker looks at jobs from outside first, so
// that jobs which keep a worker busy cannot starve them.
const injectEvery = 61

// next returns the job to run next. It waits for one; nil means the pool is closed.
func (w *Worker) next() Job {
	p := w.pool
	if w.tick++; w.tick%injectEvery == 0 {
		if j := p.injected(w); j != nil {
			return j
		}
	}
	if j := w.q.lockedPop(); j != nil {
		return j
	}
	for {
		p.spinning.Add(1)
		j := w.spin()
		if p.spinning.Add(-1) == 0 && j != nil {
			p.wakeOne() // where one job was there may be more, and nobody looks now
		}
		if j != nil {
			return j
		}
		// Announce first, look again, then sleep: a job that came after the last
		// look finds the announcement.
		p.mu.Lock()
		if p.closed && p.blocked == 0 {
			p.mu.Unlock()
			return w.find() // what is queued is still run
		}
		p.idle = append(p.idle, w)
		p.idlers.Store(int32(len(p.idle)))
		p.mu.Unlock()
		if j := w.find(); j != nil {
			w.unidle()
			return j
		}
		<-w.wake
	}
}

// unidle takes w off the idle list, or swallows the wake that somebody sent it.
func (w *Worker) unidle() {
	p := w.pool
	p.mu.Lock()
	i := slices.Index(p.idle, w)
	if i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
		p.idlers.Store(int32(len(p.idle)))
	}
	p.mu.Unlock()
	if i < 0 {
		<-w.wake
	}
}

// spinTime is how long a worker looks for a job before it parks: waking a parked
// thread costs tens of microseconds, so a little less than that.
const spinTime = 20 * time.Microsecond

func (w *Worker) spin() Job {
	for start := time.Now(); ; {
		for range 50 {
			if j := w.find(); j != nil {
				return j
			}
		}
		if time.Since(start) > spinTime {
			return nil
		}
	}
}

// find returns a job from anywhere, or nil.
func (w *Worker) find() Job {
	p := w.pool
	if j := w.q.lockedPop(); j != nil {
		return j
	}
	if j := p.injected(w); j != nil {
		return j
	}
	for i := range p.workers {
		victim := p.workers[(w.id+1+i)%len(p.workers)]
		if victim != w && victim.q.size.Load() > 0 {
			if j := w.steal(victim); j != nil {
				return j
			}
		}
	}
	return nil
}

// injected takes the oldest job from outside.
func (p *Pool) injected(w *Worker) Job {
	if p.inject.size.Load() == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inject.shift()
}

// steal takes the older half of victim's jobs and returns one of them.
func (w *Worker) steal(victim *Worker) Job {
	victim.q.mu.Lock()
	n := (victim.q.len() + 1) / 2
	if n == 0 {
		victim.q.mu.Unlock()
		return nil
	}
	// The common case takes one job and no memory.
	first := victim.q.shift()
	var rest []Job
	for range n - 1 {
		rest = append(rest, victim.q.shift())
	}
	victim.q.mu.Unlock()
	if len(rest) > 0 {
		w.q.mu.Lock()
		for _, j := range rest {
			w.q.push(j)
		}
		w.q.mu.Unlock()
	}
	return first
}

// wakeOne wakes a parked worker, if there is one.
func (p *Pool) wakeOne() {
	if p.idlers.Load() == 0 {
		return
	}
	p.mu.Lock()
	n := len(p.idle)
	if n == 0 {
		p.mu.Unlock()
		return
	}
	w := p.idle[n-1]
	p.idle = p.idle[:n-1]
	p.idlers.Store(int32(n - 1))
	p.mu.Unlock()
	w.wake <- struct{}{}
}

// bindings numbers the bindings of all workers.
var bindings atomic.Uint64

// Binding returns a number that two jobs of any workers see only if they run on the same
// thread, and no job on it has given its worker up in between. It is for the job that
// runs.
func (w *Worker) Binding() uint64 { return w.binding }

// bind binds the calling thread, which is locked, to w's CPU.
func (w *Worker) bind() {
	w.binding = bindings.Add(1)
	if w.pool.pin {
		pinThread(w.cpu)
	}
}

// unbind lets the calling thread run anywhere again, as before it was bound.
func (p *Pool) unbind() {
	if p.pin {
		unpinThread()
	}
}

// A deque is a queue of jobs with two ends. Its methods want its lock held,
// except where their name says otherwise; size may be read by anyone.
type deque struct {
	mu   sync.Mutex
	jobs []Job // jobs[head:] are queued, oldest first
	head int
	size atomic.Int64
}

func (d *deque) len() int { return len(d.jobs) - d.head }

func (d *deque) push(j Job) {
	if d.head > 64 && d.head > len(d.jobs)/2 {
		n := copy(d.jobs, d.jobs[d.head:])
		clear(d.jobs[n:])
		d.jobs, d.head = d.jobs[:n], 0
	}
	d.jobs = append(d.jobs, j)
	d.size.Store(int64(d.len()))
}

func (d *deque) pushFront(j Job) {
	if d.head == 0 {
		d.jobs = slices.Insert(d.jobs, 0, j)
	} else {
		d.head--
		d.jobs[d.head] = j
	}
	d.size.Store(int64(d.len()))
}

// shift removes the oldest job, or returns nil.
func (d *deque) shift() Job {
	if d.len() == 0 {
		return nil
	}
	j := d.jobs[d.head]
	d.jobs[d.head] = nil
	d.head++
	d.size.Store(int64(d.len()))
	return j
}

func (d *deque) lockedPush(j Job) {
	d.mu.Lock()
	d.push(j)
	d.mu.Unlock()
}

// lockedPop removes the newest job, or returns nil.
func (d *deque) lockedPop() Job {
	if d.size.Load() == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.jobs)
	if n == d.head {
		return nil
	}
	j := d.jobs[n-1]
	d.jobs[n-1] = nil
	d.jobs = d.jobs[:n-1]
	d.size.Store(int64(d.len()))
	return j
}
