package generate

import "math/bits"

const page = 1 << 16

// An access is an instruction that reads or writes width bytes of memory.
type access struct {
	o     op
	width int
}

var loads = map[ValType][]access{
	I32: {{opI32Load, 4}, {0x2c, 1}, {0x2d, 1}, {0x2e, 2}, {0x2f, 2}},
	I64: {{opI64Load, 8}, {0x30, 1}, {0x31, 1}, {0x32, 2}, {0x33, 2}, {0x34, 4}, {0x35, 4}},
	F32: {{0x2a, 4}},
	F64: {{0x2b, 8}},
	V128: {{opV128Load, 16}, {0xfd01, 8}, {0xfd02, 8}, {0xfd03, 8}, {0xfd04, 8}, {0xfd05, 8}, {0xfd06, 8},
		{0xfd07, 1}, {0xfd08, 2}, {0xfd09, 4}, {0xfd0a, 8}, {0xfd5c, 4}, {0xfd5d, 8}},
}

var stores = map[ValType][]access{
	I32:  {{0x36, 4}, {0x3a, 1}, {0x3b, 2}},
	I64:  {{0x37, 8}, {0x3c, 1}, {0x3d, 2}, {0x3e, 4}},
	F32:  {{0x38, 4}},
	F64:  {{0x39, 8}},
	V128: {{opV128Store, 16}},
}

// With the number of the lane behind them.
var (
	laneLoads  = []access{{0xfd54, 1}, {0xfd55, 2}, {0xfd56, 4}, {0xfd57, 8}}
	laneStores = []access{{0xfd58, 1}, {0xfd59, 2}, {0xfd5a, 4}, {0xfd5b, 8}}
)

// Each atomic operation comes in seven forms, in this order.
var atomicForms = []struct {
	t     ValType
	width int
}{{I32, 4}, {I64, 8}, {I32, 1}, {I32, 2}, {I64, 1}, {I64, 2}, {I64, 4}}

const (
	atomicLoad    op = 0xfe10
	atomicStore   op = 0xfe17
	atomicAdd     op = 0xfe1e // then sub, and, or, xor, xchg
	atomicCompare op = 0xfe48
)

// size is how many bytes of memory there are at least.
func (m *module) size() int { return m.memory.min * page }

// address pushes where to access width bytes and returns the offset that goes
// with it: inside memory, unless a hazard is due.
func (f *function) address(width int, aligned bool, depth int) (offset int) {
	if f.hazard() {
		return f.wildAddress(width, aligned, depth)
	}
	mask := 1<<(4+f.below(9)) - 1
	switch f.below(3) {
	case 1:
		offset = int(f.byte())
	case 2:
		offset = f.below(0x7000)
	}
	if f.m.memory.min > 1 && f.chance(50) {
		mask = page - 1
	}
	if aligned {
		mask &^= width - 1
		offset &^= width - 1
	}
	f.value(I32, depth)
	f.i32(int32(mask))
	f.emit(opI32And)
	return offset
}

// wildAddress aims at the edge of memory or past it. An atomic access is either
// unaligned or outside, since engines differ in what they look at first.
func (f *function) wildAddress(width int, aligned bool, depth int) int {
	switch f.below(3) {
	case 0:
		if aligned && width > 1 && f.m.memory.min > 0 {
			f.value(I32, depth)
			f.i32(0xff)
			f.emit(opI32And)
			f.i32(1)
			f.emit(opI32Or)
			return 0
		}
	case 1:
		if !aligned {
			f.value(I32, depth)
			return int(f.bits(4))
		}
	}
	f.emit(opMemorySize, 0)
	f.i32(16)
	f.emit(opI32Shl)
	if !aligned {
		f.i32(int32(width + f.below(3) - 1))
		f.emit(opI32Sub)
	}
	return 0
}

// accessible says whether an access makes sense: one to a memory of no pages
// always traps.
func (f *function) accessible() bool { return f.m.memory.min > 0 || f.hazards > 0 && f.chance(30) }

func (f *function) access(a access, offset int, aligned bool) {
	align := bits.TrailingZeros(uint(a.width))
	if !aligned {
		align = f.below(align + 1)
	}
	f.emit(a.o, align, offset)
}

func (f *function) load(t ValType, depth int) {
	if !f.accessible() {
		f.simple(t)
		return
	}
	if t == V128 && f.chance(60) {
		a := one(&f.source, laneLoads)
		offset := f.address(a.width, false, depth)
		f.value(V128, depth)
		f.access(a, offset, false)
		f.code.byte(byte(f.below(16 / a.width)))
		return
	}
	a := one(&f.source, loads[t])
	f.access(a, f.address(a.width, false, depth), false)
}

func (f *function) store(_ ValType, depth int) {
	if !f.accessible() {
		return
	}
	t := f.m.number(&f.source)
	if t == V128 && f.chance(100) {
		a := one(&f.source, laneStores)
		offset := f.address(a.width, false, depth)
		f.value(V128, depth)
		f.access(a, offset, false)
		f.code.byte(byte(f.below(16 / a.width)))
		return
	}
	a := one(&f.source, stores[t])
	offset := f.address(a.width, false, depth)
	f.observed(t, depth)
	f.access(a, offset, false)
}

func (f *function) atomic(t ValType, depth int) {
	form := f.below(len(atomicForms))
	for atomicForms[form].t != t {
		form = (form + 1) % len(atomicForms)
	}
	width := atomicForms[form].width
	if !f.accessible() {
		f.simple(t)
		return
	}
	offset := f.address(width, true, depth)
	o := atomicLoad
	switch f.below(3) {
	case 1:
		o = atomicAdd + op(7*f.below(6))
		f.value(t, depth)
	case 2:
		o = atomicCompare
		f.value(t, depth)
		f.value(t, depth)
	}
	f.access(access{o + op(form), width}, offset, true)
}

func (f *function) atomicStore(_ ValType, depth int) {
	if f.chance(80) || !f.accessible() {
		f.emit(opAtomicFence, 0)
		return
	}
	form := f.below(len(atomicForms))
	offset := f.address(atomicForms[form].width, true, depth)
	f.value(atomicForms[form].t, depth)
	f.access(access{atomicStore + op(form), atomicForms[form].width}, offset, true)
}

// notify wakes nobody, as the memory is not shared; and to wait there is a trap.
func (f *function) notify(_ ValType, depth int) {
	if f.m.memory.min == 0 {
		f.simple(I32)
		return
	}
	f.value(I32, depth)
	f.i32(0xff0)
	f.emit(opI32And)
	f.value(I32, depth)
	switch {
	case !f.hazard():
		f.emit(opAtomicNotify, 2, 0)
	case f.chance(128):
		f.i64(0)
		f.emit(opAtomicWait32, 2, 0)
	default:
		f.emit(opExtendU)
		f.i64(0)
		f.emit(opAtomicWait64, 3, 0)
	}
}

func (f *function) memoryGrow(_ ValType, _ int) {
	f.i32(int32(f.below(3)))
	f.emit(opMemoryGrow, 0)
}

// length pushes how many bytes to work on, of size that there are: mostly few,
// and as many as it may be where that can be afforded.
func (f *function) length(size, depth int) {
	switch {
	case f.hazard() && f.affords(f.m.memory.max*page/64):
		f.value(I32, depth)
		f.cost += f.factor * f.m.memory.max * page / 64
	case f.chance(80) && f.affords(size/64):
		f.i32(int32(f.below(size + 1)))
		f.cost += f.factor * size / 64
	default:
		mask := 1<<f.below(1+bits.Len(uint(min(size, 255)))) - 1
		f.value(I32, depth)
		f.i32(int32(mask))
		f.emit(opI32And)
		f.cost += f.factor * 4
	}
}

func (f *function) bulkMemory(_ ValType, depth int) {
	if f.m.memory.min == 0 && !f.hazard() {
		f.i32(0)
		f.value(I32, depth)
		f.i32(0)
		f.emit(opMemoryFill, 0)
		return
	}
	room := max(f.m.size()-page/2, 0)
	start := func() {
		if f.hazard() {
			f.value(I32, depth)
			return
		}
		f.value(I32, depth)
		f.i32(page/2 - 1)
		f.emit(opI32And)
	}
	start()
	switch n := len(f.m.data); f.below(4) {
	case 0:
		f.value(I32, depth)
		f.length(room, depth)
		f.emit(opMemoryFill, 0)
	case 1:
		start()
		f.length(room, depth)
		f.emit(opMemoryCopy, 0, 0)
	default:
		if n == 0 {
			f.emit(opDrop)
			return
		}
		i := f.below(n)
		if f.chance(60) {
			f.emit(opDrop)
			f.emit(opDataDrop, i)
			return
		}
		if f.m.data[i].active {
			// It was dropped once it was in place, and to read of it is a trap; but not
			// in wazero 1.12, which keeps it.
			f.i32(0)
			f.i32(0)
			f.emit(opMemoryInit, i, 0)
			return
		}
		size := len(f.m.data[i].bytes)
		from := f.below(size + 1)
		f.i32(int32(from))
		f.length(min(size-from, room), depth)
		f.emit(opMemoryInit, i, 0)
	}
}
