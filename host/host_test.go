package host_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

func open(t testing.TB, c host.Config) *host.Host {
	t.Helper()
	h, err := host.Open(c)
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

func load(t testing.TB, h *host.Host, path string) *host.Module {
	t.Helper()
	m, err := h.Load(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// guest returns the module of that name in testdata, with a manifest if that is
// not empty.
func guest(t testing.TB, name, manifest string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if manifest != "" {
		b = append(b, section(0, named(abi.ManifestSection), manifest)...)
	}
	return b
}

func loadGuest(t testing.TB, h *host.Host, name, manifest string) *host.Module {
	t.Helper()
	m, err := h.LoadBytes(t.Context(), name, guest(t, name, manifest))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func run(ctx context.Context, h *host.Host, task graph.Task, args ...any) (abi.Value, error) {
	vs, err := graph.RunAll(ctx, h, []*graph.Node{task(args...)})
	if err != nil {
		return abi.Value{}, err
	}
	return vs[0], nil
}

// jsonOf returns the JSON form of v.
func jsonOf(t testing.TB, v abi.Value) string {
	t.Helper()
	b, err := abi.AppendJSON(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wantError checks the code of err, and that its text has all of texts.
func wantError(t testing.TB, err error, code abi.Code, texts ...string) *abi.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want %v: %q", code, texts)
	}
	a, ok := errors.AsType[*abi.Error](err)
	if !ok {
		t.Fatalf("error without a code: %v", err)
	}
	got := a.Code
	if g, ok := errors.AsType[*graph.Error](err); ok {
		got = g.Code()
	}
	if got != code {
		t.Errorf("code %v (%v), want %v", got, err, code)
	}
	for _, s := range texts {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("error %q: want %q in it", clip(err.Error()), s)
		}
	}
	return a
}

func clip(s string) string {
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return s
}

// A logs is a handler's output, for several goroutines.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logs) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func TestQuickstart(t *testing.T) {
	h := open(t, config())
	m := load(t, h, "../tasks/math.wasm")
	add, num, one, subtract, five, two := m.Task("add"), m.Task("num"), m.Task("one"), m.Task("subtract"), m.Task("five"), m.Task("two")
	v, err := graph.Run[int64](t.Context(), h, add(add(num(6), one()), subtract(five(), two())))
	if v != 10 || err != nil {
		t.Errorf("got %v, %v; want 10", v, err)
	}
}

func TestOpenErrors(t *testing.T) {
	for name, c := range map[string]struct {
		config host.Config
		want   string
	}{
		"engine":   {config().WithEngine("v8"), `unknown engine "v8": want auto, wasmtime or wazero`},
		"idle":     {config().WithIdle(-1), "-1 idle instances"},
		"limit":    {config().WithLimits(graph.Limits{Stack: host.MaxStack + 1}), "stack limit"},
		"memory":   {config().WithMemory(host.MaxMemory + 1), "memory limit"},
		"negative": {config().WithMemory(-1), "memory limit"},
		"CPUs":     {config().WithCPUs(-1), "CPUs"},
		"grant":    {config().WithGrants(abi.Grant{Kind: abi.ReadFiles, Host: "no/such"}), "grant fs:ro=no/such"},
		"kind":     {config().WithGrants(abi.Grant{}), "no known kind"},
	} {
		h, err := host.Open(c.config)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if h != nil {
			h.Close()
		}
	}
}

// TestGuests rebuilds the modules in testdata that are written in text.
func TestGuests(t *testing.T) {
	tool, err := exec.LookPath("wat2wasm")
	if err != nil {
		if strings.Contains(os.Getenv("ENTANGLE_REQUIRE"), "wabt") {
			t.Fatal("wat2wasm is not there, and ENTANGLE_REQUIRE has wabt")
		}
		t.Skip("wat2wasm is not there; it is in the package wabt of most systems")
	}
	sources, err := filepath.Glob("testdata/*.wat")
	if err != nil || len(sources) == 0 {
		t.Fatal("no sources", err)
	}
	for _, source := range sources {
		built := filepath.Join(t.TempDir(), "built.wasm")
		if out, err := exec.Command(tool, "--debug-names", "--enable-tail-call", source, "-o", built).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
			continue
		}
		want, err := os.ReadFile(built)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(source), ".wat")
		if !bytes.Equal(guest(t, name, ""), want) {
			t.Errorf("testdata/%s.wasm is not what wat2wasm --debug-names --enable-tail-call makes of %s", name, source)
		}
	}
}

// TestCGuest rebuilds files.wasm. Another clang or wasi-libc makes other bytes, so
// it counts only where the right ones are promised.
func TestCGuest(t *testing.T) {
	dir := t.TempDir()
	object, built := filepath.Join(dir, "files.o"), filepath.Join(dir, "files.wasm")
	compile := exec.Command("clang-19", "--target=wasm32-wasi", "-O2", "-c", "-o", object, "testdata/files.c")
	link := exec.Command("clang-19", "--target=wasm32-wasi", "-Wl,--strip-debug", "-o", built, object)
	unless := t.Skipf
	if strings.Contains(os.Getenv("ENTANGLE_REQUIRE"), "clang") {
		unless = t.Fatalf
	}
	for _, c := range []*exec.Cmd{compile, link} {
		if out, err := c.CombinedOutput(); err != nil {
			unless("%v %s (the packages clang-19, lld-19, wasi-libc and libclang-rt-19-dev-wasm32 have it)", err, out)
		}
	}
	if b, err := os.ReadFile(built); err != nil || !bytes.Equal(b, guest(t, "files", "")) {
		unless("testdata/files.wasm is not what this clang makes of files.c (%v)", err)
	}
}

// within fails the test if fn takes longer than d; what fn waits for must end by
// itself, or the test binary's own timeout ends it.
func within(t testing.TB, d time.Duration, what string, fn func()) {
	t.Helper()
	start := time.Now()
	fn()
	if took := time.Since(start); took > d {
		t.Errorf("%s took %v, more than %v", what, took, d)
	}
}

func BenchmarkPlain(b *testing.B) { benchmark(b, "../tasks/math.wasm", "add", 1, 2) }

func BenchmarkTyped(b *testing.B) {
	benchmark(b, "../tasks/text.wasm", "upper", "one two two")
}

func BenchmarkCommand(b *testing.B) { benchmark(b, "../examples/plain/hello.wasm", "main", "a") }

func benchmark(b *testing.B, path, task string, args ...any) {
	h := open(b, config())
	t := load(b, h, path).Task(task)
	nodes := make([]*graph.Node, 1000)
	for i := range nodes {
		nodes[i] = t(args...)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := graph.RunAll(b.Context(), h, nodes); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/call")
}
