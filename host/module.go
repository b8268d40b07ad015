package host

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/wasi"
)

// MaxModule is the largest module that is loaded, in bytes.
const MaxModule = 512 << 20

// A Module is a loaded module. It is closed with its host.
type Module struct {
	host     *Host
	name     string
	id       [32]byte
	source   *source
	record   *instrument.Record // if the module was not read
	desc     *instrument.Module
	manifest *abi.Manifest
	begin    *instrument.Export // _initialize, if the module has it
	tasks    []*graph.Def       // in the order of the manifest, then of the exports
	byName   map[string]*graph.Def

	wasi       bool // it imports WASI
	memory     bool // it exports its memory
	mostValues int  // the most parameters or results that an export has

	programs *programs
	setup    *Setup  // of one that was prepared
	limits   *limits // of calls that do not say otherwise
}

// programs are those of one module, for all engines.
type programs struct {
	first     atomic.Pointer[program] // for the host's engine
	compiling chan struct{}           // holds a value while another program is compiled
	mu        sync.Mutex
	others    map[engineKey]*program // by what policies ask for; several may be the same, and first too
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
	Reset     string     `json:"reset"` // how a call gets a pristine instance
}

// A TaskInfo describes a task.
type TaskInfo struct {
	Name      string `json:"name"`
	Signature string `json:"signature"` // as the manifest writes it
	Doc       string `json:"doc,omitempty"`
	Kind      string `json:"kind"`           // "plain", "typed" or "command"
	Pure      bool   `json:"pure,omitempty"` // it provably changes nothing
}

// A MemoryInfo gives the linear memory that a module begins with and the most it
// may have, in bytes.
type MemoryInfo struct {
	Min uint64 `json:"min"`
	Max uint64 `json:"max"`
}

// Load loads the module in the file path; see [Host.LoadBytes].
func (h *Host) Load(ctx context.Context, path string) (*Module, error) {
	stamp := stampOf(path)
	if m := h.recorded(path, stamp); m != nil {
		return h.loadNew(ctx, m)
	}
	binary, err := readModule(path)
	if err != nil {
		return nil, abi.Errorf(abi.BadModule, "%w", err)
	}
	m, err := h.LoadBytes(ctx, path, binary)
	if err == nil {
		h.remember(path, stamp, m)
	}
	return m, err
}

func readModule(path string) ([]byte, error) {
	info, err := os.Stat(path) // before opening: a FIFO would wait for its writer
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := bytes.NewBuffer(make([]byte, 0, min(info.Size(), MaxModule)+bytes.MinRead))
	if _, err = b.ReadFrom(io.LimitReader(f, MaxModule+1)); b.Len() > MaxModule {
		return nil, fmt.Errorf("%s has more than %s", path, sizeText(MaxModule))
	}
	return b.Bytes(), err
}

// LoadBytes compiles binary, which messages call name. The same bytes loaded
// twice are one module. Errors have the code [abi.BadModule]: it is no module, it
// imports what there is not, its manifest and its exports disagree, or the engine
// cannot compile it. When ctx ends first, the code is [abi.Cancelled] or
// [abi.TimedOut]; one function that is being compiled is compiled to its end.
func (h *Host) LoadBytes(ctx context.Context, name string, binary []byte) (*Module, error) {
	return h.loadNew(ctx, h.newModule(name, sha256.Sum256(binary), &source{binary: binary}))
}

func (h *Host) newModule(name string, id [32]byte, s *source) *Module {
	s.id = id
	return &Module{host: h, name: name, id: id, source: s, limits: &h.limits, programs: &programs{compiling: make(chan struct{}, 1)}}
}

// loadNew loads m, of which no more is known than newModule, or a record.
func (h *Host) loadNew(ctx context.Context, m *Module) (*Module, error) {
	name := m.name
	if err := h.enter(); err != nil {
		return nil, err
	}
	defer h.outside.Done()
	if old, err := h.module(m.id); old != nil || err != nil {
		return old, err
	}
	if err := m.load(ctx); err != nil {
		_ = m.close() // the first error counts
		e, ok := errors.AsType[*abi.Error](err)
		if ctx.Err() != nil {
			e, ok = causeOf(ctx), true
		}
		if ok && (e.Code == abi.TimedOut || e.Code == abi.Cancelled) {
			e.Message = name + ": " + e.Message
			return nil, e
		}
		return nil, abi.Errorf(abi.BadModule, "%s: %w", name, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errors.Join(errClosed, m.close())
	}
	if old := h.modules[m.id]; old != nil { // another goroutine was faster
		return old, m.close()
	}
	h.modules[m.id] = m
	return m, nil
}

// load makes m, which has name and id, of its binary or record.
func (m *Module) load(ctx context.Context) (err error) {
	h := m.host
	if m.record != nil {
		m.desc = m.record.Module
	} else if m.desc, err = instrument.Describe(m.source.binary); err != nil {
		return err
	}
	if err := h.checkImports(m.desc); err != nil {
		return err
	}
	if err := checkMemory(m.desc); err != nil {
		return err
	}
	if e, ok := m.desc.Export(abi.ExportInit, instrument.FuncKind); ok {
		if e.Type.String() != "()" {
			return fmt.Errorf("%s has the type %v, want ()", e.Name, e.Type)
		}
		m.begin = &e
	}
	for _, i := range m.desc.Imports {
		m.wasi = m.wasi || i.Module == wasi.Module
	}
	_, m.memory = m.desc.Export(abi.ExportMemory, instrument.MemoryKind)
	for _, e := range m.desc.Exports {
		m.mostValues = max(m.mostValues, len(e.Type.Params), len(e.Type.Results))
	}
	e, err := h.engineFor(h.engine, h.limits.Stack)
	if err != nil {
		return err
	}
	p, err := m.compile(ctx, e)
	if err != nil {
		return err
	}
	m.programs.first.Store(p)
	if err := m.readManifest(ctx); err != nil {
		return err
	}
	return m.findTasks()
}

// close frees the module's programs. None of its calls may be running.
func (m *Module) close() error {
	var errs []error
	for _, p := range m.programs.all() {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

func (s *programs) all() (all []*program) {
	if p := s.first.Load(); p != nil {
		all = append(all, p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.others {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// known returns the program for an engine and a bound of the stack, if it has been
// asked for before.
func (s *programs) known(name string, stack int64) *program {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.others[engineKey{name, stack}]
}

// program returns the program for the host's engine.
func (m *Module) program() *program { return m.programs.first.Load() }

// ownProgram returns the program for calls that ask for nothing else.
func (m *Module) ownProgram(ctx context.Context) (*program, error) {
	if m.setup == nil || m.setup.Policy.Engine == "" && m.limits.Stack == m.host.limits.Stack {
		return m.program(), nil
	}
	if p := m.programs.known(m.setup.Policy.Engine, m.limits.Stack); p != nil {
		return p, nil
	}
	return m.programFor(ctx, m.setup.Policy.Engine, m.limits.Stack)
}

// programFor returns the program for the engine of that name ("" is the host's) and
// calls that may use so much stack. It may have to compile it.
func (m *Module) programFor(ctx context.Context, name string, stack int64) (*program, error) {
	e, err := m.host.engineFor(cmp.Or(name, m.host.engine), stack)
	if err != nil {
		return nil, abi.Errorf(abi.BadCall, "%w", err)
	}
	select { // who needs the same one needs it compiled too
	case m.programs.compiling <- struct{}{}:
		defer func() { <-m.programs.compiling }()
	case <-ctx.Done():
		return nil, causeOf(ctx)
	}
	s := m.programs
	all := s.all()
	k := slices.IndexFunc(all, func(p *program) bool { return p.engine == e })
	var p *program
	if k >= 0 {
		p = all[k]
	} else if p, err = m.compile(ctx, e); err != nil {
		if ctx.Err() != nil {
			return nil, causeOf(ctx)
		}
		return nil, abi.Errorf(abi.BadModule, "%s: %w", m.name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.others == nil {
		s.others = map[engineKey]*program{}
	}
	s.others[engineKey{name, stack}] = p
	return p, nil
}

func (h *Host) module(id [32]byte) (*Module, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errClosed
	}
	return h.modules[id], nil
}

// checkImports names every import that there is not.
func (h *Host) checkImports(d *instrument.Module) error {
	var missing, wrong []string
	for _, i := range d.Imports {
		name := printable(i.Module + "." + i.Name)
		want, known := h.importType(i)
		switch {
		case !known:
			missing = append(missing, fmt.Sprintf("%s (%v)", name, i.Kind))
		case i.Type.String() != want:
			wrong = append(wrong, fmt.Sprintf("%s as %v, want %s", name, i.Type, want))
		}
	}
	if len(missing) > 0 {
		own := ""
		for _, f := range h.config.imports {
			own += fmt.Sprintf(", %s.%s", printable(f.Module), printable(f.Name))
		}
		return fmt.Errorf("it needs imports that this host does not have: %s; there are those of %s and, from %s, log and fail%s",
			someOf(missing), wasi.Module, abi.ImportModule, own)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("it imports %s", someOf(wrong))
	}
	return nil
}

// importType returns the type of the function that i names, if there is one.
func (h *Host) importType(i instrument.Import) (typ string, known bool) {
	if i.Kind != instrument.FuncKind {
		return "", false
	}
	f := slices.IndexFunc(h.functions, func(f engine.Function) bool { return f.Module == i.Module && f.Name == i.Name })
	if f < 0 {
		return "", false
	}
	return h.functions[f].Type.String(), true
}

// checkMemory refuses memories that tasks cannot have.
func checkMemory(d *instrument.Module) error {
	if n := len(d.Memories); n > 1 {
		return fmt.Errorf("it has %d memories, and a task has one", n)
	}
	for _, mem := range d.Memories {
		if mem.Is64 {
			return errors.New("it has a 64-bit memory, and tasks have 32-bit ones; compile for wasm32")
		}
		// A wait on shared memory would have no end, and nobody to end it.
		if mem.Shared {
			return errors.New("its memory is shared between threads, and a task has one; compile without threads")
		}
	}
	return nil
}

// readManifest finds the module's manifest, if it has one.
func (m *Module) readManifest(ctx context.Context) error {
	text, ok := m.desc.Custom[abi.ManifestSection]
	if !ok {
		export, ok := m.desc.ExportIndex(abi.ExportManifest, instrument.FuncKind)
		if !ok {
			m.manifest = &abi.Manifest{}
			return nil
		}
		e := m.desc.Exports[export]
		if e.Type.String() != "() -> i64" {
			return fmt.Errorf("%s has the type %v, want () -> i64", e.Name, e.Type)
		}
		var err error
		if text, err = m.askManifest(ctx, export); err != nil {
			return err
		}
	}
	var err error
	if m.manifest, err = abi.ParseManifest(text); err != nil {
		return err
	}
	for _, g := range m.manifest.Grants {
		if _, err := abi.ParseGrant(g); err != nil {
			return fmt.Errorf("manifest: %w", err)
		}
	}
	return nil
}

// Name returns the name that the module was loaded under.
func (m *Module) Name() string { return m.name }

// Info describes m.
func (m *Module) Info() Info {
	info := Info{Name: m.name, SHA256: hex.EncodeToString(m.id[:]), Size: m.desc.Size, Producers: printable(m.desc.Producers),
		Doc: printable(m.manifest.Doc), Engine: m.program().engine.Name(), Reset: m.resetText(), Tasks: []TaskInfo{}, Imports: []string{}, Grants: []string{}}
	for _, d := range m.tasks {
		kind, pure := "typed", false
		switch op := d.Op.(type) {
		case *plainTask:
			kind, pure = "plain", m.program().exports[op.export].effect == instrument.NoEffect
		case *commandTask:
			kind = "command"
		}
		info.Tasks = append(info.Tasks, TaskInfo{d.Name, d.Sig.String(), d.Doc, kind, pure})
	}
	for _, i := range m.desc.Imports {
		s := printable(i.Module + "." + i.Name)
		if i.Kind == instrument.FuncKind {
			s += i.Type.String()
		}
		info.Imports = append(info.Imports, s)
	}
	for _, mem := range m.desc.Memories {
		info.Memory = MemoryInfo{mem.Min * instrument.PageSize, mem.Max * instrument.PageSize}
	}
	for _, g := range m.manifest.Grants {
		info.Grants = append(info.Grants, printable(g))
	}
	return info
}

// resetText says how a call gets a pristine instance.
func (m *Module) resetText() string {
	if why := m.program().rewritten.Unsafe; why != "" {
		return "a new instance for each call: " + why
	}
	return "one instance, reset after each call"
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
	if d, ok := m.byName[name]; ok {
		return d, nil
	}
	names := make([]string, len(m.tasks))
	for i, d := range m.tasks {
		names[i] = d.Name
	}
	switch {
	case len(names) == 0:
		return nil, abi.Errorf(abi.BadCall, "%s has no tasks", m.name)
	case name == "":
		return nil, abi.Errorf(abi.BadCall, "%s has %d tasks; say which: %s", m.name, len(names), someOf(names))
	}
	if near := Nearest(name, names); len(near) > 0 {
		return nil, abi.Errorf(abi.BadCall, "%s has no task %q; did you mean %s?", m.name, name, printable(strings.Join(near, " or ")))
	}
	return nil, abi.Errorf(abi.BadCall, "%s has no task %q; it has %s", m.name, name, someOf(names))
}
