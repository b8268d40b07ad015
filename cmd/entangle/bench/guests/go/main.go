//go:build wasip1

// The Go guest of `entangle bench`.
package main

import "entangle.example/entangle/sdk/go"

func init() {
	entangle.Task("echo", func(text string) string { return text }, entangle.Doc("Returns its argument."), entangle.Params("text"))
}

func main() {}

//go:wasmexport add
func add(a, b int64) int64 { return a + b }
