package flow_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
	"entangle.example/entangle/host/flow"
)

func open(t testing.TB) *host.Host {
	t.Helper()
	h, err := host.Open(host.Config{}.WithCPUs(2))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// run runs a script and returns what it printed.
func run(t testing.TB, c flow.Config, filename, src string) (stdout, stderr string, err error) {
	t.Helper()
	var out, warned bytes.Buffer
	c.Stdout, c.Stderr = &out, &warned
	var b []byte
	if src != "" {
		b = []byte(src)
	}
	err = flow.Run(t.Context(), c, filename, b)
	return out.String(), warned.String(), err
}

// codeOf returns the code of an error, which must have one.
func codeOf(t testing.TB, err error) abi.Code {
	t.Helper()
	a, ok := errors.AsType[*abi.Error](err)
	if !ok {
		t.Fatalf("no *abi.Error in %v", err)
	}
	return a.Code
}

// TestScripts runs the chunks of testdata/*.star, which are separated by lines
// "---". A comment "### pattern" says which error its line is to blame for, and a
// comment "#> text" is a line that the chunk prints.
func TestScripts(t *testing.T) {
	h := open(t)
	files, err := filepath.Glob("testdata/*_test.star")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		line := 1
		for _, chunk := range strings.Split(string(src), "\n---\n") {
			first := line
			line += strings.Count(chunk, "\n") + 2
			t.Run(filepath.Base(file)+":"+strconv.Itoa(first), func(t *testing.T) {
				testChunk(t, h, file, first, chunk)
			})
		}
	}
}

func testChunk(t *testing.T, h *host.Host, file string, first int, chunk string) {
	var want strings.Builder
	wantErr, errLine := "", 0
	for i, l := range strings.Split(chunk, "\n") {
		if _, text, ok := strings.Cut(l, "#> "); ok {
			want.WriteString(text + "\n")
		}
		if _, text, ok := strings.Cut(l, "### "); ok {
			wantErr, errLine = text, first+i
		}
	}
	c := flow.Config{Host: h, Args: []string{"testdata/tree", "-v"}, Paths: []string{"testdata/tree", "-v"}, MaxSteps: 200_000}
	out, _, err := run(t, c, file, strings.Repeat("\n", first-1)+chunk)
	if out != want.String() {
		t.Errorf("printed:\n%s\nwant:\n%s", out, want.String())
	}
	switch {
	case wantErr == "" && err != nil:
		t.Errorf("error: %v", err)
	case wantErr != "" && err == nil:
		t.Errorf("no error; want %s", wantErr)
	case wantErr != "":
		codeOf(t, err)
		re := regexp.MustCompile("^" + regexp.QuoteMeta(file+":"+strconv.Itoa(errLine)) + "(:\\d+)?: (?s:.*)" + wantErr)
		if !re.MatchString(err.Error()) {
			t.Errorf("error: %v\nwant, in line %d: %s", err, errLine, wantErr)
		}
	}
}

func TestQuickstart(t *testing.T) {
	out, _, err := run(t, flow.Config{Host: open(t)}, "../../examples/quickstart.star", "")
	if out != "10\n" || err != nil {
		t.Errorf("printed %q, %v; want 10", out, err)
	}
}

func TestEval(t *testing.T) {
	h := open(t)
	math, err := h.Load(t.Context(), "../../tasks/math.wasm")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := h.Load(t.Context(), "../../examples/plain/add.wasm")
	if err != nil {
		t.Fatal(err)
	}
	both := []*host.Module{math, plain}
	for _, test := range []struct {
		modules []*host.Module
		expr    string
		want    string // JSON, or the error
		code    abi.Code
	}{
		{both[:1], "add(mult(one(), two()), three())", "5", 0},
		{both[:1], "math.add(a=1, b=2)", "3", 0},
		{both[:1], "[add(1, 2), {'x': two()}, 'y']", `[3,{"x":2},"y"]`, 0},
		{both[:1], "1 + 2", "3", 0},
		{both[:1], "math.nothing()", `did you mean|has no task "nothing"`, abi.BadCall},
		{both, "add(1, 2)", `several modules have a task "add": .*math.wasm, .*add.wasm; write which, as in math.add`, abi.BadCall},
		{both, "math.add(1, 2)", "3", 0},
		{both, "add.add(1, 2)", "3", 0},
		{both[:1], "add(1,", `^<expr>:1:7: got end of file`, abi.BadCall},
		{both[:1], "add(1, ad)", `^<expr>:1:8: undefined: ad`, abi.BadCall},
		{both[:1], "one(\n) + 1", `^<expr>:2:3: operator \+: this is a node of one, which has not run`, abi.Failed},
		{both[:1], "add(1)", `^<expr>:1:4: add: add\(a: int, b: int\) -> int takes 2 arguments, got 1`, abi.BadCall},
		{both[:1], "add(1, 'x')", `^<expr>:1:4: add: argument 2 \(b\): want int, got string "x"`, abi.BadCall},
		{both[:1], "add", `^<expr>: the result: this is the task add itself; call it`, abi.BadCall},
		{both[:1], "1 << 64", `the integer 18446744073709551616 is beyond int64`, abi.BadCall},
		{both[:1], "[x for x in one()]", `^<expr>:1:4: cannot go through its elements: this is a node of one`, abi.Failed},
		{both[:1], "'\xff'", `^<expr>:1: this is no script: it is not text`, abi.BadCall},
		{both[:1], strings.Repeat("(", 10_000), `^<expr>:1:\d+: excessive nesting`, abi.BadCall},
		{both[:1], "print(" + strings.Repeat("x", flow.MaxScript), "too many for a script", abi.BadCall},
		{both[:1], strings.Repeat("[", 70) + strings.Repeat("]", 70), "nests deeper than 64 levels", abi.BadCall},
	} {
		name := test.expr[:min(len(test.expr), 40)]
		v, err := flow.Eval(t.Context(), flow.Config{Host: h}, test.modules, test.expr)
		if test.code == 0 {
			js, _ := abi.AppendJSON(nil, v)
			if err != nil || string(js) != test.want {
				t.Errorf("%s: got %s, %v; want %s", name, js, err, test.want)
			}
			continue
		}
		if err == nil || !regexp.MustCompile(test.want).MatchString(err.Error()) || codeOf(t, err) != test.code {
			t.Errorf("%s: error %v; want %s", name, err, test.want)
		}
	}
}

func TestNoScript(t *testing.T) {
	h := open(t)
	for file, want := range map[string]string{
		"testdata/missing.star":   "no such file",
		"testdata":                "is a directory",
		"../../tasks/math.wasm":   "it is not text in UTF-8",
		"testdata/loads/a.star":   "scripts load each other: testdata/loads/a.star loads testdata/loads/b.star loads testdata/loads/a.star",
		"testdata/loads/bad.star": "testdata/loads/syntax.star:2:4: got newline",
	} {
		_, _, err := run(t, flow.Config{Host: h}, file, "")
		if err == nil || !strings.Contains(err.Error(), want) || codeOf(t, err) != abi.BadCall {
			t.Errorf("%s: error %v; want %q", file, err, want)
		}
	}
}

func TestBacktrace(t *testing.T) {
	_, _, err := run(t, flow.Config{Host: open(t)}, "testdata/loads/main.star", "")
	e, ok := errors.AsType[*flow.Error](err)
	if !ok {
		t.Fatalf("error %v", err)
	}
	want := "testdata/loads/main.star:2:5: in <toplevel>\ntestdata/loads/div.star:5:31: in half\n"
	if got := strings.Join(e.Backtrace, "\n") + "\n"; got != want {
		t.Errorf("backtrace:\n%swant:\n%s", got, want)
	}
	g, ok := errors.AsType[*graph.Error](err)
	if !ok || g.Task != "div" || g.Pos.String() != "testdata/loads/div.star:5:21" {
		t.Errorf("graph error %v, %v", g, err)
	}
}

func TestStops(t *testing.T) {
	h := open(t)
	loop := "def f():\n    while True:\n        pass\nf()\n"
	_, _, err := run(t, flow.Config{Host: h, MaxSteps: 10_000}, "loop.star", loop)
	if err == nil || codeOf(t, err) != abi.LimitHit || !regexp.MustCompile(`^loop.star:[123]:\d+: the script ran more than 10000 steps`).MatchString(err.Error()) {
		t.Errorf("steps: %v", err)
	}
	cause := errors.New("enough of it")
	for name, src := range map[string]string{
		"script": loop,
		"guest":  "m = module('testdata/spin.wasm')\nm.spin()()\n",
	} {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, cause)
		began := time.Now()
		err := flow.Run(ctx, flow.Config{Host: h}, "loop.star", []byte(src))
		cancel()
		if !errors.Is(err, cause) || codeOf(t, err) != abi.Cancelled || time.Since(began) > 5*time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(began))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := flow.Run(ctx, flow.Config{Host: h}, "loop.star", []byte(loop)); err == nil || codeOf(t, err) != abi.TimedOut {
		t.Errorf("deadline: %v", err)
	}
	_, _, err = run(t, flow.Config{Host: h}, "loop.star", "m = module('testdata/spin.wasm')\nprocess(timeout=0.05)(m.spin)()()\n")
	if err == nil || codeOf(t, err) != abi.TimedOut || !strings.Contains(err.Error(), "loop.star:2:") {
		t.Errorf("policy: %v", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestPrintFails(t *testing.T) {
	err := flow.Run(t.Context(), flow.Config{Host: open(t), Stdout: brokenWriter{}}, "x.star", []byte("print(1)\nprint(2)\n"))
	if err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error %v", err)
	}
}

// TestOnRun sees that every run is announced, and its options used.
func TestOnRun(t *testing.T) {
	var sizes []int
	var finished atomic.Int32
	c := flow.Config{Host: open(t), OnRun: func(roots []*graph.Node) []graph.Option {
		sizes = append(sizes, len(roots))
		return []graph.Option{graph.WithObserver(func(e graph.Event) {
			if e.Kind == graph.Finished {
				finished.Add(1)
			}
		})}
	}}
	out, _, err := run(t, c, "testdata/x.star", "m = module('../../../tasks/math.wasm')\nprint(m.one()(), run(m.one(), m.two()), run([]))\n")
	if err != nil || out != "1 [1, 2] []\n" || len(sizes) != 3 || sizes[1] != 2 || finished.Load() != 3 {
		t.Errorf("printed %q, runs %v, %v", out, sizes, err)
	}
}

func BenchmarkCompose(b *testing.B) {
	h := open(b)
	const n = 100_000
	src := []byte("add = module('../../tasks/math.wasm').add\ndef f(x):\n    for i in range(100000):\n        x = add(x, i)\nf(add(1, 2))\n")
	for b.Loop() {
		if err := flow.Run(b.Context(), flow.Config{Host: h}, "bench.star", src); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/node")
}
