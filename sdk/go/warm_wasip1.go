package entangle

// On the goroutine that calls run on.
func init() {
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
