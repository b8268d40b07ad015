//go:build cgo && (linux || darwin) && (amd64 || arm64)

package wasmtime

// #include "native.h"
import "C"

import (
	"errors"
	"math"

	"entangle.example/entangle/host/internal/instrument"
)

// kinds are wasmtime's codes of the types of numbers.
var kinds = map[instrument.ValType]byte{instrument.I32: 0, instrument.I64: 1, instrument.F32: 2, instrument.F64: 3}

// The types that are not numbers, as far as they matter here.
const (
	v128    = instrument.ValType(0x7b)
	funcref = instrument.ValType(0x70)
)

// mask returns which bits of a slot are a value of type t: wasmtime leaves the
// others undefined.
func mask(t instrument.ValType) uint64 {
	switch t {
	case instrument.I64, instrument.F64, v128, funcref:
		return math.MaxUint64
	}
	return math.MaxUint32
}

// An export is an exported function.
type export struct {
	name    string
	slots   int
	numbers bool     // it takes and returns nothing else
	params  int      // if numbers
	results []uint64 // masks, if numbers
	typ     instrument.FuncType
}

func newExport(name string, t instrument.FuncType) export {
	x := export{name: name, slots: max(len(t.Params), len(t.Results)), numbers: true, params: len(t.Params), typ: t}
	for _, p := range t.Params {
		_, ok := kinds[p]
		x.numbers = x.numbers && ok
	}
	for _, r := range t.Results {
		_, ok := kinds[r]
		x.numbers = x.numbers && ok
		x.results = append(x.results, mask(r))
	}
	return x
}

var errReference = errors.New("a reference that is not null cannot be passed to a guest")

// putAny stores parameters in slots: a vector is two numbers of the stack, a
// reference one.
func (x *export) putAny(slots []C.raw, stack []uint64) error {
	at := 0
	for k, p := range x.typ.Params {
		slots[k] = C.raw{low: C.uint64_t(stack[at])}
		at++
		if p == v128 {
			slots[k].high = C.uint64_t(stack[at])
			at++
		} else if _, number := kinds[p]; !number && stack[at-1] != 0 {
			return errReference
		}
	}
	return nil
}

// takeAny is the way back. Of a reference, nothing can be done with its number but
// to see whether it is null, which is 0.
func (x *export) takeAny(slots []C.raw, stack []uint64) {
	at := 0
	for k, r := range x.typ.Results {
		stack[at] = uint64(slots[k].low) & x.results[k]
		at++
		if r == v128 {
			stack[at] = uint64(slots[k].high)
			at++
		}
	}
}
