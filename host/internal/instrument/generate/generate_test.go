package generate

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

// Whether modules validate and calls end is for an engine to say: see
// generate_test.go of host/internal/engine/wazero.

func choices(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 64<<r.IntN(9))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestDeterministic(t *testing.T) {
	different := make(map[string]bool)
	for seed := range uint64(50) {
		data := choices(seed)
		p, again := Module(data), Module(bytes.Clone(data))
		if !bytes.Equal(p.Binary, again.Binary) || !reflect.DeepEqual(p.Calls, again.Calls) {
			t.Errorf("seed %d: the same bytes made two programs", seed)
		}
		different[string(p.Binary)] = true
	}
	if len(different) < 45 {
		t.Errorf("50 inputs made %d modules", len(different))
	}
}

// With no choices left all are the simplest, so a module never grows beyond what
// its input describes.
func TestFewChoices(t *testing.T) {
	if p := Module(nil); len(p.Binary) > 60 || len(p.Calls) != 1 {
		t.Errorf("no choices made %d bytes and %d calls: %x", len(p.Binary), len(p.Calls), p.Binary)
	}
	for seed := range uint64(300) {
		data := choices(seed)
		if p := Module(data); len(p.Binary) > 200_000+10*len(data) {
			t.Errorf("%d bytes of choices made %d of module", len(data), len(p.Binary))
		}
	}
}

// Every group of instructions is in one of fifty modules at least, and nearly
// every opcode in some module.
func TestEveryGroup(t *testing.T) {
	const modules = 1500
	in, share, total := make([]int, len(groups)), make([]int, len(groups)), 0
	seen := make(map[op]bool)
	for seed := range uint64(modules) {
		p := Options{Exceptions: seed%4 == 3}.Module(choices(seed))
		for i, g := range groups {
			n := 0
			for o, count := range p.counts {
				seen[o] = true
				if g.holds(o) {
					n += count
				}
			}
			share[i] += n
			total += n
			in[i] += min(n, 1)
		}
	}
	for i, g := range groups {
		t.Logf("%-24s %5.1f%% of modules, %6.2f%% of instructions", g.name, 100*float64(in[i])/modules, 100*float64(share[i])/float64(total))
		if in[i]*50 < modules {
			t.Errorf("%s: in %d of %d modules", g.name, in[i], modules)
		}
	}
	for _, row := range arithmetic {
		for o := row.first; o <= row.last; o++ {
			if !seen[o] {
				t.Errorf("no module has opcode %#x", int(o))
			}
		}
	}
}

type group struct {
	name   string
	ranges []op // pairs of first and last
}

func (g group) holds(o op) bool {
	for i := 0; i < len(g.ranges); i += 2 {
		if o >= g.ranges[i] && o <= g.ranges[i+1] {
			return true
		}
	}
	return false
}

var groups = []group{
	{"constants", []op{opI32Const, opF64Const}},
	{"locals", []op{opLocalGet, opLocalTee}},
	{"global.get", []op{opGlobalGet, opGlobalGet}},
	{"global.set", []op{opGlobalSet, opGlobalSet}},
	{"i32, i64", []op{0x45, 0x5a, 0x67, 0x8a, 0xc0, 0xc4}},
	{"f32, f64", []op{0x5b, 0x66, 0x8b, 0xa6}},
	{"conversions", []op{0xa7, 0xbf}},
	{"saturating", []op{0xfc00, 0xfc07}},
	{"loads", []op{0x28, 0x35}},
	{"stores", []op{0x36, 0x3e}},
	{"vector arithmetic", []op{0xfd0c, 0xfd53, 0xfd5e, 0xfdff}},
	{"vector loads", []op{0xfd00, 0xfd0a, 0xfd5c, 0xfd5d}},
	{"vector stores", []op{0xfd0b, 0xfd0b}},
	{"lane loads and stores", []op{0xfd54, 0xfd5b}},
	{"blocks", []op{opBlock, opBlock}},
	{"loops", []op{opLoop, opLoop}},
	{"if", []op{opIf, opElse}},
	{"br", []op{opBr, opBr}},
	{"br_if", []op{opBrIf, opBrIf}},
	{"br_table", []op{opBrTable, opBrTable}},
	{"return", []op{opReturn, opReturn}},
	{"unreachable", []op{opUnreachable, opUnreachable}},
	{"nop, drop, end", []op{opNop, opNop, opDrop, opDrop, opEnd, opEnd}},
	{"select", []op{opSelect, opSelect}},
	{"select with a type", []op{opSelectTyped, opSelectTyped}},
	{"call", []op{opCall, opCall}},
	{"call_indirect", []op{opCallIndirect, opCallIndirect}},
	{"return_call", []op{opReturnCall, opReturnCall}},
	{"return_call_indirect", []op{opReturnCallIndirect, opReturnCallIndirect}},
	{"memory.size", []op{opMemorySize, opMemorySize}},
	{"memory.grow", []op{opMemoryGrow, opMemoryGrow}},
	{"memory.fill", []op{opMemoryFill, opMemoryFill}},
	{"memory.copy", []op{opMemoryCopy, opMemoryCopy}},
	{"memory.init", []op{opMemoryInit, opMemoryInit}},
	{"data.drop", []op{opDataDrop, opDataDrop}},
	{"table.get", []op{opTableGet, opTableGet}},
	{"table.set", []op{opTableSet, opTableSet}},
	{"table.size", []op{opTableSize, opTableSize}},
	{"table.grow", []op{opTableGrow, opTableGrow}},
	{"table.fill", []op{opTableFill, opTableFill}},
	{"table.copy", []op{opTableCopy, opTableCopy}},
	{"table.init", []op{opTableInit, opTableInit}},
	{"elem.drop", []op{opElemDrop, opElemDrop}},
	{"ref.null", []op{opRefNull, opRefNull}},
	{"ref.is_null", []op{opRefIsNull, opRefIsNull}},
	{"ref.func", []op{opRefFunc, opRefFunc}},
	{"atomic loads, stores", []op{0xfe10, 0xfe1d}},
	{"atomic updates", []op{0xfe1e, 0xfe4e}},
	{"notify, wait", []op{opAtomicNotify, opAtomicWait64}},
	{"atomic.fence", []op{opAtomicFence, opAtomicFence}},
	{"try_table", []op{opTryTable, opTryTable}},
	{"throw", []op{opThrow, opThrow}},
	{"throw_ref", []op{opThrowRef, opThrowRef}},
}

// The other kinds of module: in one of fifty at least, too.
func TestEveryShape(t *testing.T) {
	const modules = 1000
	in := make(map[string]int)
	for seed := range uint64(modules) {
		m := &module{source: source{choices(seed)}, counts: make(map[op]int)}
		m.plan()
		m.calls()
		m.write()
		for shape := range m.shapes() {
			in[shape]++
		}
	}
	for _, shape := range []string{"no functions", "no memory", "no maximum", "start", "recursion", "mutual recursion", "indirect recursion", "tail recursion",
		"tree", "long function", "many locals", "passive data", "active data", "active elements", "passive elements", "declared elements",
		"constant global", "mutable global", "global never set", "externref table", "multi-value"} {
		t.Logf("%-20s %5.1f%%", shape, 100*float64(in[shape])/modules)
		if in[shape]*50 < modules {
			t.Errorf("%s: %d of %d modules", shape, in[shape], modules)
		}
	}
}

func (m *module) shapes() map[string]bool {
	s := map[string]bool{
		"no functions": len(m.functions) == 0,
		"no memory":    !m.has(memory),
		"no maximum":   m.has(memory) && !m.bounded,
		"start":        m.start != nil,
	}
	for _, r := range m.recursions {
		s["recursion"] = true
		s["mutual recursion"] = s["mutual recursion"] || len(r.members) > 1
		s["indirect recursion"] = s["indirect recursion"] || r.indirect
		s["tail recursion"] = s["tail recursion"] || r.tail
	}
	for _, f := range m.functions {
		s["tree"] = s["tree"] || f.kind == tree
		s["long function"] = s["long function"] || f.size > 4000
		s["many locals"] = s["many locals"] || len(f.locals) > 100
		s["multi-value"] = s["multi-value"] || len(f.results) > 1
	}
	for _, d := range m.data {
		s[map[bool]string{true: "active data", false: "passive data"}[d.active]] = true
	}
	for _, e := range m.elems {
		s[[]string{"active elements", "passive elements", "declared elements"}[e.mode]] = true
	}
	for _, g := range m.globals {
		s[map[bool]string{true: "mutable global", false: "constant global"}[g.mutable]] = true
		s["global never set"] = s["global never set"] || g.neverSet
	}
	for _, t := range m.tables {
		s["externref table"] = s["externref table"] || t.elem == ExternRef
	}
	for shape, there := range s {
		if !there {
			delete(s, shape)
		}
	}
	return s
}

func ExampleModule() {
	p := Module([]byte("any bytes"))
	fmt.Printf("%q\n", p.Binary[:4])
	// Output: "\x00asm"
}
