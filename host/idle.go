package host

// Idle instances. Each worker has a place of its own for one instance of each
// template, which it takes and fills without a lock and without meeting another
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
)

// A slot is a worker's place for an idle instance of one template.
type slot struct {
	i atomic.Pointer[instance]
	_ [56]byte // a cache line of its own
}

const (
	// spareInstances is how many idle instances a template keeps beside the workers'.
	spareInstances = 8
	// DefaultIdle bounds the idle instances of a host.
	DefaultIdle = 1024

	janitorPause = 5 * time.Second
	trimAge      = 1  // rounds of the janitor after which an idle instance's own memory is given back
	closeAge     = 12 // rounds after which it is closed
)

// templates returns what instances may be idle in.
func (h *Host) templates() []*template {
	h.mu.Lock()
	modules := slices.Collect(maps.Values(h.modules))
	h.mu.Unlock()
	var all []*template
	for _, m := range modules {
		for _, p := range m.programs.all() {
			all = append(all, p.allTemplates()...)
		}
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
	for _, t := range h.templates() {
		t.mu.Lock()
		t.kept = spareInstances
		t.mu.Unlock()
		t.release()
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
	p, err := m.ownProgram(ctx)
	if err != nil {
		return err
	}
	if why := p.rewritten.Unsafe; why != "" {
		return abi.Errorf(abi.BadCall, "%s makes an instance anew for each call: %s", m.name, why)
	}
	t := p.templateOf(m.setup)
	t.mu.Lock()
	t.kept = max(t.kept, n)
	t.mu.Unlock()
	for k := range n {
		im := t.ready()
		if im == nil {
			ctx, cancel := context.WithCancel(ctx)
			i, err := m.acquireAlone(ctx, abi.ExportInit)
			if err == nil {
				err = i.release(nil)
			}
			cancel()
			if err == nil && t.none.Load() {
				err = abi.Errorf(abi.BadCall, "%s makes an instance anew for each call: %w", m.name, errNoImage)
			}
			if err != nil {
				return err
			}
			continue
		}
		i, err := t.make(im, m.limits)
		if err != nil {
			return fmt.Errorf("instance %d: %w", k+1, instantiateError(err))
		}
		t.put(nil, i)
	}
	return nil
}

// makeRoom closes idle instances where there are too many: those first that have
// been idle for longest.
func (h *Host) makeRoom() {
	most := int64(h.config.idleInstances()) * 3 / 4 // so that this is done seldom
	for _, ages := range []int{1, 0} {
		for _, t := range h.templates() {
			if h.live.Load()-h.actors.Load() <= most {
				return
			}
			t.eachIdle(func(i *instance) bool { return i.ages < ages || h.live.Load()-h.actors.Load() <= most })
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
		for _, t := range h.templates() {
			t.eachIdle(func(i *instance) bool {
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
