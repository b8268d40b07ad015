package generate

// Tables and references.

// tableOf returns a table whose elements are of a type, or -1.
func (f *function) tableOf(t ValType) int {
	var found []int
	for i, tab := range f.m.tables {
		if tab.elem == t {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		return -1
	}
	return one(&f.source, found)
}

// slot pushes the index of a slot that a table has, unless a hazard is due.
func (f *function) slot(table, depth int) {
	n := f.m.tables[table].min
	switch {
	case f.hazard():
		if f.chance(128) {
			f.value(I32, depth)
		} else {
			f.emit(opTableSize, table)
		}
	case f.chance(128):
		f.value(I32, depth)
		f.i32(int32(powerOf2(n) - 1))
		f.emit(opI32And)
	default:
		f.i32(int32(f.below(max(n, 1))))
	}
}

// powerOf2 is the largest one up to n.
func powerOf2(n int) int {
	p := 1
	for p*2 <= n {
		p *= 2
	}
	return p
}

func (f *function) tableGet(t ValType, depth int) {
	table := f.tableOf(t)
	if table < 0 || f.m.tables[table].min == 0 && !f.hazard() {
		f.simple(t)
		return
	}
	f.slot(table, depth)
	f.emit(opTableGet, table)
}

func (f *function) tableSize(_ ValType, _ int) {
	f.emit(opTableSize, f.below(len(f.m.tables)))
}

func (f *function) tableGrow(_ ValType, depth int) {
	table := f.below(len(f.m.tables))
	f.value(f.m.tables[table].elem, depth)
	f.i32(int32(f.below(4)))
	f.emit(opTableGrow, table)
}

func (f *function) isNull(_ ValType, depth int) {
	t := FuncRef
	if f.chance(80) {
		t = ExternRef
	}
	f.value(t, depth)
	f.emit(opRefIsNull)
}

// count pushes how many slots to work on, up to most, which is small.
func (f *function) count(most, depth int) {
	if f.hazard() {
		f.value(I32, depth)
		return
	}
	f.i32(int32(f.below(most + 1)))
}

func (f *function) tableStatement(_ ValType, depth int) {
	table := f.below(len(f.m.tables))
	tab := f.m.tables[table]
	if tab.min == 0 && !f.hazard() {
		f.emit(opTableSize, table)
		f.emit(opDrop)
		return
	}
	half := tab.min / 2
	from := func() { // in the first half
		if f.hazard() {
			f.value(I32, depth)
			return
		}
		f.i32(int32(f.below(half + 1)))
	}
	switch f.below(7) {
	case 0, 1:
		f.slot(table, depth)
		f.value(tab.elem, depth)
		f.emit(opTableSet, table)
	case 2:
		from()
		f.value(tab.elem, depth)
		f.count(half, depth)
		f.emit(opTableFill, table)
	case 3:
		other := f.tableOf(tab.elem)
		from()
		f.i32(int32(f.below(f.m.tables[other].min/2 + 1)))
		f.count(min(half, f.m.tables[other].min/2), depth)
		f.emit(opTableCopy, table, other)
	case 4, 5:
		f.tableInit(table, from, depth)
	default:
		if n := len(f.m.elems); n > 0 {
			f.emit(opElemDrop, f.below(n))
		}
	}
}

func (f *function) tableInit(table int, from func(), depth int) {
	tab := f.m.tables[table]
	var found []int
	for i, e := range f.m.elems {
		if e.elem == tab.elem {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		return
	}
	i := one(&f.source, found)
	from()
	if tab.elem == ExternRef { // wazero 1.12 takes such a segment for an empty one
		f.i32(0)
		f.i32(0)
		f.emit(opTableInit, i, table)
		return
	}
	size := len(f.m.elems[i].items)
	if f.m.elems[i].mode != passive && !f.hazard() {
		size = 0
	}
	start := f.below(size + 1)
	f.i32(int32(start))
	f.count(min(size-start, tab.min/2), depth)
	f.emit(opTableInit, i, table)
}
