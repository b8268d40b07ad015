package host_test

import (
	"context"
	"fmt"
	"log"

	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

func Example() {
	ctx := context.Background()
	h, err := host.Open(host.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()
	m, err := h.Load(ctx, "../tasks/math.wasm")
	if err != nil {
		log.Fatal(err)
	}
	add, num, one := m.Task("add"), m.Task("num"), m.Task("one")
	v, err := graph.Run[int64](ctx, h, add(num(6), one()))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v)
	// Output: 7
}
