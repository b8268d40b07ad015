// Package engine is the seam between the host and what compiles and runs
// WebAssembly. Nothing but speed may depend on which engine is behind it.
package engine

import (
	"context"
	"fmt"
	"runtime/debug"

	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/memory"
)

// An Engine compiles modules.
type Engine interface {
	// Name returns the engine's name, as --engine takes it.
	Name() string
	// Version returns the version of what is behind it.
	Version() string
	// Check returns how modules for this engine must be rewritten.
	Check() instrument.Check
	// Compile compiles m, which instrument.Rewrite has made of the module whose
	// SHA-256 is id, and whose own imports are all in Options.Functions. Files under
	// Options.Cache make it fast the next time. When ctx ends first, its cause is
	// the error.
	Compile(ctx context.Context, m *instrument.Rewritten, id [32]byte) (Module, error)
	// Close releases what the engine holds. No module may be open.
	Close() error
}

// Options are what an engine is made with.
type Options struct {
	// Cache is the directory for compiled modules; "" keeps none.
	Cache string
	// Functions are what modules may import.
	Functions []Function
	// Poll is called now and then by a guest that runs in an engine which cannot
	// stop it otherwise ([instrument.Countdown]), with the Data of its instance and
	// how many bytes of stack the call uses at least. An error ends the call.
	Poll func(data any, stack int64) error
	// Stack bounds the stack of a guest's calls in bytes, in engines that bound it
	// themselves; 0 means the engine's default.
	Stack int64
	// Warn is told what went wrong without harm, such as a cache that cannot be written.
	Warn func(msg string, err error)
}

// A Function is a host function.
type Function struct {
	Module, Name string
	Type         instrument.FuncType // of numbers
	// Call gets the Data of the instance that calls, its memory (nil if it has
	// none), and a stack that holds the parameters on entry and the results on
	// return, a number each. mem is valid until the guest runs again. An error ends
	// the call into the guest: [Trap] wraps it. Call may call the instance.
	Call func(data any, mem []byte, stack []uint64) error
}

// A Module is a compiled module. Its methods may be called by several goroutines.
type Module interface {
	// Func returns the number by which instances call the exported function of that
	// name, or -1 if there is none.
	Func(export string) int
	// Instantiate makes an instance. No code of the guest runs: the caller calls
	// instrument.Rewritten.Init, or has a memory that is a copy of one on which it
	// was called.
	Instantiate(c Config) (Instance, error)
	// Close releases the compiled code. No instance may be open.
	Close() error
}

// A Config is what one instance is made with.
type Config struct {
	// Memory becomes the memory that the module defines, with the bytes that it
	// has: no fewer than the module's minimum. It is nil if the module defines none.
	// The caller frees it when the instance is closed.
	Memory *memory.Linear
	// Tables is by how many entries the tables may grow, in all.
	Tables uint32
	// Data is for host functions.
	Data any
}

// An Instance is one instance of a module, for one goroutine at a time.
type Instance interface {
	// Call calls the exported function of that number. On entry stack holds the
	// parameters, on return the results; it is as long as the longer of both. Above
	// the 32 bits of a result that has no more there may be anything. Its errors are a
	// [*Trap].
	Call(fn int, stack []uint64) error
	// Stop makes what runs trap soon, and whatever is called later, until Resume.
	// Any goroutine may call it while the instance is open. Engines that poll ignore
	// it: their Poll knows.
	Stop()
	Resume()
	// Spent reports whether the engine holds more for the instance than a new one
	// would cost, whatever it was used for: it is not to be used for another call.
	Spent() bool
	// Globals stores the values of instrument.Rewritten.Globals in dst, and
	// SetGlobals sets them.
	Globals(dst []uint64)
	SetGlobals(src []uint64)
	Close() error
}

// A Trap is the error of a call that did not return.
type Trap struct {
	Reason string   // such as "integer divide by zero"
	Stack  []string // of functions, innermost first
	Err    error    // what a host function or Poll returned, if that is why
}

func (t *Trap) Error() string { return t.Reason }
func (t *Trap) Unwrap() error { return t.Err }

// Exceeded is the error of a call that used too much of what an engine bounds.
type Exceeded struct {
	What  string
	Limit int64
}

func (e *Exceeded) Error() string { return fmt.Sprintf("more than %d %s", e.Limit, e.What) }

// What can be Exceeded.
const (
	OpenTries  = "bytes of stack saved by open try blocks"
	Exceptions = "exceptions thrown"
)

// The reasons of traps, the same for all engines.
const (
	Unreachable         = "unreachable"
	DivideByZero        = "integer divide by zero"
	IntegerOverflow     = "integer overflow"
	InvalidConversion   = "invalid conversion to integer"
	OutOfBoundsMemory   = "out of bounds memory access"
	OutOfBoundsTable    = "invalid table access"
	IndirectCallType    = "indirect call type mismatch"
	StackOverflow       = "stack overflow"
	UnalignedAtomic     = "unaligned atomic"
	NullReference       = "null reference"
	UncaughtException   = "uncaught exception"
	ExpectedShared      = "expected shared memory"
	HostFunctionStopped = "stopped by the host" // Err says why
)

// Await returns what compile does, or, if ctx ends first, its cause: what is compiled
// then is compiled to its end, and closed.
func Await(ctx context.Context, compile func() (Module, error)) (Module, error) {
	type result struct {
		m   Module
		err error
	}
	done := make(chan result, 1)
	go func() {
		m, err := compile()
		done <- result{m, err}
	}()
	select {
	case r := <-done:
		return r.m, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				_ = r.m.Close() // nobody waits for it any more
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// Dependency returns the version of a module that this program is built with.
func Dependency(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == path {
				return d.Version
			}
		}
	}
	return "of an unknown version"
}
