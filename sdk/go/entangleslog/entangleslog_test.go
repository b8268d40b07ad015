package entangleslog

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"entangle.example/entangle/sdk/go"
)

func TestHandler(t *testing.T) {
	var got []string
	log := slog.New(newHandler(slog.LevelInfo, func(l entangle.Level, text string) {
		got = append(got, fmt.Sprintf("%d %s", l, text))
	}))
	log.Debug("hidden")
	log.Info("plain")
	log.Warn("with", "n", 1)
	log.With("a", 1).WithGroup("g").Error("grouped", "b", "x y", "time", 2)
	want := []string{"1 plain", "2 with n=1", `3 grouped a=1 g.b="x y" g.time=2`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	all := slog.New(newHandler(nil, func(l entangle.Level, text string) { got = []string{text} }))
	if all.Debug("shown"); got[0] != "shown" {
		t.Errorf("got %q", got)
	}
}
