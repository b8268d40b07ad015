package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/memory"
)

// A program is a module, compiled for one engine, with what its instances are made
// from.
type program struct {
	m         *Module
	engine    engine.Engine
	rewritten *instrument.Rewritten
	compiled  engine.Module
	init      int // number of the function that does what instantiating did, or -1
	begin     int // number of _initialize, or -1
	exports   []programExport

	base     *template // of calls that are given nothing
	mu       sync.Mutex
	prepared map[*Setup]*template
	granted  map[string]*template // by their environments' keys
	uses     int64                // of these

	actors actors
}

// A programExport is one of the module's exports in a program.
type programExport struct {
	fn     int // -1 for what is no function
	effect instrument.Effect
}

// worthTrimming is how long compiling takes if the result was not in the cache, and is
// there now, at a size that counts.
const worthTrimming = 100 * time.Millisecond

// slowCompile is how long compiling may take before the host says that it does.
const slowCompile = time.Second

// compile makes the program of m for an engine.
func (m *Module) compile(ctx context.Context, e engine.Engine) (*program, error) {
	return m.compileAs(ctx, e, e.Check(), m.id)
}

// compileAs makes a program with another kind of check, kept under another id.
func (m *Module) compileAs(ctx context.Context, e engine.Engine, check instrument.Check, id [32]byte) (*program, error) {
	h := m.host
	r, err := m.rewrite(check)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	hint := time.AfterFunc(slowCompile, func() { h.sayCompiling(m, e, begun) })
	p := &program{m: m, engine: e, rewritten: r, init: -1, begin: -1, prepared: map[*Setup]*template{}, granted: map[string]*template{}}
	p.base = p.newTemplate(nil, "")
	p.compiled, err = e.Compile(ctx, r, id)
	hint.Stop()
	if err != nil {
		return nil, fmt.Errorf("%s cannot compile it: %w", e.Name(), err)
	}
	d := time.Since(begun)
	if d > worthTrimming {
		h.trimCache()
	}
	if d > slowCompile {
		h.log.Info(fmt.Sprintf("compiled %s in %v", printable(m.name), d.Round(100*time.Millisecond)))
	}
	if id == m.id {
		m.keepRecord(r)
	}
	r.Binary = nil // its memory
	if r.Init != "" {
		p.init = p.compiled.Func(r.Init)
	}
	for _, e := range m.desc.Exports {
		x := programExport{fn: -1}
		if e.Kind == instrument.FuncKind {
			x = programExport{p.compiled.Func(e.Name), r.Effect(e.Name)}
			if m.begin != nil && e.Name == m.begin.Name {
				p.begin = x.fn
			}
		}
		p.exports = append(p.exports, x)
	}
	return p, nil
}

// sayCompiling says that compiling takes its time.
func (h *Host) sayCompiling(m *Module, e engine.Engine, begun time.Time) {
	kept := "; it is kept for the next time"
	if h.config.noCache {
		kept = ""
	}
	h.log.Info(fmt.Sprintf("compiling %s (%s) with %s, since %v%s", printable(m.name), sizeText(uint64(m.desc.Size)), e.Name(),
		time.Since(begun).Round(time.Second), kept))
}

// close frees all instances, of which none may be in use, and the code.
func (p *program) close() error {
	for _, t := range p.allTemplates() {
		t.close()
	}
	p.actors.close()
	return p.compiled.Close()
}

// newMemory returns the memory of a new instance, or nil if the module defines none.
func (p *program) newMemory(im *image, limit uint64) (*memory.Linear, error) {
	if im != nil && im.memory != nil {
		if least := im.memory.Size(); least > limit {
			return nil, tooSmall(p.m.name, least, limit)
		}
		return im.memory.New(limit, memory.Reservation)
	}
	if len(p.m.desc.Memories) == 0 {
		return nil, nil
	}
	least := p.m.leastMemory()
	if least > limit {
		return nil, tooSmall(p.m.name, least, limit)
	}
	l, err := memory.New(limit, memory.Reservation)
	if err != nil {
		return nil, err
	}
	if l.Reallocate(least) == nil {
		l.Free()
		return nil, errors.New("the system has no memory for it")
	}
	return l, nil
}

// leastMemory returns how much linear memory the module begins with, in bytes.
func (m *Module) leastMemory() uint64 {
	if len(m.desc.Memories) == 0 { // there is at most one
		return 0
	}
	return m.desc.Memories[0].Min * memory.PageSize
}

func tooSmall(name string, least, limit uint64) error {
	return abi.Errorf(abi.LimitHit, "%s begins with %s of memory, and the limit is %s; raise it with --memory", name, sizeText(least), sizeText(limit))
}

// make makes an instance: from the image, if it is not nil; otherwise as the module
// says, and nothing of the guest has run.
func (t *template) make(im *image, l *limits) (*instance, error) {
	p := t.program
	mem, err := p.newMemory(im, l.memory)
	if err != nil {
		return nil, err
	}
	i := &instance{program: p, template: t, image: im, memory: mem}
	i.guest.i = i
	i.stack = i.inline[:]
	if n := p.m.mostValues; n > len(i.stack) {
		i.stack = make([]uint64, n)
	}
	i.sleeping, i.asking = i.sleep, i.whyStopped
	i.ticket.wake = make(chan struct{}, 1)
	i.engine, err = p.compiled.Instantiate(engine.Config{Memory: mem, Tables: uint32(l.Table), Data: i})
	if err != nil {
		if mem != nil {
			mem.Discard()
		}
		return nil, err
	}
	i.ticket.stop = i.engine.Stop
	h := p.m.host
	h.watchdog.add(&i.ticket)
	if h.live.Add(1)-h.actors.Load() > int64(h.config.idleInstances()) {
		h.makeRoom()
	}
	if im != nil {
		i.engine.SetGlobals(im.globals)
	}
	return i, nil
}
