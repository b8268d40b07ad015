package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host/flow"
)

// The exit statuses of the contract.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitDenied      = 3
	exitTimeout     = 124
	exitInterrupted = 130
)

// A usageError is a command line that means nothing.
type usageError struct {
	err     error
	command string
}

func (e usageError) Error() string {
	return fmt.Sprintf("%v\nSee '%s --help'.", e.err, e.command)
}
func (e usageError) Unwrap() error { return e.err }

// errTimeout is the cause of what --timeout stops.
var errTimeout = errors.New("the run took longer than --timeout allows")

// exitStatus returns the exit status for err.
func exitStatus(ctx context.Context, err error) int {
	if err == nil {
		return 0
	}
	if errors.Is(context.Cause(ctx), errInterrupted) {
		return exitInterrupted
	}
	if errors.Is(err, errTimeout) {
		return exitTimeout
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if a, ok := errors.AsType[*abi.Error](err); ok {
		switch a.Code {
		case abi.BadModule, abi.BadCall:
			return exitUsage
		case abi.Denied:
			return exitDenied
		case abi.TimedOut:
			return exitTimeout
		}
		return exitFailed
	}
	// What cobra itself finds, such as an unknown command.
	if strings.HasPrefix(err.Error(), "unknown command") {
		return exitUsage
	}
	return exitFailed
}

// printError tells a person what went wrong: the reason first, then, indented,
// where in the graph, the guest's stack, and the task's last log lines.
func printError(w io.Writer, err error) {
	for i, line := range strings.Split(err.Error(), "\n") {
		if i == 0 {
			line = "entangle: " + line
		}
		fmt.Fprintln(w, printable(line))
	}
	a, _ := errors.AsType[*abi.Error](err)
	if g, ok := errors.AsType[*graph.Error](err); ok && a != nil && a.Code != abi.BadCall {
		fmt.Fprintf(w, "  %-7s %s (%v), composed at %v\n", "task:", g.Task, a.Code, g.Pos)
	}
	if f, ok := errors.AsType[*flow.Error](err); ok {
		section(w, "script", f.Backtrace)
	}
	if a == nil {
		return
	}
	section(w, "stack", folded(a.Stack))
	section(w, "log", a.Log)
}

// folded returns lines with those that repeat in a row, as recursion has them, as one.
func folded(lines []string) (out []string) {
	for i := 0; i < len(lines); {
		n := 1
		for i+n < len(lines) && lines[i+n] == lines[i] {
			n++
		}
		if line := lines[i]; n > 2 {
			out = append(out, fmt.Sprintf("%s, %d times", line, n))
		} else {
			out = append(out, lines[i:i+n]...)
		}
		i += n
	}
	return out
}

func section(w io.Writer, name string, lines []string) {
	for i, line := range lines {
		if i > 0 {
			name = ""
		} else {
			name += ":"
		}
		fmt.Fprintf(w, "  %-7s %s\n", name, beginning(printable(line)))
	}
}

// maxShown is how much of a line is shown that a guest has written, in characters.
const maxShown = 400

// beginning returns as much of a line as is shown.
func beginning(line string) string {
	n := 0
	for i := range line {
		if n++; n > maxShown {
			return line[:i] + "…"
		}
	}
	return line
}
