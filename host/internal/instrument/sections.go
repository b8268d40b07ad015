package instrument

// What rewriting does to the sections that hold no code: names follow their
// functions, debuggers' sections go, and tables get bounds.

import "strings"

// custom returns what is to be kept of a custom section.
func (w *rewriter) custom(r *reader) (body []byte, keep bool) {
	from := r.off
	name := r.name()
	switch {
	case r.err != nil, strings.HasPrefix(name, ".debug_"), strings.HasPrefix(name, "reloc."),
		strings.HasPrefix(name, "metadata.code."), name == "linking", name == "sourceMappingURL":
		return nil, false
	case name == "name":
		return w.names(r.data[from:r.off:r.off], r)
	case r.off == len(r.data): // wazero reads nothing out of one without content
		return nil, false
	}
	return r.data[from:], true
}

// names shifts the names of functions (§7.4.1) and keeps no others, for traps
// print none. A section that is broken is dropped.
func (w *rewriter) names(out []byte, r *reader) (_ []byte, ok bool) {
	for r.err == nil && r.off < len(r.data) {
		id := r.byte()
		size := r.u32()
		at := r.off
		r.bytes(size)
		if r.err != nil || id > 1 {
			continue
		}
		body := r.data[at:r.off]
		if id == 0 {
			name := clip((&reader{data: r.data[:r.off], off: at}).name())
			body = append(leb(nil, uint32(len(name))), name...)
		}
		if id == 1 {
			sub := &reader{data: r.data[:r.off], off: at}
			n := sub.count(2)
			body = leb(nil, n)
			for range n {
				body = leb(body, w.shifted(w.funcIndex(sub, sub.u32())))
				name := clip(sub.name())
				if sub.err != nil {
					return nil, false
				}
				body = append(leb(body, uint32(len(name))), name...)
			}
		}
		out = append(leb(append(out, id), uint32(len(body))), body...)
	}
	return out, r.err == nil
}

// maxName bounds the names that traps print, in bytes: an engine may copy one for
// each frame of a stack.
const maxName = 120

func clip(name string) string {
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "") + "…"
	}
	return name
}

// boundTables gives every table a maximum.
func boundTables(r *reader) []byte {
	n := r.count(3)
	if n == 0 {
		return leb(nil, 0)
	}
	most := uint64(MaxTableEntries / n)
	out := leb(nil, n)
	for range n {
		elem := ValType(r.byte())
		if elem != 0x70 && elem != 0x6f {
			r.fail("table of %v: want funcref or externref", elem)
		}
		flags, low, high := r.limits()
		if flags > 1 {
			r.fail("table with flags %#x", flags)
		}
		if low > most {
			r.fail("table of %d entries: at most %d", low, most)
		}
		if flags == 0 || high > most {
			high = most
		}
		if r.err != nil {
			return nil
		}
		out = append(out, byte(elem), 1)
		out = leb(leb(out, uint32(low)), uint32(high))
	}
	return out
}
