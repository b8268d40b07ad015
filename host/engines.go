package host

import (
	"errors"
	"fmt"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/engine/wasmtime"
	"entangle.example/entangle/host/internal/engine/wazero"
	"entangle.example/entangle/host/internal/memory"
)

// An EngineInfo says what a program knows of an engine.
type EngineInfo struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	// Missing says why the engine cannot be used by this program; "" if it can.
	Missing string `json:"missing,omitempty"`
	// Auto is set for the one that "auto" takes, and Why says why.
	Auto bool   `json:"auto,omitempty"`
	Why  string `json:"why,omitempty"`
}

// Engines describes all engines.
func Engines() []EngineInfo {
	all := []EngineInfo{
		{Name: "wasmtime"},
		{Name: "wazero", Version: engine.Dependency("github.com/tetratelabs/wazero")},
	}
	if wasmtime.Available {
		all[0].Version = engine.Dependency("github.com/bytecodealliance/wasmtime-go/v39")
		all[0].Auto, all[0].Why = true, "its code is faster, and this program has it"
	} else {
		all[0].Missing = wasmtime.Unavailable
		all[1].Auto, all[1].Why = true, wasmtime.Unavailable
	}
	return all
}

// engineName returns the engine that name, which may be "" or "auto", stands for.
func engineName(name string) (string, error) {
	switch {
	case name == "wazero", name == "wasmtime" && wasmtime.Available:
		return name, nil
	case name == "wasmtime":
		return "", fmt.Errorf("engine %s is not in this program: %s; use auto or wazero", name, wasmtime.Unavailable)
	case name != "" && name != "auto":
		return "", fmt.Errorf("unknown engine %q: want auto, wasmtime or wazero", name)
	case wasmtime.Available:
		return "wasmtime", nil
	}
	return "wazero", nil
}

// engineFor returns the engine of that name, for calls that may use so much stack:
// wasmtime has one bound for all its calls, so there is one for each.
func (h *Host) engineFor(name string, stack int64) (engine.Engine, error) {
	name, err := engineName(name)
	if err != nil {
		return nil, err
	}
	if name == "wazero" {
		stack = 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errClosed
	}
	key := engineKey{name, stack}
	if e := h.engines[key]; e != nil {
		return e, nil
	}
	opts := engine.Options{Cache: h.cache, Functions: h.functions, Poll: poll, Stack: stack, Warn: h.warn}
	var e engine.Engine
	if name == "wasmtime" {
		if e, err = wasmtime.New(opts); err != nil {
			return nil, err
		}
	} else {
		e = wazero.New(opts)
	}
	h.engines[key] = e
	return e, nil
}

// ResetSupport says how this machine lets memories be reset after a call, and what
// keeps them from being reset faster.
func ResetSupport() (how string, missing error) {
	system := memory.Open()
	how, missing = system.How()
	return how, errors.Join(missing, system.Close())
}

// An engineKey tells the engines of a host apart.
type engineKey struct {
	name  string
	stack int64 // bytes; 0 for those that have no bound of their own
}
