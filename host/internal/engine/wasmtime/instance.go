//go:build cgo && (linux || darwin) && (amd64 || arm64)

package wasmtime

// #cgo noescape entangle_find_function
// #cgo nocallback entangle_find_function
// #cgo noescape entangle_find_global
// #cgo nocallback entangle_find_global
// #cgo noescape entangle_get
// #cgo nocallback entangle_get
// #cgo noescape entangle_set
// #cgo nocallback entangle_set
// #include <stdlib.h>
// #include "native.h"
import "C"

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"unsafe"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/memory"
)

// An instance has a store of its own, so that closing it frees all that it made.
// Its C part lies, with its arrays behind it, in one block of C's memory, and holds
// a pointer to its Go part: by it, host functions know who calls.
type instance struct {
	m       *module
	c       *C.instance
	memory  *memory.Linear // nil if the module defines none
	data    any
	control *atomic.Uint32
	funcs   []C.function // behind c, by their number
	globals []C.global   // behind c
	slots   []C.raw      // behind c, for the outermost call
	depth   int          // of calls that run
	numbers []uint64     // of the host functions that run
	err     error        // of the host function that has ended the call
	pinner  runtime.Pinner
}

func (m *module) Instantiate(c engine.Config) (_ engine.Instance, err error) {
	if given := c.Memory != nil; given != m.memory {
		return nil, fmt.Errorf("a memory is given: %v; the module defines one: %v", given, m.memory)
	}
	i := &instance{m: m, memory: c.Memory, data: c.Data}
	if i.control, err = m.engine.words.get(); err != nil {
		return nil, err
	}
	i.allocate()
	i.pinner.Pin(i)
	i.c.owner = unsafe.Pointer(i)
	defer func() {
		if err != nil {
			_ = i.Close()
		}
	}()
	if m.memory {
		i.c.memory = C.linear{base: (*C.uint8_t)(c.Memory.Base()), size: C.size_t(len(c.Memory.Bytes())),
			capacity: addressable, reserved: C.size_t(c.Memory.Reserved()), owner: unsafe.Pointer(i)}
	}
	if m.rewritten.Control != "" {
		i.c.control = C.linear{base: (*C.uint8_t)(unsafe.Pointer(i.control)), size: memory.PageSize,
			capacity: memory.PageSize, reserved: memory.Reservation}
	}
	i.c.before = C.int(m.heaps)
	if !C.entangle_instantiate(i.c, m.engine.native, m.pre) {
		return nil, i.trap()
	}
	for k, g := range m.rewritten.Globals {
		if err := i.findGlobal(g, &i.globals[k]); err != nil {
			return nil, err
		}
	}
	if name := m.rewritten.Budget; name != "" {
		var budget C.global
		if err := i.findGlobal(instrument.Global{Name: name, Type: instrument.I32}, &budget); err != nil {
			return nil, err
		}
		tables := C.uint64_t(c.Tables)
		C.entangle_set(i.c, &budget, &tables, 1)
	}
	return i, nil
}

// allocate makes the C part.
func (i *instance) allocate() {
	m := i.m
	funcs := unsafe.Sizeof(C.instance{})
	globals := funcs + unsafe.Sizeof(C.function{})*uintptr(len(m.exports))
	slots := globals + unsafe.Sizeof(C.global{})*uintptr(len(m.rewritten.Globals))
	block := C.calloc(1, C.size_t(slots+unsafe.Sizeof(C.raw{})*uintptr(m.slots)))
	if block == nil {
		panic("wasmtime: out of memory") // as Go's own allocations do
	}
	i.c = (*C.instance)(block)
	i.funcs = unsafe.Slice((*C.function)(unsafe.Add(block, funcs)), len(m.exports))
	i.globals = unsafe.Slice((*C.global)(unsafe.Add(block, globals)), len(m.rewritten.Globals))
	i.slots = unsafe.Slice((*C.raw)(unsafe.Add(block, slots)), m.slots)
}

func (i *instance) findGlobal(g instrument.Global, into *C.global) error {
	kind, ok := kinds[g.Type]
	if !ok {
		return fmt.Errorf("global %q is a %v", g.Name, g.Type)
	}
	into.kind = C.uint8_t(kind)
	if !C.entangle_find_global(i.c, chars(g.Name), C.size_t(len(g.Name)), into) {
		return fmt.Errorf("the module exports no global %q", g.Name)
	}
	return nil
}

func (i *instance) Call(fn int, stack []uint64) error {
	if i.depth == 0 {
		return i.call(fn, stack, i.slots)
	}
	// The buffer is the outer call's.
	n := i.m.exports[fn].slots
	nested := C.calloc(C.size_t(n)+1, C.size_t(unsafe.Sizeof(C.raw{})))
	defer C.free(nested)
	return i.call(fn, stack, unsafe.Slice((*C.raw)(nested), n))
}

func (i *instance) call(fn int, stack []uint64, slots []C.raw) error {
	e, f := &i.m.exports[fn], &i.funcs[fn]
	if f.store == 0 && !C.entangle_find_function(i.c, chars(e.name), C.size_t(len(e.name)), f) {
		return &engine.Trap{Reason: fmt.Sprintf("the module exports no function %q", e.name)}
	}
	if e.numbers {
		for k := range e.params {
			slots[k].low = C.uint64_t(stack[k])
		}
	} else if err := e.putAny(slots, stack); err != nil {
		return &engine.Trap{Reason: err.Error(), Err: err}
	}
	i.depth++
	ok := bool(C.entangle_call(C.uintptr_t(uintptr(unsafe.Pointer(i.c))), C.uintptr_t(uintptr(unsafe.Pointer(f))),
		C.uintptr_t(uintptr(unsafe.Pointer(unsafe.SliceData(slots)))), C.size_t(e.slots)))
	i.depth--
	if !ok {
		return i.trap()
	}
	if !e.numbers {
		e.takeAny(slots, stack)
		return nil
	}
	for k, mask := range e.results {
		stack[k] = uint64(slots[k].low) & mask
	}
	return nil
}

func (i *instance) Stop()   { i.control.Store(1) }
func (i *instance) Resume() { i.control.Store(0) }

func (i *instance) Globals(dst []uint64) {
	if n := len(i.globals); n > 0 {
		C.entangle_get(i.c, &i.globals[0], (*C.uint64_t)(&dst[:n][0]), C.size_t(n))
	}
}

func (i *instance) SetGlobals(src []uint64) {
	if n := len(i.globals); n > 0 {
		C.entangle_set(i.c, &i.globals[0], (*C.uint64_t)(&src[:n][0]), C.size_t(n))
	}
}

// spentHeap is how many bytes of exceptions an instance may carry into its next call.
const spentHeap = 1 << 20

// Spent reports whether calls have left so much in the engine that no reset removes
// that the instance is to be replaced, lest it be the next call that lacks it.
func (i *instance) Spent() bool { return i.c.heap != nil && i.c.heap.size > spentHeap }

func (i *instance) Close() error {
	if i.c != nil {
		C.entangle_delete(i.c)
		i.m.engine.words.put(i.control)
		i.pinner.Unpin()
		i.c, i.funcs, i.globals, i.slots = nil, nil, nil, nil
	}
	return nil
}

//export entangleGrow
func entangleGrow(owner unsafe.Pointer, size C.size_t) C.size_t {
	return C.size_t(len((*instance)(owner).memory.Reallocate(uint64(size))))
}

// entangleHost calls host function number fn for the instance owner. It returns
// whether the guest may go on.
//
//export entangleHost
func entangleHost(owner unsafe.Pointer, fn C.uintptr_t, slots *C.raw, n C.size_t) (ok C.bool) {
	i := (*instance)(owner)
	f := &i.m.engine.functions[fn]
	at := len(i.numbers)
	i.numbers = slices.Grow(i.numbers, int(n))[:at+int(n)]
	// A nested call may move i.numbers, but not this.
	stack := i.numbers[at : at+int(n) : at+int(n)]
	defer func() {
		i.numbers = i.numbers[:at]
		if r := recover(); r != nil {
			i.err, ok = fmt.Errorf("a host function panicked: %v", r), false
		}
	}()
	raws := unsafe.Slice(slots, int(n))
	for k, mask := range f.params {
		stack[k] = uint64(raws[k].low) & mask
	}
	var mem []byte
	if i.memory != nil {
		mem = i.memory.Bytes()
	}
	if err := f.call(i.data, mem, stack); err != nil {
		i.err = err
		return false
	}
	for k := range f.results {
		raws[k].low = C.uint64_t(stack[k])
	}
	return true
}
