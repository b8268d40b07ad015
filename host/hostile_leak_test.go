package host_test

// Modules testdata/hostile/leak_*: what one call hides, no other may find.

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

// secrets are of all bits: each is in one of them and missing in another.
var secrets = []int64{0x5ec2e7_0f_a_ca11, ^0x5ec2e7_0f_a_ca11, 0x7fffffffffffffff}

// hows are the ways in which a task that hides something can end: see $end in the
// modules.
const hows = 7

// TestSecrets lets modules hide secrets in every way they know, and end that call in
// every way there is; what their tasks "find…" return in a pristine instance, they
// return ever after, on all workers.
func TestSecrets(t *testing.T) {
	h := open(t, twoWorkers().WithGrants(grant(t, "fs:ro="+tree(t)+"/a:/d")))
	for name, s := range hostileModules(t) {
		if !strings.HasPrefix(name, "leak_") {
			continue
		}
		m, err := h.LoadBytes(t.Context(), name, s.binary)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		nothing := graph.Policy{Timeout: 10 * time.Second, Grants: []abi.Grant{}}
		t.Run(name, func(t *testing.T) { hideAndFind(t, h, m, nothing) })
		if name == "leak_files" {
			t.Run(name+"/granted", func(t *testing.T) { hideAndFind(t, h, m, graph.Policy{Timeout: 10 * time.Second}) })
		}
	}
}

func hideAndFind(t *testing.T, h *host.Host, m *host.Module, p graph.Policy) {
	var hides, finds []*graph.Def
	for _, d := range m.Tasks() {
		switch {
		case strings.HasPrefix(d.Name, "hide"):
			hides = append(hides, d)
		case strings.HasPrefix(d.Name, "find"):
			finds = append(finds, d)
		}
	}
	if len(hides) == 0 || len(finds) == 0 {
		t.Fatalf("%d tasks hide, %d find", len(hides), len(finds))
	}
	pristine := make([]string, len(finds))
	for i, d := range finds {
		pristine[i] = outcome(t, h, d.Task().With(p))
	}
	brief := p
	brief.Timeout = 10 * time.Millisecond
	look := func(after string) {
		for i, d := range finds {
			for range 2 { // at least once where it was hidden
				if got := outcome(t, h, d.Task().With(p)); got != pristine[i] {
					t.Errorf("after %s, %s is %s, want %s", after, d.Name, got, pristine[i])
				}
			}
		}
	}
	for _, d := range hides {
		for _, secret := range secrets {
			if len(d.Sig.Params) == 1 {
				_ = outcome(t, h, d.Task().With(brief), secret)
				look(d.Name)
				continue
			}
			for how := range hows {
				hidden := outcome(t, h, d.Task().With(brief), secret, how)
				look(fmt.Sprintf("%s(%d), which is %s", d.Name, how, hidden))
			}
		}
	}

	// All at the same time, so that instances change workers.
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 40 {
				hide := hides[(i*4+g)%len(hides)]
				args := []any{secrets[i%len(secrets)], []int{0, 1, 3, 4, 5}[i%5]}
				_ = outcome(t, h, hide.Task().With(brief), args[:len(hide.Sig.Params)]...)
				find := (i + g) % len(finds)
				if got := outcome(t, h, finds[find].Task().With(p)); got != pristine[find] {
					t.Errorf("beside others, %s is %s, want %s", finds[find].Name, got, pristine[find])
				}
			}
		})
	}
	wg.Wait()
	look("all")
}

// outcome runs a task and returns what came of it: JSON, or a code.
func outcome(t *testing.T, h *host.Host, task graph.Task, args ...any) string {
	v, err := run(t.Context(), h, task, args...)
	if err != nil {
		return codeOf(err).String()
	}
	return jsonOf(t, v)
}

// What is random in a call is not what it was in another, or when the module was
// initialized.
func TestRandomIsFresh(t *testing.T) {
	h := open(t, twoWorkers())
	fresh := loadGuest(t, h, "hostile/random", "").Task("fresh")
	nodes := make([]*graph.Node, 200)
	for i := range nodes {
		nodes[i] = fresh()
	}
	vs, err := graph.RunAll(t.Context(), h, nodes)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, v := range vs {
		seen = append(seen, jsonOf(t, v))
	}
	slices.Sort(seen)
	if n := len(slices.Compact(seen)); n != len(nodes) {
		t.Errorf("%d calls got %d numbers", len(nodes), n)
	}
}
