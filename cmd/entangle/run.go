package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
	"entangle.example/entangle/host/flow"
)

func runCommand(s streams) *cobra.Command {
	f := &flags{}
	var stdin string
	cmd := &cobra.Command{
		Use:   "run [flags] TARGET [ARG...]",
		Short: "Run a task of a module, or a flow script",
		Long: `Run a task of a WebAssembly module, or a flow script.

TARGET is FILE.wasm:TASK, FILE.wasm (if it has one task), or FILE.star.
For a task, each ARG is JSON; what is not JSON is a string; @FILE reads the
argument from a file (@- from standard input). The result is one line of JSON.
For a script, ARGs are its args as they are; behind "--", whatever they look
like. A path that is an ARG of a script is granted to it: to read below it, and
to write the file itself.`,
		Example: `  entangle run tasks/math.wasm:add 1 2
  entangle run --timeout 2s tasks/text.wasm:words '"to be or not to be"'
  entangle run --raw examples/plain/hello.wasm Ada --stdin notes.txt
  entangle run examples/wordcount/wordcount.star -- ~/Documents`,
		Args: cobra.MinimumNArgs(1),
	}
	f.register(cmd.Flags())
	cmd.Flags().StringVar(&stdin, "stdin", "", "give a command the bytes of `FILE` (- for standard input) as its standard input")
	cmd.Flags().SetInterspersed(false)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		late, rest := hoist(cmd.Flags(), args[1:])
		if err := cmd.Flags().Parse(late); err != nil {
			return usageError{err, cmd.CommandPath()}
		}
		ses, err := f.open(cmd, s)
		if err != nil {
			return err
		}
		return ses.end(ses.runTarget(cmd, args[0], rest, stdin))
	}
	return cmd
}

func (s *session) runTarget(cmd *cobra.Command, target string, args []string, stdin string) error {
	file, task, isModule := splitTarget(target)
	if isModule {
		return s.runTask(file, task, args, stdin)
	}
	if filepath.Ext(target) != ".star" {
		return usageError{fmt.Errorf("%s is neither FILE.wasm:TASK nor FILE.star", target), cmd.CommandPath()}
	}
	return flow.Run(s.ctx, s.flow(args), target, nil)
}

// flow returns what scripts of the session run with.
func (s *session) flow(args []string) flow.Config {
	return flow.Config{
		Host: s.host, Args: args, Paths: args,
		Stdout: s.streams.out, Stderr: s.streams.err,
		OnRun: s.options,
	}
}

// splitTarget splits FILE.wasm:TASK.
func splitTarget(target string) (file, task string, ok bool) {
	const ext = ".wasm"
	if i := strings.LastIndex(target, ext+":"); i >= 0 {
		return target[:i+len(ext)], target[i+len(ext)+1:], true
	}
	return target, "", strings.HasSuffix(target, ext)
}

func (s *session) runTask(file, task string, args []string, stdin string) error {
	m, err := s.host.Load(s.ctx, file)
	if err != nil {
		return err
	}
	def, err := m.Lookup(task)
	if err != nil {
		return err
	}
	in := make([]graph.Arg, 0, len(args)+1)
	for i, a := range args {
		v, err := argument(a, s.streams.in)
		if err != nil {
			return abi.Errorf(abi.BadCall, "argument %d of %s: %w", i+1, def.Name, err)
		}
		in = append(in, graph.Arg{Value: v})
	}
	if stdin != "" {
		b, err := readInput(stdin, s.streams.in)
		if err != nil {
			return abi.Errorf(abi.BadCall, "--stdin: %w", err)
		}
		in = append(in, graph.Arg{Value: abi.Bytes(b)})
	}
	n := def.Apply(graph.At("command line", 1, 0), in)
	roots := []*graph.Node{n}
	vs, err := graph.RunAll(s.ctx, s.host, roots, s.options(roots)...)
	if err != nil {
		return err
	}
	return s.print(vs[0])
}

// argument returns the value that an argument of the command line stands for.
func argument(a string, stdin io.Reader) (abi.Value, error) {
	name, isFile := strings.CutPrefix(a, "@")
	if !isFile {
		return textValue([]byte(a))
	}
	b, err := readInput(name, stdin)
	if err != nil {
		return abi.Value{}, err
	}
	return textValue(b)
}

// readInput reads a file, or stdin if its name is "-".
func readInput(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(name)
}

func evalCommand(s streams) *cobra.Command {
	f := &flags{}
	var modules []string
	cmd := &cobra.Command{
		Use:   "eval [flags] [-m FILE.wasm]... EXPR",
		Short: "Evaluate one expression of the flow language",
		Long: `Evaluate one expression of the flow language, with the tasks of the modules
that -m names, and print its result as one line of JSON.

The tasks are known by their names, and each module by its file's name without
the ending: add(1, 2) and math.add(1, 2) are the same.`,
		Example: `  entangle eval -m tasks/math.wasm 'add(mult(one(), two()), three())'
  entangle eval -m tasks/math.wasm '[add(i, i) for i in range(10)]'`,
		Args: cobra.ExactArgs(1),
	}
	f.register(cmd.Flags())
	cmd.Flags().StringArrayVarP(&modules, "module", "m", nil, "load the tasks of `FILE.wasm` (repeatable)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ses, err := f.open(cmd, s)
		if err != nil {
			return err
		}
		return ses.end(ses.eval(modules, args[0]))
	}
	return cmd
}

func (s *session) eval(files []string, expr string) error {
	var modules []*host.Module
	for _, file := range files {
		m, err := s.host.Load(s.ctx, file)
		if err != nil {
			return err
		}
		modules = append(modules, m)
	}
	v, err := flow.Eval(s.ctx, s.flow(nil), modules, expr)
	if err != nil {
		return err
	}
	return s.print(v)
}
