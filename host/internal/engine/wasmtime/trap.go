//go:build cgo && (linux || darwin) && (amd64 || arm64)

package wasmtime

// #include "native.h"
import "C"

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unsafe"

	"entangle.example/entangle/host/internal/engine"
)

// reasons are those of wasmtime's trap codes that a guest can cause.
var reasons = map[C.uint8_t]string{
	0:  engine.StackOverflow,
	1:  engine.OutOfBoundsMemory,
	2:  engine.UnalignedAtomic,
	3:  engine.OutOfBoundsTable,
	4:  engine.OutOfBoundsTable, // an entry that is null: wazero does not tell it from one that is not there
	5:  engine.IndirectCallType,
	6:  engine.IntegerOverflow,
	7:  engine.DivideByZero,
	8:  engine.InvalidConversion,
	9:  engine.Unreachable,
	13: engine.ExpectedShared,
	14: engine.NullReference,
}

// ends is how many frames of each end of a trap's stack are kept.
const ends = 32

// trap takes what the last call or instantiation has failed with: a trap if wasmtime
// has a code for it, an error otherwise, both with the stack.
func (i *instance) trap() *engine.Trap {
	t := &engine.Trap{Err: i.err}
	native, failure := i.c.trap, i.c.error
	i.err, i.c.trap, i.c.error = nil, nil, nil
	var trace C.wasm_frame_vec_t // which refers to either
	if failure != nil {
		C.wasmtime_error_wasm_trace(failure, &trace)
		t.Reason = errorReason(failure)
		defer C.wasmtime_error_delete(failure)
	} else {
		C.wasm_trap_trace(native, &trace)
		t.Reason = trapReason(native)
		defer C.wasm_trap_delete(native)
	}
	defer C.wasm_frame_vec_delete(&trace)
	if t.Err != nil {
		t.Reason = engine.HostFunctionStopped
	}
	t.Stack = i.m.frames(trace)
	return t
}

func trapReason(t *C.wasm_trap_t) string {
	var code C.uint8_t
	if C.wasmtime_trap_code(t, &code) && reasons[code] != "" {
		return reasons[code]
	}
	var v C.wasm_byte_vec_t
	C.wasm_trap_message(t, &v)
	return reason(take(&v))
}

// frames returns the names of the functions on a stack.
func (m *module) frames(trace C.wasm_frame_vec_t) []string {
	all := unsafe.Slice(trace.data, trace.size)
	var names []string
	for k, f := range all {
		if k == ends && len(all) > 2*ends {
			names = append(names, fmt.Sprintf("… %d more …", len(all)-2*ends))
		}
		if k >= ends && k < len(all)-ends {
			continue
		}
		name := text(C.wasmtime_frame_func_name(f))
		if name == "" {
			name = fmt.Sprintf("$%d", uint32(C.wasm_frame_func_index(f)))
		}
		name, ok := m.rewritten.FunctionName(name)
		if !ok {
			continue
		}
		if in := text(C.wasmtime_frame_module_name(f)); in != "" {
			name = in + "." + name
		}
		names = append(names, name)
	}
	return names
}

// text copies a name, which is nil where there is none.
func text(v *C.wasm_byte_vec_t) string {
	if v == nil {
		return ""
	}
	return strings.TrimSuffix(string(unsafe.Slice((*byte)(v.data), v.size)), "\x00")
}

func take(v *C.wasm_byte_vec_t) string {
	defer C.wasm_byte_vec_delete(v)
	return text(v)
}

// takeError makes a Go error of wasmtime's, which it frees.
func takeError(e *C.wasmtime_error_t) error {
	if e == nil {
		return nil
	}
	defer C.wasmtime_error_delete(e)
	return errors.New(errorReason(e))
}

func errorReason(e *C.wasmtime_error_t) string {
	var v C.wasm_byte_vec_t
	C.wasmtime_error_message(e, &v)
	message := take(&v)
	if _, cause, ok := strings.Cut(message, "\n\nCaused by:"); ok && strings.HasPrefix(message, "error while executing at wasm backtrace:") {
		message = cause // what comes before is the stack
	}
	message = reason(message)
	if message == "thrown Wasm exception" {
		return engine.UncaughtException
	} else if strings.HasPrefix(message, "GC heap out of memory") {
		return noHeap
	}
	return message
}

// noHeap is the reason where heap_limit was too little.
const noHeap = "too much memory for exceptions"

// causes is how wasmtime begins a cause: in a line of its own, with a number if there
// are more.
var causes = regexp.MustCompile(`\n\s*(?:\d+: )?`)

// reason makes one line of a message: what wasmtime was doing, and why it failed.
func reason(message string) string {
	message, _, _ = strings.Cut(message, "\n\nStack backtrace:")
	message = causes.ReplaceAllString(strings.Replace(message, "\n\nCaused by:", "", 1), ": ")
	return strings.TrimPrefix(message, ": ")
}
