package flow

import (
	"fmt"
	"math"
	"strings"
	"time"

	"go.starlark.net/lib/json"
	starlarkmath "go.starlark.net/lib/math"
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

// builtins returns the names that every script begins with, besides Starlark's own.
// A script may bind any of them anew.
func (s *script) builtins() starlark.StringDict {
	names := starlark.StringDict{
		"args":       stringList(s.config.Args),
		"struct":     starlark.NewBuiltin("struct", starlarkstruct.Make),
		"json":       json.Module,
		"math":       starlarkmath.Module,
		"item":       &task{s, itemDef},
		"read":       &readTask{task{s, s.files.read}},
		"read_parts": s.builtin("read_parts", s.readParts),
		"module":     s.builtin("module", s.moduleBuiltin),
		"run":        s.builtin("run", s.runBuiltin),
		"warn":       s.builtin("warn", s.warn),
		"process":    s.builtin("process", s.policy),
		"thread":     s.builtin("thread", s.policy),
		"glob":       s.builtin("glob", s.glob),
		"walk":       s.builtin("walk", s.walk),
		"write":      s.builtin("write", s.write),
	}
	names["args"].Freeze()
	return names
}

// A builtin is a function of this package that scripts call by name.
type builtin func(name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error)

func (s *script) builtin(name string, fn builtin) *starlark.Builtin {
	return starlark.NewBuiltin(name, func(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		return fn(b.Name(), args, kwargs)
	})
}

func (s *script) moduleBuiltin(name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var path string
	if err := starlark.UnpackArgs(name, args, kwargs, "path", &path); err != nil {
		return nil, err
	}
	m, err := s.module(path)
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (s *script) runBuiltin(name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if len(kwargs) > 0 {
		return nil, badScript("%s: takes nodes, and no arguments by name", name)
	}
	return s.run(args)
}

// warn writes a line to standard error, as print does to standard output.
func (s *script) warn(name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	sep := " "
	if err := starlark.UnpackArgs(name, nil, kwargs, "sep?", &sep); err != nil {
		return nil, err
	}
	words := make([]string, len(args))
	for i, x := range args {
		if str, ok := starlark.AsString(x); ok {
			words[i] = str
		} else {
			words[i] = x.String()
		}
	}
	s.print(s.config.Stderr, s.name()+": "+strings.Join(words, sep))
	return starlark.None, nil
}

// policy is process and thread: given a task, that task; given limits, a function
// that puts a task under them. Both names mean the same here, an instance of the
// task's own on a pinned worker; they are the seed's.
func (s *script) policy(name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if len(args) > 0 {
		t, ok := args[0].(*task)
		if !ok || len(args)+len(kwargs) > 1 {
			return nil, badScript("%s: want a task, or limits by name, as in %s(timeout=3)(task)", name, name)
		}
		return t, nil
	}
	var timeout, memory starlark.Value = starlark.None, starlark.None
	if err := starlark.UnpackArgs(name, args, kwargs, "timeout?", &timeout, "memory?", &memory); err != nil {
		return nil, err
	}
	var p graph.Policy
	var err error
	if p.Timeout, err = seconds(timeout); err == nil {
		p.Memory, err = size(memory)
	}
	if err != nil {
		return nil, badScript("%s: %w", name, err)
	}
	limit := func(_ string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		var x starlark.Value
		if err := starlark.UnpackPositionalArgs(name+"(…)", args, kwargs, 1, &x); err != nil {
			return nil, err
		}
		t, ok := x.(*task)
		if !ok {
			return nil, badScript("%s(…): want a task, got a %s", name, x.Type())
		}
		return &task{s, t.def.Task().With(p).Def()}, nil
	}
	return s.builtin(name+"(…)", limit), nil
}

// seconds returns the duration that x, a number of seconds, stands for.
func seconds(x starlark.Value) (time.Duration, error) {
	if x == starlark.None {
		return 0, nil
	}
	f, ok := starlark.AsFloat(x)
	if !ok {
		return 0, fmt.Errorf("timeout: want seconds, got a %s", x.Type())
	}
	d := f * float64(time.Second)
	if !(d >= 1 && d < math.MaxInt64) {
		return 0, fmt.Errorf("timeout: want more than 0 seconds, got %v", x)
	}
	return time.Duration(d), nil
}

// size returns the bytes that x, a number or a string such as "64MiB", stands for.
func size(x starlark.Value) (int64, error) {
	switch x := x.(type) {
	case starlark.NoneType:
		return 0, nil
	case starlark.String:
		n, err := abi.ParseSize(string(x))
		if err != nil {
			return 0, fmt.Errorf("memory: %w", err)
		}
		return checkSize(n)
	case starlark.Int:
		n, ok := x.Int64()
		if !ok {
			n = -1
		}
		return checkSize(n)
	}
	return 0, fmt.Errorf(`memory: want bytes or a string such as "64MiB", got a %s`, x.Type())
}

func checkSize(n int64) (int64, error) {
	if n <= 0 || n > host.MaxMemory {
		return 0, fmt.Errorf("memory: want at least 1 byte and at most 4GiB")
	}
	return n, nil
}
