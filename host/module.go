package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
)

// MaxModule is the largest module that is loaded, in bytes.
const MaxModule = 512 << 20

// A Module is a loaded module. It is closed with its host.
type Module struct {
	host     *Host
	name     string
	id       [32]byte
	desc     *instrument.Module
	manifest *abi.Manifest
	compiled engine.Module
	tasks    []*graph.Def // in the order of the manifest, then of the exports
}

// An Info says what a module is and what it needs.
type Info struct {
	Name      string     `json:"name"`
	SHA256    string     `json:"sha256"`
	Size      int        `json:"size"` // of the binary, in bytes
	Producers string     `json:"producers,omitempty"`
	Doc       string     `json:"doc,omitempty"`
	Tasks     []TaskInfo `json:"tasks"`
	Imports   []string   `json:"imports"`
	Memory    MemoryInfo `json:"memory"`
	Grants    []string   `json:"grants"` // what the module says it wants
	Engine    string     `json:"engine"`
}

// A TaskInfo describes a task.
type TaskInfo struct {
	Name      string `json:"name"`
	Signature string `json:"signature"` // as the manifest writes it
	Doc       string `json:"doc,omitempty"`
	Kind      string `json:"kind"` // "plain", "typed" or "command"
}

// A MemoryInfo gives the linear memory that a module begins with and the most it
// may have, in bytes.
type MemoryInfo struct {
	Min uint64 `json:"min"`
	Max uint64 `json:"max"`
}

// Load loads the module in the file path; see [Host.LoadBytes].
func (h *Host) Load(ctx context.Context, path string) (*Module, error) {
	binary, err := readModule(path)
	if err != nil {
		return nil, abi.Errorf(abi.BadModule, "%w", err)
	}
	return h.LoadBytes(ctx, path, binary)
}

func readModule(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", path)
	case info.Size() > MaxModule:
		return nil, fmt.Errorf("%s has %d bytes: at most %d", path, info.Size(), MaxModule)
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxModule+1))
	if len(b) > MaxModule {
		return nil, fmt.Errorf("%s grew beyond %d bytes", path, MaxModule)
	}
	return b, err
}

// LoadBytes compiles binary, which messages call name. The same bytes loaded
// twice are one module. Errors have the code [abi.BadModule]: it is no module, it
// imports what there is not, its manifest and its exports disagree, or the engine
// cannot compile it.
func (h *Host) LoadBytes(ctx context.Context, name string, binary []byte) (*Module, error) {
	m := &Module{host: h, name: name, id: sha256.Sum256(binary)}
	if old := h.module(m.id); old != nil {
		return old, nil
	}
	bad := func(err error) error {
		if a, ok := errors.AsType[*abi.Error](err); ok && a.Code != abi.Failed {
			return abi.Errorf(a.Code, "%s: %w", name, err)
		}
		return abi.Errorf(abi.BadModule, "%s: %w", name, err)
	}
	var err error
	if m.desc, err = instrument.Describe(binary); err != nil {
		return nil, bad(err)
	}
	if err := h.checkImports(m.desc); err != nil {
		return nil, bad(err)
	}
	if m.compiled, err = h.engine.Compile(ctx, binary, m.id); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, bad(err)
	}
	if err = m.readManifest(ctx); err == nil {
		err = m.findTasks()
	}
	if err != nil {
		return nil, errors.Join(bad(err), m.compiled.Close())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if old := h.modules[m.id]; old != nil || h.closed { // another goroutine was faster
		err := m.compiled.Close()
		if h.closed {
			err = errClosed
		}
		return old, err
	}
	h.modules[m.id] = m
	return m, nil
}

func (h *Host) module(id [32]byte) *Module {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.modules[id]
}

// wasiModule is the module of WASI preview 1.
const wasiModule = "wasi_snapshot_preview1"

// checkImports names every import that there is not.
func (h *Host) checkImports(d *instrument.Module) error {
	var missing []string
	for _, i := range d.Imports {
		known := i.Kind == instrument.FuncKind && i.Module == wasiModule // the engine knows which
		if i.Kind == instrument.FuncKind && i.Module == abi.ImportModule {
			known = slices.ContainsFunc(importFunctions, func(f engine.Function) bool { return f.Name == i.Name })
		}
		if !known {
			missing = append(missing, fmt.Sprintf("%s.%s (%v)", i.Module, i.Name, i.Kind))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("it needs imports that this host does not have: %s; there are those of %s and, from %s, log and fail",
			strings.Join(missing, ", "), wasiModule, abi.ImportModule)
	}
	return nil
}

// readManifest finds the module's manifest, if it has one.
func (m *Module) readManifest(ctx context.Context) error {
	text, ok := m.desc.Custom[abi.ManifestSection]
	if !ok {
		e, ok := m.desc.Export(abi.ExportManifest, instrument.FuncKind)
		if !ok {
			m.manifest = &abi.Manifest{}
			return nil
		}
		if e.Type.String() != "() -> i64" {
			return fmt.Errorf("%s has the type %v, want () -> i64", e.Name, e.Type)
		}
		var err error
		if text, err = m.askManifest(ctx, e); err != nil {
			return err
		}
	}
	var err error
	m.manifest, err = abi.ParseManifest(text)
	return err
}

// Name returns the name that the module was loaded under.
func (m *Module) Name() string { return m.name }

// Info describes m.
func (m *Module) Info() Info {
	info := Info{Name: m.name, SHA256: hex.EncodeToString(m.id[:]), Size: m.desc.Size, Producers: m.desc.Producers,
		Doc: m.manifest.Doc, Engine: m.host.engine.Name(), Tasks: []TaskInfo{}, Imports: []string{}, Grants: []string{}}
	for _, d := range m.tasks {
		kind := "typed"
		switch d.Op.(type) {
		case *plainTask:
			kind = "plain"
		case *commandTask:
			kind = "command"
		}
		info.Tasks = append(info.Tasks, TaskInfo{d.Name, d.Sig.String(), d.Doc, kind})
	}
	for _, i := range m.desc.Imports {
		s := i.Module + "." + i.Name
		if i.Kind == instrument.FuncKind {
			s += i.Type.String()
		}
		info.Imports = append(info.Imports, s)
	}
	for _, mem := range m.desc.Memories {
		info.Memory = MemoryInfo{mem.Min * instrument.PageSize, mem.Max * instrument.PageSize}
	}
	info.Grants = append(info.Grants, m.manifest.Grants...)
	return info
}

// Tasks returns the definitions of m's tasks, not to be changed: those of its
// manifest in that order, then the other exports that are tasks.
func (m *Module) Tasks() []*graph.Def { return slices.Clone(m.tasks) }

// Task returns the task of that name. If there is none, the nodes of what it
// returns are mistakes that name the nearest tasks.
func (m *Module) Task(name string) graph.Task {
	d, err := m.Lookup(name)
	if err != nil {
		return graph.Broken(name, err)
	}
	return d.Task()
}

// Lookup returns the definition of the task of that name; the error suggests the
// nearest names. An empty name means the module's only task.
func (m *Module) Lookup(name string) (*graph.Def, error) {
	if name == "" && len(m.tasks) == 1 {
		return m.tasks[0], nil
	}
	names := make([]string, len(m.tasks))
	for i, d := range m.tasks {
		if d.Name == name {
			return d, nil
		}
		names[i] = d.Name
	}
	switch {
	case len(names) == 0:
		return nil, abi.Errorf(abi.BadCall, "%s has no tasks", m.name)
	case name == "":
		return nil, abi.Errorf(abi.BadCall, "%s has %d tasks; say which: %s", m.name, len(names), someOf(names))
	}
	if near := Nearest(name, names); len(near) > 0 {
		return nil, abi.Errorf(abi.BadCall, "%s has no task %q; did you mean %s?", m.name, name, strings.Join(near, " or "))
	}
	return nil, abi.Errorf(abi.BadCall, "%s has no task %q; it has %s", m.name, name, someOf(names))
}

// someOf lists names, not too many.
func someOf(names []string) string {
	const most = 12
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// Nearest returns up to three of names that someone who typed name may have
// meant, the nearest first.
func Nearest(name string, names []string) []string {
	type candidate struct {
		name string
		far  int
	}
	var cs []candidate
	for _, n := range names {
		far := distance(strings.ToLower(name), strings.ToLower(n))
		if far <= max(1, len(name)/3) || len(name) > 2 && strings.HasPrefix(n, name) {
			cs = append(cs, candidate{n, far})
		}
	}
	slices.SortStableFunc(cs, func(a, b candidate) int { return a.far - b.far })
	var near []string
	for _, c := range cs[:min(len(cs), 3)] {
		near = append(near, c.name)
	}
	return near
}

// distance returns the Levenshtein distance of a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
