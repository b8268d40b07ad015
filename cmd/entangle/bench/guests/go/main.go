//go:build wasip1

// The Go guest of `entangle bench`, with no SDK.
package main

func main() {}

//go:wasmexport add
func add(a, b int64) int64 { return a + b }
