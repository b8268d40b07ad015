package graph_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
)

// The output of the seed's "Graph Example", compacted.
const seedCalls = `{"add":[{"add":{"num":{"6":[]},"one":[]}},{"subtract":{"five":[],"add":{"subtract":{"num":{"8":[]},"two":[]},"one":[]}}}]}`

func TestCalls(t *testing.T) {
	example := add(add(num(6), one()), subtract(five(), add(subtract(num(8), two()), one())))
	for want, n := range map[string]*graph.Node{
		seedCalls:    example,
		`{"one":[]}`: one(),
		`{"num":[{"add":[{"one":[]},{"one":[]}]}]}`:                num(add(one(), one())),
		`{"num":[{"sum":[{"1":[]},{"2":[]},{"1":[]}]}]}`:           num(sum(1, 2, 1)),
		`{"num":[{"add":[{"num":{"1":[]}},{"num":{"2":[]}}]}]}`:    num(add(num(1), num(2))),
		`{"upper":[{"upper":{"a \"b\"":[]}}]}`:                     upper(upper(`a "b"`)),
		`{"upper":[{"upper":{"":[]}}]}`:                            upper(upper("")),
		`{"total":[{"list":{"num":{"3":[]},"one":[],"null":[]}}]}`: graph.Func("total", func([]any) {})(graph.List(num(3), one(), nil)).After(two()),
	} {
		got, err := graph.Calls(n)
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
		if !json.Valid(got) {
			t.Errorf("%s is not JSON", got)
		}
	}
}

func TestCallsAreBounded(t *testing.T) {
	n := one()
	for range 60 {
		n = add(n, n)
	}
	_, err := graph.Calls(n)
	if a, ok := errors.AsType[*abi.Error](err); !ok || a.Code != abi.LimitHit || !strings.Contains(err.Error(), "calls_test.go:") {
		t.Errorf("error %v", err)
	}
	n = one()
	for range 500_000 { // deep, and within the bound
		n = num(n)
	}
	b, err := graph.Calls(n)
	if err != nil || bytes.Count(b, []byte(`"num"`)) != 500_000 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if _, err := graph.Calls((*graph.Node)(nil)); err == nil {
		t.Error("a nil node has calls")
	}
}

func TestNegativePolicies(t *testing.T) {
	x := local(t, 1)
	for name, p := range map[string]graph.Policy{
		"timeout":             {Timeout: -1},
		"memory":              {Memory: -1},
		"limit of stack":      {Limits: graph.Limits{Stack: -1}},
		"limit of log bytes":  {Limits: graph.Limits{LogBytes: -1}},
		"limit of log lines":  {Limits: graph.Limits{LogLines: -1}},
		"limit of the result": {Limits: graph.Limits{Result: -1}},
		"limit of table":      {Limits: graph.Limits{Table: -1}},
		"limit of host calls": {Limits: graph.Limits{HostCalls: -1}},
	} {
		for how, n := range map[string]*graph.Node{"task": one.With(p)(), "node": one().With(p)} {
			_, err := graph.RunAll(t.Context(), x, []*graph.Node{n})
			if a, ok := errors.AsType[*abi.Error](err); !ok || a.Code != abi.BadCall ||
				!strings.Contains(err.Error(), "the "+name) || !strings.Contains(err.Error(), "calls_test.go:") {
				t.Errorf("%s of a %s: error %v", name, how, err)
			}
		}
	}
}
