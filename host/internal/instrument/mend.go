package instrument

// Mending. wazero v1.12 runs try_table wrong (its issue 2503, and more): where it
// catches, the locals are as they were where the try_table was entered; where a branch
// ends a try_table, be it one to its own label, a clause of one inside it, or a br_table
// with nothing but a default, what was thrown elsewhere is caught there from then on; and
// a try_table without clauses ends another. So a module is first made into one that
// means the same and has none of this.
//
// What a catch does not undo is globals. The locals that a try_table sets, and that may
// be read once it has caught, live in globals too while it is open: it copies them when
// it is entered, each local.set in it is followed by a global.set, and where it catches
// they are copied back. The globals are the same ones for all functions, as registers
// are, and saved by the callee: a try_table keeps what was in them in new locals, which
// it sets before it is entered, and puts that back however it is left. So it catches
// what it had let pass, too, and throws it on.
//
// Branches out of a try_table, and its clauses, lead to a block right around it, behind
// whose end is what is to be done before the branch goes on:
//
//	block                     ;; what follows the try_table
//	  block (result exnref)   ;; what it did not catch
//	    block                 ;; one for each label outside that it leads to
//	      block               ;; its own label
//	        saved = global; global = local
//	        try_table (catch $tag 1) (catch_all_ref 2)
//	          local = global = …
//	          br 1
//	        end
//	      end
//	      global = saved
//	      br 2
//	    end
//	    local = global; global = saved
//	    br $label             ;; perhaps to a block around another try_table
//	  end
//	  global = saved
//	  throw_ref
//	end
//
// What is not needed is left out. Nothing here relies on the module being valid, and
// none that is not becomes so: an instruction is replaced by what pops and pushes the
// same, and what would name something that is added is refused.

import (
	"fmt"
	"slices"
)

const (
	// maxSteps bounds the work for each byte of a function, and mostSteps for a function:
	// what is in nested try_tables takes more. CPython's functions need up to 2.7.
	maxSteps  = 8
	mostSteps = 1 << 24
	// maxTries bounds the try_tables of a function.
	maxTries = 100_000
	// maxHomes bounds the globals that are added: at each call, wazero's compiler looks
	// at every mutable global.
	maxHomes = 500
	// mendGrowth is how many times as long a module may become.
	mendGrowth = 8
)

// A mender makes a module into one that wazero runs right.
type mender struct {
	*module
	room    int               // bytes by which the module may still grow
	lost    string            // why there is no mending it
	typeOf  map[string]uint32 // index of each function type, once one was looked for
	types   [][]byte          // that are added
	globals [][]byte          // the same
	homes   map[ValType][]uint32

	tries      // of the function at hand
	number int // of the function, of those that are looked at
	states []localState
	hidden []hidden
	open   []*try              // around the place at hand
	around [MaxNesting + 1]int // the frames around it
	depth  int                 // of what is written
	out    []byte
}

// mend returns m, or a module of the same meaning that wazero runs right. If there is
// none, it returns m and says why in m.lost.
func mend(m *module) (*module, error) {
	if !slices.ContainsFunc(m.functions, func(f definition) bool { return f.tries }) {
		return m, nil
	}
	x := &mender{module: m, lost: m.lost, room: (mendGrowth-1)*len(m.binary) + 4<<10, homes: map[ValType][]uint32{}}
	var pieces [][]byte
	at := m.codeStart
	for i := range m.functions {
		f := &m.functions[i]
		if !f.tries || x.lost != "" {
			continue
		}
		needed, err := x.read(f, m.types[m.funcTypes[int(m.imported)+i]])
		if err != nil {
			return nil, fmt.Errorf("function %d: %w", int(m.imported)+i, err)
		}
		if !needed {
			continue
		}
		body := x.write(f)
		if x.why == "" && len(body) > MaxFunctionSize {
			x.why = "becomes too long"
		}
		if x.why != "" {
			x.lost = fmt.Sprintf("function %d %s", int(m.imported)+i, x.why)
		}
		x.room -= len(body) - int(f.end-f.start)
		sizeAt := m.codeStart
		if i > 0 {
			sizeAt = m.functions[i-1].end
		}
		pieces = append(pieces, m.binary[at:sizeAt], leb(nil, uint32(len(body))), body)
		at = f.end
	}
	if x.lost != "" || len(pieces) == 0 {
		m.lost = x.lost
		return m, nil
	}
	mended, err := scan(x.assemble(append(pieces, m.binary[at:m.functions[len(m.functions)-1].end])))
	if err != nil {
		m.lost = fmt.Sprintf("mended, it is beyond a limit (%v)", err)
		return m, nil
	}
	mended.kept = uint32(len(m.globals))
	return mended, nil
}

// assemble puts the module together, with the content of its code section in pieces.
func (x *mender) assemble(code [][]byte) []byte {
	sections := x.sections
	if len(x.globals) > 0 {
		sections = withSections(sections, globalSection)
	}
	count := leb(nil, uint32(len(x.functions)))
	size := len(count)
	for _, piece := range code {
		size += len(piece)
	}
	out := append(make([]byte, 0, len(x.binary)+max(size-len(x.binary), 0)+1<<16), x.binary[:8]...)
	for _, s := range sections {
		r := s.reader()
		out = append(out, s.id)
		switch s.id {
		case typeSection:
			body := vector(r, x.types...)
			out = append(leb(out, uint32(len(body))), body...)
		case globalSection:
			body := vector(r, x.globals...)
			out = append(leb(out, uint32(len(body))), body...)
		case codeSection:
			out = append(leb(out, uint32(size)), count...)
			for _, piece := range code {
				out = append(out, piece...)
			}
		default:
			out = append(leb(out, uint32(len(s.data)-s.off)), s.data[s.off:]...)
		}
	}
	return out
}

// home returns the global in which local values of a type live, and the local in which
// what was in it is saved, of the n-th that do so at a time.
func (x *mender) home(t ValType, n int) (global, saved uint32) {
	homes := x.homes[t]
	if n == len(homes) {
		init := map[ValType]string{I32: "\x41\x00", I64: "\x42\x00", F32: "\x43\x00\x00\x00\x00", F64: "\x44\x00\x00\x00\x00\x00\x00\x00\x00",
			v128: "\xfd\x0c" + string(make([]byte, 16))}[t]
		if init == "" { // a reference
			init = "\xd0" + string([]byte{byte(t)})
		}
		if len(x.globals) == maxHomes {
			x.why = "keeps too many locals that try_tables set"
			return 0, 0
		}
		homes = append(homes, uint32(len(x.module.globals)+len(x.globals)))
		x.homes[t] = homes
		x.globals = append(x.globals, append(append([]byte{byte(t), 1}, init...), opEnd))
	}
	if n == len(x.saved[t]) {
		x.saved[t] = append(x.saved[t], x.count+uint32(len(x.added)))
		x.added = append(x.added, t)
	}
	return homes[n], x.saved[t][n]
}

// blockType returns how the type of a block is written.
func (x *mender) blockType(params, results []ValType) []byte {
	if len(params) == 0 && len(results) == 0 {
		return []byte{0x40}
	}
	if len(params) == 0 && len(results) == 1 {
		return []byte{byte(results[0])}
	}
	if x.typeOf == nil {
		x.typeOf = map[string]uint32{}
		for i, t := range x.module.types {
			x.typeOf[string(encodeType(t))] = uint32(i)
		}
	}
	t := encodeType(FuncType{params, results})
	i, ok := x.typeOf[string(t)]
	if !ok {
		i = uint32(len(x.module.types) + len(x.types))
		x.typeOf[string(t)] = i
		x.types = append(x.types, t)
		x.room -= len(t)
	}
	return sleb(nil, int64(i))
}

func encodeType(t FuncType) []byte {
	b := []byte{0x60}
	for _, types := range [][]ValType{t.Params, t.Results} {
		b = leb(b, uint32(len(types)))
		for _, t := range types {
			b = append(b, byte(t))
		}
	}
	return b
}
