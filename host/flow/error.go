package flow

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
)

// An Error is why a script ended early.
type Error struct {
	// Backtrace has the calls that the script was in, outermost first, as
	// "file:line:column: in function". It is empty for a script that did not
	// begin, and where it would say only what the message says.
	Backtrace []string
	// Err is the reason: a *[graph.Error] if a task failed, and in any case
	// something with an *abi.Error within.
	Err error

	msg string
}

// Error returns "file:line:column: reason", without the backtrace.
func (e *Error) Error() string { return e.msg }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// A failure is an error whose reason is not to be mistaken for a bad call: the
// script itself went wrong, or said so.
func failure(format string, args ...any) error { return abi.Errorf(abi.Failed, format, args...) }

// badScript is the error of something that is no script.
func badScript(format string, args ...any) error { return abi.Errorf(abi.BadCall, format, args...) }

// newError makes an *Error of what ended a script: err, or, where the script was
// stopped from outside, the reason for that.
func (s *script) newError(err error) *Error {
	var calls starlark.CallStack
	for e := err; e != nil; e = errors.Unwrap(e) { // the innermost has the whole stack
		if ev, ok := e.(*starlark.EvalError); ok {
			calls = ev.CallStack
		}
	}
	switch {
	case s.refused != nil:
		err, calls = s.refused, s.refusedAt
	case s.ctx.Err() != nil:
		err = ended(s.ctx)
	}
	e := &Error{Err: reason(err)}
	at := ""
	for _, c := range calls {
		if c.Pos.Line == 0 { // a builtin has no line: its name is in the message
			continue
		}
		at = c.Pos.String()
		e.Backtrace = append(e.Backtrace, at+": in "+c.Name)
	}
	e.msg = e.Err.Error()
	if hasPosition(err) {
		return e
	}
	if at != "" {
		e.msg = at + ": " + e.msg
	}
	if len(e.Backtrace) < 2 {
		e.Backtrace = nil
	}
	return e
}

// hasPosition reports whether the message of err begins with a position that says
// more than where the script was: of the call that made a node, of a syntax error.
func hasPosition(err error) bool {
	_, run := errors.AsType[*graph.Error](err)
	_, parsed := errors.AsType[syntax.Error](err)
	_, resolved := errors.AsType[resolve.ErrorList](err)
	return run || parsed || resolved
}

// ended returns the error of a script whose context is over.
func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if _, ok := errors.AsType[*abi.Error](cause); ok {
		return cause
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		return abi.Errorf(abi.TimedOut, "the script ran out of time: %w", cause)
	}
	return abi.Errorf(abi.Cancelled, "the script was cancelled: %w", cause)
}

// reason returns err without the interpreter's own types, and with an *abi.Error
// in it.
func reason(err error) error {
	if g, ok := errors.AsType[*graph.Error](err); ok {
		return g
	}
	if r, ok := errors.AsType[resolve.ErrorList](err); ok {
		return syntaxErrors(r)
	}
	if e, ok := errors.AsType[syntax.Error](err); ok {
		return badScript("%v: %s", e.Pos, e.Msg)
	}
	if a, ok := errors.AsType[*abi.Error](err); ok {
		if msg := err.Error(); msg != a.Error() { // what encloses it says more
			return &abi.Error{Code: a.Code, Message: msg, Stack: a.Stack, Log: a.Log, Cause: a}
		}
		return a
	}
	return &abi.Error{Code: abi.Failed, Message: err.Error()}
}

// syntaxErrors joins the mistakes that were found before a script began.
func syntaxErrors(list resolve.ErrorList) error {
	const most = 10
	var b strings.Builder
	for i, e := range list {
		if i == most {
			fmt.Fprintf(&b, "\nand %d more", len(list)-most)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%v: %s", e.Pos, e.Msg)
	}
	return badScript("%s", b.String())
}
