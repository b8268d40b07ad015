package host_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

// soakSamples is how often a soak looks at what the process holds. A smaller soak
// looks as often.
const soakSamples = 100

// TestSoak makes ENTANGLE_SOAK calls of good and hostile tasks on each engine, and
// fails if the process holds more at the end than at the beginning. `make soak` runs
// it. What is kept for the next call fills up within the first million; fewer tell little.
func TestSoak(t *testing.T) {
	text := os.Getenv("ENTANGLE_SOAK")
	if text == "" {
		t.Skip("it takes minutes: make soak, or set ENTANGLE_SOAK to a number of calls")
	}
	calls, err := strconv.Atoi(text)
	if err != nil || calls < soakSamples {
		t.Fatalf("ENTANGLE_SOAK=%s: want a number of at least %d", text, soakSamples)
	}
	if runtime.GOOS != "linux" {
		t.Skip("it reads /proc, which Linux has")
	}
	h := open(t, twoWorkers().WithGrants(grant(t, "fs:ro="+tree(t)+"/a:/d")))
	s := newSoak(t, h)
	for range s.rare { // what is made once stays
		s.round(t)
	}
	fmt.Printf("%12s %10s %12s %6s %9s %11s\n", "calls", "seconds", "resident KiB", "files", "mappings", "goroutines")
	var samples []soakSample
	for n := 0; n < soakSamples; n++ {
		for s.calls < calls/soakSamples*(n+1) {
			s.round(t)
		}
		samples = append(samples, s.sample(t))
		if t.Failed() {
			return
		}
	}
	quarter := soakSamples / 4
	// The first quarter is for what grows until it is as large as it is used.
	first, last := meanOf(samples[quarter:2*quarter]), meanOf(samples[soakSamples-quarter:])
	for i, what := range []string{"resident KiB", "files", "mappings", "goroutines"} {
		// For what comes and goes with the moment: resident memory does so in steps of
		// 12 MiB. In the five million calls between, a leak of two bytes in each is more.
		margin := []float64{max(8<<10, first[0]/10), 2, 32, 2}[i]
		if last[i] > first[i]+margin {
			t.Errorf("%s: %.0f in the second quarter of the calls, %.0f in the last", what, first[i], last[i])
		}
	}
}

// A soakSample is resident KiB, files, mappings and goroutines.
type soakSample [4]float64

func meanOf(all []soakSample) (m soakSample) {
	for _, s := range all {
		for i, v := range s {
			m[i] += v / float64(len(all))
		}
	}
	return m
}

// A soak is a mix of calls that is made again and again.
type soak struct {
	h       *host.Host
	start   time.Time
	calls   int
	good    []*graph.Node // run as one graph, with the results want
	want    []string
	cheap   []soakTask // fail, or are few: each run alone, each round
	rare    []soakTask // take a millisecond or more: one of them each round
	nextOne int
}

type soakTask struct {
	node  *graph.Node
	codes []abi.Code // that it may end with; nil: it returns
}

func newSoak(t *testing.T, h *host.Host) *soak {
	s := &soak{h: h, start: time.Now()}
	task := func(module, name string) graph.Task {
		return loadGuest(t, h, module, "").Task(name).With(graph.Policy{Timeout: 10 * time.Second, Grants: []abi.Grant{}})
	}
	brief := graph.Policy{Timeout: time.Millisecond}
	divide, echo := task("plain", "divide"), loadGuest(t, h, "typed", "task echo(a: bytes) -> any\n").Task("echo")
	find, findFiles, next := task("hostile/leak_memory", "find"), task("hostile/leak_files", "find_next"), task("state", "next")
	hide, text := task("hostile/leak_globals", "hide"), load(t, h, "../tasks/text.wasm").Task("upper")
	add := func(n int, want string, make func(i int) *graph.Node) {
		for i := range n {
			s.good, s.want = append(s.good, make(i)), append(s.want, want)
		}
	}
	add(900, "42", func(i int) *graph.Node { return divide(42*(i+1), i+1) })
	add(40, `"SOAK"`, func(int) *graph.Node { return text("soak") })
	add(20, "null", func(i int) *graph.Node { return hide(i, 0) })
	add(10, `[{"$bytes":"AAAAAAAAAAAA"}]`, func(int) *graph.Node { return echo(make([]byte, 9)) })
	add(10, "-1", func(int) *graph.Node { return findFiles() })
	add(5, "1", func(int) *graph.Node { return next() })
	add(1, "", func(int) *graph.Node { return find() })

	for _, c := range []struct {
		node  *graph.Node
		codes []abi.Code
	}{
		{task("plain", "trap")(), []abi.Code{abi.Trapped}},
		{task("hostile/leak_memory", "hide_grown")(1, 1), []abi.Code{abi.Trapped}},
		{task("hostile/leak_segments", "hide")(15, 3), []abi.Code{abi.Trapped}},
		{task("hostile/results", "wraps")(), []abi.Code{abi.Protocol}},
		{task("hostile/alloc", "t")("1234567"), []abi.Code{abi.Trapped}},
		{task("hostile/pointers_wasi", "all")(-1, -1), nil},
		{loadGuest(t, h, "hostile/leak_files", "").Task("hide")(3, 1), []abi.Code{abi.Trapped}}, // with files
		{task("hostile/data_outside", "f")(), []abi.Code{abi.Trapped}},
		{task("hostile/memory_min", "f")(), []abi.Code{abi.LimitHit}},
	} {
		s.cheap = append(s.cheap, soakTask{c.node, c.codes})
	}
	for _, node := range []*graph.Node{
		task("hostile/loops", "plain")().With(brief), task("hostile/sleeps", "hours")().With(brief),
		task("hostile/tail_calls", "moving")(0).With(brief), task("hostile/bulk", "fills")(8 << 20).With(brief),
		task("hostile/start_loop", "f")().With(brief), task("hostile/initialize_loop", "f")().With(brief),
		task("hostile/call_tree", "table")().With(brief), task("hostile/leak_libc", "hide")(1, 2).With(brief),
	} {
		s.rare = append(s.rare, soakTask{node, []abi.Code{abi.TimedOut}})
	}
	for _, node := range []*graph.Node{
		task("hostile/recursion", "direct")(0), task("hostile/log_flood", "giant")(), task("hostile/table_bomb", "all")(1000),
		task("hostile/memory_bomb", "touch")().With(graph.Policy{Memory: 4 << 20}), task("hostile/leak_memory", "hide_sparse")(5, 4),
	} {
		s.rare = append(s.rare, soakTask{node, []abi.Code{0, abi.Trapped, abi.LimitHit}})
	}
	return s
}

// round makes some thousand calls.
func (s *soak) round(t *testing.T) {
	vs, err := graph.RunAll(t.Context(), s.h, s.good)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range vs {
		switch got := jsonOf(t, v); {
		case s.want[i] == "":
			s.want[i] = got // the first time
		case got != s.want[i]:
			t.Fatalf("a good task is %s, want %s", got, s.want[i])
		}
	}
	tasks := append(s.cheap[:len(s.cheap):len(s.cheap)], s.rare[s.nextOne%len(s.rare)])
	s.nextOne++
	for _, c := range tasks {
		_, err := graph.RunAll(t.Context(), s.h, []*graph.Node{c.node})
		if c.codes == nil && err != nil || c.codes != nil && !slices.Contains(c.codes, codeOf(err)) {
			t.Fatalf("a hostile task ends with %v, want a code of %v", err, c.codes)
		}
	}
	s.calls += len(s.good) + len(tasks)
}

// sample prints what the process holds.
func (s *soak) sample(t *testing.T) soakSample {
	runtime.GC() // what is garbage is no leak
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int
	if _, err := fmt.Fscan(bytes.NewReader(statm), &size, &resident); err != nil {
		t.Fatal(err)
	}
	c := takeCensus(t)
	now := soakSample{float64(resident * os.Getpagesize() >> 10), float64(c.files), float64(c.mappings), float64(c.goroutines)}
	fmt.Printf("%12d %10.1f %12.0f %6.0f %9.0f %11.0f\n", s.calls, time.Since(s.start).Seconds(), now[0], now[1], now[2], now[3])
	return now
}
