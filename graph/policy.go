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
	// Grants are what the task may use, each within what its host grants; nil
	// means all that the host grants, and an empty slice nothing.
	Grants []abi.Grant
}

// with returns p with what q sets in place of p's own.
func (p Policy) with(q Policy) Policy {
	if q.Timeout != 0 {
		p.Timeout = q.Timeout
	}
	if q.Memory != 0 {
		p.Memory = q.Memory
	}
	if q.Grants != nil {
		p.Grants = q.Grants
	}
	return p
}
