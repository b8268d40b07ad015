package main

import (
	"fmt"

	"entangle.example/entangle/sdk/go"
)

// merge makes one partial of partials that follow each other.
func merge(partials []entangle.Value) (entangle.Value, error) {
	ps := make([]partial, len(partials))
	for i, v := range partials {
		var err error
		if ps[i], err = readPartial(v); err != nil {
			return entangle.Value{}, fmt.Errorf("partial %d: %w", i, err)
		}
	}
	p, err := mergePartials(ps)
	if err != nil {
		return entangle.Value{}, err
	}
	return p.value()
}

// finish closes the borders of a partial and gives its totals.
func finish(v entangle.Value) (entangle.Value, error) {
	p, err := readPartial(v)
	if err != nil {
		return entangle.Value{}, err
	}
	if p, err = finishPartial(p); err != nil {
		return entangle.Value{}, err
	}
	words, err := total(p.counts)
	if err != nil {
		return entangle.Value{}, err
	}
	counts, err := entangle.Map(p.counts...)
	if err != nil {
		return entangle.Value{}, err
	}
	return entangle.Map(
		entangle.Entry{Key: keyCounts, Value: counts},
		entangle.Entry{Key: keyWords, Value: entangle.Int(words)},
		entangle.Entry{Key: keyOverlong, Value: entangle.Int(p.overlong)},
		entangle.Entry{Key: keyBytes, Value: entangle.Int(p.bytes)},
		entangle.Entry{Key: keyErrors, Value: entangle.List(p.errors...)},
	)
}

// top lists the n most frequent words with their counts.
func top(counts entangle.Value, n int) (entangle.Value, error) {
	if n < 0 {
		return entangle.Value{}, fmt.Errorf("n is %d, want 0 or more", n)
	}
	es, ok := counts.Entries()
	if !ok {
		return entangle.Value{}, fmt.Errorf("want a map of counts, got %v", counts.Kind())
	}
	for _, e := range es {
		if e.Value.Kind() != entangle.IntKind {
			return entangle.Value{}, fmt.Errorf("the count of %q is %v, want an int", e.Key, e.Value)
		}
	}
	best := topCounts(es, n)
	pairs := make([]entangle.Value, len(best))
	for i, e := range best {
		pairs[i] = entangle.List(entangle.String(e.Key), e.Value)
	}
	return entangle.List(pairs...), nil
}
