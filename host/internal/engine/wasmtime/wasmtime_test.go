//go:build cgo && (linux || darwin) && (amd64 || arm64)

package wasmtime

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	binding "github.com/bytecodealliance/wasmtime-go/v39"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/engine/enginetest"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/memory"
)

func TestEngine(t *testing.T) { enginetest.Run(t, New) }

// Cached code is filed under the version, so it has to be the library's.
func TestVersion(t *testing.T) {
	mod, err := os.ReadFile("../../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), "bytecodealliance/wasmtime-go/v39 v"+version+"\n") {
		t.Errorf("go.mod has another version than %s", version)
	}
}

// The names of both ends of a stack are enough.
func TestLongStack(t *testing.T) {
	f := instantiate(t, compile(t, open(t, enginetest.Options()), enginetest.Guest))
	err := f.Call(f.m.Func("deep"), []uint64{1 << 40})
	trap, ok := err.(*engine.Trap)
	if !ok || len(trap.Stack) != 2*ends+1 || trap.Stack[0] != "guest.deep" || trap.Stack[2*ends] != "guest.deep" || !strings.HasSuffix(trap.Stack[ends], " more …") {
		t.Errorf("error %#v", err)
	}
}

func TestStack(t *testing.T) {
	for _, size := range []int64{-1, maxStack + 1, 1 << 40} {
		if e, err := New(engine.Options{Stack: size}); err == nil || !strings.Contains(err.Error(), "at most") {
			t.Errorf("%d bytes of stack: error %v", size, err)
			if err == nil {
				_ = e.Close()
			}
		}
	}
	deepest := func(size int64) (n uint64) {
		opts := enginetest.Options()
		opts.Stack = size
		f := instantiate(t, compile(t, open(t, opts), enginetest.Guest))
		for n = 1; f.Call(f.m.Func("deep"), []uint64{n}) == nil; n *= 2 {
		}
		return n
	}
	if small, large := deepest(64<<10), deepest(2<<20); large < 8*small {
		t.Errorf("recursion ends at %d calls with 64 KiB and at %d with 2 MiB", small, large)
	}
}

// fromText compiles a module from its text, as it is: more than instrument.Rewrite
// lets through.
func fromText(t *testing.T, e engine.Engine, wat string) engine.Module {
	t.Helper()
	binary, err := binding.Wat2Wasm(wat)
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Compile(t.Context(), &instrument.Rewritten{Binary: binary}, [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func bare(t *testing.T, m engine.Module) engine.Instance {
	t.Helper()
	in, err := m.Instantiate(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	return in
}

// Neither types that the C interface does not know, nor exceptions without end, are
// the end of the process.
func TestExceptions(t *testing.T) {
	m := fromText(t, open(t, engine.Options{}), `(module
		(tag $t (export "tag") (param i32))
		(table $all (export "table") 3000000 exnref)
		(func (export "pass") (param exnref) (result exnref) (local.get 0))
		(func $caught (result exnref) (local exnref)
			(block $b (result i32 exnref)
				(try_table (catch_ref $t $b) (throw $t (i32.const 1)))
				(unreachable))
			(local.set 0) (drop) (local.get 0))
		(func (export "exhaust") (local i32)
			(loop $l
				(table.set $all (local.get 0) (call $caught))
				(local.set 0 (i32.add (local.get 0) (i32.const 1)))
				(br $l)))
		(func $hold (export "hold") (param i32) (result i32) (local exnref)
			(local.set 1 (call $caught))
			(if (result i32) (i32.eqz (local.get 0))
				(then (i32.const 1))
				(else (i32.add (call $hold (i32.sub (local.get 0) (i32.const 1))) (i32.eqz (ref.is_null (local.get 1))))))))`)
	in := bare(t, m)
	stack := []uint64{0}
	if err := in.Call(m.Func("pass"), stack); err != nil || stack[0] != 0 {
		t.Errorf("null comes back as %d, %v", stack[0], err)
	}
	if err := in.Call(m.Func("pass"), []uint64{1}); !errors.Is(err, errReference) {
		t.Errorf("error %v", err)
	}
	for range 20 {
		stack[0] = 2000
		if err := in.Call(m.Func("hold"), stack); err != nil || stack[0] != 2001 {
			t.Fatalf("%d exceptions are held, %v", stack[0], err)
		}
	}
	if spent := in.(*instance).Spent(); spent != (20*2001*48 > spentHeap) {
		t.Errorf("after 40,000 exceptions it is spent: %v", spent)
	}
	if fresh := bare(t, m).(*instance); fresh.Spent() {
		t.Error("a new instance is spent")
	}
	before := resident(t)
	err := in.Call(m.Func("exhaust"), nil)
	if trap, ok := err.(*engine.Trap); !ok || trap.Reason != noHeap || len(trap.Stack) == 0 {
		t.Errorf("error %#v", err)
	}
	if grown := resident(t) - before; grown > 100<<20 {
		t.Errorf("the exceptions take %d bytes", grown)
	}
}

func TestVectors(t *testing.T) {
	m := fromText(t, open(t, engine.Options{}), `(module
		(func (export "add") (param v128 i32 v128) (result i32 v128)
			(local.get 1) (i64x2.add (local.get 0) (local.get 2))))`)
	stack := []uint64{1, 2, 1<<63 | 9, 30, 40}
	if err := bare(t, m).Call(m.Func("add"), stack); err != nil || stack[0] != 9 || stack[1] != 31 || stack[2] != 42 {
		t.Errorf("%v, %v", stack, err)
	}
}

func TestCompileErrors(t *testing.T) {
	e := open(t, engine.Options{Functions: []engine.Function{{Module: "host", Name: "f"}}})
	header := "\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00"
	for _, c := range []struct{ binary, want string }{
		{header + "\x03\x02\x01\x00\x0a\x05\x01\x03\x00\x6a\x0b", "function $0: type mismatch: expected i32 but nothing on stack"},
		{header + "\x03\x02\x01\x00\x0a\x05\x01\x03\x00\x6a\x0b\x00\x0b\x04name\x01\x04\x01\x00\x01f", "function f: type mismatch: expected i32 but nothing on stack"},
		{header + "\x02\x0a\x01\x04host\x01g\x00\x00", "unknown import: `host::g` has not been defined"},
		{"\x00asm\x01\x00\x00\x00\x01\x05\x01\x60\x00\x01\x7f\x02\x0a\x01\x04host\x01f\x00\x00",
			"incompatible import type for `host::f`: types incompatible: expected type `(func (result i32))`, found type `(func)`"},
	} {
		// Not rewritten: that would find some of this itself.
		m, err := e.Compile(t.Context(), &instrument.Rewritten{Binary: []byte(c.binary)}, [32]byte{})
		if err == nil {
			_ = m.Close()
		}
		if err == nil || err.Error() != c.want {
			t.Errorf("error %q, want %q", err, c.want)
		}
	}
	if e, err := New(engine.Options{Functions: []engine.Function{{Module: "a", Name: "b", Type: instrument.FuncType{Params: []instrument.ValType{funcref}}}}}); err == nil {
		t.Error("a host function with references is accepted")
		_ = e.Close()
	}
}

func TestHostPanic(t *testing.T) {
	opts := enginetest.Options()
	for k := range opts.Functions {
		opts.Functions[k].Call = func(any, []byte, []uint64) error { panic("ouch") }
	}
	f := instantiate(t, compile(t, open(t, opts), enginetest.Guest))
	for range 3 {
		err := f.Call(f.m.Func("fail"), nil)
		if trap, ok := err.(*engine.Trap); !ok || trap.Err == nil || !strings.Contains(trap.Err.Error(), "ouch") || len(trap.Stack) != 1 {
			t.Errorf("error %#v", err)
		}
	}
}

// Instances share a page of control words, and no word.
func TestControlWords(t *testing.T) {
	m := compile(t, open(t, enginetest.Options()), enginetest.Guest)
	a, b := instantiate(t, m), instantiate(t, m)
	a.Stop()
	if err := a.Call(m.Func("tree"), []uint64{5}); err == nil {
		t.Error("it was stopped, and runs")
	}
	if err := b.Call(m.Func("tree"), []uint64{5}); err != nil {
		t.Errorf("the other one was stopped: %v", err)
	}
	// The next instance gets the same word.
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := instantiate(t, m).Call(m.Func("tree"), []uint64{5}); err != nil {
		t.Errorf("a new one was stopped: %v", err)
	}
}

// held counts this process's mappings and descriptors.
func held(t *testing.T) (maps, files int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skipf("no /proc here: %v", err)
	}
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), "\n"), len(all)
}

func TestNothingIsLeft(t *testing.T) {
	e := open(t, enginetest.Options())
	m := compile(t, e, enginetest.Guest)
	thrower := fromText(t, e, `(module (tag $t) (func (export "f") (throw $t)))`)
	round := func() {
		l := page(t)
		in, err := m.Instantiate(engine.Config{Memory: l})
		if err != nil {
			t.Fatal(err)
		}
		if in.Call(m.Func("unreachable"), nil) == nil {
			t.Fatal("no trap")
		}
		th, err := thrower.Instantiate(engine.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if th.Call(thrower.Func("f"), nil) == nil {
			t.Fatal("no trap")
		}
		if err := errors.Join(in.Close(), th.Close()); err != nil {
			t.Fatal(err)
		}
		l.Free()
	}
	for range 50 {
		round()
	}
	maps, files := held(t)
	before := resident(t)
	for range 1000 {
		round()
	}
	if m, f := held(t); m > maps+20 || f > files+2 {
		t.Errorf("%d mappings and %d descriptors, before a thousand instances %d and %d", m, f, maps, files)
	}
	if grown := resident(t) - before; grown > 16<<20 {
		t.Errorf("%d bytes more are resident", grown)
	}
}

// resident returns the bytes of memory of this process that are resident.
func resident(t *testing.T) int {
	t.Helper()
	runtime.GC()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skipf("no /proc here: %v", err)
	}
	var size, pages int
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

func TestTenThousand(t *testing.T) {
	if testing.Short() {
		t.Skip("ten thousand instances; run without -short")
	}
	const n = 10_000
	m := compile(t, open(t, enginetest.Options()), enginetest.Guest)
	maps, _ := held(t)
	before, begun := resident(t), time.Now()
	var all []engine.Instance
	var memories []*memory.Linear
	defer func() {
		for _, in := range all {
			_ = in.Close()
		}
		for _, l := range memories {
			l.Free()
		}
	}()
	for range n {
		l := page(t)
		memories = append(memories, l)
		in, err := m.Instantiate(engine.Config{Memory: l})
		if err != nil {
			t.Fatalf("after %d: %v", len(all), err)
		}
		all = append(all, in)
	}
	took := time.Since(begun)
	for k, in := range all {
		stack := []uint64{uint64(k), 1}
		if err := in.Call(m.Func("add64"), stack); err != nil || stack[0] != uint64(k+1) {
			t.Fatalf("%d + 1 = %d, %v", k, stack[0], err)
		}
	}
	now, _ := held(t)
	each := (resident(t) - before) / n
	t.Logf("%v, %d mappings and %d resident bytes each", took, (now-maps)/n, each)
	if each > 64<<10 {
		t.Errorf("%d bytes are resident for each", each)
	}
}

// A memory that does not fit the module is refused, whatever is wrong with it.
func TestMemoryRefused(t *testing.T) {
	e := open(t, enginetest.Options())
	with, without := compile(t, e, enginetest.Guest), compile(t, e, []byte("\x00asm\x01\x00\x00\x00"))
	l := page(t)
	defer l.Free()
	small, err := memory.New(memory.PageSize, 1<<20)
	if err != nil || small.Reallocate(memory.PageSize) == nil {
		t.Fatal("no memory", err)
	}
	defer small.Free()
	empty, err := memory.New(memory.PageSize, memory.Reservation)
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Free()
	for _, c := range []struct {
		m    engine.Module
		l    *memory.Linear
		want string
	}{
		{with, nil, "a memory is given: false; the module defines one: true"},
		{without, l, "a memory is given: true; the module defines one: false"},
		{with, small, "its reservation is too small"},
		{with, empty, "the module's memory has another size"},
	} {
		in, err := c.m.Instantiate(engine.Config{Memory: c.l})
		if err == nil {
			_ = in.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}
