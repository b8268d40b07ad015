package wazero

import (
	"testing"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/engine/enginetest"
)

func TestEngine(t *testing.T) {
	enginetest.Run(t, func(o engine.Options) (engine.Engine, error) { return New(o), nil })
}
