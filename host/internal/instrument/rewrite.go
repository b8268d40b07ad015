package instrument

// Rewriting. A guest in wazero cannot be preempted: nothing stops it, and while
// the garbage collector wants the world to stop, the whole process waits for it.
// So the rewritten module counts down a global of its own at the beginning of
// each loop's body and of each function that may call another, which between
// them are in every cycle of execution, and calls the host at zero. An instruction
// that works on a range (memory.fill, table.copy, …) counts for as much as it
// takes, so that a loop of them is not longer than one of others.
//
// Function indices shift: the host's function is the last import, and so every
// function that the module defines has a number one higher. Whatever is added
// comes after what was there, and what was there may name only what was there:
// the rewritten module must not be valid where the original was not.

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// RewriteVersion changes whenever Rewrite gives other bytes for the same module.
const RewriteVersion = 3

// The import by which a rewritten module lets the host in: a function without
// parameters and results. No module that is loaded may import it itself.
const (
	PollModule = "entangle:host"
	PollName   = "poll"
)

// PollEvery is how many checks pass between two polls.
const PollEvery = 65536

// Limits of a module. Those of functions are the ones of the WebAssembly
// JavaScript API ("Implementation-defined Limits"), so whatever runs in a browser
// keeps them; beyond them, compilers take time and memory out of all proportion.
const (
	MaxFunctions    = 1_000_000
	MaxFunctionSize = 7_654_321 // bytes
	MaxLocals       = 50_000    // of a function
	MaxTableEntries = 1 << 21   // of all tables together, 16 MiB
)

// Rewrite returns the module in binary, which [Describe] has accepted, with a
// check in every cycle of execution, with bounds on its tables, and without the
// sections that would be wrong about the changed code.
func Rewrite(binary []byte) ([]byte, error) {
	w := rewriter{out: make([]byte, 0, len(binary)+len(binary)/4)}
	if err := w.split(binary); err != nil {
		return nil, err
	}
	if err := w.count(); err != nil {
		return nil, err
	}
	if w.functions > w.imported {
		w.complete()
	} else {
		w.idle = true
	}
	w.out = append(w.out, binary[:8]...)
	for _, s := range w.sections {
		if err := w.rewrite(s); err != nil {
			return nil, err
		}
	}
	return w.out, nil
}

// A part is one section of a module: data[off:] is its content.
type part struct {
	id   byte
	data []byte // of the module, up to the section's end
	off  int
}

func (s part) reader() *reader { return &reader{data: s.data, off: s.off} }

type rewriter struct {
	out      []byte
	sections []part

	// How much of each kind the original has.
	types, imported, functions, globals uint32 // functions and globals: imported ones included
	// idle is set for a module without functions: there is nothing to stop, and
	// nothing is added.
	idle bool
}

// split finds the sections, of which there is one of each kind, in order.
func (w *rewriter) split(binary []byte) error {
	r := reader{data: binary, off: 8}
	last := -1
	for r.err == nil && r.off < len(binary) {
		id := r.byte()
		size := r.u32()
		at := r.off
		r.bytes(size)
		if place := slices.Index(order, id); id != 0 {
			if place <= last {
				r.fail("section %d is unknown or out of order", id)
			}
			last = place
		}
		if r.err == nil {
			w.sections = append(w.sections, part{id, binary[:r.off], at})
		}
	}
	return r.err
}

// count finds out how much there is of what is added to.
func (w *rewriter) count() error {
	for _, s := range w.sections {
		r := s.reader()
		switch s.id {
		case typeSection:
			for range r.count(3) {
				r.recType(func(FuncType) { w.types++ })
			}
		case importSection:
			for range r.count(4) {
				r.name()
				r.name()
				switch kind := Kind(r.byte()); kind {
				case FuncKind:
					w.typeIndex(r, r.u32())
					w.imported++
				case TableKind:
					r.valType()
					r.limits()
				case MemoryKind:
					r.limits()
				case GlobalKind:
					r.valType()
					r.byte()
					w.globals++
				case TagKind:
					r.byte()
					w.typeIndex(r, r.u32())
				default:
					r.fail("import of kind %d", kind)
				}
			}
		case functionSection:
			n := r.count(1)
			if n > MaxFunctions {
				r.fail("%d functions: at most %d", n, MaxFunctions)
			}
			w.functions = n
			for range n {
				w.typeIndex(r, r.u32())
			}
		case tagSection:
			for range r.count(2) {
				r.byte()
				w.typeIndex(r, r.u32())
			}
		case globalSection:
			w.globals += r.count(3)
		}
		if r.err != nil {
			return r.err
		}
	}
	w.functions += w.imported
	return nil
}

// order is the order of the sections that have one (§5.5.2, and the tag section
// of exception handling).
var order = []byte{typeSection, importSection, functionSection, tableSection, memorySection, tagSection, globalSection,
	exportSection, startSection, elementSection, dataCountSection, codeSection, dataSection}

// complete adds the sections that something is added to and that are not there.
func (w *rewriter) complete() {
	for _, id := range []byte{typeSection, importSection, globalSection} {
		if slices.ContainsFunc(w.sections, func(s part) bool { return s.id == id }) {
			continue
		}
		place := slices.Index(order, id)
		at := slices.IndexFunc(w.sections, func(s part) bool { return slices.Index(order, s.id) > place })
		w.sections = slices.Insert(w.sections, at, part{id, []byte{0}, 0}) // code is behind all of them
	}
}

// poll, wrapper, charge and counter are the indices of what is added: the imported
// function, the function that resets the counter and calls it, the function that
// takes the length of a range off the counter, and the counter.
func (w *rewriter) poll() uint32    { return w.imported }
func (w *rewriter) wrapper() uint32 { return w.functions + 1 }
func (w *rewriter) charge() uint32  { return w.functions + 2 }
func (w *rewriter) counter() uint32 { return w.globals }

// The types that are added: of poll and wrapper, and of charge.
func (w *rewriter) pollType() uint32   { return w.types }
func (w *rewriter) chargeType() uint32 { return w.types + 1 }

// rewrite writes what becomes of s.
func (w *rewriter) rewrite(s part) error {
	r := s.reader()
	var body []byte
	if w.idle && s.id != tableSection {
		w.out = append(leb(append(w.out, s.id), uint32(len(s.data)-s.off)), s.data[s.off:]...)
		return nil
	}
	switch s.id {
	case 0:
		var keep bool
		if body, keep = w.custom(r); !keep {
			return nil
		}
		r.err = nil // whatever is wrong with it is nobody's business
	case typeSection:
		body = added(r, []byte{0x60, 0, 0}, []byte{0x60, 1, byte(I32), 1, byte(I32)})
	case importSection:
		body = added(r, w.pollImport())
	case functionSection:
		body = added(r, leb(nil, w.pollType()), leb(nil, w.chargeType()))
	case tableSection:
		body = boundTables(r)
	case globalSection:
		body = w.rewriteGlobals(r)
	case exportSection:
		body = w.rewriteExports(r)
	case startSection:
		body = leb(nil, w.shifted(r, r.u32()))
	case elementSection:
		body = w.rewriteElements(r)
	case codeSection:
		body = w.rewriteCode(r)
	default:
		body = s.data[s.off:]
		r.off = len(r.data)
	}
	if r.err == nil && r.off != len(r.data) && s.id != 0 {
		r.fail("section %d has %d bytes too many", s.id, len(r.data)-r.off)
	}
	if r.err != nil {
		return r.err
	}
	w.out = append(leb(append(w.out, s.id), uint32(len(body))), body...)
	return nil
}

// leb appends n as an unsigned LEB128 number.
func leb(b []byte, n uint32) []byte { return binary.AppendUvarint(b, uint64(n)) }

// added returns a section that is a vector, with more items.
func added(r *reader, items ...[]byte) []byte {
	n := r.count(1)
	body := leb(make([]byte, 0, len(r.data)-r.off+64), n+uint32(len(items)))
	body = append(body, r.data[r.off:]...)
	r.off = len(r.data)
	return append(body, slices.Concat(items...)...)
}

func (w *rewriter) pollImport() []byte {
	b := append(leb(nil, uint32(len(PollModule))), PollModule...)
	b = append(leb(b, uint32(len(PollName))), PollName...)
	return leb(append(b, byte(FuncKind)), w.pollType())
}

// shifted returns what function fn of the original is now.
func (w *rewriter) shifted(r *reader, fn uint32) uint32 {
	if fn >= w.functions {
		r.fail("function %d does not exist", fn)
	}
	if fn >= w.imported {
		fn++
	}
	return fn
}

// typeIndex checks that i is a type of the original.
func (w *rewriter) typeIndex(r *reader, i uint32) {
	if i >= w.types {
		r.fail("type %d does not exist", i)
	}
}

// expression copies a constant expression, its end included.
func (w *rewriter) expression(out []byte, r *reader) []byte {
	for r.err == nil {
		in := r.instruction()
		out = w.instruction(out, r, in)
		if in.op == opEnd {
			break
		}
	}
	return out
}

// instruction copies in with its function index shifted.
func (w *rewriter) instruction(out []byte, r *reader, in instruction) []byte {
	switch {
	case r.err != nil:
		return out
	case in.kind == function:
		return leb(append(out, in.op), w.shifted(r, in.index))
	case in.op == opGlobalGet || in.op == opGlobalSet:
		if in.index >= w.globals {
			r.fail("global %d does not exist", in.index)
		}
	case in.op == opCallIndirect || in.op == opReturnCallIndirect || in.op == opCallRef || in.op == opReturnCallRef,
		in.kind == blockType && in.typed, in.kind == tryTable && in.typed:
		w.typeIndex(r, in.index)
	}
	return append(out, r.data[in.start:in.end]...)
}

// copied appends what r has read since from.
func (r *reader) copied(out []byte, from int) []byte {
	if r.err != nil {
		return out
	}
	return append(out, r.data[from:r.off]...)
}

func (w *rewriter) rewriteGlobals(r *reader) []byte {
	n := r.count(3)
	out := leb(nil, n+1)
	for range n {
		from := r.off
		r.valType()
		r.byte()
		out = w.expression(r.copied(out, from), r)
	}
	out = append(out, byte(I32), 1, opI32Const)
	return append(append(out, pollEvery...), opEnd)
}

func (w *rewriter) rewriteExports(r *reader) []byte {
	n := r.count(3)
	out := leb(nil, n)
	for range n {
		from := r.off
		r.name()
		kind := Kind(r.byte())
		out = r.copied(out, from)
		i := r.u32()
		switch kind {
		case FuncKind:
			i = w.shifted(r, i)
		case GlobalKind:
			if i >= w.globals {
				r.fail("global %d does not exist", i)
			}
		}
		out = leb(out, i)
	}
	return out
}

// rewriteElements shifts the functions of element segments (§5.5.12).
func (w *rewriter) rewriteElements(r *reader) []byte {
	n := r.count(2)
	out := leb(nil, n)
	for range n {
		from := r.off
		flags := r.u32()
		if flags > 7 {
			r.fail("element segment of kind %d", flags)
		}
		passive, explicit, expressions := flags&1 != 0, flags&2 != 0, flags&4 != 0
		if explicit && !passive {
			r.u32() // the table
		}
		out = r.copied(out, from)
		if !passive {
			out = w.expression(out, r)
		}
		from = r.off
		if passive || explicit {
			r.valType() // or the kind of elements, a byte too
		}
		items := r.count(1)
		out = r.copied(out, from)
		for range items {
			if expressions {
				out = w.expression(out, r)
			} else {
				out = leb(out, w.shifted(r, r.u32()))
			}
		}
	}
	return out
}

// rewriteCode puts the checks in and shifts calls.
func (w *rewriter) rewriteCode(r *reader) []byte {
	n := r.count(1)
	out := leb(make([]byte, 0, (len(r.data)-r.off)*5/4), n+2)
	check := w.check()
	var code []byte
	for i := range n {
		size := r.u32()
		if size > MaxFunctionSize {
			r.fail("function %d has %d bytes: at most %d", i, size, MaxFunctionSize)
		}
		at := r.off
		r.bytes(size)
		if r.err != nil {
			return nil
		}
		b := &reader{data: r.data[:r.off], off: at}
		code = w.function(code[:0], b, check)
		if b.err != nil {
			r.err = fmt.Errorf("function %d: %w", uint32(i)+w.imported, b.err)
			return nil
		}
		out = append(leb(out, uint32(len(code))), code...)
	}
	for _, body := range [][]byte{w.wrapperBody(), w.chargeBody()} {
		out = append(leb(out, uint32(len(body))), body...)
	}
	return out
}

// wrapperBody is: counter = PollEvery; poll().
func (w *rewriter) wrapperBody() []byte {
	b := append([]byte{0, opI32Const}, pollEvery...)
	b = leb(append(b, opGlobalSet), w.counter())
	return append(leb(append(b, opCall), w.poll()), opEnd)
}

// chargeShift says how many bytes of a range count as much as one check: a check
// and its share of a loop take about as long as 1 KiB of memory.fill.
const chargeShift = 10

// chargeBody is, of n: x := counter - n>>chargeShift; counter = x > 0 ? x : 1;
// return n. The next check polls where 1 is left.
func (w *rewriter) chargeBody() []byte {
	b := leb([]byte{1, 1, byte(I32), opGlobalGet}, w.counter()) // one local, x
	b = append(b, opLocalGet, 0, opI32Const, chargeShift, opI32ShrU, opI32Sub, opLocalTee, 1,
		opI32Const, 1, opLocalGet, 1, opI32Const, 0, opI32GtS, opSelect)
	b = leb(append(b, opGlobalSet), w.counter())
	return append(b, opLocalGet, 0, opEnd)
}

// check is: if --counter == 0, call the wrapper.
func (w *rewriter) check() []byte {
	b := leb([]byte{opGlobalGet}, w.counter())
	b = append(b, opI32Const, 1, opI32Sub)
	b = leb(append(b, opGlobalSet), w.counter())
	b = leb(append(b, opGlobalGet), w.counter())
	b = append(b, opI32Eqz, opIf, 0x40)
	return append(leb(append(b, opCall), w.wrapper()), opEnd)
}

// pollEvery is PollEvery as a signed LEB128 number.
var pollEvery = []byte{0x80, 0x80, 0x04}

// function writes one function's body.
func (w *rewriter) function(out []byte, r *reader, check []byte) []byte {
	from := r.off
	var locals uint64
	for range r.count(2) {
		locals += uint64(r.u32())
		r.valType()
	}
	if locals > MaxLocals {
		r.fail("%d locals: at most %d", locals, MaxLocals)
	}
	out = r.copied(out, from)
	entry := len(out)
	calls := false
	for r.err == nil && r.off < len(r.data) {
		in := r.instruction()
		if in.isBulk() {
			out = leb(append(out, opCall), w.charge()) // of the length, which is on top
		}
		out = w.instruction(out, r, in)
		switch in.op {
		case opLoop:
			out = append(out, check...)
		case opCall, opCallIndirect, opReturnCall, opReturnCallIndirect, opCallRef, opReturnCallRef:
			calls = true
		}
	}
	if calls {
		out = slices.Insert(out, entry, check...)
	}
	return out
}
