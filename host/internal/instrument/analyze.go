package instrument

// What follows from the call graph: what each export may change, and which
// functions need a check at their entry.
//
// A guest must meet a check in every stretch of work that is not small. Loops have
// one at their head. A function has one at its entry if it may be entered again
// from itself (it is in a cycle of the call graph), or if what it does from entry to
// return, callees included, is more than entryWork: so trees of calls without loops
// or cycles, which can be exponential, meet one too. Callees with a check of their
// own count for nothing; one that has none does no more than entryWork. A function
// whose own body adds up to more than denseWork, as one of a million calls does,
// has one before each call.
//
// Calls through a table go by type: any function of that type whose address is
// taken may be meant. A node for each type stands between, or the edges would be
// the product of both.

const (
	entryWork = 256     // instructions
	denseWork = 1 << 17 // instructions
)

// analysis is what analyze finds, by the number of functions that are defined.
type analysis struct {
	effect []Effect
	entry  []bool   // a check at the entry
	dense  []bool   // a check before each call
	work   []uint32 // instructions of a call that meets no check, or 0
}

// analyze finds the strongly connected components of the call graph (Tarjan, 1972),
// callees before callers, without recursion.
func (m *module) analyze() *analysis {
	n := len(m.functions)
	ids, targets := m.targets()
	nodes := n + len(targets)
	a := &analysis{effect: make([]Effect, nodes), entry: make([]bool, n), dense: make([]bool, n)}
	a.work = make([]uint32, nodes)
	for fn, taken := range m.taken[:m.imported] {
		if taken {
			a.effect[n+ids[m.funcTypes[fn]]] = CallsHost
		}
	}

	// next returns the k-th successor of node v, or -1 behind the last; imported
	// functions are none. What is passed over is at most what one edit is.
	next := func(v int, k *int) int {
		if v >= n {
			if t := targets[v-n]; *k < len(t) {
				*k++
				return int(t[*k-1])
			}
			return -1
		}
		edits := m.editsOf(v)
		for *k < len(edits) {
			e := edits[*k]
			*k++
			switch {
			case e.kind == callSite && e.x >= m.imported:
				return int(e.x - m.imported)
			case e.kind == indirect:
				return n + ids[e.x]
			}
		}
		return -1
	}

	type frame struct{ v, k int }
	index, low := make([]int32, nodes), make([]int32, nodes) // from 1; 0: not visited
	onStack := make([]bool, nodes)
	var stack []int
	var frames []frame
	count := int32(0)
	visit := func(v int) {
		count++
		index[v], low[v] = count, count
		stack = append(stack, v)
		onStack[v] = true
		frames = append(frames, frame{v, 0})
	}
	for root := range n {
		if index[root] != 0 {
			continue
		}
		visit(root)
		for len(frames) > 0 {
			f := &frames[len(frames)-1]
			v := f.v
			if w := next(v, &f.k); w >= 0 {
				if index[w] == 0 {
					visit(w)
				} else if onStack[w] {
					low[v] = min(low[v], index[w])
				}
				continue
			}
			frames = frames[:len(frames)-1]
			if len(frames) > 0 {
				p := frames[len(frames)-1].v
				low[p] = min(low[p], low[v])
			}
			if low[v] != index[v] {
				continue
			}
			i := len(stack) - 1
			for stack[i] != v {
				i--
			}
			m.component(a, stack[i:], next)
			for _, w := range stack[i:] {
				onStack[w] = false
			}
			stack = stack[:i]
		}
	}
	return a
}

// component finishes a component of the call graph: what it calls outside of itself
// is finished.
func (m *module) component(a *analysis, members []int, next func(int, *int) int) {
	n := len(m.functions)
	var effect Effect
	cycle := len(members) > 1
	for _, v := range members {
		effect |= a.effect[v] // of a type: what imported functions of it do
		if v < n {
			effect |= m.functions[v].effect
			for _, e := range m.editsOf(v) {
				if e.kind == callSite && e.x < m.imported {
					effect |= CallsHost
				}
			}
		}
		for k := 0; ; {
			w := next(v, &k)
			if w < 0 {
				break
			}
			effect |= a.effect[w]
			cycle = cycle || w == v
		}
	}
	if cycle {
		for _, v := range members {
			a.effect[v] = effect
			if v < n {
				a.entry[v] = true
				a.dense[v] = m.functions[v].size > denseWork
			}
		}
		return
	}
	v := members[0]
	a.effect[v] = effect
	var total, most uint64
	for k := 0; ; {
		w := next(v, &k)
		if w < 0 {
			break
		}
		total += uint64(a.work[w])
		most = max(most, uint64(a.work[w]))
	}
	if v >= n {
		a.work[v] = uint32(most)
		return
	}
	total += uint64(m.functions[v].size)
	if total > entryWork {
		a.entry[v] = true
		a.dense[v] = total > denseWork
		total = 0
	}
	a.work[v] = uint32(total)
}

// targets returns a number for each type, the same for equal types, and the
// functions that a call through a table may reach by that number.
func (m *module) targets() (ids []int, targets [][]uint32) {
	ids = make([]int, len(m.types))
	known := map[string]int{}
	for i, t := range m.types {
		key := t.String()
		id, ok := known[key]
		if !ok {
			id = len(known)
			known[key] = id
		}
		ids[i] = id
	}
	targets = make([][]uint32, len(known))
	for fn := m.imported; fn < uint32(len(m.funcTypes)); fn++ {
		if m.taken[fn] {
			id := ids[m.funcTypes[fn]]
			targets[id] = append(targets[id], fn-m.imported)
		}
	}
	return ids, targets
}
