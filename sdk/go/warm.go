package entangle

// The host keeps the state in which initializing leaves the module, and every call
// begins with it. So whatever Go's runtime sets up when something is done for the
// first time, every call would set up anew: room on the stack, memory for objects of
// each size, what reflection knows of a function. It is set up here, once.

import "reflect"

// warm is called when the module is initialized, on the goroutine that calls run on.
func warm() {
	var m module
	if err := m.register("warm", func(text string, numbers []int64) (map[string]string, error) {
		return map[string]string{text: text}, nil
	}, nil); err != nil {
		panic(err)
	}
	// The list ["text", [1]] (RFC 8949).
	args := []byte{0x82, 0x64, 't', 'e', 'x', 't', 0x81, 1}
	for range 2 {
		if _, err := m.call(0, args); err != nil {
			panic(err)
		}
	}
	for size := 8; size <= 2048; size += 8 {
		warmBytes = make([]byte, size)
		warmPointers = make([]*byte, size/8)
	}
	warmBytes, warmPointers = nil, nil
	deepen(1)
}

var (
	warmBytes    []byte
	warmPointers []*byte
)

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
