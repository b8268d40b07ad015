//go:build cgo && (linux || darwin) && (amd64 || arm64)

package wasmtime

import (
	"testing"

	"entangle.example/entangle/host/internal/engine/spectest"
	"entangle.example/entangle/host/internal/instrument"
)

func TestBulk(t *testing.T) {
	spectest.Bulk(t, spectest.Engine{Check: instrument.ControlWord, Open: openSpec})
}
