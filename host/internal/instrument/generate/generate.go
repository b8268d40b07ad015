// Package generate makes random valid WebAssembly modules, to run in more than
// one way and compare: original and rewritten, on one engine and another, in a
// new instance and in one that was reset.
//
// Bytes make all the choices, so a fuzzer steers by changing bytes. Whatever they
// are, the module validates, every call ends after a bounded number of
// instructions (in a result or a trap), and what it computes is the same on every
// engine that follows the specification: no NaN of unspecified bits is ever seen,
// memory and tables grow only to small declared maxima, and the stack stays
// shallow.
package generate

import "strconv"

// A Program is a module and what to do with it.
type Program struct {
	Binary []byte
	// Calls are to be made in this order. If the module keeps state, they end with
	// a call of "digest", which folds the state into an i64.
	Calls []Call
	// Work is how many instructions any one call executes at most.
	Work int

	counts map[op]int
}

// A Call is one of an exported function, of numbers only.
type Call struct {
	Export  string
	Args    []uint64 // the bits of each
	Params  []ValType
	Results []ValType
}

// Options say what modules may use beyond WebAssembly 2.0, threads, tail calls
// and extended constant expressions.
type Options struct {
	Exceptions bool // try_table, throw and throw_ref
}

// Module makes a module with the zero Options.
func Module(data []byte) *Program { return Options{}.Module(data) }

// Module makes the module that data describes: equal data, equal module.
func (o Options) Module(data []byte) *Program {
	m := &module{source: source{data}, options: o, counts: make(map[op]int)}
	m.plan()
	calls := m.calls()
	m.write()
	p := &Program{Calls: calls, counts: m.counts}
	for _, f := range m.functions {
		p.Work = max(p.Work, f.cost)
	}
	p.Binary = m.encode()
	return p
}

// calls decides what to call.
func (m *module) calls() (list []Call) {
	var entries []*function
	for _, f := range m.functions {
		if m.exported(f) && f != m.digest {
			entries = append(entries, f)
		}
	}
	if len(entries) > 0 {
		for range 1 + m.below(6) {
			f := one(&m.source, entries)
			c := Call{Export: f.export(), Params: f.params, Results: f.results}
			for _, t := range f.params {
				c.Args = append(c.Args, m.argument(t))
			}
			list = append(list, c)
		}
	}
	if m.digest != nil {
		list = append(list, Call{Export: m.digest.export(), Results: m.digest.results})
	}
	return list
}

func (m *module) argument(t ValType) uint64 {
	switch t {
	case I32:
		return uint64(uint32(integer(&m.source)))
	case F32:
		return one32(&m.source)
	case F64:
		return one64(&m.source)
	}
	return uint64(integer(&m.source))
}

// exported says whether the host can call a function.
func (m *module) exported(f *function) bool {
	return f.tier == tierEntry && f != m.start
}

func (f *function) export() string {
	if f == f.m.digest {
		return "digest"
	}
	return "f" + strconv.Itoa(f.index)
}

// write writes the bodies, callees first.
func (m *module) write() {
	for i, part := range m.split(len(m.functions)) {
		f := m.functions[i]
		f.source = part
		if f == m.digest {
			f.writeDigest()
			continue
		}
		f.build()
		if r := f.round; r != nil {
			if f != r.members[len(r.members)-1] {
				continue
			}
			most := 0
			for _, g := range r.members {
				most = max(most, g.cost)
			}
			for _, g := range r.members {
				g.cost = most * r.calls()
			}
		}
		if f.tier < tierEntry {
			for _, s := range m.types {
				if s.same(m.types[f.typ]) {
					s.cost = max(s.cost, f.cost)
				}
			}
		}
	}
}
