//go:build wasip1

// Command guest is a module that the tests of package entangle build and run.
package main

import (
	"errors"
	"log/slog"
	"os"
	"runtime"

	"entangle.example/entangle/sdk/go"
	"entangle.example/entangle/sdk/go/entangleslog"
)

type point struct {
	X, Y  float64
	Label *string
}

var calls int

func greet(name string) (string, error) {
	if name == "" {
		return "", errors.New("nobody to greet")
	}
	return "Hello, " + name, nil
}

func scale(a entangle.Array[float64], by float64) entangle.Array[float64] {
	for i := range a.Data {
		a.Data[i] *= by
	}
	return a
}

func collect(garbage int) int {
	kept := make([][]byte, 0, 16)
	for i := range garbage {
		b := make([]byte, 1024)
		b[0] = byte(i)
		kept = append(kept[:i%16], b)
	}
	runtime.GC()
	return len(kept[0])
}

func init() {
	entangle.Module("A guest for tests.")
	entangle.Task("identity", func(v entangle.Value) entangle.Value { return v })
	entangle.Task("greet", greet, entangle.Doc("Says hello."), entangle.Params("name"))
	entangle.Task("scale", scale, entangle.Params("a", "by"))
	entangle.Task("crash", func(xs []int, i int) int { return xs[i] })
	entangle.Task("warn", func() { slog.New(entangleslog.NewHandler(nil)).Warn("careful", "n", 3) })
	entangle.Task("count", func() int { calls++; return calls })
	entangle.Task("move", func(p point, by float64) point { p.X += by; return p }, entangle.Params("p", "by"))
	entangle.Task("collect", collect)
	entangle.Task("leave", func() { os.Exit(3) })
	entangle.Task("sleep", func() int {
		c := make(chan int)
		go func() { c <- 42 }()
		return <-c
	})
}

func main() {}
