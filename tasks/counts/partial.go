package main

// Partials, as tasks/text/README.md defines them: what is known of consecutive
// parts of files, and the bytes at their borders that only a neighbour decides.
//
// Counts stay what they are on the wire, lists of entries sorted by key. Merging
// them is then one pass over both, with no map and no conversion.

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"entangle.example/entangle/sdk/go"
)

// The keys of a partial, and of what finish makes of it.
const (
	keyCounts   = "counts"
	keyRest     = "rest"
	keyOverlong = "overlong"
	keyBytes    = "bytes"
	keyErrors   = "errors"
	keyWords    = "words"
)

type partial struct {
	counts   []entangle.Entry // sorted as maps are, every value an int of at least 1
	rest     []byte
	overlong int64
	bytes    int64
	errors   []entangle.Value // strings
}

// readPartial returns the partial that v is. It shares v's memory.
func readPartial(v entangle.Value) (p partial, err error) {
	field := func(key string, kind entangle.Kind) entangle.Value {
		f, found := v.Get(key)
		switch {
		case err != nil:
		case !found:
			err = fmt.Errorf("no partial: the key %q is missing", key)
		case f.Kind() != kind:
			err = fmt.Errorf("no partial: %q is a %v, want %v", key, f.Kind(), kind)
		}
		return f
	}
	if v.Kind() != entangle.MapKind {
		return p, fmt.Errorf("no partial: want a map, got %v", v.Kind())
	}
	p.counts, _ = field(keyCounts, entangle.MapKind).Entries()
	p.rest, _ = field(keyRest, entangle.BytesKind).Bytes()
	p.overlong, _ = field(keyOverlong, entangle.IntKind).Int()
	p.bytes, _ = field(keyBytes, entangle.IntKind).Int()
	p.errors, _ = field(keyErrors, entangle.ListKind).List()
	if err != nil {
		return p, err
	}
	if p.overlong < 0 || p.bytes < 0 {
		return p, fmt.Errorf("no partial: overlong %d, bytes %d", p.overlong, p.bytes)
	}
	if len(p.rest) > maxRest {
		return p, fmt.Errorf("no partial: rest of %d bytes, want at most %d", len(p.rest), maxRest)
	}
	for _, e := range p.errors {
		if e.Kind() != entangle.StringKind {
			return p, fmt.Errorf("no partial: %v among the errors", e.Kind())
		}
	}
	return p, checkCounts(p.counts)
}

func checkCounts(counts []entangle.Entry) error {
	for _, e := range counts {
		if n, ok := e.Value.Int(); !ok || n < 1 {
			return fmt.Errorf("the count of %q is %v, want an int of at least 1", e.Key, e.Value)
		}
	}
	return nil
}

// value returns p in the form in which it travels.
func (p partial) value() (entangle.Value, error) {
	counts, err := entangle.Map(p.counts...)
	if err != nil {
		return entangle.Value{}, err
	}
	return entangle.Map(
		entangle.Entry{Key: keyCounts, Value: counts},
		entangle.Entry{Key: keyRest, Value: entangle.Bytes(p.rest)},
		entangle.Entry{Key: keyOverlong, Value: entangle.Int(p.overlong)},
		entangle.Entry{Key: keyBytes, Value: entangle.Int(p.bytes)},
		entangle.Entry{Key: keyErrors, Value: entangle.List(p.errors...)},
	)
}

// mergePartials merges partials that follow each other.
func mergePartials(ps []partial) (partial, error) {
	if len(ps) == 1 {
		return ps[0], nil
	}
	var out partial
	decided := map[string]int64{}
	lists := make([][]entangle.Entry, 0, len(ps)+1)
	for i, p := range ps {
		var over1, over2 bool
		out.overlong, over1 = add(out.overlong, p.overlong)
		out.bytes, over2 = add(out.bytes, p.bytes)
		if over1 || over2 {
			return partial{}, fmt.Errorf("a total goes beyond int64")
		}
		out.errors = append(out.errors, p.errors...)
		lists = append(lists, p.counts)
		if i == 0 {
			out.rest = p.rest
		} else if len(p.rest) > 0 {
			out.rest = scan(slices.Concat(out.rest, p.rest), decided, &out.overlong)
		}
	}
	var err error
	out.counts, err = mergeCounts(append(lists, sortedCounts(decided)))
	return out, err
}

// finishPartial adds the words at p's borders, which are ends of files.
func finishPartial(p partial) (partial, error) {
	decided := map[string]int64{}
	text := slices.Concat([]byte{' '}, p.rest, []byte{' '})
	scan(text, decided, &p.overlong)
	var err error
	p.counts, err = mergeCounts([][]entangle.Entry{p.counts, sortedCounts(decided)})
	p.rest = nil
	return p, err
}

func sortedCounts(counts map[string]int64) []entangle.Entry {
	es := make([]entangle.Entry, 0, len(counts))
	for word, n := range counts {
		es = append(es, entangle.Entry{Key: word, Value: entangle.Int(n)})
	}
	slices.SortFunc(es, func(a, b entangle.Entry) int { return compareKeys(a.Key, b.Key) })
	return es
}

// compareKeys orders keys as the wire does: shorter ones first, then bytewise.
func compareKeys(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// mergeCounts adds up sorted lists of counts, two and two, so that each entry is
// looked at log2 of the lists' number times.
func mergeCounts(lists [][]entangle.Entry) ([]entangle.Entry, error) {
	lists = slices.DeleteFunc(lists, func(l []entangle.Entry) bool { return len(l) == 0 })
	for len(lists) > 1 {
		half := lists[:0]
		for i := 0; i < len(lists); i += 2 {
			if i+1 == len(lists) {
				half = append(half, lists[i])
				break
			}
			sum, err := mergeTwo(lists[i], lists[i+1])
			if err != nil {
				return nil, err
			}
			half = append(half, sum)
		}
		lists = half
	}
	if len(lists) == 0 {
		return nil, nil
	}
	return lists[0], nil
}

func mergeTwo(a, b []entangle.Entry) ([]entangle.Entry, error) {
	// Counted first, since twice the room would be the most of what is allocated.
	out := make([]entangle.Entry, 0, len(a)+len(b)-common(a, b))
	for len(a) > 0 && len(b) > 0 {
		switch c := compareKeys(a[0].Key, b[0].Key); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			x, _ := a[0].Value.Int()
			y, _ := b[0].Value.Int()
			sum, over := add(x, y)
			if over {
				return nil, fmt.Errorf("the count of %q goes beyond int64", a[0].Key)
			}
			out = append(out, entangle.Entry{Key: a[0].Key, Value: entangle.Int(sum)})
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...), nil
}

// common returns how many keys two sorted lists share.
func common(a, b []entangle.Entry) (n int) {
	for len(a) > 0 && len(b) > 0 {
		switch c := compareKeys(a[0].Key, b[0].Key); {
		case c < 0:
			a = a[1:]
		case c > 0:
			b = b[1:]
		default:
			n++
			a, b = a[1:], b[1:]
		}
	}
	return n
}

// add adds two numbers that are not negative.
func add(a, b int64) (sum int64, overflow bool) { return a + b, a > math.MaxInt64-b }

// total returns the sum of all counts.
func total(counts []entangle.Entry) (int64, error) {
	var sum int64
	for _, e := range counts {
		n, _ := e.Value.Int()
		var over bool
		if sum, over = add(sum, n); over {
			return 0, fmt.Errorf("the number of words goes beyond int64")
		}
	}
	return sum, nil
}

// topCounts returns the n entries with the largest counts, larger ones first, and
// of equal ones in the order of the words' bytes.
func topCounts(counts []entangle.Entry, n int) []entangle.Entry {
	before := func(a, b entangle.Entry) int {
		x, _ := a.Value.Int()
		y, _ := b.Value.Int()
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return strings.Compare(a.Key, b.Key)
	}
	if n >= len(counts)/8 {
		sorted := slices.SortedFunc(slices.Values(counts), before)
		return sorted[:min(n, len(sorted))]
	}
	// Few of many: a heap whose root is the worst of the best so far.
	best := slices.Clone(counts[:n])
	sink := func(i int) {
		for {
			child := 2*i + 1
			if child >= len(best) {
				return
			}
			if child+1 < len(best) && before(best[child], best[child+1]) < 0 {
				child++
			}
			if before(best[i], best[child]) >= 0 {
				return
			}
			best[i], best[child] = best[child], best[i]
			i = child
		}
	}
	for i := n/2 - 1; i >= 0; i-- {
		sink(i)
	}
	for _, e := range counts[n:] {
		if n > 0 && before(e, best[0]) < 0 {
			best[0] = e
			sink(0)
		}
	}
	slices.SortFunc(best, before)
	return best
}
