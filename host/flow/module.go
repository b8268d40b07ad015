package flow

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

// A module is a loaded module with its tasks, m.add or m["add"].
type module struct {
	m     *host.Module
	tasks map[string]*task
}

func (s *script) newModule(m *host.Module) *module {
	out := &module{m, map[string]*task{}}
	for _, d := range m.Tasks() {
		out.tasks[d.Name] = &task{s, d}
	}
	return out
}

func (m *module) String() string        { return "<module " + m.m.Name() + ">" }
func (m *module) Type() string          { return "module" }
func (m *module) Freeze()               {}
func (m *module) Truth() starlark.Bool  { return true }
func (m *module) Hash() (uint32, error) { return starlark.String(m.m.Name()).Hash() }

func (m *module) Attr(name string) (starlark.Value, error) {
	if t := m.tasks[name]; t != nil {
		return t, nil
	}
	_, err := m.m.Lookup(name)
	return nil, err
}

func (m *module) AttrNames() []string {
	names := make([]string, 0, len(m.tasks))
	for name := range m.tasks {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Get is m[name].
func (m *module) Get(k starlark.Value) (v starlark.Value, found bool, err error) {
	name, ok := starlark.AsString(k)
	if !ok {
		return nil, false, fmt.Errorf("a module is indexed by the name of a task, got %s", k.Type())
	}
	v, err = m.Attr(name)
	return v, err == nil, err
}

var (
	_ starlark.HasAttrs = (*module)(nil)
	_ starlark.Mapping  = (*module)(nil)
)

// module is module(path), with path relative to the script that calls it.
func (s *script) module(path string) (*module, error) {
	from := exprName
	for depth := 1; depth < s.thread.CallStackDepth(); depth++ {
		if p := s.thread.CallFrame(depth).Pos; p.Line > 0 {
			from = p.Filename()
			break
		}
	}
	path = relativeTo(from, path)
	if m := s.mods[path]; m != nil {
		return m, nil
	}
	m, err := s.config.Host.Load(s.ctx, path)
	if err != nil {
		return nil, err
	}
	s.mods[path] = s.newModule(m)
	return s.mods[path], nil
}

// A task is a task that the script can call.
type task struct {
	s   *script
	def *graph.Def
}

func (t *task) String() string        { return "<task " + t.def.Name + t.def.Sig.String() + ">" }
func (t *task) Type() string          { return "task" }
func (t *task) Freeze()               {}
func (t *task) Truth() starlark.Bool  { return true }
func (t *task) Hash() (uint32, error) { return starlark.String(t.def.Name).Hash() }
func (t *task) Name() string          { return t.def.Name }

func (t *task) AttrNames() []string { return []string{"doc", "name", "signature"} }

func (t *task) Attr(name string) (starlark.Value, error) {
	switch name {
	case "doc":
		return starlark.String(t.def.Doc), nil
	case "name":
		return starlark.String(t.def.Name), nil
	case "signature":
		return starlark.String(t.def.Sig.String()), nil
	}
	return nil, nil
}

// CallInternal composes a node. Whether the arguments fit, the node itself knows:
// it is reported, with this line, when it is to run.
func (t *task) CallInternal(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	pos := t.s.position()
	in := t.s.scratch[:0]
	for i, x := range args {
		a, err := t.s.argument(pos, x)
		if err != nil {
			return nil, t.argumentError(i, err)
		}
		in = append(in, a)
	}
	t.s.scratch = in
	if len(kwargs) > 0 {
		var err error
		if in, err = t.named(pos, in, kwargs); err != nil {
			return nil, err
		}
	}
	return &node{t.s, t.def.Apply(pos, in)}, nil
}

func (t *task) argumentError(i int, err error) error {
	name := ""
	if n := len(t.def.Sig.Params); i < n || t.def.Sig.Variadic && n > 0 {
		name = " (" + t.def.Sig.Param(i).Name + ")"
	}
	return badScript("%s: argument %d%s: %w", t.def.Name, i+1, name, err)
}

// named appends the arguments that are given by name.
func (t *task) named(pos graph.Pos, in []graph.Arg, kwargs []starlark.Tuple) ([]graph.Arg, error) {
	sig := t.def.Sig
	params := sig.Params
	if sig.Variadic { // the last takes what is left, by place
		params = params[:len(params)-1]
	}
	given := make([]bool, len(params))
	for i := range min(len(in), len(given)) {
		given[i] = true
	}
	positional := len(in)
	in = append(in, make([]graph.Arg, max(0, len(params)-len(in)))...)
	for _, kv := range kwargs {
		name := string(kv[0].(starlark.String))
		i := slices.IndexFunc(params, func(p abi.Param) bool { return p.Name == name })
		if i < 0 {
			return nil, t.unknownName(name, params)
		}
		if given[i] {
			return nil, badScript("%s: argument %d (%s) is given by place and by name", t.def.Name, i+1, name)
		}
		a, err := t.s.argument(pos, kv[1])
		if err != nil {
			return nil, t.argumentError(i, err)
		}
		in[i], given[i] = a, true
	}
	for i, ok := range given {
		if !ok {
			return nil, badScript("%s%v: argument %d (%s) is missing", t.def.Name, sig, max(i, positional)+1, params[i].Name)
		}
	}
	return in, nil
}

func (t *task) unknownName(name string, params []abi.Param) error {
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.Name
	}
	if near := host.Nearest(name, names); len(near) > 0 {
		return badScript("%s%v has no parameter %q; did you mean %s?", t.def.Name, t.def.Sig, name, strings.Join(near, " or "))
	}
	return badScript("%s%v has no parameter %q", t.def.Name, t.def.Sig, name)
}

var (
	_ starlark.Callable = (*task)(nil)
	_ starlark.HasAttrs = (*task)(nil)
)

// declare predeclares the tasks of modules by their names, and the modules by
// those of their files.
func (s *script) declare(modules []*host.Module) {
	mods := map[string]*module{}
	tasks := map[string]*shared{}
	for i, m := range modules {
		if slices.Index(modules, m) < i {
			continue
		}
		x := s.newModule(m)
		base := strings.TrimSuffix(filepath.Base(m.Name()), ".wasm")
		if mods[base] == nil {
			mods[base] = x
		}
		for name, t := range x.tasks {
			if tasks[name] == nil {
				tasks[name] = &shared{name: name}
			}
			sh := tasks[name]
			sh.tasks = append(sh.tasks, t)
			sh.owners = append(sh.owners, m.Name())
		}
	}
	for name, m := range mods {
		s.names[name] = m
	}
	for name, sh := range tasks {
		if sh.module = mods[name]; len(sh.tasks) == 1 && sh.module == nil {
			s.names[name] = sh.tasks[0]
		} else {
			s.names[name] = sh
		}
	}
}

// A shared is a name that several tasks have, or a task and a module.
type shared struct {
	name   string
	tasks  []*task
	owners []string // the modules' names
	module *module  // nil if no module has the name
}

func (a *shared) String() string {
	return "<task " + a.name + " of " + strings.Join(a.owners, ", ") + ">"
}
func (a *shared) Type() string          { return "task" }
func (a *shared) Freeze()               {}
func (a *shared) Truth() starlark.Bool  { return true }
func (a *shared) Hash() (uint32, error) { return starlark.String(a.name).Hash() }
func (a *shared) Name() string          { return a.name }

func (a *shared) CallInternal(t *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if len(a.tasks) > 1 {
		return nil, badScript("several modules have a task %q: %s; write which, as in %s.%s(…)", a.name, strings.Join(a.owners, ", "),
			strings.TrimSuffix(filepath.Base(a.owners[0]), ".wasm"), a.name)
	}
	return a.tasks[0].CallInternal(t, args, kwargs)
}

func (a *shared) Attr(name string) (starlark.Value, error) {
	if a.module != nil {
		return a.module.Attr(name)
	}
	return nil, nil
}

func (a *shared) AttrNames() []string {
	if a.module != nil {
		return a.module.AttrNames()
	}
	return nil
}

var (
	_ starlark.Callable = (*shared)(nil)
	_ starlark.HasAttrs = (*shared)(nil)
)
