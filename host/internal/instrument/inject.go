package instrument

// The functions that are added: what instantiating did, and what stands in for
// instructions that could take long.

import "slices"

// A helper is a function that is added.
type helper struct {
	kind helperKind
	x    uint32 // the segment of copySegment, the table of growTable
}

type helperKind uint8

const (
	initAll     helperKind = iota // what instantiating the original did
	poll                          // resets the counter and polls
	charge                        // takes the length of a range off the counter
	fillMemory                    // memory.fill, in parts
	copyMemory                    // memory.copy, in parts
	copySegment                   // memory.init, in parts
	growTable                     // table.grow within the budget
)

type injected struct {
	helper
	typ  uint32
	body []byte
}

// The types of helpers: of () -> (), (i32) -> i32, and (i32, i32, i32) -> ().
const (
	nothing     = "\x60\x00\x00"
	oneNumber   = "\x60\x01\x7f\x01\x7f"
	threeNumber = "\x60\x03\x7f\x7f\x7f\x00"
)

// typ returns the index of a type that is added.
func (w *rewriter) typ(t string) uint32 {
	i := slices.IndexFunc(w.types, func(b []byte) bool { return string(b) == t })
	if i < 0 {
		i = len(w.types)
		w.types = append(w.types, []byte(t))
	}
	return uint32(len(w.module.types) + i)
}

// inject decides which helpers there are, then writes them: they call each other.
func (w *rewriter) inject(active bool) {
	w.places = map[helper]uint32{}
	add := func(h helper, typ string) {
		if _, ok := w.places[h]; !ok {
			w.places[h] = uint32(len(w.funcTypes)) + w.shift + uint32(len(w.injected))
			w.injected = append(w.injected, injected{helper: h, typ: w.typ(typ)})
		}
	}
	if w.r.Check == Countdown {
		w.typ(nothing) // of the imports
		add(helper{kind: poll}, nothing)
		add(helper{kind: charge}, oneNumber)
	}
	if active || w.start >= 0 || w.outside >= 0 {
		w.r.Init = w.prefix + "init"
		add(helper{kind: initAll}, nothing)
	}
	for i, s := range w.segments {
		if s.active && s.end-s.start > partSize && w.r.Check != Unchecked {
			add(helper{copySegment, uint32(i)}, threeNumber)
		}
	}
	for _, e := range w.edits {
		h, ok := w.helperFor(e)
		if !ok {
			continue
		}
		if h.kind == growTable {
			add(h, "\x60\x02"+string([]byte{byte(w.tables[h.x].typ)})+"\x7f\x01\x7f")
		} else {
			add(h, threeNumber)
		}
	}
	for i := range w.injected {
		f := &w.injected[i]
		switch f.kind {
		case initAll:
			f.body = w.initBody()
		case poll:
			f.body = w.pollBody()
		case charge:
			f.body = w.chargeBody()
		case fillMemory, copyMemory, copySegment:
			f.body = w.partsBody(f.helper)
		case growTable:
			f.body = w.growBody(f.x)
		}
	}
}

// helperFor returns the helper that stands in for the instruction at e, if one does.
func (w *rewriter) helperFor(e edit) (helper, bool) {
	if w.r.Check == Unchecked && e.kind != growSite {
		return helper{}, false
	}
	switch e.kind {
	case fillSite:
		return helper{kind: fillMemory}, true
	case copySite:
		return helper{kind: copyMemory}, true
	case initSite:
		if int64(e.x) < int64(len(w.segments)) { // what does not exist, the engine refuses
			return helper{copySegment, e.x}, true
		}
	case growSite:
		return helper{growTable, e.x}, true
	}
	return helper{}, false
}

// check appends what a guest meets now and then, before so many instructions.
func (w *rewriter) check(b []byte, work uint64) []byte {
	switch w.r.Check {
	case Unchecked:
		return b
	case ControlWord:
		// if control[0] != 0, trap
		b = append(append(b, opI32Const, 0), w.loadControl()...)
		return append(b, opIf, 0x40, opUnreachable, opEnd)
	}
	// if (counter -= share) <= 0, poll
	b = leb(append(b, opGlobalGet), w.counter)
	b = append(sleb(append(b, opI32Const), int64(1+work/checkWork)), opI32Sub)
	b = leb(append(b, opGlobalSet), w.counter)
	b = leb(append(b, opGlobalGet), w.counter)
	b = append(b, opI32Const, 0, opI32LeS, opIf, 0x40)
	return append(leb(append(b, opCall), w.places[helper{kind: poll}]), opEnd)
}

// checkWork is how many instructions count as much as one check.
const checkWork = 32

// loadControl is an i32.atomic.load from the control memory. A plain load could be
// taken for an earlier one's, if nothing between them stores: and a loop that only
// computes would never stop.
func (w *rewriter) loadControl() []byte {
	const load = 0x10
	if w.control == 0 {
		return []byte{opAtomic, load, 2, 0}
	}
	return append(leb([]byte{opAtomic, load, 2 | 0x40}, w.control), 0)
}

// pollBody is: counter = PollEvery; poll().
func (w *rewriter) pollBody() []byte {
	b := sleb([]byte{0, opI32Const}, PollEvery)
	b = leb(append(b, opGlobalSet), w.counter)
	return append(leb(append(b, opCall), w.imported), opEnd)
}

// chargeShift says how many bytes of a range count as much as one check: a check
// and its share of a loop take about as long as 1 KiB of memory.fill.
const chargeShift = 10

// chargeBody is, of n: counter -= n>>chargeShift; return n. The next check polls.
func (w *rewriter) chargeBody() []byte {
	b := leb([]byte{0, opGlobalGet}, w.counter)
	b = append(b, opLocalGet, 0, opI32Const, chargeShift, opI32ShrU, opI32Sub)
	b = leb(append(b, opGlobalSet), w.counter)
	return append(b, opLocalGet, 0, opEnd)
}

// partSize is the length in bytes up to which memory is filled and copied by one
// instruction.
const partSize = 128 << 10

// partsBody is the instruction of h on (d, x, n), a part at a time with a check
// before each. It must trap before it writes anything, so what is out of bounds is
// left to the instruction itself. A copy to higher addresses goes from the end, as
// a segment's may.
//
//	if n <= partSize { charge(n); op(d, x, n); return }
//	if d+n > size || x+n > size { op(d, x, n); unreachable }
//	for {
//		check
//		if n <= partSize { op(d, x, n); return }
//		if forwards { op(d, x, partSize); d += partSize; x += partSize; n -= partSize }
//		else { n -= partSize; op(d+n, x+n, partSize) }
//	}
func (w *rewriter) partsBody(h helper) []byte {
	const d, x, n = 0, 1, 2
	get := func(b []byte, local byte) []byte { return append(b, opLocalGet, local) }
	part := sleb([]byte{opI32Const}, partSize)
	var op []byte
	switch h.kind {
	case fillMemory:
		op = []byte{opBulk, memoryFill, 0}
	case copyMemory:
		op = []byte{opBulk, memoryCopy, 0, 0}
	case copySegment:
		op = append(leb([]byte{opBulk, memoryInit}, h.x), 0)
	}
	whole := append(get(get(get(nil, d), x), n), op...)

	b := append([]byte{0}, get(nil, n)...)
	b = append(append(b, part...), opI32LeU, opIf, 0x40)
	if w.r.Check == Countdown {
		b = append(get(b, n), opCall)
		b = append(leb(b, w.places[helper{kind: charge}]), 0x1a) // drop
	}
	b = append(append(b, whole...), opReturn, opEnd)

	// The ends are computed in 64 bits, where they cannot wrap.
	beyond := func(from byte, size []byte) []byte {
		b := append(get(nil, from), opI64ExtendI32U)
		b = append(get(b, n), opI64ExtendI32U, opI64Add)
		return append(append(b, size...), opI64GtU, opIf, 0x40)
	}
	size := []byte{opMemorySize, 0, opI64ExtendI32U, opI64Const, 16, opI64Shl}
	source := size
	if h.kind == copySegment {
		source = sleb([]byte{opI64Const}, int64(w.segments[h.x].end-w.segments[h.x].start))
	}
	b = append(b, beyond(d, size)...)
	b = append(append(b, whole...), opUnreachable, opEnd)
	if h.kind != fillMemory {
		b = append(b, beyond(x, source)...)
		b = append(append(b, whole...), opUnreachable, opEnd)
	}

	b = append(b, opLoop, 0x40)
	if w.r.Check == Countdown {
		b = leb(append(b, opCall), w.places[helper{kind: poll}])
	} else {
		b = w.check(b, 0)
	}
	b = append(append(get(b, n), part...), opI32LeU, opIf, 0x40)
	b = append(append(b, whole...), opReturn, opEnd)
	step := func(b []byte, local byte, by byte) []byte {
		return append(append(get(b, local), part...), by, opLocalSet, local)
	}
	forwards := step(append(append(get(get(nil, d), x), part...), op...), d, opI32Add)
	if h.kind == copyMemory {
		forwards = step(forwards, x, opI32Add)
	}
	forwards = step(forwards, n, opI32Sub)
	backwards := step(nil, n, opI32Sub)
	backwards = append(get(get(backwards, d), n), opI32Add)
	backwards = append(get(get(backwards, x), n), opI32Add)
	backwards = append(append(backwards, part...), op...)
	switch h.kind {
	case fillMemory:
		b = append(b, forwards...)
	case copySegment:
		b = append(b, backwards...)
	case copyMemory:
		b = append(get(get(b, d), x), opI32LeU, opIf, 0x40)
		b = append(append(b, forwards...), opElse)
		b = append(append(b, backwards...), opEnd)
	}
	return append(b, opBr, 0, opEnd, opUnreachable, opEnd)
}

// growBody is table.grow of table t by n within the budget: if there is no room,
// -1, as where a table is at its maximum.
//
//	if n > budget { return -1 }
//	r := table.grow(v, n)
//	if r != -1 { budget -= n }
//	return r
func (w *rewriter) growBody(t uint32) []byte {
	const v, n, r = 0, 1, 2
	minusOne := []byte{opI32Const, 0x7f}
	b := leb([]byte{1, 1, byte(I32), opLocalGet, n, opGlobalGet}, w.budget)
	b = append(append(append(b, opI32GtU, opIf, 0x40), minusOne...), opReturn, opEnd)
	if w.r.Check == Countdown {
		b = append(leb(append(b, opLocalGet, n, opCall), w.places[helper{kind: charge}]), 0x1a)
	}
	b = leb(append(b, opLocalGet, v, opLocalGet, n, opBulk, tableGrow), t)
	b = append(append(b, opLocalTee, r), minusOne...)
	b = leb(append(b, 0x47 /* i32.ne */, opIf, 0x40, opGlobalGet), w.budget)
	b = leb(append(b, opLocalGet, n, opI32Sub, opGlobalSet), w.budget)
	return append(b, opEnd, opLocalGet, r, opEnd)
}

// initBody copies the active segments, in order, and drops them, as instantiating
// does (§4.5.4); then it calls the start function.
func (w *rewriter) initBody() []byte {
	b := []byte{0}
	if w.outside >= 0 { // trap as the engine should have
		b = append(leb(append(b, opI32Const, 0x7f, opTableGet), uint32(w.outside)), 0x1a /* drop */)
	}
	for i, s := range w.segments {
		if !s.active {
			continue
		}
		size := int64(s.end - s.start)
		b = append(b, w.binary[s.exprStart:s.exprEnd-1]...) // without its end
		b = sleb(append(b, opI32Const, 0, opI32Const), size)
		if place, ok := w.places[helper{copySegment, uint32(i)}]; ok && size > partSize {
			b = leb(append(b, opCall), place)
		} else {
			b = append(leb(append(b, opBulk, memoryInit), uint32(i)), 0)
		}
		b = leb(append(b, opBulk, dataDrop), uint32(i))
	}
	if w.start >= 0 {
		b = leb(append(b, opCall), w.shifted(uint32(w.start)))
	}
	return append(b, opEnd)
}
