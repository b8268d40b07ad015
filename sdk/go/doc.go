// Package entangle makes tasks of Go functions. A module is a package main whose
// functions are registered while it starts:
//
//	package main
//
//	import "entangle.example/entangle/sdk/go"
//
//	func greet(name string) (string, error) { return "Hello, " + name, nil }
//
//	func init() {
//		entangle.Task("greet", greet, entangle.Doc("Says hello."), entangle.Params("name"))
//	}
//
//	func main() {}
//
// It is built with GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared; README.md
// beside this file has the commands, and abi/README.md what happens between host
// and module.
//
// # Types
//
// Parameters and results may be
//
//	Go                                  in the manifest
//	bool                                bool
//	int, int8 … int64, uint8 … uint64   int
//	float32, float64                    float
//	string                              string
//	[]byte                              bytes
//	[]T, [n]T                           list[T]
//	map[string]T                        map[T]
//	a struct                            map
//	Array[T], RawArray                  array[T], array
//	*T                                  T?
//	Value, any, Encoded                 any
//
// and types derived from them (of an Array, a struct that embeds it). An int is
// taken where a float is wanted; nothing else is converted, cut or wrapped: what
// does not fit is an error of the task.
//
// A struct is a map of its exported fields, under their names in lower case or
// the name in a tag `entangle:"name"` ("-" leaves a field out). A key must be
// there unless its field is a pointer; keys that no field has are ignored.
//
// any receives nil, bool, int64, float64, string, []byte, []any,
// map[string]any or [RawArray]. A [Value] is the value as it came, for a task
// that takes what it gets or wants no conversion.
//
// # Memory
//
// What a task receives is its own until it returns, and it may write to it.
// Nothing that it leaves behind, globals included, reaches another call: each
// starts from the state in which the module was after its init functions.
package entangle
