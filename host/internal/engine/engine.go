// Package engine is the seam between the host and what compiles and runs
// WebAssembly. Nothing but speed may depend on which engine is behind it.
package engine

import (
	"context"

	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/wasi"
)

// An Engine compiles modules.
type Engine interface {
	// Name returns the engine's name, as --engine takes it.
	Name() string
	// Compile compiles binary, which instrument.Rewrite has made of a module whose
	// SHA-256 is id, and which imports nothing but WASI preview 1, the functions of
	// Options and what the rewriting has added. Files under Options.Cache make it
	// fast the next time.
	Compile(ctx context.Context, binary []byte, id [32]byte) (Module, error)
	Close() error
}

// Options are what an engine is made with.
type Options struct {
	// Cache is the directory for compiled modules; "" keeps none.
	Cache string
	// Functions are what modules may import from ImportModule.
	ImportModule string
	Functions    []Function
	// Warn is told what went wrong without harm, such as a cache that cannot be written.
	Warn func(msg string, err error)
}

// A Function is a host function. All its parameters and its result are i32.
type Function struct {
	Name   string
	Params int
	// Call gets the Data of the instance that calls, its memory, and the
	// parameters. An error ends the call into the guest, which returns it.
	Call func(data any, mem []byte, params []uint64) (result uint32, err error)
}

// A Module is a compiled module. Its methods may be called by several goroutines.
type Module interface {
	// Instantiate makes an instance, and runs the module's start function.
	Instantiate(ctx context.Context, c Config) (Instance, error)
	// Close releases the compiled code. No instance may be in use.
	Close() error
}

// A Config is what one instance is made with.
type Config struct {
	WASI        wasi.Config
	MemoryLimit uint64 // of linear memory, in bytes
	Data        any    // for host functions
}

// An Instance is one instance of a module, for one goroutine at a time.
type Instance interface {
	// Call calls the exported function of that name and type. On entry stack
	// holds the parameters, on return the results; it is as long as the longer of
	// both. The call ends when ctx does. Errors: what a host function returned, an
	// [*Exit], a [*Trap], or what ended ctx.
	Call(ctx context.Context, export string, t instrument.FuncType, stack []uint64) error
	// Memory returns the memory that the module exports as "memory", or nil. It
	// is valid until the next call.
	Memory() []byte
	// MemoryRefused returns the size in bytes that the memory could not grow to,
	// or 0 if nothing was refused.
	MemoryRefused() uint64
	Close() error
}

// An Exit is the error of a guest that called proc_exit.
type Exit struct{ Code uint32 }

func (e *Exit) Error() string { return "the guest exited" }

// A Trap is the error of a guest that trapped.
type Trap struct {
	Reason string   // such as "integer divide by zero"
	Stack  []string // function names, innermost first
}

func (t *Trap) Error() string { return t.Reason }
