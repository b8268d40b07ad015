// Package wasi says what a guest finds of WASI preview 1: the seam between the
// host, which decides, and an engine, whose implementation provides it.
package wasi

import (
	"io"
	"os"
)

// A Config is what one instance is given. The zero Config gives it nothing: no
// arguments, no variables, no files, an empty standard input, and standard output
// and error that go nowhere.
type Config struct {
	Args   []string // the program's own name first
	Env    []string // NAME=value
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Mounts []Mount
}

// A Mount is a directory of the host that the guest finds at a path.
type Mount struct {
	Root     *os.Root // what the guest names stays beneath it, whatever links say
	Guest    string   // absolute
	ReadOnly bool
}
