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
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/engine/wazero"
	"entangle.example/entangle/sched"
)

// A Host loads modules and runs their tasks. Its methods may be called by several
// goroutines.
type Host struct {
	config  Config
	log     *slog.Logger
	pool    *sched.Pool
	engine  engine.Engine
	granted *granted

	closing  sync.Once
	closeErr error

	mu      sync.Mutex
	modules map[[32]byte]*Module
	closed  bool // no module is added any more
}

// Open returns a host. Its errors: a limit that makes no sense, an engine that is
// not there, a directory that is granted and cannot be opened.
func Open(c Config) (*Host, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	h := &Host{config: c, log: c.log, modules: map[[32]byte]*Module{}}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	warn := func(msg string, err error) { h.log.Warn(msg, "error", err) }
	cache, err := c.cache()
	if err != nil {
		warn("compiled modules are not cached", err)
	}
	if h.granted, err = openGrants(c.grants); err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	if h.pool, err = sched.New(c.sched); err != nil {
		h.granted.close()
		return nil, err
	}
	h.engine = wazero.New(engine.Options{Cache: cache, ImportModule: abi.ImportModule, Functions: importFunctions, Warn: warn})
	return h, nil
}

// Close waits for what is running, then frees all that the host has made. Graphs
// that are run and modules that are loaded afterwards fail. Closing again waits for
// the same, and returns the same.
func (h *Host) Close() error {
	h.closing.Do(func() {
		h.mu.Lock()
		h.closed = true
		h.mu.Unlock()
		h.pool.Close()
		var errs []error
		for _, m := range h.modules {
			errs = append(errs, m.compiled.Close())
		}
		errs = append(errs, h.engine.Close())
		h.granted.close()
		h.closeErr = errors.Join(errs...)
	})
	return h.closeErr
}

// Pool returns the host's workers.
func (h *Host) Pool() *sched.Pool { return h.pool }

// Engine returns the name of the engine that runs modules.
func (h *Host) Engine() string { return h.engine.Name() }

// Execute runs one task; the evaluator of package graph calls it.
func (h *Host) Execute(c *graph.Call) (abi.Value, error) { return c.Node.Def().Op.Call(c) }

// errClosed is what a closed host answers.
var errClosed = errors.New("host: the host is closed")

var _ graph.Executor = (*Host)(nil)

// memoryLimit returns the limit of linear memory of a call, in bytes.
func (h *Host) memoryLimit(p *graph.Policy) uint64 {
	switch {
	case p.Memory > 0:
		return uint64(min(p.Memory, MaxMemory))
	case h.config.memory > 0:
		return uint64(h.config.memory)
	}
	return DefaultMemory
}
