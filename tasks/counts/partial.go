package main

// Partials, as tasks/text/README.md defines them: what is known of consecutive
// parts of files, and the bytes at their borders that only a neighbour decides.
//
// Counts stay what they are on the wire, lists sorted by word. Merging them is
// then one pass over both, with no map and no copy of a word.

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
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
	counts   []count // sorted by compareKeys
	rest     []byte
	overlong int64
	bytes    int64
	errors   []string
}

// A count is a word and how often it occurs, at least once.
type count struct {
	word string
	n    int64
}

// mergePartials merges partials that follow each other.
func mergePartials(ps []partial) (partial, error) {
	if len(ps) == 1 {
		return ps[0], nil
	}
	var out partial
	decided := map[string]int64{}
	lists := make([][]count, 0, len(ps)+1)
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
	p.counts, err = mergeCounts([][]count{p.counts, sortedCounts(decided)})
	p.rest = nil
	return p, err
}

func sortedCounts(counts map[string]int64) []count {
	cs := make([]count, 0, len(counts))
	for word, n := range counts {
		cs = append(cs, count{word, n})
	}
	slices.SortFunc(cs, func(a, b count) int { return compareKeys(a.word, b.word) })
	return cs
}

// compareKeys orders keys as the wire does: shorter ones first, then bytewise.
func compareKeys(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// mergeCounts adds up sorted lists of counts, neighbours first, so that no entry
// is looked at more often than log2 of the number of lists.
func mergeCounts(lists [][]count) ([]count, error) {
	lists = slices.DeleteFunc(lists, func(l []count) bool { return len(l) == 0 })
	for len(lists) > 1 {
		// The two shortest neighbours, so that a short list is not merged with
		// all the others in turn.
		at := 0
		for i := range len(lists) - 1 {
			if len(lists[i])+len(lists[i+1]) < len(lists[at])+len(lists[at+1]) {
				at = i
			}
		}
		sum, err := mergeTwo(lists[at], lists[at+1])
		if err != nil {
			return nil, err
		}
		lists = slices.Replace(lists, at, at+2, sum)
	}
	if len(lists) == 0 {
		return nil, nil
	}
	return lists[0], nil
}

func mergeTwo(a, b []count) ([]count, error) {
	out := make([]count, len(a)+len(b))
	i, j, k := 0, 0, 0
	for i < len(a) && j < len(b) {
		x, y := &a[i], &b[j]
		switch c := compareKeys(x.word, y.word); {
		case c < 0:
			out[k] = *x
			i++
		case c > 0:
			out[k] = *y
			j++
		default:
			sum, over := add(x.n, y.n)
			if over {
				return nil, fmt.Errorf("the count of %q goes beyond int64", x.word)
			}
			out[k] = count{x.word, sum}
			i++
			j++
		}
		k++
	}
	k += copy(out[k:], a[i:])
	k += copy(out[k:], b[j:])
	return out[:k], nil
}

// add adds two numbers that are not negative.
func add(a, b int64) (sum int64, overflow bool) { return a + b, a > math.MaxInt64-b }

// total returns the sum of all counts.
func total(counts []count) (int64, error) {
	var sum int64
	for _, c := range counts {
		var over bool
		if sum, over = add(sum, c.n); over {
			return 0, fmt.Errorf("the number of words goes beyond int64")
		}
	}
	return sum, nil
}

// topCounts returns the n entries with the largest counts, larger ones first, and
// of equal ones in the order of the words' bytes.
func topCounts(counts []count, n int) []count {
	rank := func(a, b count) int {
		return cmp.Or(cmp.Compare(b.n, a.n), strings.Compare(a.word, b.word))
	}
	if n >= len(counts)/8 {
		sorted := slices.SortedFunc(slices.Values(counts), rank)
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
			if child+1 < len(best) && rank(best[child], best[child+1]) < 0 {
				child++
			}
			if rank(best[i], best[child]) >= 0 {
				return
			}
			best[i], best[child] = best[child], best[i]
			i = child
		}
	}
	for i := n/2 - 1; i >= 0; i-- {
		sink(i)
	}
	for _, c := range counts[n:] {
		if n > 0 && c.n >= best[0].n && rank(c, best[0]) < 0 {
			best[0] = c
			sink(0)
		}
	}
	slices.SortFunc(best, rank)
	return best
}
