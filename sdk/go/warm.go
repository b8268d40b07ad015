package entangle

// The host keeps the state in which initializing leaves the module, and every call
// begins with it. So whatever Go's runtime sets up when something is done for the
// first time, every call would set up anew: room on the stack, memory for objects of
// each size, what reflection knows of a function. It is set up here, once.

import "reflect"

// deepen uses so much of the stack that it need not grow in most calls. A collection
// lets it shrink.
//
//go:noinline
func deepen(n byte) byte {
	var room [16 << 10]byte
	for i := range room {
		room[i] = n
	}
	return room[int(n)*100]
}

// warmCall has reflection find out how functions of a type are called.
func warmCall(t reflect.Type) {
	reflect.MakeFunc(t, func([]reflect.Value) []reflect.Value { panic("it is not called") })
}
