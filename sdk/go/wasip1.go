//go:build wasip1

package entangle

// What crosses the border of the module: abi/README.md, "Three ways to be a
// task" and "Imports". Memory whose address the host has is referred to from a
// variable until the next call, or the collector would take it.

import (
	"unsafe"

	"entangle.example/entangle/abi"
)

//go:wasmimport entangle_v1 log
func importLog(level int32, text unsafe.Pointer, size uint32) uint32

//go:wasmimport entangle_v1 fail
func importFail(text unsafe.Pointer, size uint32) uint32

// hostLog writes a log line. Its status is of no use: the text is in memory, and
// a level that the host does not know is the caller's mistake.
func hostLog(level int32, text string) {
	importLog(level, unsafe.Pointer(unsafe.StringData(text)), uint32(len(text)))
}

func hostFail(message string) {
	importFail(unsafe.Pointer(unsafe.StringData(message)), uint32(len(message)))
}

var (
	argument []uint64 // of the call that is to come, or runs
	result   []byte   // of the last call
	text     []byte   // of the manifest
)

//go:wasmexport entangle_alloc
func exportAlloc(size uint32) uint32 {
	// Words, for the alignment that the host is promised; one at least, for an
	// address that is not 0.
	argument = make([]uint64, max(1, (uint64(size)+7)/8))
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(argument))))
}

//go:wasmexport entangle_manifest
func exportManifest() uint64 {
	text = guest.manifest()
	return pack(text)
}

//go:wasmexport entangle_call
func exportCall(task uint32, args unsafe.Pointer, size uint32) uint64 {
	var err error
	result, err = guest.call(task, unsafe.Slice((*byte)(args), size))
	if err != nil {
		if p, ok := err.(*panicError); ok {
			hostLog(abi.LogError, p.Error()+"\n"+p.stack)
		}
		hostFail(err.Error())
		return 0
	}
	return pack(result)
}

// pack returns where b is, as the host wants it.
func pack(b []byte) uint64 {
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b))))<<32 | uint64(len(b))
}
