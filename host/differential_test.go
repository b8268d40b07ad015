package host

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"testing"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/instrument/generate"
	"entangle.example/entangle/host/internal/wasi"
)

// These tests run generated programs in every way in which the host may run a guest:
// on each engine, with checks and without, in a new instance, in one that is made
// from an image, and after a reset. Whatever a program does must be the same.

var hashSeed = maphash.MakeSeed()

// outcome runs the calls of a program in an instance and returns what came of each,
// and what the memory holds at the end. A call that trapped is followed by the next:
// what it has done until then stays. The instance is then reset, traps or not.
func outcome(t *testing.T, p *program, prog *generate.Program) (out []string, reset bool) {
	t.Helper()
	l := &p.m.host.limits
	i, err := p.base.take(nil, l)
	if err != nil {
		return []string{"no instance: " + reasonOf(err)}, false
	}
	reset = i.image != nil
	if err := i.start(t.Context(), "generated", l, &wasi.Config{}, 0); err != nil {
		return []string{"not initialized: " + reasonOf(err)}, i.release(err) == nil
	}
	for _, c := range prog.Calls {
		k, ok := p.m.desc.ExportIndex(c.Export, instrument.FuncKind)
		if !ok {
			t.Fatalf("no export %q", c.Export)
		}
		copy(i.stack, c.Args)
		if err := i.run(k, max(len(c.Args), len(c.Results))); err != nil {
			i.worn = false // its memory and globals are all that it is
			out = append(out, c.Export+": "+reasonOf(err))
			continue
		}
		line := c.Export + ":"
		for v, r := range c.Results {
			bits := i.stack[v]
			if typ := instrument.ValType(r); typ == instrument.I32 || typ == instrument.F32 {
				bits = uint64(uint32(bits))
			}
			line += fmt.Sprintf(" %x", bits)
		}
		out = append(out, line)
	}
	if i.memory != nil {
		out = append(out, fmt.Sprintf("memory: %d %x", len(i.memory.Bytes()), maphash.Bytes(hashSeed, i.memory.Bytes())))
	}
	if err := i.release(nil); err != nil {
		t.Fatal(err)
	}
	return out, reset
}

func reasonOf(err error) string {
	if trap, ok := errors.AsType[*engine.Trap](err); ok {
		return trap.Reason
	}
	return err.Error()
}

// differ runs the program that data describes in all ways. It returns in how many
// of them an instance was reset.
func differ(t *testing.T, h *Host, o generate.Options, data []byte) (resets int) {
	t.Helper()
	prog := o.Module(data)
	m, err := h.LoadBytes(t.Context(), "generated", prog.Binary)
	if err != nil {
		t.Fatalf("%v\n%x", err, prog.Binary)
	}
	defer h.Forget()
	var want []string
	try := func(how string, p *program) {
		for round := range 3 {
			got, reset := outcome(t, p, prog)
			if reset {
				resets++
			}
			if want == nil {
				want = got
			} else if !slices.Equal(got, want) {
				t.Errorf("%s, round %d (reset: %v) differs\ngot  %q\nwant %q\n%x", how, round, reset, got, want, prog.Binary)
				return
			}
		}
	}
	for _, info := range Engines() {
		if info.Missing != "" {
			continue
		}
		e, err := h.engineFor(info.Name, h.limits.Stack)
		if err != nil {
			t.Fatal(err)
		}
		for _, check := range []instrument.Check{e.Check(), instrument.Unchecked} {
			p, err := m.compileAs(t.Context(), e, check, m.id)
			if err != nil {
				t.Fatalf("%v\n%x", err, prog.Binary)
			}
			try(fmt.Sprintf("%s, check %d", info.Name, check), p)
			if err := p.close(); err != nil {
				t.Error(err)
			}
		}
	}
	return resets
}

func differentialHost(t testing.TB) *Host {
	h, err := Open(Config{}.WithoutCache().WithCPUs(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// ran is set once TestDifferential has run: TestMain runs all tests once for each
// engine, and this one is about both.
var ran bool

func TestDifferential(t *testing.T) {
	if ran {
		t.Skip("it has run, on all engines")
	}
	ran = true
	seeds := 300
	if testing.Short() {
		seeds = 40
	}
	h := differentialHost(t)
	resets := 0
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 100+r.IntN(3000))
		for k := range data {
			data[k] = byte(r.Uint32())
		}
		resets += differ(t, h, generate.Options{Exceptions: seed%2 == 1}, data)
	}
	if resets < seeds {
		t.Errorf("%d instances were reset", resets)
	}
}

func FuzzDifferential(f *testing.F) {
	for seed := range byte(16) {
		f.Add([]byte{seed}, seed%2 == 0)
		f.Add([]byte(fmt.Sprint("a program of its own, number ", seed)), seed%2 == 1)
	}
	h := differentialHost(f)
	f.Fuzz(func(t *testing.T, data []byte, exceptions bool) {
		differ(t, h, generate.Options{Exceptions: exceptions}, data)
	})
}
