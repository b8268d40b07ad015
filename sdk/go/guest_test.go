package entangle

// This test builds a guest with the Go toolchain and plays the host with wazero
// alone, as abi/README.md says, so that it depends on nothing of ours but abi.

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"entangle.example/entangle/abi"
)

// buildGuest returns the module that the package in dir, part of the Go module
// that dir is in, builds to.
func buildGuest(t testing.TB, dir string) []byte {
	t.Helper()
	if testing.Short() {
		t.Skip("building a guest takes seconds: run without -short")
	}
	out := filepath.Join(t.TempDir(), "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, msg)
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// compiled spares the tests that share a guest its compilation.
var compiled = wazero.NewCompilationCache()

// A tinyHost is the host's side of the contract around one instance.
type tinyHost struct {
	mod      api.Module
	manifest *abi.Manifest
	failure  *string
	log      []string
}

func newTinyHost(t testing.TB, wasm []byte) *tinyHost {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCompilationCache(compiled))
	t.Cleanup(func() { r.Close(ctx) })
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	h := &tinyHost{}
	text := func(m api.Module, ptr, size uint32) string {
		b, ok := m.Memory().Read(ptr, size)
		if !ok {
			t.Errorf("range %d+%d is not within the memory", ptr, size)
		}
		return string(b)
	}
	_, err := r.NewHostModuleBuilder(abi.ImportModule).
		NewFunctionBuilder().WithFunc(func(_ context.Context, m api.Module, level int32, ptr, size uint32) uint32 {
		h.log = append(h.log, fmt.Sprintf("%d %s", level, text(m, ptr, size)))
		return uint32(abi.StatusOK)
	}).Export(abi.ImportLog).
		NewFunctionBuilder().WithFunc(func(_ context.Context, m api.Module, ptr, size uint32) uint32 {
		s := text(m, ptr, size)
		h.failure = &s
		return uint32(abi.StatusOK)
	}).Export(abi.ImportFail).
		Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	config := wazero.NewModuleConfig().WithStartFunctions(abi.ExportInit)
	if h.mod, err = r.InstantiateWithConfig(ctx, wasm, config); err != nil {
		t.Fatal(err)
	}
	res, err := h.mod.ExportedFunction(abi.ExportManifest).Call(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if h.manifest, err = abi.ParseManifest(h.read(t, res[0])); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *tinyHost) read(t testing.TB, packed uint64) []byte {
	t.Helper()
	b, ok := h.mod.Memory().Read(uint32(packed>>32), uint32(packed))
	if !ok {
		t.Fatalf("result %#x is not within the memory", packed)
	}
	return b
}

func (h *tinyHost) index(t testing.TB, name string) uint64 {
	t.Helper()
	for _, d := range h.manifest.Tasks {
		if d.Name == name {
			return uint64(d.Index)
		}
	}
	t.Fatalf("no task %q", name)
	return 0
}

// callRaw calls a task with arguments as they travel; a failure is an error.
func (h *tinyHost) callRaw(t testing.TB, name string, args []byte) (abi.Value, error) {
	t.Helper()
	ctx := context.Background()
	h.failure, h.log = nil, nil
	res, err := h.mod.ExportedFunction(abi.ExportAlloc).Call(ctx, uint64(len(args)))
	if err != nil {
		t.Fatal(err)
	}
	ptr := uint32(res[0])
	if ptr == 0 || ptr%8 != 0 {
		t.Fatalf("entangle_alloc(%d) = %d", len(args), ptr)
	}
	if !h.mod.Memory().Write(ptr, args) {
		t.Fatalf("entangle_alloc(%d) = %d: not within the memory", len(args), ptr)
	}
	res, err = h.mod.ExportedFunction(abi.ExportCall).Call(ctx, h.index(t, name), uint64(ptr), uint64(len(args)))
	if err != nil {
		return abi.Value{}, fmt.Errorf("trapped: %w", err)
	}
	if h.failure != nil {
		return abi.Value{}, fmt.Errorf("failed: %s", *h.failure)
	}
	b := h.read(t, res[0])
	if len(b) == 0 {
		return abi.Null(), nil
	}
	return abi.Decode(b, abi.Limits{})
}

func (h *tinyHost) call(t testing.TB, name string, args ...any) (abi.Value, error) {
	t.Helper()
	vs := make([]abi.Value, len(args))
	for i, a := range args {
		var err error
		if vs[i], err = From(a); err != nil {
			t.Fatal(err)
		}
	}
	b, err := abi.AppendList(nil, vs)
	if err != nil {
		t.Fatal(err)
	}
	return h.callRaw(t, name, b)
}

func TestGuest(t *testing.T) {
	wasm := buildGuest(t, "./testdata/guest")
	if max := 4 << 20; len(wasm) > max {
		t.Errorf("the guest has %d bytes, want at most %d: what does it link?", len(wasm), max)
	}
	h := newTinyHost(t, wasm)
	if h.manifest.Doc != "A guest for tests." || len(h.manifest.Tasks) != 10 {
		t.Errorf("manifest: %+v", h.manifest)
	}

	t.Run("values", func(t *testing.T) {
		for _, v := range readVectors(t, "vectors.json") {
			got, err := h.callRaw(t, "identity", append([]byte{0x81}, v.cbor(t)...))
			if err != nil {
				t.Errorf("%s: %v", v.Name, err)
				continue
			}
			if wire, _ := abi.Encode(got); !v.DecodeOnly && !bytes.Equal(wire, v.cbor(t)) {
				t.Errorf("%s: got %x, want %s", v.Name, wire, v.CBOR)
			}
		}
		for _, v := range readVectors(t, "invalid.json") {
			if got, err := h.callRaw(t, "identity", append([]byte{0x81}, v.cbor(t)...)); err == nil {
				t.Errorf("%s: got %v, want an error", v.Name, got)
			}
		}
	})
	t.Run("results", func(t *testing.T) {
		long := strings.Repeat("é", 100_000)
		for _, c := range []struct {
			task string
			args []any
			want any
		}{
			{"greet", []any{"World"}, "Hello, World"},
			{"greet", []any{long}, "Hello, " + long},
			{"scale", []any{Array[float64]{[]int{2, 2}, []float64{1, 2, 3, math.Inf(1)}}, 2},
				Array[float64]{[]int{2, 2}, []float64{2, 4, 6, math.Inf(1)}}},
			{"scale", []any{NewArray[float64](0), 0.5}, NewArray[float64](0)},
			{"move", []any{map[string]any{"x": 1, "y": 2.5}, 1}, map[string]any{"x": 2.0, "y": 2.5, "label": nil}},
			{"collect", []any{10_000}, 1024},
			{"sleep", nil, 42},
			{"warn", nil, nil},
		} {
			got, err := h.call(t, c.task, c.args...)
			want, _ := From(c.want)
			if err != nil || !abi.Equal(got, want) {
				t.Errorf("%s: got %v, %v; want %v", c.task, got, err, want)
			}
		}
	})
	t.Run("large array", func(t *testing.T) {
		a := NewArray[float64](1000, 1000)
		for i := range a.Data {
			a.Data[i] = float64(i)
		}
		got, err := h.call(t, "scale", a, 2.0)
		raw, _ := got.Array()
		if err != nil || raw.Len() != 1_000_000 {
			t.Fatalf("got %v, %v", got, err)
		}
		for i := range raw.Len() {
			if x := math.Float64frombits(binary.LittleEndian.Uint64(raw.Data[i*8:])); x != float64(2*i) {
				t.Fatalf("element %d is %v", i, x)
			}
		}
	})
	t.Run("errors", func(t *testing.T) {
		for _, c := range []struct {
			task string
			args []any
			want string
		}{
			{"greet", []any{""}, "failed: nobody to greet"},
			{"greet", []any{1}, "failed: greet: argument 1, name: int 1 does not fit a Go string"},
			{"greet", nil, "failed: greet takes 1 argument, got 0"},
			{"crash", []any{[]int{1, 2, 3}, 5}, "failed: panic: runtime error: index out of range [5] with length 3"},
		} {
			if got, err := h.call(t, c.task, c.args...); err == nil || err.Error() != c.want {
				t.Errorf("%s%v: got %v, %v; want %s", c.task, c.args, got, err, c.want)
			}
		}
	})
	t.Run("log", func(t *testing.T) {
		h.call(t, "warn")
		if got := strings.Join(h.log, "\n"); got != "2 careful n=3" {
			t.Errorf("log: %q", got)
		}
		h.call(t, "crash", []int{1}, 1)
		got := strings.Join(h.log, "\n")
		if !strings.HasPrefix(got, "3 panic: runtime error: index out of range [1] with length 1\nmain.init.0.func") ||
			!strings.Contains(got, "testdata/guest/main.go:") || strings.Contains(got, "sdk/go/module.go") {
			t.Errorf("stack of a panic:\n%s", got)
		}
	})
	t.Run("results of many sizes", func(t *testing.T) {
		for i := range 100 {
			in := bytes.Repeat([]byte{byte(i)}, 1+i*1999)
			got, err := h.call(t, "identity", in)
			if out, _ := got.Bytes(); err != nil || !bytes.Equal(in, out) {
				t.Fatalf("call %d: %v", i, err)
			}
		}
	})
	t.Run("exit", func(t *testing.T) {
		h := newTinyHost(t, wasm)
		if _, err := h.call(t, "leave"); err == nil || !strings.HasPrefix(err.Error(), "trapped: ") {
			t.Errorf("os.Exit: %v", err)
		}
	})
}

// TestREADME follows the README: it builds the module there as it says, outside
// of this Go module.
func TestREADME(t *testing.T) {
	if testing.Short() {
		t.Skip("building a guest takes seconds: run without -short")
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, source, ok := strings.Cut(string(readme), "cat > main.go <<'EOF'\n")
	source, _, ok2 := strings.Cut(source, "EOF\n")
	if !ok || !ok2 {
		t.Fatal("README.md has no main.go")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"mod", "init", "greet"},
		{"mod", "edit", "-require=entangle.example/entangle@v0.0.0", "-replace=entangle.example/entangle=" + root},
	} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		if msg, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, msg)
		}
	}
	h := newTinyHost(t, buildGuest(t, dir))
	d := h.manifest.Tasks[0]
	if shown := "\n  " + d.Name + d.Sig.String() + "  typed  " + d.Doc + "\n"; !strings.Contains(string(readme), shown) {
		t.Errorf("README.md does not show %q", shown)
	}
	got, err := h.call(t, "greet", "World")
	if s, _ := got.Str(); err != nil || s != "Hello, World" {
		t.Errorf("got %v, %v", got, err)
	}
}
