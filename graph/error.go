package graph

import (
	"errors"
	"fmt"
	"strings"

	"entangle.example/entangle/abi"
)

// An Error says which node of a graph failed, and why.
type Error struct {
	Task string
	Pos  Pos    // where the node was composed
	Path []Step // from the root to the node; empty if nothing had run yet
	// Skipped counts the steps that are left out in the middle of a long Path.
	Skipped int
	err     error
}

// A Step is one task on the way from a root to a node.
type Step struct {
	Task string
	Arg  int // through which of its arguments the way goes on; -1: it ends here, or goes on by After
}

func newError(n *Node, err error) *Error {
	return &Error{Task: n.def.Name, Pos: n.pos, err: err}
}

// Error returns "position: task: reason", and the path where it says more.
func (e *Error) Error() string {
	s := fmt.Sprintf("%v: %s: %v", e.Pos, e.Task, e.err)
	if len(e.Path) > 1 {
		s += " (at " + e.PathString() + ")"
	}
	return s
}

// PathString returns the path as "add[0] > subtract[1] > five"; of a long one
// the two ends.
func (e *Error) PathString() string {
	var b strings.Builder
	for i, s := range e.Path {
		if e.Skipped > 0 && i == pathEnds {
			fmt.Fprintf(&b, " > … %d more …", e.Skipped)
		}
		if i > 0 {
			b.WriteString(" > ")
		}
		b.WriteString(s.Task)
		if s.Arg >= 0 {
			fmt.Fprintf(&b, "[%d]", s.Arg)
		}
	}
	return b.String()
}

// Unwrap returns the task's own error.
func (e *Error) Unwrap() error { return e.err }

// Code returns why the task gave no result.
func (e *Error) Code() abi.Code {
	if a, ok := errors.AsType[*abi.Error](e.err); ok {
		return a.Code
	}
	return abi.Failed
}

// stackLines turns a Go stack into one line a frame, without this package's own
// frames on top.
func stackLines(stack []byte) []string {
	lines := strings.Split(strings.TrimSpace(string(stack)), "\n")
	var out []string
	for i := 1; i+1 < len(lines); i += 2 {
		fn, _, _ := strings.Cut(lines[i], "(0x")
		if strings.HasPrefix(fn, "runtime/debug.") || strings.HasPrefix(fn, "panic(") || strings.HasPrefix(fn, "entangle.example/entangle/graph.panicError") {
			continue
		}
		at, _, _ := strings.Cut(strings.TrimSpace(lines[i+1]), " +0x")
		out = append(out, fn+" "+at)
		if len(out) == 16 {
			break
		}
	}
	return out
}
