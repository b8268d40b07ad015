package entangle

import "runtime"

// Reserve makes room for so many bytes in the heap while the module starts: it is
// for init functions of modules whose calls allocate much, hundreds of KiB or
// more. A call that must grow the module's memory is slower itself, and spoils
// its instance for the next call. The room takes no memory until it is used.
func Reserve(bytes int) {
	room := make([]byte, bytes) // fresh memory is zero already, so nothing touches it
	runtime.KeepAlive(room)
	runtime.GC()
}
