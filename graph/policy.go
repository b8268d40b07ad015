package graph

import (
	"time"

	"entangle.example/entangle/abi"
)

// A Policy says how a task is to run. The zero Policy asks for nothing special.
type Policy struct {
	// Timeout bounds the task's own run time; zero means none.
	Timeout time.Duration
	// Memory bounds a guest's linear memory in bytes; zero means the host's default.
	Memory int64
	// Limits bound what else a call of a guest may use.
	Limits Limits
	// Grants are what the task may use, each within what its host grants; nil
	// means all that the host grants, and an empty slice nothing.
	Grants []abi.Grant
	// Engine names the engine that runs a guest, as the host knows it; "" means
	// the host's.
	Engine string
	// Actor names an instance of the guest's module that keeps its state from call
	// to call, and takes calls one at a time, in the order in which they come. ""
	// means that each call gets a pristine instance.
	Actor string
}

// Limits bound one call of a guest. Where one is zero, the host's default holds.
type Limits struct {
	Stack     int64 // of the guest's calls, in bytes, about: engines differ in what a call takes
	LogBytes  int64 // logged and written to standard output and error
	LogLines  int64 // the same, in lines
	Result    int64 // the encoded result, or a command's standard output, in bytes
	Table     int64 // entries by which all tables together may grow
	HostCalls int64 // calls of imported functions
}

// with returns p with what q sets in place of p's own.
func (p Policy) with(q Policy) Policy {
	set(&p.Timeout, q.Timeout)
	set(&p.Memory, q.Memory)
	set(&p.Engine, q.Engine)
	set(&p.Actor, q.Actor)
	set(&p.Limits.Stack, q.Limits.Stack)
	set(&p.Limits.LogBytes, q.Limits.LogBytes)
	set(&p.Limits.LogLines, q.Limits.LogLines)
	set(&p.Limits.Result, q.Limits.Result)
	set(&p.Limits.Table, q.Limits.Table)
	set(&p.Limits.HostCalls, q.Limits.HostCalls)
	if q.Grants != nil {
		p.Grants = q.Grants
	}
	return p
}

// set sets *p to v, unless v is zero.
func set[T comparable](p *T, v T) {
	var zero T
	if v != zero {
		*p = v
	}
}

// check finds numbers that mean nothing. Nearly every policy passes the first test.
func (p *Policy) check() error {
	l := &p.Limits
	if int64(p.Timeout)|p.Memory|l.Stack|l.LogBytes|l.LogLines|l.Result|l.Table|l.HostCalls >= 0 {
		return nil
	}
	if p.Timeout < 0 {
		return abi.Errorf(abi.BadCall, "the timeout %v is negative", p.Timeout)
	}
	for _, c := range []struct {
		name string
		n    int64
	}{
		{"memory", p.Memory},
		{"limit of stack", l.Stack},
		{"limit of log bytes", l.LogBytes},
		{"limit of log lines", l.LogLines},
		{"limit of the result", l.Result},
		{"limit of table", l.Table},
		{"limit of host calls", l.HostCalls},
	} {
		if c.n < 0 {
			return abi.Errorf(abi.BadCall, "the %s %d is negative", c.name, c.n)
		}
	}
	return nil
}
