package instrument

// Rewriting. A guest must stop when its time is over, and be brought back to an
// earlier state after a call. So the rewritten module meets a check in every
// stretch of work that is not small (analyze.go), does nothing by itself when it is
// instantiated but fill its tables, and exports what the host saves and restores.
//
// Two passes: scan finds what there is, and this one copies it with its edits.
//
// Whatever is added comes behind what was there, except for functions that are
// imported for [Countdown]: those shift the numbers of all that the module defines.
// What was there may name only what was there: the rewritten module must not be
// valid where the original was not, and must not reach what is added.

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// RewriteVersion changes whenever Rewrite gives other bytes for the same module, or a
// Record says other things of it.
const RewriteVersion = 11

// What a module that is rewritten for [Countdown] imports: functions without
// parameters and results. No module that is loaded may import them itself.
const (
	PollModule = "entangle:host"
	PollName   = "poll" // every PollEvery checks, and where a try_table is entered
	KeepName   = "keep" // before an exception is thrown
)

// PollEvery is how many checks pass between two polls; one that stands for much work
// counts for more.
const PollEvery = 65536

// Limits of a module. Those of functions are the ones of the WebAssembly
// JavaScript API ("Implementation-defined Limits") and of browsers, so whatever runs
// there keeps them; beyond them, compilers take time and memory out of all proportion.
const (
	MaxFunctions     = 1_000_000
	MaxFunctionSize  = 7_654_321 // bytes
	MaxLocals        = 50_000    // of a function
	MaxItems         = 200_000   // types, imports, exports, globals, tags, element segments
	MaxBranchTargets = 65_520    // of a br_table
	MaxValues        = 1_000     // parameters of a type, and results
	MaxNesting       = 10_000    // of blocks
	MaxLoopNesting   = 500       // of loops
	MaxSegments      = 100_000   // of data
	MaxTableEntries  = 1 << 21   // of all tables together, 16 MiB
)

// Rewrite returns the module in binary, which [Describe] has accepted, as it is to
// be compiled. Its errors say where.
func Rewrite(binary []byte, check Check) (*Rewritten, error) {
	m, err := scan(binary)
	if err == nil && check != ControlWord {
		m, err = mend(m)
	}
	if err != nil {
		return nil, err
	}
	w := &rewriter{module: m, r: Rewritten{Check: check, Unsafe: m.unsafe, Lost: m.lost, effects: map[string]Effect{}, exported: map[uint32]string{}}}
	a := m.analyze()
	for name, fn := range m.exports {
		if old := w.r.exported[fn]; old == "" || name < old {
			w.r.exported[fn] = clip(name)
		}
		if fn >= m.imported {
			w.r.effects[name] = a.effect[fn-m.imported]
		} else {
			w.r.effects[name] = CallsHost
		}
	}
	w.plan()
	w.r.imported, w.r.defined, w.r.shift = m.imported, uint32(len(m.functions)), w.shift
	w.out = append(make([]byte, 0, len(m.binary)+len(m.binary)/4+1024), m.binary[:8]...)
	for _, s := range w.complete() {
		if err := w.section(s, a); err != nil {
			return nil, err
		}
	}
	w.r.Binary = w.out
	return &w.r, nil
}

type rewriter struct {
	*module
	r   Rewritten
	out []byte

	adds     bool   // there is code, so there is something to add
	shift    uint32 // by how much the functions that the module defines shift
	injected []injected
	types    [][]byte // that are added
	places   map[helper]uint32
	counter  uint32 // global of Countdown
	budget   uint32 // global
	control  uint32 // memory of ControlWord

	work []uint64 // of loopWork
	open []int
}

// plan decides what is added.
func (w *rewriter) plan() {
	active := slices.ContainsFunc(w.segments, func(s segment) bool { return s.active })
	w.adds = len(w.functions) > 0 || active || w.start >= 0 || w.outside >= 0
	if !w.adds {
		return
	}
	next := uint32(len(w.globals))
	switch w.r.Check {
	case Countdown:
		w.shift = 2
		w.counter = next
		next++
	case ControlWord:
		w.control = w.memories
		w.r.Control = w.prefix + "control"
	}
	if slices.ContainsFunc(w.edits, func(e edit) bool { return e.kind == growSite }) {
		w.budget = next
		w.r.Budget = w.prefix + "budget"
	}
	for i, g := range w.globals[:w.kept] {
		if !g.mutable || !g.set {
			continue
		}
		switch g.typ {
		case I32, I64, F32, F64:
			w.r.Globals = append(w.r.Globals, Global{fmt.Sprintf("%sglobal:%d", w.prefix, i), g.typ, uint32(i)})
		default:
			if w.r.Unsafe == "" {
				w.r.Unsafe = fmt.Sprintf("it has a mutable global of type %v", g.typ)
			}
		}
	}
	for i, s := range w.segments {
		if s.active && w.inits[uint32(i)] && w.r.Unsafe == "" {
			w.r.Unsafe = "its code copies an active data segment"
		}
	}
	w.inject(active)
}

// complete returns the sections, with those that something is added to and that are
// not there.
func (w *rewriter) complete() []part {
	if !w.adds {
		return w.sections
	}
	needed := []byte{typeSection, functionSection, exportSection, codeSection}
	switch w.r.Check {
	case Countdown:
		needed = append(needed, importSection, globalSection)
	case ControlWord:
		needed = append(needed, memorySection)
	}
	if w.r.Budget != "" {
		needed = append(needed, globalSection)
	}
	if len(w.segments) > 0 {
		needed = append(needed, dataCountSection)
	}
	return withSections(w.sections, needed...)
}

// withSections returns the sections, and empty ones where any of those needed is not
// there.
func withSections(sections []part, needed ...byte) []part {
	sections = slices.Clone(sections)
	for _, id := range needed {
		if slices.ContainsFunc(sections, func(s part) bool { return s.id == id }) {
			continue
		}
		place := slices.Index(order, id)
		at := slices.IndexFunc(sections, func(s part) bool { return slices.Index(order, s.id) > place })
		if at < 0 {
			at = len(sections)
		}
		sections = slices.Insert(sections, at, part{id, []byte{0}, 0})
	}
	return sections
}

// section writes what becomes of s.
func (w *rewriter) section(s part, a *analysis) error {
	r := s.reader()
	var body []byte
	switch s.id {
	case 0:
		var keep bool
		if body, keep = w.custom(r); !keep {
			return nil
		}
		r.err = nil // whatever is wrong with it is nobody's business
	case tableSection:
		body = boundTables(r)
	case codeSection:
		if w.adds {
			return w.writeCode(a)
		}
		body = s.data[s.off:]
	case startSection:
		return nil // Init calls it
	default:
		if w.adds {
			body = w.added(s, r)
		} else {
			body = s.data[s.off:]
		}
	}
	if r.err != nil {
		return r.err
	}
	w.out = append(leb(append(w.out, s.id), uint32(len(body))), body...)
	return nil
}

// added returns the content of a section that something is added to, or that names
// functions.
func (w *rewriter) added(s part, r *reader) []byte {
	switch s.id {
	case typeSection:
		return vector(r, w.types...)
	case importSection:
		if w.r.Check == Countdown {
			return vector(r, w.hostImport(PollName), w.hostImport(KeepName))
		}
	case functionSection:
		var types [][]byte
		for _, f := range w.injected {
			types = append(types, leb(nil, f.typ))
		}
		return vector(r, types...)
	case memorySection:
		if w.r.Check == ControlWord {
			return vector(r, []byte{1, 1, 1}) // one page at least and at most
		}
	case globalSection:
		return w.writeGlobals(r)
	case exportSection:
		return w.writeExports(r)
	case elementSection:
		return w.shifting(r, func(shift func(int, int, uint32)) { w.elements(r, shift) })
	case dataCountSection:
		return leb(nil, uint32(len(w.segments)))
	case dataSection:
		return w.writeData()
	}
	return s.data[s.off:]
}

// leb appends n as an unsigned LEB128 number.
func leb(b []byte, n uint32) []byte { return binary.AppendUvarint(b, uint64(n)) }

// sleb appends n as a signed LEB128 number.
func sleb(b []byte, n int64) []byte {
	for n < -64 || n > 63 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n)&0x7f)
}

// vector returns a section that is a vector, with more items.
func vector(r *reader, items ...[]byte) []byte {
	n := r.count(1)
	body := leb(make([]byte, 0, len(r.data)-r.off+64), n+uint32(len(items)))
	body = append(body, r.data[r.off:]...)
	return append(body, slices.Concat(items...)...)
}

func (w *rewriter) hostImport(name string) []byte {
	b := append(leb(nil, uint32(len(PollModule))), PollModule...)
	b = append(leb(b, uint32(len(name))), name...)
	return leb(append(b, byte(FuncKind)), w.typ(nothing))
}

// shifted returns what function fn of the original is now.
func (w *rewriter) shifted(fn uint32) uint32 {
	if fn >= w.imported {
		fn += w.shift
	}
	return fn
}

// shifting copies what read reads, with the function indices that it reports shifted.
func (w *rewriter) shifting(r *reader, read func(shift func(from, to int, fn uint32))) []byte {
	at := r.off
	out := make([]byte, 0, len(r.data)-r.off+64)
	read(func(from, to int, fn uint32) {
		out = append(out, r.data[at:from]...)
		out = leb(out, w.shifted(fn))
		at = to
	})
	return append(out, r.data[at:r.off]...)
}

func (w *rewriter) writeGlobals(r *reader) []byte {
	n := r.count(3)
	out := w.shifting(r, func(shift func(int, int, uint32)) {
		for range n {
			r.valType()
			r.byte()
			w.constant(r, shift)
		}
	})
	var more [][]byte
	if w.r.Check == Countdown {
		more = append(more, append(sleb([]byte{byte(I32), 1, opI32Const}, PollEvery), opEnd))
	}
	if w.r.Budget != "" {
		more = append(more, append(sleb([]byte{byte(I32), 1, opI32Const}, MaxTableEntries), opEnd))
	}
	return slices.Concat(leb(nil, n+uint32(len(more))), out, slices.Concat(more...))
}

func (w *rewriter) writeExports(r *reader) []byte {
	n := r.count(3)
	out := make([]byte, 0, len(r.data)-r.off+64)
	for range n {
		from := r.off
		r.name()
		kind := Kind(r.byte())
		at := r.off
		i := r.u32()
		if r.err != nil {
			return nil
		}
		if kind == FuncKind {
			i = w.shifted(i)
		}
		out = leb(append(out, r.data[from:at]...), i)
	}
	export := func(name string, kind Kind, i uint32) {
		out = append(leb(out, uint32(len(name))), name...)
		out = leb(append(out, byte(kind)), i)
		n++
	}
	if w.r.Init != "" {
		export(w.r.Init, FuncKind, w.places[helper{kind: initAll}])
	}
	if w.r.Control != "" {
		export(w.r.Control, MemoryKind, w.control)
	}
	if w.r.Budget != "" {
		export(w.r.Budget, GlobalKind, w.budget)
	}
	for _, g := range w.r.Globals {
		export(g.Name, GlobalKind, g.index)
	}
	return append(leb(nil, n), out...)
}

// writeData makes every segment passive: Init copies those that were not.
func (w *rewriter) writeData() []byte {
	size := 8
	for _, s := range w.segments {
		size += s.end - s.start + 8
	}
	out := leb(make([]byte, 0, size), uint32(len(w.segments)))
	for _, s := range w.segments {
		out = leb(append(out, 1), uint32(s.end-s.start))
		out = append(out, w.binary[s.start:s.end]...)
	}
	return out
}

// writeCode writes the code section.
func (w *rewriter) writeCode(a *analysis) error {
	w.out = append(w.out, codeSection)
	// The size is known at the end; a number of five bytes may stand for any.
	at := len(w.out)
	w.out = append(w.out, 0, 0, 0, 0, 0)
	w.out = leb(w.out, uint32(len(w.functions)+len(w.injected)))
	var code []byte
	for i := range w.functions {
		code = w.body(code[:0], i, a)
		w.out = append(leb(w.out, uint32(len(code))), code...)
	}
	for _, f := range w.injected {
		w.out = append(leb(w.out, uint32(len(f.body))), f.body...)
	}
	size := len(w.out) - at - 5
	if int64(size) > math.MaxUint32 {
		return fmt.Errorf("its code has %d bytes with checks: a module has at most 4 GiB", size)
	}
	for i := range 5 {
		b := byte(size>>(7*i)) & 0x7f
		if i < 4 {
			b |= 0x80
		}
		w.out[at+i] = b
	}
	return nil
}

// body writes one function's body.
func (w *rewriter) body(out []byte, i int, a *analysis) []byte {
	f := &w.functions[i]
	at := int(f.start)
	upTo := func(to int) {
		out = append(out, w.binary[at:to]...)
		at = to
	}
	upTo(int(f.code))
	loops := w.loopWork(i, a)
	if a.entry[i] {
		out = w.check(out, uint64(f.size))
	}
	for _, e := range w.editsOf(i) {
		upTo(int(e.at))
		r := &reader{data: w.binary[:f.end], off: at}
		switch e.kind {
		case loopHead:
			out = w.check(out, loops[0])
			loops = loops[1:]
		case callSite, indirect:
			if a.dense[i] {
				out = w.check(out, entryWork)
			}
			if e.kind == callSite && w.shift > 0 {
				out = leb(append(out, r.byte()), w.shifted(e.x))
				r.u32()
			}
		case funcIndex:
			if w.shift > 0 {
				out = leb(append(out, r.byte()), w.shifted(e.x))
				r.u32()
			}
		case tryHead:
			// wazero copies the stack here.
			if w.r.Check == Countdown {
				out = leb(append(out, opCall), w.imported)
			}
		case throwing:
			if w.r.Check == Countdown {
				out = leb(append(out, opCall), w.imported+1)
			}
		case tableSite:
			out = w.check(out, dear) // each may take milliseconds
			if w.r.Check == Countdown {
				out = leb(append(out, opCall), w.places[helper{kind: charge}]) // of the length, which is on top
			}
		case loopEnd:
		case dearSite:
			if a.dense[i] {
				out = w.check(out, dear)
			}
		default:
			if a.dense[i] {
				out = w.check(out, dear)
			}
			if h, ok := w.helperFor(e); ok {
				out = leb(append(out, opCall), w.places[h])
				r.instruction()
			}
		}
		at = r.off
	}
	upTo(int(f.end))
	return out
}

// loopWork returns the instructions of one round of each loop of function i, those
// of callees without checks included.
func (w *rewriter) loopWork(i int, a *analysis) []uint64 {
	w.work = w.work[:0]
	w.open = w.open[:0]
	calls := uint64(0)
	for _, e := range w.editsOf(i) {
		switch e.kind {
		case loopHead:
			w.open = append(w.open, len(w.work))
			w.work = append(w.work, uint64(e.x)+calls)
		case loopEnd:
			k := w.open[len(w.open)-1]
			w.open = w.open[:len(w.open)-1]
			w.work[k] = uint64(e.x) + calls - w.work[k]
		case callSite:
			if e.x >= w.imported {
				calls += uint64(a.work[e.x-w.imported])
			}
		case indirect:
			calls += entryWork
		}
	}
	return w.work
}
