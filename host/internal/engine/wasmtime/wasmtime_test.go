//go:build cgo && (linux || darwin) && (amd64 || arm64)

package wasmtime

import (
	"testing"

	"entangle.example/entangle/host/internal/engine/enginetest"
)

func TestEngine(t *testing.T) { enginetest.Run(t, New) }
