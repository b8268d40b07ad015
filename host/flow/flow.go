// Package flow runs scripts in Starlark that compose tasks into graphs.
//
//	err := flow.Run(ctx, flow.Config{Host: h, Stdout: os.Stdout}, "quickstart.star", nil)
//	v, err := flow.Eval(ctx, flow.Config{Host: h}, modules, "add(mult(one(), two()), three())")
//
// In a script, calling a task composes a node and calling a node runs it; what
// else there is, README.md lists. Scripts are the user's own programs: they may
// load any module and any other script, but see only those files that the user
// has named (Config.Paths).
//
// The files of this package follow a script's way: script.go executes it,
// builtins.go gives it names, module.go and node.go compose, convert.go passes
// values in and out, access.go and files.go stand between it and the disk, and
// error.go says what went wrong.
package flow

import (
	"context"
	"io"

	"go.starlark.net/starlark"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

// A Config says what a script runs with. All but Host may be left zero.
type Config struct {
	// Host loads modules and runs graphs.
	Host *host.Host
	// Args are the script's own arguments, its list "args".
	Args []string
	// Paths are what the script may use of the file system, because the user
	// named it: below a directory it may read, and a file (which need not exist
	// yet) it may read and write. What names neither is ignored, so the arguments
	// of a command line can be given as they are.
	Paths []string
	// Stdout takes what print prints, Stderr what warn does; nil discards it.
	Stdout, Stderr io.Writer
	// MaxSteps bounds the steps of the interpreter (a step is about an operation
	// or a call); 0 means [DefaultMaxSteps].
	MaxSteps uint64
	// OnRun, if not nil, is told the roots of each graph before the script runs
	// it, and gives options for that run.
	OnRun func(roots []*graph.Node) []graph.Option
}

// DefaultMaxSteps bounds a script's steps where nothing else does: some ten
// seconds of a loop that does nothing.
const DefaultMaxSteps = 1_000_000_000

// MaxScript is the largest script that is run, in bytes.
const MaxScript = 512 << 10

// Run runs a script: src, or what the file has if src is nil. Messages and
// positions call it filename, and what it loads is relative to that.
//
// The error is an *[Error]. Within it is an *abi.Error that says why: with code
// BadCall for a script that is none (no file, a syntax error, an unknown name),
// Denied for a file that was not granted, LimitHit for too many steps, TimedOut
// and Cancelled for the end of ctx, and with a task's own code if one failed.
func Run(ctx context.Context, c Config, filename string, src []byte) error {
	s, err := newScript(ctx, c, filename)
	if err != nil {
		return err
	}
	return s.end(s.runFile(filename, src))
}

// exprName is what positions in an expression of [Eval] call its file.
const exprName = "<expr>"

// Eval evaluates one expression, and runs the result if it is a node or a list or
// dict with nodes. The tasks of modules are predeclared by their names, and each
// module by its file's name without the suffix; a name that several modules have
// is an error where it is used. Errors are those of [Run]; positions are in
// "<expr>".
func Eval(ctx context.Context, c Config, modules []*host.Module, expr string) (abi.Value, error) {
	s, err := newScript(ctx, c, exprName)
	if err != nil {
		return abi.Value{}, err
	}
	v, err := s.evalExpr(modules, expr)
	return v, s.end(err)
}

func (s *script) evalExpr(modules []*host.Module, expr string) (abi.Value, error) {
	if err := checkSource(exprName, []byte(expr)); err != nil {
		return abi.Value{}, err
	}
	s.declare(modules)
	fn, err := starlark.ExprFuncOptions(&dialect, exprName, expr, s.names)
	if err != nil {
		return abi.Value{}, err
	}
	x, err := starlark.Call(s.thread, fn, nil, nil)
	if err != nil || s.refused != nil {
		return abi.Value{}, err
	}
	arg, err := s.argument(graph.At(exprName, 1, 1), x)
	if err != nil {
		return abi.Value{}, abi.Errorf(abi.BadCall, "%s: the result: %w", exprName, err)
	}
	if arg.Node == nil {
		return arg.Value, nil
	}
	vs, err := s.evaluate([]*graph.Node{arg.Node})
	if err != nil {
		return abi.Value{}, err
	}
	return vs[0], nil
}
