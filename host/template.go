package host

// Templates: what instances begin as, and are reset to. An instance that has been
// initialized becomes one, and all others are copies of it.

import (
	"context"
	"errors"
	"maps"
	"slices"
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
	users   int    // calls that have it now, if it has an environment; program.mu is for this and the next
	used    int64  // when it was leased last, as program.uses counts

	image atomic.Pointer[image] // nil until an instance has been initialized, and where no image can be
	none  atomic.Bool           // no image can be: the guest opens or closes files when it is initialized
	asked sync.Once             // whether an image is kept on disk

	slots []slot // of each worker
	mu    sync.Mutex
	spare []*instance // idle, the one used last at the end
	kept  int         // how many spare ones are kept at the most
	ended bool
}

// An image is the state of an instance: what others are made from and reset to.
type image struct {
	memory  *memory.Snapshot // nil if the module defines none
	globals []uint64
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
	return slices.Concat([]*template{p.base}, slices.Collect(maps.Values(p.prepared)), slices.Collect(maps.Values(p.granted)))
}

// templateOf returns the template of a setup; of none, it is p's own.
func (p *program) templateOf(s *Setup) *template {
	if s == nil {
		return p.base
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.prepared[s]
	if t == nil {
		t = p.newTemplate(s, "")
		p.prepared[s] = t
	}
	return t
}

// forget frees the template of a setup that failed, and that nobody else knows.
func (p *program) forget(s *Setup) {
	p.mu.Lock()
	t := p.prepared[s]
	delete(p.prepared, s)
	p.mu.Unlock()
	if t != nil {
		t.close()
	}
}

// lease returns the template of an environment for one call, which then must call
// leave.
func (p *program) lease(env string) *template {
	p.mu.Lock()
	t := p.granted[env]
	if t == nil {
		t = p.newTemplate(nil, env)
		p.granted[env] = t
	}
	t.users++
	p.uses++
	t.used = p.uses
	var old *template
	if len(p.granted) > maxEnvironments {
		for _, t := range p.granted {
			if t.users == 0 && (old == nil || t.used < old.used) {
				old = t
			}
		}
		if old != nil {
			delete(p.granted, old.env)
		}
	}
	p.mu.Unlock()
	if old != nil {
		old.close()
	}
	return t
}

// leave ends what lease began; other templates stay anyway.
func (t *template) leave() {
	if t.env == "" {
		return
	}
	p := t.program
	p.mu.Lock()
	t.users--
	p.mu.Unlock()
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
	i, err := t.make(im, l)
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

// errNoImage says that the instance is not to be used: there will be no image, and each
// call initializes one of its own.
var errNoImage = errors.New("it opens or closes files when it is initialized")

// template returns what a call under policy begins with in p, which it must leave; the
// environment that it gets; and a func that closes what was opened for it, or nil.
func (m *Module) template(p *program, policy *graph.Policy) (t *template, env environment, done func(), err error) {
	switch g := policy.Grants; {
	case m.setup != nil:
		if g != nil && !slices.Equal(g, m.setup.Policy.Grants) {
			return nil, env, nil, abi.Errorf(abi.Denied, "%s was prepared with other grants, and its calls have those", m.name)
		}
		return p.templateOf(m.setup), m.setup.env, nil, nil
	case !m.wasi:
		return p.base, env, nil, nil
	}
	if env, done, err = m.host.granted.environment(policy); err != nil || env.key == "" {
		return p.base, env, done, err
	}
	return p.lease(env.key), env, done, nil
}
