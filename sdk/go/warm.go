//go:build wasip1

package entangle

// The host keeps the state in which initializing leaves the module, and every call
// begins with it. So whatever Go's runtime sets up when something is done for the
// first time, every call would set up anew: a stack for its goroutine, memory for
// objects of each size. It is set up here, once.

func init() {
	warm := module{}
	if err := warm.register("warm", func(text string, numbers []int64) (map[string]string, error) {
		return map[string]string{text: text}, nil
	}, nil); err != nil {
		panic(err)
	}
	// The list ["text", [1]] (RFC 8949).
	args := []byte{0x82, 0x64, 't', 'e', 'x', 't', 0x81, 1}
	done := make(chan error)
	for range 2 {
		go func() {
			_, err := warm.call(0, args)
			done <- err
		}()
		if err := <-done; err != nil {
			panic(err)
		}
	}
	for size := 8; size <= 2048; size += 8 {
		warmBytes = make([]byte, size)
		warmPointers = make([]*byte, size/8)
	}
	warmBytes, warmPointers = nil, nil
}

var (
	warmBytes    []byte
	warmPointers []*byte
)
