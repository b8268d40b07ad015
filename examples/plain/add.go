//go:build wasip1

// Two plain tasks in Go, with no SDK: functions of numbers are tasks as they are.
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o add_go.wasm add.go
//	entangle run add_go.wasm:add 2 3
package main

//go:wasmexport add
func add(a, b int64) int64 { return a + b }

//go:wasmexport hypot2
func hypot2(x, y float64) float64 { return x*x + y*y }

func main() {}
