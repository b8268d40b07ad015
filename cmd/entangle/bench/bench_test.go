package bench

import (
	"slices"
	"strings"
	"testing"

	"entangle.example/entangle/host"
)

func TestSelect(t *testing.T) {
	all, err := Select(nil)
	if err != nil || len(all) < 14 {
		t.Errorf("everything is %v, %v", all, err)
	}
	names, err := Select([]string{"graph/", "call/pure", "graph/chain"})
	if err != nil || !slices.Equal(names, []string{"graph/fanout", "graph/chain", "graph/tree", "graph/stencil", "call/pure"}) {
		t.Errorf("selected %v, %v", names, err)
	}
	if _, err := Select([]string{"nothing"}); err == nil || !strings.Contains(err.Error(), "call/plain") {
		t.Errorf("error %v", err)
	}
}

func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures for seconds; run without -short")
	}
	var got []Result
	err := Run(t.Context(), host.Config{}, []string{"call/plain", "call/typed", "call/command", "wasi/fd_write", "wasi/files", "flow/tree"}, func(r Result) error {
		got = append(got, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range got {
		if r.Value <= 0 || r.Unit == "" {
			t.Errorf("result %+v", r)
		}
	}
	if len(got) != 6 {
		t.Errorf("%d results", len(got))
	}
}
