package host

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host/internal/wasi"
)

// granted is what a host grants: directories that are open, and variables.
type granted struct {
	dirs  []wasi.Mount
	hosts []string // the absolute path of each of dirs
	env   []string // names
	key   string   // of an environment with all of dirs
}

// openGrants opens what grants name. A directory that cannot be opened is an error.
func openGrants(grants []abi.Grant) (*granted, error) {
	g := &granted{}
	for _, grant := range grants {
		switch grant.Kind {
		case abi.Variable:
			if !slices.Contains(g.env, grant.Host) {
				g.env = append(g.env, grant.Host)
			}
		case abi.ReadFiles, abi.WriteFiles:
			if err := g.openDir(grant); err != nil {
				g.close()
				return nil, fmt.Errorf("grant %v: %w", grant, err)
			}
		default:
			g.close()
			return nil, fmt.Errorf("grant %v is of no known kind", grant)
		}
	}
	return g, nil
}

func (g *granted) openDir(grant abi.Grant) error {
	dir, err := filepath.Abs(grant.Host)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	guest := grant.Guest
	if guest == "" {
		guest = filepath.ToSlash(dir)
	}
	m := wasi.Mount{Root: root, Guest: guest, ReadOnly: grant.Kind == abi.ReadFiles}
	g.dirs, g.hosts, g.key = append(g.dirs, m), append(g.hosts, dir), g.key+mountKey(dir, m)
	return nil
}

func (g *granted) close() {
	for _, d := range g.dirs {
		_ = d.Root.Close()
	}
}

// An environment is what a guest sees of the world when it is initialized.
type environment struct {
	mounts []wasi.Mount
	vars   []string
	key    string // the same for the same; "" if there is nothing
}

// environment returns what policy p lets a guest see, and a func that closes what was
// opened for it, or nil.
func (g *granted) environment(p *graph.Policy) (env environment, done func(), err error) {
	if p.Grants == nil {
		env.mounts, env.key = g.dirs, g.key
		for _, name := range g.env {
			env.variable(name)
		}
		return env, nil, nil
	}
	if len(p.Grants) == 0 {
		return env, nil, nil
	}
	var opened []*os.Root
	done = func() {
		for _, r := range opened {
			_ = r.Close()
		}
	}
	for _, grant := range p.Grants {
		if grant.Kind == abi.Variable {
			if !slices.Contains(g.env, grant.Host) {
				done()
				return environment{}, nil, g.denied(grant)
			}
			env.variable(grant.Host)
			continue
		}
		m, dir, err := g.narrow(grant)
		if err != nil {
			done()
			return environment{}, nil, err
		}
		opened = append(opened, m.Root)
		env.mounts = append(env.mounts, m)
		env.key += mountKey(dir, m)
	}
	return env, done, nil
}

// variable adds a variable of this process, if it has it.
func (e *environment) variable(name string) {
	if v, ok := os.LookupEnv(name); ok {
		e.vars = append(e.vars, name+"="+v)
		e.key += fmt.Sprintf("%q\n", name+"="+v)
	}
}

// mountKey is what tells a mount of the directory dir from others.
func mountKey(dir string, m wasi.Mount) string {
	return fmt.Sprintf("%q at %q, %v\n", dir, m.Guest, m.ReadOnly)
}

// narrow opens a directory beneath one that the host grants, and returns its path too.
func (g *granted) narrow(grant abi.Grant) (m wasi.Mount, dir string, err error) {
	if dir, err = filepath.Abs(grant.Host); err != nil {
		return m, "", err
	}
	for i, d := range g.dirs {
		rel, err := filepath.Rel(g.hosts[i], dir)
		if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			continue
		}
		if grant.Kind == abi.WriteFiles && d.ReadOnly {
			continue
		}
		root, err := d.Root.OpenRoot(rel)
		if err != nil {
			return m, "", abi.Errorf(abi.Denied, "grant %v: %w", grant, err)
		}
		guest := grant.Guest
		if guest == "" { // where the host's own grant has it
			guest = path.Join(d.Guest, filepath.ToSlash(rel))
		}
		return wasi.Mount{Root: root, Guest: guest, ReadOnly: grant.Kind == abi.ReadFiles}, dir, nil
	}
	return m, "", g.denied(grant)
}

func (g *granted) denied(grant abi.Grant) error {
	return abi.Errorf(abi.Denied, "the task asks for %v, which its host does not grant; allow it with --allow %v", grant, grant)
}
