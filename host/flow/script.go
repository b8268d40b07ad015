package flow

// One script runs on one goroutine and one interpreter thread, the scripts that it
// loads included, so that nothing here is locked and a backtrace goes across
// files. Only the nodes that read files run on other goroutines; they see the
// script's access, and nothing else of it.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
)

// dialect is Starlark with loops at the top level and names that may be bound
// again, as in the seed's scripts. Functions cannot be recursive.
var dialect = syntax.FileOptions{Set: true, While: true, TopLevelControl: true, GlobalReassign: true}

// A script is one run of a script.
type script struct {
	ctx    context.Context
	config Config
	thread *starlark.Thread
	names  starlark.StringDict // predeclared
	loads  map[string]*loaded  // by path
	chain  []string            // the files that are being loaded, outermost first
	mods   map[string]*module  // by path
	access *access
	files  fileTasks
	cancel func() bool
	// scratch is for the arguments of the call that is being composed. A script
	// is one thread, and composing an argument composes no call.
	scratch []graph.Arg

	// refused is the error of what could not return one, and refusedAt where.
	refused   error
	refusedAt starlark.CallStack
}

// A loaded is the outcome of loading a script.
type loaded struct {
	globals starlark.StringDict
	err     error
	done    bool
}

func newScript(ctx context.Context, c Config, name string) (*script, error) {
	if c.Host == nil {
		return nil, errors.New("flow: the Config has no Host")
	}
	if c.Stdout == nil {
		c.Stdout = io.Discard
	}
	if c.Stderr == nil {
		c.Stderr = io.Discard
	}
	if c.MaxSteps == 0 {
		c.MaxSteps = DefaultMaxSteps
	}
	s := &script{ctx: ctx, config: c, loads: map[string]*loaded{}, mods: map[string]*module{}, access: newAccess(c.Paths)}
	s.files = newFileTasks(s.access)
	s.thread = &starlark.Thread{Name: name, Load: s.load}
	s.thread.Print = func(_ *starlark.Thread, msg string) { s.print(c.Stdout, msg) }
	s.thread.SetMaxExecutionSteps(c.MaxSteps)
	s.thread.OnMaxSteps = func(*starlark.Thread) {
		s.refuse(abi.Errorf(abi.LimitHit, "the script ran more than %d steps", c.MaxSteps))
	}
	s.cancel = context.AfterFunc(ctx, func() { s.thread.Cancel("the context is over") })
	s.names = s.builtins()
	return s, nil
}

// end frees what s has opened, and returns err as an *Error.
func (s *script) end(err error) error {
	s.cancel()
	s.access.close()
	if err == nil && s.refused == nil {
		return nil
	}
	return s.newError(err)
}

// refuse stops the script with err: for what the interpreter calls and cannot
// take an error from. The first one counts.
func (s *script) refuse(err error) {
	if s.refused == nil {
		s.refused, s.refusedAt = err, s.thread.CallStack()
		s.thread.Cancel(err.Error())
	}
}

func (s *script) print(w io.Writer, msg string) {
	if _, err := io.WriteString(w, msg+"\n"); err != nil {
		s.refuse(failure("print: %w", err))
	}
}

// runFile runs the main script.
func (s *script) runFile(filename string, src []byte) error {
	if src == nil {
		var err error
		if src, err = readScript(filename); err != nil {
			return err
		}
	}
	key := loadKey(filename)
	s.chain = []string{filename}
	s.loads[key] = &loaded{}
	_, err := s.exec(filename, src)
	return err
}

func (s *script) exec(filename string, src []byte) (starlark.StringDict, error) {
	if err := checkSource(filename, src); err != nil {
		return nil, err
	}
	_, p, err := starlark.SourceProgramOptions(&dialect, filename, src, s.names.Has)
	if err != nil {
		return nil, err
	}
	globals, err := p.Init(s.thread, s.names)
	globals.Freeze()
	return globals, err
}

// load runs the script that a load statement names, once.
func (s *script) load(t *starlark.Thread, name string) (starlark.StringDict, error) {
	if !strings.HasSuffix(name, ".star") {
		return nil, badScript("a script's name ends in .star; a module is loaded by module(%q)", name)
	}
	path := relativeTo(t.CallFrame(0).Pos.Filename(), name)
	key := loadKey(path)
	if l := s.loads[key]; l != nil {
		if !l.done {
			return nil, badScript("scripts load each other: %s", strings.Join(append(s.chain, path), " loads "))
		}
		return l.globals, l.err
	}
	l := &loaded{}
	s.loads[key] = l
	s.chain = append(s.chain, path)
	src, err := readScript(path)
	if err == nil {
		l.globals, err = s.exec(path, src)
	}
	l.err, l.done = err, true
	s.chain = s.chain[:len(s.chain)-1]
	return l.globals, l.err
}

// relativeTo returns path as seen from where the file from is.
func relativeTo(from, path string) string {
	if filepath.IsAbs(path) || from == exprName {
		return filepath.Clean(path)
	}
	return filepath.Join(filepath.Dir(from), path)
}

// loadKey returns by what a file is known as the same.
func loadKey(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// readScript returns the source in a file.
func readScript(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return nil, badScript("%w", err)
	}
	defer f.Close()
	switch info, err := f.Stat(); {
	case err != nil:
		return nil, badScript("%w", err)
	case info.IsDir():
		return nil, badScript("%s is a directory, no script", path)
	case !info.Mode().IsRegular():
		return nil, badScript("%s is no regular file", path)
	}
	src, err := io.ReadAll(io.LimitReader(f, MaxScript+1))
	if err != nil {
		return nil, badScript("%w", err)
	}
	return src, nil
}

// checkSource refuses what the parser would not report well.
func checkSource(name string, src []byte) error {
	if len(src) > MaxScript {
		return badScript("%s has more than %d bytes, too many for a script", name, MaxScript)
	}
	line := 1
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		switch {
		case r == utf8.RuneError && size == 1, r == 0:
			return badScript("%s:%d: this is no script: it is not text in UTF-8", name, line)
		case r == '\n':
			line++
		}
		i += size
	}
	return nil
}

// position returns where the script is that called the running builtin.
func (s *script) position() graph.Pos {
	for depth := 1; depth < s.thread.CallStackDepth(); depth++ {
		if p := s.thread.CallFrame(depth).Pos; p.Line > 0 {
			return graph.At(p.Filename(), int(p.Line), int(p.Col))
		}
	}
	return graph.At(s.thread.Name, 1, 0)
}

// evaluate runs roots as one graph.
func (s *script) evaluate(roots []*graph.Node) ([]abi.Value, error) {
	if s.ctx.Err() != nil {
		return nil, ended(s.ctx)
	}
	var opts []graph.Option
	if s.config.OnRun != nil {
		opts = s.config.OnRun(roots)
	}
	return graph.RunAll(s.ctx, s.config.Host, roots, opts...)
}

// name returns the name of the script that calls the running builtin.
func (s *script) name() string {
	for depth := 1; depth < s.thread.CallStackDepth(); depth++ {
		if p := s.thread.CallFrame(depth).Pos; p.Line > 0 {
			return filepath.Base(p.Filename())
		}
	}
	return fmt.Sprint(s.thread.Name)
}
