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
	g.dirs = append(g.dirs, wasi.Mount{Root: root, Guest: guest, ReadOnly: grant.Kind == abi.ReadFiles})
	g.hosts = append(g.hosts, dir)
	return nil
}

func (g *granted) close() {
	for _, d := range g.dirs {
		_ = d.Root.Close()
	}
}

// apply gives a guest what policy p allows it, and returns where the mounts are on this
// machine, and a func that closes what was opened for it.
func (g *granted) apply(w *wasi.Config, p *graph.Policy) (hosts []string, done func(), err error) {
	if p.Grants == nil {
		w.Mounts = g.dirs
		for _, name := range g.env {
			w.Env = appendVariable(w.Env, name)
		}
		return g.hosts, nil, nil
	}
	if len(p.Grants) == 0 {
		return nil, nil, nil
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
				return nil, nil, g.denied(grant)
			}
			w.Env = appendVariable(w.Env, grant.Host)
			continue
		}
		m, dir, err := g.narrow(grant)
		if err != nil {
			done()
			return nil, nil, err
		}
		opened = append(opened, m.Root)
		w.Mounts = append(w.Mounts, m)
		hosts = append(hosts, dir)
	}
	return hosts, done, nil
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

func appendVariable(env []string, name string) []string {
	if v, ok := os.LookupEnv(name); ok {
		return append(env, name+"="+v)
	}
	return env
}
