package host

import (
	"cmp"
	"fmt"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/memory"
)

// Default limits of a call, where neither the host nor the task says otherwise.
const (
	DefaultMemory    = 256 << 20     // of linear memory, in bytes
	DefaultStack     = 1 << 20       // of the guest's calls, in bytes
	DefaultLogBytes  = 1 << 20       // logged, in bytes
	DefaultLogLines  = 100_000       // logged
	DefaultResult    = 64 << 20      // the encoded result or the standard output, in bytes
	DefaultTable     = 2 << 20       // entries by which tables grow
	DefaultHostCalls = 1_000_000_000 // calls of imported functions
)

// The most that can be asked for.
const (
	MaxMemory = 4 << 30 // bytes; a guest gets a page less, for not every engine has all 65,536
	MaxStack  = 4 << 20 // bytes
	// MaxFailure bounds the message of import "fail", in bytes.
	MaxFailure = 64 << 10
)

// limits are what bounds one call.
type limits struct {
	memory uint64
	graph.Limits
}

var defaultLimits = graph.Limits{Stack: DefaultStack, LogBytes: DefaultLogBytes, LogLines: DefaultLogLines,
	Result: DefaultResult, Table: DefaultTable, HostCalls: DefaultHostCalls}

// or returns l with what is zero taken from d.
func or(l, d graph.Limits) graph.Limits {
	return graph.Limits{Stack: cmp.Or(l.Stack, d.Stack), LogBytes: cmp.Or(l.LogBytes, d.LogBytes), LogLines: cmp.Or(l.LogLines, d.LogLines),
		Result: cmp.Or(l.Result, d.Result), Table: cmp.Or(l.Table, d.Table), HostCalls: cmp.Or(l.HostCalls, d.HostCalls)}
}

// checkLimits refuses limits that make no sense.
func checkLimits(memory int64, l graph.Limits) error {
	for _, c := range []struct {
		name        string
		value, most int64
	}{{"memory", memory, MaxMemory}, {"stack", l.Stack, MaxStack}, {"log", l.LogBytes, 0}, {"log lines", l.LogLines, 0},
		{"result", l.Result, abi.MaxBytes}, {"table", l.Table, instrument.MaxTableEntries}, {"host calls", l.HostCalls, 0}} {
		if c.value < 0 {
			return fmt.Errorf("%s limit of %d: want a positive number, or 0 for the default", c.name, c.value)
		}
		if c.most > 0 && c.value > c.most {
			return fmt.Errorf("%s limit of %d: want at most %d, or 0 for the default", c.name, c.value, c.most)
		}
	}
	return nil
}

// limitsOf returns the limits of a call under policy p, which where it says nothing are
// those of base. A policy can ask for more than the host's default, up to the most that
// there is.
func (h *Host) limitsOf(base *limits, p *graph.Policy) (*limits, error) {
	if p.Memory == 0 && p.Limits == (graph.Limits{}) {
		return base, nil
	}
	if err := checkLimits(p.Memory, p.Limits); err != nil {
		return nil, abi.Errorf(abi.BadCall, "policy: %w", err)
	}
	l := &limits{memory: base.memory, Limits: or(p.Limits, base.Limits)}
	l.Stack = wholeStack(l.Stack)
	if p.Memory > 0 {
		l.memory = linearLimit(p.Memory)
	}
	return l, nil
}

// wholeStack returns the bound of stacks that stands for a limit: there are few of
// them, for wasmtime has an engine and a copy of the code for each.
func wholeStack(limit int64) int64 {
	size := int64(64 << 10)
	for size < limit {
		size *= 2
	}
	return size
}

// linearLimit returns the limit of linear memory that bytes stands for.
func linearLimit(bytes int64) uint64 { return uint64(min(bytes, MaxMemory-memory.PageSize)) }
