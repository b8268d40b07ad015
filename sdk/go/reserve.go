package entangle

import (
	"runtime"
	"runtime/debug"
)

// Reserve makes room for so many bytes in the heap while the module starts, and
// keeps the collector from running before they are used. It is for init
// functions of modules whose calls allocate hundreds of KiB or more: a call that
// must grow the module's memory is slower itself, and spoils its instance for the
// next one. The room takes no memory until it is used.
func Reserve(bytes int) {
	room := make([]byte, bytes) // fresh memory is zero already, so nothing touches it
	runtime.KeepAlive(room)
	runtime.GC()
	deepen(1)
	// The collector first runs at minHeap scaled by this percentage.
	const minHeap = 4 << 20
	debug.SetGCPercent(max(100, bytes/(minHeap/100)))
}
