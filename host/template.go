package host

// Templates: what instances begin as, and are reset to. An instance that has been
// initialized becomes one, and all others are copies of it.

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host/internal/memory"
	"entangle.example/entangle/host/internal/wasi"
	"entangle.example/entangle/sched"
)

// A template is a state of a program that instances begin in, with those that are idle
// in it. A program has one for each environment that calls are given, since libraries
// read that when they are initialized, and one for each setup ([Module.Prepare]).
type template struct {
	program *program
	setup   *Setup // nil: initialized is all
	env     string // the environment's key
	users   int    // calls that have it now, of those under program.mu; see lease
	used    int64  // when it was leased last, as program.uses counts

	image atomic.Pointer[image] // nil until an instance has been initialized, and where no image can be
	none  atomic.Bool           // no image can be: the guest opens files when it is initialized
	asked sync.Once             // whether an image is kept on disk

	slots []slot // of each worker
	mu    sync.Mutex
	spare []*instance // idle, the one used last at the end
	kept  int         // how many spare ones are kept at the most
	ended bool
}

// A templateKey tells the templates of a program apart.
type templateKey struct {
	setup *Setup
	env   string
}

// An image is the state of an instance: what others are made from and reset to.
type image struct {
	memory  *memory.Snapshot // nil if the module defines none
	globals []uint64
}

// An environment is what a guest sees of the world when it is initialized.
type environment struct {
	mounts []wasi.Mount
	vars   []string
	key    string // the same for the same; "" if there is nothing
}

// maxEnvironments is how many templates a program keeps for environments: beyond, those
// that have not been used for longest are given up.
const maxEnvironments = 64

func (p *program) newTemplate(s *Setup, env string) *template {
	return &template{program: p, setup: s, env: env, slots: make([]slot, p.m.host.pool.Workers()), kept: spareInstances}
}

// allTemplates returns all templates of p.
func (p *program) allTemplates() []*template {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := []*template{p.base}
	for _, t := range p.templates {
		all = append(all, t)
	}
	return all
}

// prepared returns the template of a setup.
func (p *program) prepared(s *Setup) *template {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.find(templateKey{setup: s})
}

// lease returns the template of an environment for one call, which then must call
// leave.
func (m *Module) lease(p *program, env *environment) *template {
	switch {
	case m.setup != nil:
		return p.prepared(m.setup)
	case env.key == "":
		return p.base
	}
	p.mu.Lock()
	t := p.find(templateKey{env: env.key})
	t.users++
	p.uses++
	t.used = p.uses
	var old *template
	if n := len(p.templates); n > maxEnvironments {
		for _, t := range p.templates {
			if t.setup == nil && t.users == 0 && (old == nil || t.used < old.used) {
				old = t
			}
		}
		if old != nil {
			delete(p.templates, templateKey{env: old.env})
		}
	}
	p.mu.Unlock()
	if old != nil {
		old.close()
	}
	return t
}

// leave ends what lease began.
func (t *template) leave() {
	if t.env == "" {
		return
	}
	p := t.program
	p.mu.Lock()
	t.users--
	p.mu.Unlock()
}

func (p *program) find(key templateKey) *template {
	t := p.templates[key]
	if t == nil {
		if p.templates == nil {
			p.templates = map[templateKey]*template{}
		}
		t = p.newTemplate(key.setup, key.env)
		p.templates[key] = t
	}
	return t
}

// ready returns the image, if there is one already.
func (t *template) ready() *image {
	if im := t.image.Load(); im != nil {
		return im
	}
	t.asked.Do(t.load)
	return t.image.Load()
}

// take returns an instance that is idle, or a new one.
func (t *template) take(w *sched.Worker, l *limits) (*instance, error) {
	var i *instance
	if w != nil {
		i = t.slots[w.ID()].i.Swap(nil)
	}
	if i == nil {
		i = t.takeSpare()
	}
	p := t.program
	if i != nil {
		i.ages = 0
		if i.memory != nil && uint64(len(i.memory.Bytes())) > l.memory {
			err := tooSmall(p.m.name, uint64(len(i.memory.Bytes())), l.memory)
			t.put(w, i)
			return nil, err
		}
		return i, nil
	}
	im := t.ready()
	imaging := im == nil && p.rewritten.Unsafe == "" && !t.none.Load()
	if imaging {
		if least := p.m.leastMemory(); least > l.memory {
			return nil, tooSmall(p.m.name, least, l.memory)
		}
		l = t.imageLimits()
	}
	i, err := p.make(t, im, l)
	if err == nil {
		i.imaging = imaging
	}
	return i, err
}

func (t *template) takeSpare() *instance {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := len(t.spare) - 1
	if last < 0 {
		return nil
	}
	i := t.spare[last]
	t.spare[last] = nil
	t.spare = t.spare[:last]
	return i
}

// put makes i idle.
func (t *template) put(w *sched.Worker, i *instance) {
	if w != nil && t.slots[w.ID()].i.CompareAndSwap(nil, i) {
		return
	}
	t.mu.Lock()
	keep := !t.ended && len(t.spare) < t.kept
	if keep {
		t.spare = append(t.spare, i)
	}
	t.mu.Unlock()
	if !keep {
		i.close()
	}
}

// eachIdle has fn called for each instance that is idle, while nobody else has it; fn
// reports whether it stays.
func (t *template) eachIdle(fn func(*instance) (stays bool)) {
	for k := range t.slots {
		s := &t.slots[k].i
		i := s.Swap(nil)
		if i == nil {
			continue
		}
		if !fn(i) {
			i.close()
		} else if !s.CompareAndSwap(nil, i) { // its worker has made another meanwhile
			t.put(nil, i)
		}
	}
	t.mu.Lock()
	all := t.spare
	t.spare = nil
	t.mu.Unlock()
	for _, i := range all {
		if fn(i) {
			t.put(nil, i)
		} else {
			i.close()
		}
	}
}

// release closes all idle instances.
func (t *template) release() { t.eachIdle(func(*instance) bool { return false }) }

// close frees the template. None of its instances may be in use.
func (t *template) close() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.release()
	if im := t.image.Load(); im != nil {
		im.close()
	}
}

// imageLimits are those under which an image is made, whatever call it is made for: the
// setup's or the host's, or, if that is more, the memory that the module begins with.
func (t *template) imageLimits() *limits {
	l := &t.program.m.host.limits
	if t.setup != nil {
		l = t.setup.limits
	}
	if least := t.program.m.leastMemory(); least > l.memory {
		more := *l
		more.memory = least
		l = &more
	}
	return l
}

// makeImage makes the image out of an instance that has been initialized, and
// nothing else. Where another instance was faster, i keeps an image of its own.
func (t *template) makeImage(i *instance) error {
	im := &image{globals: make([]uint64, len(t.program.rewritten.Globals))}
	i.engine.Globals(im.globals)
	if i.memory != nil {
		s, err := t.program.m.host.system.Snapshot(i.memory)
		if err != nil {
			return abi.Errorf(abi.LimitHit, "a snapshot of %s: %w", t.program.m.name, err)
		}
		im.memory = s
	}
	i.image = im
	if !t.image.CompareAndSwap(nil, im) {
		im.close() // the memory holds it
	}
	return nil
}

// initializeImage initializes i, and sets it up, on its own: what the call that came
// first was given, and its limits, must not be in what all others begin with. It
// returns errNoImage where that is no state to begin in.
func (t *template) initializeImage(ctx context.Context, i *instance, w *wasi.Config) (err error) {
	p := t.program
	begun := p.m.host.watchdog.clock()
	i.limits = t.imageLimits()
	if i.memory != nil {
		i.memory.SetLimit(i.limits.memory)
	}
	i.beginWASI(&wasi.Config{Args: []string{programName(p.m.name)}, Mounts: w.Mounts, Env: w.Env})
	if err = i.initialize(); err == nil && t.setup != nil {
		err = i.drive(ctx, t.setup.Run)
	}
	if p.m.wasi {
		if opened := i.wasi.Opened(); err == nil && opened != "" {
			if t.none.Store(true); t.setup != nil {
				err = abi.Errorf(abi.BadCall, "it leaves %s, which no later call would have", opened)
			} else {
				err = errNoImage
			}
		}
		if endErr := i.wasi.End(); err == nil {
			err = endErr
		}
	}
	if err == nil {
		err = t.makeImage(i)
	}
	if err != nil {
		i.worn = true
		return err
	}
	t.keep(i.image, time.Duration(p.m.host.watchdog.clock()-begun))
	return nil
}

// errNoImage says that the instance is not to be used, and that there will be no
// image.
var errNoImage = abi.Errorf(abi.BadCall, "it opens files when it is initialized")

// environmentOf returns what a guest sees in a call under policy p, and a func that closes
// what was opened for it, or nil.
func (m *Module) environmentOf(p *graph.Policy) (env environment, done func(), err error) {
	if m.setup == nil {
		return m.environment(p)
	}
	if p.Grants != nil && !slices.Equal(p.Grants, m.setup.Policy.Grants) {
		return env, nil, abi.Errorf(abi.Denied, "%s was prepared with other grants, and its calls have those", m.name)
	}
	return m.setup.env, nil, nil
}

func (m *Module) environment(p *graph.Policy) (env environment, done func(), err error) {
	g := m.host.granted
	if !m.wasi || p.Grants == nil && len(g.dirs)+len(g.env) == 0 {
		return env, nil, nil
	}
	var w wasi.Config
	var hosts []string
	if hosts, done, err = g.apply(&w, p); err != nil {
		return env, nil, err
	}
	env.mounts, env.vars = w.Mounts, w.Env
	var key strings.Builder
	for k, mount := range env.mounts {
		fmt.Fprintf(&key, "%q at %q, %v\n", hosts[k], mount.Guest, mount.ReadOnly)
	}
	for _, v := range env.vars {
		fmt.Fprintf(&key, "%q\n", v)
	}
	env.key = key.String()
	return env, done, nil
}
