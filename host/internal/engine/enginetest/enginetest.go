// Package enginetest holds every engine to the contract of package engine.
package enginetest

import (
	"context"
	_ "embed"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/memory"
)

// Guest is testdata/guest.wat as wat2wasm makes it.
//
//go:embed testdata/guest.wasm
var Guest []byte

// An Open makes the engine that is tested.
type Open func(engine.Options) (engine.Engine, error)

// Run runs all tests.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"numbers":    testNumbers,
		"traps":      testTraps,
		"overflow":   testOverflow,
		"exceptions": testExceptions,
		"catches":    testCatches,
		"host":       testHost,
		"nested":     testNested,
		"memory":     testMemory,
		"snapshot":   testSnapshot,
		"globals":    testGlobals,
		"tables":     testTables,
		"stop":       testStop,
		"collector":  testCollector,
		"compile":    testCompile,
		"cache":      testCache,
		"parallel":   testParallel,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// functions are what Guest imports. The Data of an instance is a *state.
var functions = []engine.Function{
	{Module: "host", Name: "note", Type: instrument.FuncType{
		Params:  []instrument.ValType{instrument.I32, instrument.I64, instrument.F32, instrument.F64},
		Results: []instrument.ValType{instrument.I64}},
		Call: func(data any, mem []byte, stack []uint64) error {
			s := data.(*state)
			s.noted, s.seen = append([]uint64(nil), stack...), len(mem)
			stack[0] = 1<<63 | 5
			return nil
		}},
	{Module: "host", Name: "again", Type: instrument.FuncType{
		Params: []instrument.ValType{instrument.I32}, Results: []instrument.ValType{instrument.I32}},
		Call: func(data any, _ []byte, stack []uint64) error { return data.(*state).again(stack) }},
	{Module: "host", Name: "fail", Call: func(data any, _ []byte, _ []uint64) error { return data.(*state).err }},
}

// A state is what the host functions know of an instance.
type state struct {
	guest   *guest
	stopped atomic.Bool
	noted   []uint64
	seen    int
	err     error
}

var errStopped = errors.New("the test has stopped it")

func poll(data any, _ int64) error {
	if data.(*state).stopped.Load() {
		return errStopped
	}
	return nil
}

// again calls the export of the same name of the instance that has called it, until
// the parameter is 0.
func (s *state) again(stack []uint64) error {
	if stack[0] == 0 {
		return s.err
	}
	nested := []uint64{stack[0] - 1}
	err := s.guest.Call(s.guest.module.Func("again"), nested)
	stack[0] = nested[0]
	return err
}

// Options returns what an engine needs for Guest.
func Options() engine.Options { return engine.Options{Functions: slices.Clone(functions), Poll: poll} }

func start(t testing.TB, open Open, opts engine.Options) engine.Engine {
	t.Helper()
	e, err := open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func compile(t testing.TB, e engine.Engine, binary []byte, id byte) (engine.Module, *instrument.Rewritten) {
	t.Helper()
	r, err := instrument.Rewrite(binary, e.Check())
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Compile(context.Background(), r, [32]byte{id})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m, r
}

// A guest is an instance with what it is made of.
type guest struct {
	engine.Instance
	t         testing.TB
	module    engine.Module
	rewritten *instrument.Rewritten
	memory    *memory.Linear
	state     *state
}

const maxPages = 8 // of Guest

// instantiate makes an instance of Guest with a memory that is new, or with l.
func instantiate(t testing.TB, m engine.Module, r *instrument.Rewritten, l *memory.Linear) *guest {
	t.Helper()
	g := &guest{t: t, module: m, rewritten: r, memory: l, state: &state{}}
	g.state.guest = g
	if l == nil {
		g.memory = newMemory(t, 1)
	}
	var err error
	if g.Instance, err = m.Instantiate(engine.Config{Memory: g.memory, Tables: 5, Data: g.state}); err != nil {
		t.Fatal(err)
	}
	if l == nil {
		g.init()
	}
	return g
}

func newMemory(t testing.TB, pages uint64) *memory.Linear {
	t.Helper()
	l, err := memory.New(maxPages*memory.PageSize, memory.Reservation)
	if err != nil {
		t.Fatal(err)
	}
	if l.Reallocate(pages*memory.PageSize) == nil {
		t.Fatal("no memory")
	}
	return l
}

func (g *guest) init() {
	g.t.Helper()
	if g.rewritten.Init == "" {
		return
	}
	if err := g.Call(g.module.Func(g.rewritten.Init), nil); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guest) close() {
	g.t.Helper()
	if err := g.Close(); err != nil {
		g.t.Error(err)
	}
	g.memory.Free()
}

func newGuest(t testing.TB, open Open) *guest {
	t.Helper()
	m, r := compile(t, start(t, open, Options()), Guest, 1)
	g := instantiate(t, m, r, nil)
	t.Cleanup(g.close)
	return g
}

// call calls an export and returns its results, of which there are so many.
func (g *guest) call(export string, results int, params ...uint64) ([]uint64, error) {
	g.t.Helper()
	fn := g.module.Func(export)
	if fn < 0 {
		g.t.Fatalf("no export %q", export)
	}
	stack := make([]uint64, max(results, len(params)))
	copy(stack, params)
	err := g.Call(fn, stack)
	return stack[:results], err
}

// one is call for an export that returns one number and does not trap.
func (g *guest) one(export string, params ...uint64) uint64 {
	g.t.Helper()
	r, err := g.call(export, 1, params...)
	if err != nil {
		g.t.Fatalf("%s%v: %v", export, params, err)
	}
	return r[0]
}
