package host

// Driving a guest by hand: modules that know nothing of tasks, such as interpreters, are
// called export by export, call back into the program, and are made ready once, so that
// every later call begins in that state.

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/wasi"
)

// A Guest is an instance of a module during one call, in the state that all calls of
// the module begin in. It must not be used after the function that it was given to, nor
// by other goroutines.
type Guest struct {
	i     *instance
	ctx   context.Context
	depth int // calls of exports that are running
}

// maxDepth bounds calls of exports by functions that the guest imports, each of which
// takes stack of the host.
const maxDepth = 64

// Context returns the context of the call. It does not end with the call's timeout:
// what that stops is the guest.
func (g *Guest) Context() context.Context { return g.ctx }

// Call calls the exported function of that name. Parameters and results are numbers of
// WebAssembly: an i32 in the lower half, a float by its bits ([math.Float64bits]). The
// results are valid until the next Call. Errors have the code [abi.BadCall] if there is
// no such function or it takes another number of parameters; others mean that the guest
// trapped or was stopped, and the function that drives it should return them.
func (g *Guest) Call(export string, params ...uint64) (results []uint64, err error) {
	i := g.i
	m := i.program.m
	k, ok := m.desc.ExportIndex(export, instrument.FuncKind)
	if !ok {
		return nil, abi.Errorf(abi.BadCall, "%s exports no function %q", m.name, export)
	}
	t := m.desc.Exports[k].Type
	if len(params) != len(t.Params) {
		return nil, abi.Errorf(abi.BadCall, "%s%v takes %d numbers, got %d", export, t, len(t.Params), len(params))
	}
	if g.depth == maxDepth {
		return nil, abi.Errorf(abi.LimitHit, "the guest and what it imports call each other more than %d deep", maxDepth)
	}
	stack := i.stack
	if n := max(len(t.Params), len(t.Results)); g.depth > 0 { // the outer call's is in use
		stack = make([]uint64, n)
	}
	copy(stack, params)
	g.depth++
	err = i.runOn(k, stack[:max(len(t.Params), len(t.Results))])
	g.depth--
	if err != nil {
		return nil, err
	}
	for k, t := range t.Results {
		if t == instrument.I32 || t == instrument.F32 {
			stack[k] &= math.MaxUint32
		}
	}
	return stack[:len(t.Results)], nil
}

// Memory returns the guest's memory, exported or not; nil if its module defines none.
// It is valid until the guest runs again.
func (g *Guest) Memory() []byte {
	if g.i.memory == nil {
		return nil
	}
	g.i.effect |= instrument.WritesMemory
	return g.i.memory.Bytes()
}

// Block runs fn, which may wait, while other tasks use the worker.
func (g *Guest) Block(fn func()) {
	if g.i.c == nil || g.i.c.Worker == nil {
		fn()
		return
	}
	g.i.c.Block(fn)
}

// An Import is a Go function that modules may import.
type Import struct {
	Module, Name string
	Type         string // such as "(i32, i64) -> f64"; of i32, i64, f32 and f64
	// Call gets the parameters in stack, numbers as [Guest.Call] has them, and leaves
	// the results there. It runs on the worker and must be quick, or use [Guest.Block].
	// It may call the guest. An error ends the call of the guest and is its cause.
	Call func(g *Guest, stack []uint64) error
}

// function returns what engines know of an import.
func (m Import) function() (f engine.Function, err error) {
	if f.Type, err = instrument.ParseFuncType(m.Type); err != nil {
		return f, fmt.Errorf("import %s.%s: %w", m.Module, m.Name, err)
	}
	if m.Call == nil {
		return f, fmt.Errorf("import %s.%s has no function", m.Module, m.Name)
	}
	f.Module, f.Name = m.Module, m.Name
	f.Call = func(data any, _ []byte, stack []uint64) error {
		i := data.(*instance)
		if err := i.count(); err != nil {
			return err
		}
		return i.guest.imported(m.Call, stack)
	}
	return f, nil
}

// imported has fn answer a call of the guest. A panic is its error, with either engine.
func (g *Guest) imported(fn func(*Guest, []uint64) error, stack []uint64) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = abi.Errorf(abi.Failed, "an imported function panicked: %v", r)
		}
	}()
	return fn(g, stack)
}

// allFunctions returns what modules may import: the host's own, and more.
func allFunctions(more []Import) ([]engine.Function, error) {
	all := slices.Clip(importFunctions)
	for _, m := range more {
		f, err := m.function()
		if err != nil {
			return nil, err
		}
		if f.Module == abi.ImportModule || f.Module == wasi.Module || strings.HasPrefix(f.Module, "entangle:") {
			return nil, fmt.Errorf("import %s.%s: the host has that module already", m.Module, m.Name)
		}
		if slices.ContainsFunc(all, func(o engine.Function) bool { return o.Module == f.Module && o.Name == f.Name }) {
			return nil, fmt.Errorf("import %s.%s is there twice", m.Module, m.Name)
		}
		all = append(all, f)
	}
	return all, nil
}

// A Setup is how a module is made ready for calls; see [Module.Prepare].
type Setup struct {
	// Run drives the first instance, whose state all calls begin in. It may run more
	// than once: for each engine, and where two calls are the first. What the guest reads
	// meanwhile (files, the clock, random numbers) is the same for all of them.
	Run func(g *Guest) error
	// Policy is what calls run under that say nothing else, and Run too. What its
	// grants give, all calls have, and no call has more.
	Policy graph.Policy
	// Key stands for what Run does and reads: if it is not "", the state may be kept on
	// disk, and a process with the same module, Key and grants begins with it.
	Key string

	env    environment
	limits *limits
}

// Prepare returns m with another beginning: every call of what it returns starts from
// the state in which s.Run has left an instance. Tasks of m are tasks of it. It is
// closed with its host.
//
// Its errors are those of s.Run, or have the code [abi.BadCall]: an instance of m
// cannot be reset, or the guest has left files open.
func (m *Module) Prepare(ctx context.Context, s Setup) (*Module, error) {
	h := m.host
	if err := h.enter(); err != nil {
		return nil, err
	}
	defer h.outside.Done()
	var done func()
	fail := func(err error) (*Module, error) {
		if done != nil {
			done()
		}
		return nil, fmt.Errorf("preparing %s: %w", m.name, err)
	}
	if m.setup != nil {
		return fail(abi.Errorf(abi.BadCall, "it is prepared already"))
	}
	if s.Run == nil || s.Policy.Actor != "" {
		return fail(abi.Errorf(abi.BadCall, "its setup runs nothing, or names an actor"))
	}
	var err error
	if s.limits, err = h.limitsOf(&h.limits, &s.Policy); err != nil {
		return fail(err)
	}
	if m.wasi {
		if s.env, done, err = h.granted.environment(&s.Policy); err != nil {
			return fail(err)
		}
	}
	n := &Module{host: h, name: m.name, id: m.id, source: m.source, desc: m.desc, manifest: m.manifest, begin: m.begin,
		wasi: m.wasi, memory: m.memory, mostValues: m.mostValues, programs: m.programs, setup: &s, limits: s.limits}
	if err := n.findTasks(); err != nil {
		return fail(err)
	}
	p, err := n.ownProgram(ctx)
	if err != nil {
		return fail(err)
	}
	if why := p.rewritten.Unsafe; why != "" {
		return fail(abi.Errorf(abi.BadCall, "each call makes an instance anew, and would run the setup again: %s", why))
	}
	if err := n.Do(ctx, func(*Guest) error { return nil }); err != nil {
		p.forget(&s)
		return fail(err)
	}
	if done != nil {
		h.closeLater(done)
	}
	return n, nil
}

// Do makes one call of a guest by hand: fn drives an instance in the state that every
// call of m begins in, and afterwards it is reset. The error is fn's, as an *abi.Error.
// It runs on the calling goroutine; several may at once.
func (m *Module) Do(ctx context.Context, fn func(g *Guest) error) error {
	h := m.host
	if err := h.enter(); err != nil {
		return err
	}
	defer h.outside.Done()
	ctx, cancel := context.WithCancel(ctx) // so that the watchdog forgets it
	defer cancel()
	i, err := m.acquireAlone(ctx, "a call")
	if err != nil {
		return err
	}
	return i.release(i.drive(ctx, fn))
}

// Func returns a task whose calls drive a guest by hand.
func (m *Module) Func(name string, sig abi.Signature, fn func(g *Guest, args []abi.Value) (abi.Value, error)) graph.Task {
	t := graph.New(name, sig, &drivenTask{m, fn})
	if m.setup != nil {
		t = t.With(m.setup.Policy)
	}
	return t
}

type drivenTask struct {
	m  *Module
	fn func(*Guest, []abi.Value) (abi.Value, error)
}

func (t *drivenTask) Call(c *graph.Call) (v abi.Value, err error) {
	i, err := t.m.acquire(c, nil)
	if err != nil {
		return v, err
	}
	err = i.drive(c.Ctx, func(g *Guest) (err error) {
		v, err = t.fn(g, c.Args)
		return err
	})
	if err = i.release(err); err != nil {
		return abi.Value{}, err
	}
	return v, nil
}

// drive has fn, which is not the host's, use the instance. If fn panics, so does drive.
func (i *instance) drive(ctx context.Context, fn func(*Guest) error) (err error) {
	returned := false
	i.guest.ctx, i.guest.depth = ctx, 0
	defer func() {
		i.guest.ctx = nil
		if !returned {
			i.worn = true
			_ = i.release(errDriver) // nobody gets it
		}
	}()
	err = fn(&i.guest)
	returned = true
	if err == nil {
		return nil
	}
	if trap, ok := errors.AsType[*engine.Trap](err); ok {
		return trap
	}
	if _, ok := errors.AsType[*abi.Error](err); !ok {
		err = abi.Errorf(abi.Failed, "%w", err)
	}
	return err
}

var errDriver = errors.New("what drove it panicked")
