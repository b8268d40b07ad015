//go:build cgo && (linux || darwin) && (amd64 || arm64)

// Package wasmtime runs modules with wasmtime, whose C library the Go binding
// brings. The binding itself is not used: a call through it takes microseconds, and
// finalizers, which do not see how much C memory they stand for, decide when it
// frees.
//
// To Go, a guest that runs is in a C call: it holds up neither the scheduler nor the
// garbage collector. A word of memory stops it (control.go).
package wasmtime

// #include <stdlib.h>
// #include "native.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"

	_ "github.com/bytecodealliance/wasmtime-go/v39" // the library

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/memory"
)

// Available reports whether this program has the engine; Unavailable says why not.
const (
	Available   = true
	Unavailable = ""
)

// version is that of the binding's module, which names the library's.
const version = "39.0.1"

// addressable is how much of its reservation a memory can use; the rest is a guard.
const addressable = 4 << 30

const (
	defaultStack = 1 << 20
	maxStack     = 4 << 20
)

type wasmtimeEngine struct {
	opts      engine.Options
	native    *C.wasm_engine_t
	linker    *C.wasmtime_linker_t // of all modules; complete before the first
	functions []function
	words     controlWords
	users     atomic.Int64 // compilations, modules, and one until Close
}

// A function is an engine.Function as the calls need it.
type function struct {
	call    func(data any, mem []byte, stack []uint64) error
	params  []uint64 // masks
	results int
}

// New returns the engine.
func New(opts engine.Options) (engine.Engine, error) {
	if opts.Warn == nil {
		opts.Warn = func(string, error) {}
	}
	stack, err := stackSize(opts.Stack)
	if err != nil {
		return nil, err
	}
	e := &wasmtimeEngine{opts: opts}
	e.users.Store(1)
	e.native = C.entangle_engine_new(C.size_t(stack), addressable, memory.Reservation-addressable)
	if e.native == nil {
		return nil, errors.New("wasmtime cannot be set up on this machine")
	}
	e.linker = C.wasmtime_linker_new(e.native)
	for k, f := range opts.Functions {
		if err := e.define(k, f); err != nil {
			_ = e.Close()
			return nil, fmt.Errorf("host function %s.%s: %w", f.Module, f.Name, err)
		}
	}
	return e, nil
}

// stackSize returns how much of a thread's stack guests may use. What a host
// function, a signal or the C library needs comes on top, so it is never more than
// half of it.
func stackSize(asked int64) (int64, error) {
	if asked == 0 {
		asked = defaultStack
	}
	limit := min(int64(C.entangle_thread_stack())/2, maxStack)
	if asked < 0 || asked > limit {
		return 0, fmt.Errorf("a stack of %d bytes for guests: at most %d are possible here (half of what threads have, see ulimit -s, and never more than %d)", asked, limit, maxStack)
	}
	return asked, nil
}

func (e *wasmtimeEngine) define(number int, f engine.Function) error {
	types := make([]byte, 0, 16)
	fn := function{call: f.Call, results: len(f.Type.Results)}
	for _, t := range slices.Concat(f.Type.Params, f.Type.Results) {
		kind, ok := kinds[t]
		if !ok {
			return fmt.Errorf("%v is not a type of numbers", t)
		}
		types = append(types, kind)
	}
	for _, t := range f.Type.Params {
		fn.params = append(fn.params, mask(t))
	}
	e.functions = append(e.functions, fn)
	return takeError(C.entangle_define(e.linker, chars(f.Module), C.size_t(len(f.Module)), chars(f.Name), C.size_t(len(f.Name)),
		(*C.uint8_t)(unsafe.SliceData(types)), C.size_t(len(f.Type.Params)), C.size_t(len(f.Type.Results)), C.uintptr_t(number)))
}

// chars returns the bytes of s, which C must not keep.
func chars(s string) *C.char { return (*C.char)(unsafe.Pointer(unsafe.StringData(s))) }

func (e *wasmtimeEngine) Name() string            { return "wasmtime" }
func (e *wasmtimeEngine) Version() string         { return version }
func (e *wasmtimeEngine) Check() instrument.Check { return instrument.ControlWord }

func (e *wasmtimeEngine) Close() error {
	e.release()
	return nil
}

// release frees the engine once nobody uses it: it may be compiling what nobody waits
// for any more.
func (e *wasmtimeEngine) release() {
	if e.users.Add(-1) == 0 {
		C.wasmtime_linker_delete(e.linker)
		C.wasm_engine_delete(e.native)
		e.words.close()
	}
}

func (e *wasmtimeEngine) Compile(ctx context.Context, r *instrument.Rewritten, id [32]byte) (engine.Module, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	e.users.Add(1) // the compilation, then the module
	return engine.Await(ctx, func() (engine.Module, error) {
		m, err := e.compile(r, id)
		if err != nil {
			e.release()
			return nil, err
		}
		return m, nil
	})
}

type module struct {
	engine    *wasmtimeEngine
	rewritten *instrument.Rewritten
	native    *C.wasmtime_module_t
	pre       *C.wasmtime_instance_pre_t // with its imports resolved
	exports   []export                   // functions, by name
	slots     int                        // the most that an export takes
	memory    bool                       // it defines one of its own
	heaps     int                        // memories that wasmtime wants for itself: one or none
}

func (e *wasmtimeEngine) compile(r *instrument.Rewritten, id [32]byte) (_ *module, err error) {
	m := &module{engine: e, rewritten: r}
	// wasmtime's C interface ends the process over types that it does not know.
	described, err := r.Describe()
	if err != nil {
		return nil, err
	}
	for _, x := range described.Exports {
		if x.Kind == instrument.FuncKind {
			m.exports = append(m.exports, newExport(x.Name, x.Type))
			m.slots = max(m.slots, m.exports[len(m.exports)-1].slots)
		}
	}
	slices.SortFunc(m.exports, func(a, b export) int { return strings.Compare(a.name, b.name) })
	if m.native, err = e.load(r, id); err != nil {
		return nil, explain(r, err)
	}
	if err = takeError(C.wasmtime_linker_instantiate_pre(e.linker, m.native, &m.pre)); err != nil {
		m.free()
		return nil, err
	}
	defined := len(described.Memories)
	m.memory = r.Control != "" && defined == 2 || r.Control == "" && defined == 1
	asked := int(C.entangle_count_memories(e.native, m.pre))
	if asked < 0 {
		m.free()
		return nil, errors.New("there is no memory for an instance of it")
	}
	m.heaps = asked - defined
	if m.heaps != 0 && m.heaps != 1 {
		m.free()
		return nil, fmt.Errorf("wasmtime asks for %d memories, and the module has %d", m.heaps+defined, defined)
	}
	return m, nil
}

// translate has wasmtime compile r.
func (e *wasmtimeEngine) translate(r *instrument.Rewritten) (m *C.wasmtime_module_t, err error) {
	binary, err := r.Code()
	if err != nil {
		return nil, err
	}
	err = takeError(C.wasmtime_module_new(e.native, (*C.uint8_t)(unsafe.SliceData(binary)), C.size_t(len(binary)), &m))
	return m, err
}

// inFunction is how wasmtime begins where it means a function.
var inFunction = regexp.MustCompile(`^failed to compile: wasm\[0\]::function\[(\d+)\](?:::([^:]+))?: (?:WebAssembly translation error: )?`)

// explain makes of an error of the compiler one about the module as it was.
func explain(r *instrument.Rewritten, err error) error {
	msg := err.Error()
	if m := inFunction.FindStringSubmatch(msg); m != nil {
		name := m[2]
		if name == "" {
			name = "$" + m[1]
		}
		name, _ = r.FunctionName(name)
		msg = "function " + name + ": " + msg[len(m[0]):]
	}
	return errors.New(offset.ReplaceAllString(msg, ""))
}

// offset is where in the rewritten module something was found, which helps nobody.
var offset = regexp.MustCompile(`Invalid input WebAssembly code at offset \d+: `)

func (m *module) Func(name string) int {
	i, ok := slices.BinarySearchFunc(m.exports, name, func(x export, name string) int { return strings.Compare(x.name, name) })
	if !ok {
		return -1
	}
	return i
}

func (m *module) Close() error {
	m.free()
	m.engine.release()
	return nil
}

func (m *module) free() {
	if m.pre != nil {
		C.wasmtime_instance_pre_delete(m.pre)
	}
	if m.native != nil {
		C.wasmtime_module_delete(m.native)
	}
	m.pre, m.native = nil, nil
}
