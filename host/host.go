// Package host runs tasks that are WebAssembly modules: it loads modules, makes
// an isolated instance for every call, and evaluates graphs on pinned workers.
//
//	h, err := host.Open(host.Config{})
//	…
//	defer h.Close()
//	m, err := h.Load(ctx, "tasks/math.wasm")
//	…
//	add, one := m.Task("add"), m.Task("one")
//	v, err := graph.Run[int64](ctx, h, add(one(), 2)) // 3
//
// A *Host is a [graph.Executor]. Guests are untrusted: a call gets no file,
// variable or network unless it is granted, and what it does to its memory is
// gone after it.
package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/memory"
	"entangle.example/entangle/sched"
)

// A Host loads modules and runs their tasks. Its methods may be called by several
// goroutines.
type Host struct {
	config    Config
	limits    limits
	log       *slog.Logger
	pool      *sched.Pool
	engine    string // that runs what does not say otherwise
	cache     string // directory, or ""
	granted   *granted
	functions []engine.Function // that modules may import
	system    *memory.System
	watchdog  *watchdog
	runs      []workerRun  // of each worker
	live      atomic.Int64 // instances
	actors    atomic.Int64 // of these, those of actors

	quit        chan struct{}
	janitorDone chan struct{}
	closing     sync.Once
	closeErr    error

	mu      sync.Mutex
	engines map[engineKey]engine.Engine
	modules map[[32]byte]*Module
	closed  bool           // nothing begins any more
	atEnd   []func()       // when all is over
	outside sync.WaitGroup // what runs without a worker, and must end before Close frees anything
}

// enter says that something begins that uses the host without a worker; unless it is
// an error, the caller must call h.outside.Done.
func (h *Host) enter() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errClosed
	}
	h.outside.Add(1)
	return nil
}

// Open returns a host. Its errors: a limit that makes no sense, an engine that is
// not there, a directory that is granted and cannot be opened.
func Open(c Config) (*Host, error) {
	h, err := open(c)
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	return h, nil
}

func open(c Config) (*Host, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	name, err := engineName(c.engine)
	if err != nil {
		return nil, err
	}
	h := &Host{config: c, log: c.log, engine: name, modules: map[[32]byte]*Module{}, engines: map[engineKey]engine.Engine{},
		limits: limits{linearLimit(cmp.Or(c.memory, DefaultMemory)), or(c.limits, defaultLimits)},
		quit:   make(chan struct{}), janitorDone: make(chan struct{})}
	h.limits.Stack = wholeStack(h.limits.Stack)
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.cache, err = c.cache(); err != nil {
		h.warn("compiled modules are not cached", err)
	}
	if h.functions, err = allFunctions(c.imports); err != nil {
		return nil, err
	}
	if h.granted, err = openGrants(c.grants); err != nil {
		return nil, err
	}
	if h.pool, err = sched.New(c.sched); err != nil {
		h.granted.close()
		return nil, err
	}
	h.runs = make([]workerRun, h.pool.Workers())
	h.system = memory.Open()
	h.watchdog = newWatchdog()
	go h.janitor()
	if _, err := h.engineFor(name, h.limits.Stack); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (h *Host) warn(msg string, err error) { h.log.Warn(msg, "error", err) }

// Close waits for what is running, then frees all that the host has made. Graphs
// that are run and modules that are loaded afterwards fail. Closing again waits for
// the same, and returns the same.
func (h *Host) Close() error {
	h.closing.Do(func() {
		h.mu.Lock()
		h.closed = true
		h.mu.Unlock()
		h.pool.Close()
		h.outside.Wait()
		close(h.quit)
		<-h.janitorDone
		h.watchdog.close()
		var errs []error
		for _, m := range h.modules {
			errs = append(errs, m.close())
		}
		for _, e := range h.engines {
			errs = append(errs, e.Close())
		}
		for _, fn := range h.atEnd {
			fn()
		}
		h.granted.close()
		h.closeErr = errors.Join(append(errs, h.system.Close())...)
	})
	return h.closeErr
}

// closeLater has fn called when the host is closed.
func (h *Host) closeLater(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.atEnd = append(h.atEnd, fn)
}

// A workerRun is the run that a worker has last made a call of, so that the next
// call need not look it up. Only the job that runs on the worker touches it.
type workerRun struct {
	ctx context.Context
	run *watchedRun
	_   [40]byte // a cache line of its own
}

// runOf returns what the watchdog knows of the run of a call.
func (h *Host) runOf(c *graph.Call, ctx context.Context) *watchedRun {
	if c == nil || c.Worker == nil {
		return h.watchdog.runOf(ctx)
	}
	r := &h.runs[c.Worker.ID()]
	if r.ctx != ctx {
		r.ctx, r.run = ctx, h.watchdog.runOf(ctx)
	}
	return r.run
}

// Pool returns the host's workers.
func (h *Host) Pool() *sched.Pool { return h.pool }

// Engine returns the name of the engine that runs modules.
func (h *Host) Engine() string { return h.engine }

// Execute runs one task; the evaluator of package graph calls it.
func (h *Host) Execute(c *graph.Call) (abi.Value, error) { return c.Node.Def().Op.Call(c) }

// errClosed is what a closed host answers.
var errClosed = errors.New("host: the host is closed")

var _ graph.Executor = (*Host)(nil)
