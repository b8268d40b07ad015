//go:build cgo && (linux || darwin) && (amd64 || arm64)

package wasmtime

import (
	"testing"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/engine/enginetest"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/memory"
)

type fixture struct {
	engine.Instance
	m engine.Module
	l *memory.Linear
}

func open(t testing.TB, opts engine.Options) engine.Engine {
	t.Helper()
	e, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func compile(t testing.TB, e engine.Engine, binary []byte) engine.Module {
	t.Helper()
	r, err := instrument.Rewrite(binary, e.Check())
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Compile(t.Context(), r, [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func page(t testing.TB) *memory.Linear {
	t.Helper()
	l, err := memory.New(memory.PageSize, memory.Reservation)
	if err != nil || l.Reallocate(memory.PageSize) == nil {
		t.Fatal("no memory", err)
	}
	return l
}

// instantiate makes an instance of enginetest.Guest.
func instantiate(t testing.TB, m engine.Module) fixture {
	t.Helper()
	f := fixture{m: m, l: page(t)}
	var err error
	if f.Instance, err = m.Instantiate(engine.Config{Memory: f.l}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = f.Close()
		f.l.Free()
	})
	return f
}

// guest is an instance to measure, whose host functions do nothing.
func guest(t testing.TB) fixture {
	opts := enginetest.Options()
	for k := range opts.Functions {
		opts.Functions[k].Call = func(any, []byte, []uint64) error { return nil }
	}
	return instantiate(t, compile(t, open(t, opts), enginetest.Guest))
}

func (f fixture) bench(b *testing.B, export string, stack []uint64) {
	b.ReportAllocs()
	fn := f.m.Func(export)
	for b.Loop() {
		if err := f.Call(fn, stack); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCall(b *testing.B) { guest(b).bench(b, "nothing", nil) }

func BenchmarkCallAdd(b *testing.B) { guest(b).bench(b, "add64", []uint64{1, 2}) }

// A call whose one instruction is a call of the host.
func BenchmarkCallHost(b *testing.B) { guest(b).bench(b, "fail", nil) }

func BenchmarkTrap(b *testing.B) {
	f := guest(b)
	fn := f.m.Func("outer")
	for b.Loop() {
		if f.Call(fn, nil) == nil {
			b.Fatal("no trap")
		}
	}
}

func BenchmarkGlobals(b *testing.B) {
	f := guest(b)
	v := make([]uint64, 3)
	for b.Loop() {
		f.Globals(v)
	}
}

func BenchmarkSetGlobals(b *testing.B) {
	f := guest(b)
	v := make([]uint64, 3)
	f.Globals(v)
	for b.Loop() {
		f.SetGlobals(v)
	}
}

func BenchmarkInstantiate(b *testing.B) {
	f := guest(b)
	l := page(b)
	defer l.Free()
	for b.Loop() {
		in, err := f.m.Instantiate(engine.Config{Memory: l})
		if err != nil {
			b.Fatal(err)
		}
		if err := in.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
