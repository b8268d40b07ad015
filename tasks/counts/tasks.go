package main

import (
	"fmt"

	"entangle.example/entangle/sdk/go"
)

// merge makes one partial of a list of partials that follow each other.
func merge(partials entangle.Encoded) (entangle.Encoded, error) {
	r := reader{b: partials}
	ps := make([]partial, r.count(majorList, "partials", 1))
	for i := range ps {
		ps[i] = r.partial()
		if r.err != nil {
			return nil, fmt.Errorf("partial %d: %w", i, r.err)
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	p, err := mergePartials(ps)
	if err != nil {
		return nil, err
	}
	return p.encode(), nil
}

// finish closes the borders of a partial and gives its totals.
func finish(encoded entangle.Encoded) (entangle.Encoded, error) {
	r := reader{b: encoded}
	p := r.partial()
	if r.err != nil {
		return nil, r.err
	}
	p, err := finishPartial(p)
	if err != nil {
		return nil, err
	}
	words, err := total(p.counts)
	if err != nil {
		return nil, err
	}
	return p.encodeTotals(words), nil
}

// top lists the n most frequent words with their counts.
func top(counts entangle.Encoded, n int) (entangle.Value, error) {
	if n < 0 {
		return entangle.Value{}, fmt.Errorf("n is %d, want 0 or more", n)
	}
	r := reader{b: counts}
	cs := r.counts()
	if r.err != nil {
		return entangle.Value{}, r.err
	}
	best := topCounts(cs, n)
	pairs := make([]entangle.Value, len(best))
	for i, c := range best {
		pairs[i] = entangle.List(entangle.String(c.word), entangle.Int(c.n))
	}
	return entangle.List(pairs...), nil
}
