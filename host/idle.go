package host

// Idle instances. Each worker has a place of its own for one instance of each
// program, which it takes and fills without a lock and without meeting another
// worker; what finds no place is spare, under a lock. A place is an atomic pointer
// because others may empty it: the janitor, who gives back what has not been used
// for a while, and whoever needs room. Who has swapped an instance out owns it.

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/sched"
)

// A slot is a worker's place for an idle instance of one program.
type slot struct {
	i atomic.Pointer[instance]
	_ [56]byte // a cache line of its own
}

const (
	// spareInstances is how many idle instances a program keeps beside the workers'.
	spareInstances = 8
	// DefaultIdle bounds the idle instances of a host.
	DefaultIdle = 1024

	janitorPause = 5 * time.Second
	trimAge      = 1  // rounds of the janitor after which an idle instance's own memory is given back
	closeAge     = 12 // rounds after which it is closed
)

// take returns an instance that is idle, or a new one.
func (p *program) take(w *sched.Worker, l *limits) (*instance, error) {
	var i *instance
	if w != nil {
		i = p.slots[w.ID()].i.Swap(nil)
	}
	if i == nil {
		i = p.takeSpare()
	}
	if i != nil {
		i.ages = 0
		if i.memory != nil && uint64(len(i.memory.Bytes())) > l.memory {
			err := tooSmall(p.m.name, uint64(len(i.memory.Bytes())), l.memory)
			p.put(w, i)
			return nil, err
		}
		return i, nil
	}
	im := p.image.Load()
	imaging := im == nil && p.rewritten.Unsafe == ""
	if imaging {
		if least := p.m.leastMemory(); least > l.memory {
			return nil, tooSmall(p.m.name, least, l.memory)
		}
		l = p.imageLimits()
	}
	i, err := p.make(im, l)
	if err == nil {
		i.imaging = imaging
	}
	return i, err
}

func (p *program) takeSpare() *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.spare) - 1
	if last < 0 {
		return nil
	}
	i := p.spare[last]
	p.spare[last] = nil
	p.spare = p.spare[:last]
	return i
}

// put makes i idle.
func (p *program) put(w *sched.Worker, i *instance) {
	if w != nil && p.slots[w.ID()].i.CompareAndSwap(nil, i) {
		return
	}
	p.mu.Lock()
	keep := !p.ended && len(p.spare) < p.kept
	if keep {
		p.spare = append(p.spare, i)
	}
	p.mu.Unlock()
	if !keep {
		i.close()
	}
}

// eachIdle has fn called for each instance of p that is idle, while nobody else has
// it; fn reports whether it stays.
func (p *program) eachIdle(fn func(*instance) (stays bool)) {
	for k := range p.slots {
		s := &p.slots[k].i
		i := s.Swap(nil)
		if i == nil {
			continue
		}
		if !fn(i) {
			i.close()
		} else if !s.CompareAndSwap(nil, i) { // its worker has made another meanwhile
			p.put(nil, i)
		}
	}
	p.mu.Lock()
	all := p.spare
	p.spare = nil
	p.mu.Unlock()
	for _, i := range all {
		if fn(i) {
			p.put(nil, i)
		} else {
			i.close()
		}
	}
}

// release closes all idle instances.
func (p *program) release() { p.eachIdle(func(*instance) bool { return false }) }

// programs returns all programs.
func (h *Host) programs() []*program {
	h.mu.Lock()
	modules := slices.Collect(maps.Values(h.modules))
	h.mu.Unlock()
	var all []*program
	for _, m := range modules {
		all = append(all, m.allPrograms()...)
	}
	return all
}

// Release gives the memory of all idle instances back: the next calls make theirs
// anew, which takes tens of microseconds. The host does it by itself where little
// memory is left.
func (h *Host) Release() {
	if h.enter() != nil {
		return // all is released
	}
	defer h.outside.Done()
	h.release()
}

func (h *Host) release() {
	for _, p := range h.programs() {
		p.mu.Lock()
		p.kept = spareInstances
		p.mu.Unlock()
		p.release()
	}
}

// Warm makes n instances of m ahead of the calls that will need them, and keeps
// that many, as far as [Config.WithIdle] lets. If no call has initialized the module,
// it does. It fails for a module of which each call makes an instance anew
// ([Info.Reset]).
func (m *Module) Warm(ctx context.Context, n int) error {
	if err := m.host.enter(); err != nil {
		return err
	}
	defer m.host.outside.Done()
	p := m.program.Load()
	if why := p.rewritten.Unsafe; why != "" {
		return abi.Errorf(abi.BadCall, "%s makes an instance anew for each call: %s", m.name, why)
	}
	p.mu.Lock()
	p.kept = max(p.kept, n)
	p.mu.Unlock()
	for k := range n {
		im := p.image.Load()
		if im == nil {
			ctx, cancel := context.WithCancel(ctx)
			i, err := m.acquireAlone(ctx, abi.ExportInit)
			if err == nil {
				err = i.release(nil)
			}
			cancel()
			if err != nil {
				return err
			}
			continue
		}
		i, err := p.make(im, &m.host.limits)
		if err != nil {
			return fmt.Errorf("instance %d: %w", k+1, instantiateError(err))
		}
		p.put(nil, i)
	}
	return nil
}

// makeRoom closes idle instances where there are too many: those first that have
// been idle for longest.
func (h *Host) makeRoom() {
	most := int64(h.config.idleInstances()) * 3 / 4 // so that this is done seldom
	for _, ages := range []int{1, 0} {
		for _, p := range h.programs() {
			if h.live.Load()-h.actors.Load() <= most {
				return
			}
			p.eachIdle(func(i *instance) bool { return i.ages < ages || h.live.Load()-h.actors.Load() <= most })
		}
	}
}

// janitor gives back what idle instances hold.
func (h *Host) janitor() {
	defer close(h.janitorDone)
	tick := time.NewTicker(janitorPause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-h.quit:
			return
		}
		if h.live.Load() == 0 {
			continue
		}
		if memoryIsShort() {
			h.release()
			continue
		}
		for _, p := range h.programs() {
			p.eachIdle(func(i *instance) bool {
				i.ages++
				if i.ages == trimAge && i.memory != nil {
					return i.memory.Trim() == nil
				}
				return i.ages < closeAge
			})
		}
	}
}

// memoryIsShort reports whether less than a twentieth of the machine's memory is
// available, as far as it says.
func memoryIsShort() bool {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return false
	}
	defer f.Close()
	var total, available uint64
	for s := bufio.NewScanner(f); s.Scan() && (total == 0 || available == 0); {
		fields := append(strings.Fields(s.Text()), "", "")
		if k := slices.Index([]string{"MemTotal:", "MemAvailable:"}, fields[0]); k >= 0 {
			n, _ := strconv.ParseUint(fields[1], 10, 64)
			*[]*uint64{&total, &available}[k] = n
		}
	}
	return available > 0 && available < total/20
}
