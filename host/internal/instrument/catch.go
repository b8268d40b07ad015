package instrument

// Writing a function whose try_tables are mended; mend.go says how.

import "slices"

// write returns the body that is to be instead of that of f.
func (x *mender) write(f *definition) []byte {
	if x.why != "" {
		return nil
	}
	r := &reader{data: x.binary[:f.end], off: int(f.start)}
	x.out = x.declarations(make([]byte, 0, f.end-f.start+1024), r, int(f.code))
	x.open, x.depth = x.open[:0], 1
	x.frames[0].at, x.around[0] = 0, 0
	frames, tried := 1, 0
	from := r.off // what is to be copied begins here
	most := cap(x.out) + x.room
	for depth := 1; depth > 0; {
		in := r.instruction()
		keep := func() { x.out = append(x.out, x.binary[from:in.start]...) }
		switch in.op {
		case opBlock, opLoop, opIf, opTryTable:
			fr := &x.frames[frames]
			x.around[depth] = frames
			if in.op == opTryTable {
				keep()
				from = in.end
				if in.empty {
					x.out = append(append(x.out, opBlock), x.typeBytes(in)...)
				} else {
					x.enter(&x.tried[tried], in)
					tried++
				}
			}
			fr.at = x.depth
			frames++
			depth++
			x.depth++
		case opEnd:
			depth--
			x.depth--
			if n := len(x.open) - 1; n >= 0 && x.open[n].frame == x.around[depth] {
				keep()
				from = in.end
				x.leave(most)
			}
		case opLocalSet, opLocalTee:
			home := x.local(in.index).home
			if home == nil {
				break
			}
			keep()
			from = in.end
			x.out = leb(append(x.out, opLocalTee), in.index)
			x.out = leb(append(x.out, opGlobalSet), home.global)
			if in.op == opLocalTee {
				x.out = leb(append(x.out, opLocalGet), in.index)
			}
		case opBr, opBrIf, opBrTable, opReturn, opReturnCall, opReturnCallIndirect:
			if len(x.open) > 0 {
				keep()
				from = in.start
				if x.branch(in, depth) {
					from = in.end
				}
			}
		}
		if len(x.out) > most {
			x.why = "becomes too long"
		}
		if x.why != "" {
			return nil
		}
	}
	return append(x.out, x.binary[from:f.end]...)
}

// declarations writes the locals, with those that are added.
func (x *mender) declarations(out []byte, r *reader, code int) []byte {
	n := r.u32()
	var groups []byte
	for left := x.added; len(left) > 0; n++ {
		same := slices.IndexFunc(left, func(t ValType) bool { return t != left[0] })
		if same < 0 {
			same = len(left)
		}
		groups = append(leb(groups, uint32(same)), byte(left[0]))
		left = left[same:]
	}
	out = append(leb(out, n), x.binary[r.off:code]...)
	r.off = code
	return append(out, groups...)
}

// typeBytes returns the block type of the instruction as it is written there.
func (x *mender) typeBytes(in instruction) []byte {
	r := &reader{data: x.binary[:in.end], off: in.start + 1}
	r.blockType()
	return x.binary[in.start+1 : r.off]
}

// enter writes the beginning of t, and of the blocks around it.
func (x *mender) enter(t *try, in instruction) {
	typ := x.typeBytes(in)
	block := func(typ []byte) {
		x.out = append(append(x.out, opBlock), typ...)
		x.depth++
	}
	t.place = x.depth
	if t.passes() || len(t.exits) > 0 {
		block(typ)
	}
	if t.passes() {
		block(x.blockType(t.typ.Params, []ValType{exnRef}))
	}
	t.first = x.depth
	for _, to := range t.exits {
		block(x.blockType(t.typ.Params, x.frames[to].types))
	}
	if t.own {
		block(typ)
	}
	for _, l := range t.fresh {
		x.move(opGlobalGet, l.global, opLocalSet, l.saved)
		x.move(opLocalGet, l.local, opGlobalSet, l.global)
	}

	n := uint32(len(t.leads))
	if t.passes() {
		n++
	}
	x.out = leb(append(append(x.out, opTryTable), typ...), n)
	r := &reader{data: x.binary[:in.end], off: int(t.clauses)}
	r.u32()
	for _, to := range t.leads {
		from := r.off
		if r.byte() < catchAll {
			r.u32()
		}
		x.out = append(x.out, x.binary[from:r.off]...)
		r.u32()
		if k, found := slices.BinarySearch(t.exits, to); found {
			x.out = leb(x.out, uint32(x.depth-1-t.first-k))
		} else {
			x.out = leb(x.out, x.label(to))
		}
	}
	if t.passes() {
		x.out = leb(append(x.out, catchAllRef), uint32(x.depth-t.first))
	}
	x.open = append(x.open, t)
	for k := range t.fresh {
		x.local(t.fresh[k].local).home = &t.fresh[k]
	}
}

// passes reports whether t catches what it is to throw on.
func (t *try) passes() bool { return len(t.fresh) > 0 && !t.all }

// leave writes the end of the innermost try that is open, and what comes behind it.
func (x *mender) leave(most int) {
	t := x.open[len(x.open)-1]
	x.open = x.open[:len(x.open)-1]
	for _, l := range t.fresh {
		x.local(l.local).home = nil
	}
	x.out = append(x.out, opEnd)
	if t.own {
		x.end()
	}
	x.restore(t)
	if !t.passes() && len(t.exits) == 0 {
		return
	}
	x.out = leb(append(x.out, opBr), uint32(x.depth-1-t.place))
	for _, to := range slices.Backward(t.exits) {
		if len(x.out) > most {
			return // write sees it too
		}
		x.end()
		for _, l := range t.stale {
			x.move(opGlobalGet, l.global, opLocalSet, l.local)
		}
		x.restore(t)
		x.out = leb(append(x.out, opBr), x.label(to))
	}
	if t.passes() {
		x.end()
		x.restore(t)
		x.out = append(x.out, opThrowRef)
	}
	x.end()
}

func (x *mender) end() {
	x.out = append(x.out, opEnd)
	x.depth--
}

// restore puts back what was in the globals when t was entered.
func (x *mender) restore(t *try) {
	for _, l := range t.fresh {
		x.move(opLocalGet, l.saved, opGlobalSet, l.global)
	}
}

func (x *mender) move(get byte, from uint32, set byte, to uint32) {
	x.out = leb(append(x.out, get), from)
	x.out = leb(append(x.out, set), to)
}

// label returns by which label code at the place at hand leads to a frame: to the block
// for it around the first try on the way that has one.
func (x *mender) label(to int) uint32 {
	for _, t := range slices.Backward(x.open) {
		if t.frame < to {
			break
		}
		if t.frame == to { // it has one, for this
			return uint32(x.depth - 1 - t.first - len(t.exits))
		}
		if len(t.fresh) > 0 {
			k, _ := slices.BinarySearch(t.exits, to)
			return uint32(x.depth - 1 - t.first - k)
		}
	}
	return uint32(x.depth - 1 - x.frames[to].at)
}

// branch writes an instruction that may leave a try, or what is to be before it; it
// reports whether that is all.
func (x *mender) branch(in instruction, depth int) bool {
	target := func(n uint32) int { return x.around[depth-1-int(n)] }
	switch in.op {
	case opBr, opBrIf:
		x.out = leb(append(x.out, in.op), x.label(target(in.index)))
	case opBrTable:
		r := &reader{data: x.binary[:in.end], off: in.start + 1}
		n := r.u32()
		labels := uint64(n) + 1
		if n == 0 { // the default twice, which wazero reads right
			n = 1
		}
		x.out = leb(append(x.out, in.op), n)
		var label uint32
		for range labels {
			label = x.label(target(r.u32()))
			x.out = leb(x.out, label)
		}
		if in.empty {
			x.out = leb(x.out, label)
		}
	case opReturn:
		if !slices.ContainsFunc(x.open, func(t *try) bool { return len(t.fresh) > 0 }) {
			return false
		}
		x.out = leb(append(x.out, opBr), x.label(0))
	default:
		for _, t := range slices.Backward(x.open) {
			x.restore(t)
		}
		return false
	}
	return true
}
