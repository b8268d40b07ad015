package generate

// writeDigest writes a function that folds memory, globals and tables into a
// number. It reads the first 4 KiB of memory, where most is written, densely, and
// of the rest a word in every kilobyte.
func (f *function) writeDigest() {
	f.factor, f.budget = 1, 1<<20
	f.scratches = make(map[ValType]int)
	hash := f.local(I64)
	if f.m.has(memory) {
		f.digestMemory(hash)
	}
	for i, g := range f.m.globals {
		f.emit(opGlobalGet, i)
		switch g.typ {
		case I32:
			f.emit(opExtendU)
		case F32:
			f.emit(opF32ToI32)
			f.emit(opExtendU)
		case F64:
			f.emit(opF64ToI64)
		case V128:
			f.emit(opI64x2Extract)
			f.code.byte(0)
			f.fold(hash)
			f.emit(opGlobalGet, i)
			f.emit(opI64x2Extract)
			f.code.byte(1)
		case FuncRef, ExternRef:
			f.emit(opRefIsNull)
			f.emit(opExtendU)
		}
		f.fold(hash)
	}
	for i, t := range f.m.tables {
		f.digestTable(i, t, hash)
	}
	f.emit(opLocalGet, hash)
	f.code.op(opEnd)
}

// fold mixes the i64 on the stack into the hash.
func (f *function) fold(hash int) {
	f.emit(opLocalGet, hash)
	f.i64(11)
	f.emit(opI64RotL)
	f.emit(opI64Xor)
	f.i64(-0x61c8864680b583eb)
	f.emit(opI64Mul)
	f.emit(opLocalSet, hash)
}

func (f *function) digestMemory(hash int) {
	at, end := f.local(I32), f.local(I32)
	f.emit(opMemorySize, 0)
	f.i32(16)
	f.emit(opI32Shl)
	f.emit(opLocalTee, end)
	f.emit(opExtendU)
	f.fold(hash)
	f.walk(at, end, page*f.m.memory.max/1032+1024, func() {
		f.emit(opLocalGet, at)
		f.emit(opI64Load, 0, 0)
		f.fold(hash)
		f.i32(8)
		f.i32(1032)
		f.emit(opLocalGet, at)
		f.i32(4096)
		f.emit(opI32LtU)
		f.emit(opSelect)
	}, 8)
}

func (f *function) digestTable(i int, t *table, hash int) {
	at, end := f.local(I32), f.local(I32)
	f.emit(opTableSize, i)
	f.emit(opLocalTee, end)
	f.emit(opExtendU)
	f.fold(hash)
	f.walk(at, end, t.max+1, func() {
		f.emit(opLocalGet, at)
		f.emit(opTableGet, i)
		f.emit(opRefIsNull)
		f.emit(opExtendU)
		f.fold(hash)
		f.i32(1)
	}, 1)
}

// walk runs body, which pushes how far to step, while at, from 0, leaves room
// for an item of a size before end.
func (f *function) walk(at, end, rounds int, body func(), size int) {
	f.open(opBlock, nil, nil, label{})
	f.open(opLoop, nil, nil, label{})
	f.factor = rounds
	f.emit(opLocalGet, end)
	f.emit(opLocalGet, at)
	f.i32(int32(size))
	f.emit(opI32Add)
	f.emit(opI32LtU)
	f.emit(opBrIf, 1)
	body()
	f.emit(opLocalGet, at)
	f.emit(opI32Add)
	f.emit(opLocalSet, at)
	f.emit(opBr, 0)
	f.factor = 1
	f.end()
	f.end()
}
