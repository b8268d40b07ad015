package wazero

import (
	"testing"

	"entangle.example/entangle/host/internal/engine/spectest"
	"entangle.example/entangle/host/internal/instrument"
)

func TestBulk(t *testing.T) {
	spectest.Bulk(t, spectest.Engine{Check: instrument.Countdown, Open: openSpec})
}
