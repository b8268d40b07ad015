//go:build !cgo || !(linux || darwin) || !(amd64 || arm64)

// Package wasmtime is empty in this build: wasmtime is a C library.
package wasmtime

import (
	"errors"

	"entangle.example/entangle/host/internal/engine"
)

// Available reports whether this program has the engine; Unavailable says why not.
const (
	Available   = false
	Unavailable = "this program was built without cgo, or for a system that wasmtime's Go module has no library for, and so has wazero only"
)

// New returns an error.
func New(engine.Options) (engine.Engine, error) { return nil, errors.New(Unavailable) }
