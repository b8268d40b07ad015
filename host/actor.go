package host

// Actors: instances whose state is allowed to stay. One takes calls one at a time,
// in the order in which they come.

import (
	"sync"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
)

// MaxActors bounds the actors of a module.
const MaxActors = 1024

type actor struct {
	turn  chan struct{} // holds one value while a call has it; waiting for it is a queue
	i     *instance     // nil until the first call, and after one that broke it
	ready bool          // i is initialized
}

// actors are those of one program.
type actors struct {
	mu sync.Mutex
	by map[actorKey]*actor
}

type actorKey struct {
	setup *Setup
	name  string
}

// actorInstance returns the instance of the actor of that name once it is the
// call's turn.
func (m *Module) actorInstance(c *graph.Call, t *template, name string, l *limits) (*instance, error) {
	p := t.program
	key := actorKey{m.setup, name}
	p.actors.mu.Lock()
	a := p.actors.by[key]
	if a == nil {
		if len(p.actors.by) == MaxActors {
			p.actors.mu.Unlock()
			return nil, abi.Errorf(abi.LimitHit, "%s has %d actors already, the most that there can be", m.name, MaxActors)
		}
		if p.actors.by == nil {
			p.actors.by = map[actorKey]*actor{}
		}
		a = &actor{turn: make(chan struct{}, 1)}
		p.actors.by[key] = a
	}
	p.actors.mu.Unlock()
	select {
	case a.turn <- struct{}{}:
	default:
		var err error
		c.Block(func() {
			select {
			case a.turn <- struct{}{}:
			case <-c.Ctx.Done():
				err = causeOf(c.Ctx)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	if a.i == nil {
		i, err := t.make(t.ready(), l)
		if err != nil {
			<-a.turn
			return nil, err
		}
		a.i, a.ready = i, i.image != nil
		m.host.actors.Add(1)
	}
	a.i.held = a
	return a.i, nil
}

// leave ends a call of the actor whose instance is i. After one that broke it, the
// actor begins anew.
func (a *actor) leave(i *instance, broken bool) {
	a.ready = true
	if broken {
		i.program.m.host.actors.Add(-1)
		i.close()
		a.i = nil
	}
	<-a.turn
}

// close frees all actors' instances.
func (s *actors) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.by {
		if a.i != nil {
			a.i.program.m.host.actors.Add(-1)
			a.i.close()
		}
	}
	s.by = nil
}
