package c_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"entangle.example/entangle/abi"
)

// compiler names clang. Without it, it skips the test, or fails it where
// ENTANGLE_REQUIRE says that clang must be there.
func compiler(t testing.TB) string {
	t.Helper()
	const name = "clang-19"
	if _, err := exec.LookPath(name); err != nil {
		msg := name + " is missing: apt-get install clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32"
		if slices.Contains(strings.Split(os.Getenv("ENTANGLE_REQUIRE"), ","), "clang") {
			t.Fatal(msg)
		}
		t.Skip(msg)
	}
	return name
}

// clang compiles C sources to a module.
func clang(t testing.TB, args ...string) []byte {
	t.Helper()
	name := compiler(t)
	out := filepath.Join(t.TempDir(), "out.wasm")
	args = append([]string{"--target=wasm32-wasi", "-mexec-model=reactor", "-O2", "-Wall", "-Wextra", "-Werror", "-I.", "-o", out}, args...)
	if msg, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, msg)
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// A host runs calls the way that abi/README.md describes, with wazero alone, each
// in an instance of its own.
type host struct {
	r      wazero.Runtime
	mod    wazero.CompiledModule
	failed *string // the message of the last fail, nil if none
	logged []string
	stderr bytes.Buffer
}

func newHost(t testing.TB, wasm []byte) *host {
	t.Helper()
	ctx := t.Context()
	h := &host{r: wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCustomSections(true).WithMemoryLimitPages(4096))}
	t.Cleanup(func() { h.r.Close(context.WithoutCancel(ctx)) })
	wasi_snapshot_preview1.MustInstantiate(ctx, h.r)
	_, err := h.r.NewHostModuleBuilder(abi.ImportModule).
		NewFunctionBuilder().WithFunc(func(_ context.Context, m api.Module, ptr, n uint32) uint32 {
		b, ok := m.Memory().Read(ptr, n)
		if !ok {
			return uint32(abi.StatusPointer)
		}
		s := string(b)
		h.failed = &s
		return 0
	}).Export(abi.ImportFail).
		NewFunctionBuilder().WithFunc(func(_ context.Context, m api.Module, level int32, ptr, n uint32) uint32 {
		b, ok := m.Memory().Read(ptr, n)
		if !ok {
			return uint32(abi.StatusPointer)
		}
		h.logged = append(h.logged, fmt.Sprintf("%d %s", level, b))
		return 0
	}).Export(abi.ImportLog).Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if h.mod, err = h.r.CompileModule(ctx, wasm); err != nil {
		t.Fatal(err)
	}
	return h
}

// instance returns a fresh instance.
func (h *host) instance(t testing.TB) api.Module {
	t.Helper()
	h.failed, h.logged = nil, nil
	h.stderr.Reset()
	m, err := h.r.InstantiateModule(t.Context(), h.mod, wazero.NewModuleConfig().WithName("").
		WithStartFunctions("_initialize").WithStderr(&h.stderr))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// call calls a task with an encoded list of arguments. Its error is the guest's own
// message where it gave one.
func (h *host) call(t testing.TB, task string, args []byte) (result []byte, err error) {
	t.Helper()
	m := h.instance(t)
	defer m.Close(t.Context())
	got, err := m.ExportedFunction(abi.ExportAlloc).Call(t.Context(), uint64(len(args)))
	if err != nil {
		t.Fatal(err)
	}
	ptr := uint32(got[0])
	if ptr == 0 || ptr%8 != 0 || !m.Memory().Write(ptr, args) {
		t.Fatalf("entangle_alloc(%d) = %#x", len(args), ptr)
	}
	got, err = m.ExportedFunction(task).Call(t.Context(), uint64(ptr), uint64(len(args)))
	if h.failed != nil {
		return nil, fmt.Errorf("%s", *h.failed)
	}
	if err != nil {
		return nil, err
	}
	if uint32(got[0]) == 0 {
		return nil, nil
	}
	b, ok := m.Memory().Read(uint32(got[0]>>32), uint32(got[0]))
	if !ok {
		t.Fatalf("%s returned a range outside of memory: %#x", task, got[0])
	}
	return slices.Clone(b), nil
}

// run calls a task with arguments in JSON and returns its result in JSON, or
// "error: " and a message.
func (h *host) run(t testing.TB, task, args string) string {
	t.Helper()
	v, err := abi.ParseJSON([]byte(args))
	if err != nil {
		t.Fatal(err)
	}
	wire, err := abi.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	b, err := h.call(t, task, wire)
	if err != nil {
		return "error: " + err.Error()
	}
	if b == nil {
		return "nothing"
	}
	if v, err = abi.Decode(b, abi.Limits{}); err != nil {
		t.Fatalf("result of %s: %v\n%x", task, err, b)
	}
	if again, err := abi.Encode(v); err != nil || !bytes.Equal(again, b) {
		t.Errorf("result of %s is not in the deterministic encoding:\n%x\n%x", task, b, again)
	}
	out, err := abi.AppendJSON(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// built is the test module, compiled by the first test that needs it.
var built []byte

func module(t testing.TB) *host {
	t.Helper()
	if built == nil {
		built = clang(t, "testdata/vectors.c", "testdata/second.c")
	}
	return newHost(t, built)
}

type vector struct {
	Name       string          `json:"name"`
	JSON       json.RawMessage `json:"json"`
	CBOR       string          `json:"cbor"`
	DecodeOnly bool            `json:"decode_only"`
}

func vectors(t *testing.T, file string) []vector {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../abi/testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(b, &vs); err != nil {
		t.Fatal(err)
	}
	if len(vs) == 0 {
		t.Fatalf("%s is empty", file)
	}
	return vs
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	h := module(t)
	for _, vec := range vectors(t, "vectors.json") {
		t.Run(vec.Name, func(t *testing.T) {
			wire, want := unhex(t, vec.CBOR), unhex(t, vec.CBOR)
			if vec.DecodeOnly {
				v, err := abi.ParseJSON(vec.JSON)
				if err != nil {
					t.Fatal(err)
				}
				if want, err = abi.Encode(v); err != nil {
					t.Fatal(err)
				}
			}
			got, err := h.call(t, "same", append([]byte{0x81}, wire...))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("encoded %x, want %x", got, want)
			}
			inner, err := abi.AppendList(nil, []abi.Value{abi.Bytes(wire)})
			if err != nil {
				t.Fatal(err)
			}
			if got, err = h.call(t, "inner", inner); err != nil {
				t.Fatal(err)
			}
			v, err := abi.Decode(got, abi.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if b, _ := v.Bytes(); !bytes.Equal(b, want) {
				t.Errorf("encoded within bytes %x, want %x", b, want)
			}
		})
	}
}

func TestInvalidVectors(t *testing.T) {
	h := module(t)
	for _, vec := range vectors(t, "invalid.json") {
		t.Run(vec.Name, func(t *testing.T) {
			wire := unhex(t, vec.CBOR)
			got, err := h.call(t, "same", append([]byte{0x81}, wire...))
			if err == nil || !strings.HasPrefix(err.Error(), "the arguments do not decode: ") {
				t.Errorf("as an argument: result %x, error %v", got, err)
			}
			inner, err := abi.AppendList(nil, []abi.Value{abi.Bytes(wire)})
			if err != nil {
				t.Fatal(err)
			}
			got, err = h.call(t, "inner", inner)
			if err == nil || !strings.Contains(err.Error(), " at byte ") || h.failed == nil {
				t.Errorf("within bytes: result %x, error %v", got, err)
			}
		})
	}
}

// Every prefix of a value, and every byte of it changed, is refused or decoded as
// package abi does, and never brings the guest down.
func TestDamaged(t *testing.T) {
	h := module(t)
	v, err := abi.ParseJSON([]byte(`{"a": [1, -2.5, "ü水", null, true, {"$bytes": "AQID"}],
		"bb": {"x": {"$array": {"dtype": "int16", "shape": [2, 2], "data": [1, 2, 3, 4]}}, "": {}},
		"c": {"$array": {"dtype": "bool", "shape": [2], "data": [true, false]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	wire, err := abi.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	check := func(b []byte) {
		t.Helper()
		args := append([]byte{0x81}, b...)
		var want []byte
		if v, err := abi.Decode(args, abi.Limits{}); err == nil {
			if vs, ok := v.List(); ok && len(vs) == 1 {
				want, _ = abi.Encode(vs[0])
			}
		}
		got, err := h.call(t, "same", args)
		if want == nil {
			if err == nil || h.failed == nil {
				t.Errorf("%x: result %x, error %v; want to be refused", b, got, err)
			}
		} else if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%x: result %x, error %v; want %x", b, got, err, want)
		}
	}
	for i := range wire {
		check(wire[:i])
		for _, x := range []byte{0x00, 0x01, 0x1b, 0x20, 0x3b, 0x5b, 0x60, 0x7f, 0x80, 0x9b, 0xa0, 0xbb, 0xc0, 0xd8, 0xf5, 0xf9, 0xff, wire[i] + 1, wire[i] ^ 0x20} {
			b := slices.Clone(wire)
			b[i] = x
			check(b)
		}
	}
}

func TestArgumentsThatAreNoList(t *testing.T) {
	h := module(t)
	for _, c := range []struct{ task, args, want string }{
		{"same", "7", "error: want list, got int"},
		{"same", "[]", "error: wrong number of arguments: want same(x: any) -> any"},
		{"same", "[1, 2]", "error: wrong number of arguments: want same(x: any) -> any"},
		{"nothing", "[1]", "error: wrong number of arguments: want nothing()"},
		{"sum", "[]", "error: wrong number of arguments: want sum(xs: array[float64], rest: any...) -> float"},
	} {
		if got := h.run(t, c.task, c.args); got != c.want {
			t.Errorf("%s%s: %s, want %s", c.task, c.args, got, c.want)
		}
	}
}

func TestTasks(t *testing.T) {
	h := module(t)
	const one = `{"$array":{"dtype":"float64","shape":[1],"data":[2.5]}}`
	for _, c := range []struct{ task, args, want string }{
		{"nothing", "[]", "nothing"},
		{"second", "[]", `"here"`},
		{"sum", "[" + one + "]", "2.5"},
		{"sum", "[" + one + ", 1, 2]", "4.5"},
		{"sum", `[{"$array":{"dtype":"float64","shape":[3,0],"data":[]}}]`, "0.0"},
		{"sum", `[{"$array":{"dtype":"float64","shape":[],"data":[3]}}]`, "3.0"},
		{"sum", `[{"$array":{"dtype":"int8","shape":[],"data":[3]}}]`, "error: want an array of float64, got one of int8"},
		{"iota", "[2, 3]", `{"$array":{"dtype":"float64","shape":[2,3],"data":[0.0,1.0,2.0,3.0,4.0,5.0]}}`},
		{"iota", "[0, 3]", `{"$array":{"dtype":"float64","shape":[0,3],"data":[]}}`},
		{"squares", "[0]", "{}"},
		{"squares", "[2]", `{"a longer key: 0":[0,{"odd":false,"square":0}],"a longer key: 1":[1,{"odd":true,"square":1}]}`},
		{"lookup", `[{"b": 2, "a": 1, "": 0, "ccc": 3}, ["a", "b", "ccc", "", "d"]]`, "[1,2,3,0,null]"},
		{"lookup", `[{}, ["a"]]`, "[null]"},
		{"wrong", `["float", 3]`, "3.0"},
		{"wrong", `["float", 9223372036854775807]`, "error: want float, got int"},
		{"wrong", `["float", "x"]`, "error: want float, got string"},
		{"wrong", `["int", 1.0]`, "error: want int, got float"},
		{"wrong", `["array", []]`, "error: want array, got list"},
		{"wrong", `["at", [1, 2, 3]]`, "error: an item beyond the end of a list"},
		{"wrong", `["key", {"color": 1}]`, `error: map without the key "colour"`},
		{"wrong", `["fail", 0]`, "error: no luck: 7"},
		{"wrong", `["fail long", 0]`, "error: " + strings.Repeat("0", 4999) + "7"},
		{"wrong", `["two results", 0]`, "error: a second result: put several into a list"},
		{"wrong", `["no key", 0]`, "error: a value in a map without a key"},
		{"wrong", `["no value", 0]`, "error: a key without a value"},
		{"wrong", `["key twice", 0]`, "error: a map with a key twice"},
		{"wrong", `["no end", 0]`, "error: a list or a map in the result is not ended"},
		{"wrong", `["no begin", 0]`, "error: an end without a begin"},
		{"wrong", `["wrong size", 0]`, "error: announced a size of 2, put 1"},
		{"wrong", `["not UTF-8", 0]`, "error: a string that is not valid UTF-8: put it as bytes"},
		{"wrong", `["deep", 0]`, "error: a result nested deeper than 64 levels"},
		{"wrong", `["huge array", 0]`, "error: an array too large for memory"},
		{"wrong", `["no memory", 0]`, "error: out of memory for the result"},
	} {
		if got := h.run(t, c.task, c.args); got != c.want {
			t.Errorf("%s%s: %s, want %s", c.task, c.args, got, c.want)
		}
	}
}

// A map of many keys out of order, in lists of unknown size, comes out sorted.
func TestLargeMap(t *testing.T) {
	h := module(t)
	got := h.run(t, "squares", "[70000]") // run checks that the encoding is deterministic
	v, err := abi.ParseJSON([]byte(got))
	if err != nil || v.Len() != 70000 {
		t.Fatalf("%d entries, error %v", v.Len(), err)
	}
	last, _ := v.Get("a longer key: 69999")
	if s := last.String(); s != `[69999,{"odd":true,"square":4899860001}]` {
		t.Error(s)
	}
}

// Elements are aligned wherever the bytes before them put them.
func TestAlignment(t *testing.T) {
	h := module(t)
	for _, n := range []int{0, 1, 2, 7, 40, 9000} {
		data := make([]byte, 8*n)
		for i := range n {
			copy(data[8*i+6:], []byte{0xf0, 0x3f}) // 1.0
		}
		for _, shape := range [][]int{{n}, {1, n}} {
			a, err := abi.ArrayValue(abi.Array{DType: abi.Float64, Shape: shape, Data: data})
			if err != nil {
				t.Fatal(err)
			}
			list, err := abi.AppendList(nil, []abi.Value{a, abi.Null()})
			if err != nil {
				t.Fatal(err)
			}
			for pad := range 9 {
				// A longer head for the same list shifts what follows.
				head := []byte{0x98, 2}
				switch {
				case pad < 2:
					head = []byte{0x82}
				case pad == 2:
				case pad < 6:
					head = []byte{0x9a, 0, 0, 0, 2}
				default:
					head = []byte{0x9b, 0, 0, 0, 0, 0, 0, 0, 2}
				}
				b, err := h.call(t, "sum", append(head, list[1:]...))
				if err != nil {
					t.Fatal(err)
				}
				v, err := abi.Decode(b, abi.Limits{})
				if f, ok := v.Float(); err != nil || !ok || f != float64(n)+1 {
					t.Errorf("%v ones: %v, error %v", shape, v, err)
				}
			}
		}
	}
}

func TestLogAssertAbort(t *testing.T) {
	h := module(t)
	if got := h.run(t, "wrong", `["log", [1]]`); got != "nothing" || !slices.Equal(h.logged, []string{"2 x is list"}) {
		t.Errorf("%s, logged %q", got, h.logged)
	}
	got := h.run(t, "wrong", `["assert", 1]`)
	if !strings.Contains(got, "unreachable") || h.failed != nil {
		t.Errorf("assert: %s, failed %v", got, h.failed)
	}
	if s := h.stderr.String(); !strings.HasPrefix(s, `Assertion failed: x->kind == ENTANGLE_MAP && "x must be a map"`) {
		t.Errorf("assert wrote %q", s)
	}
	if got := h.run(t, "wrong", `["abort", 1]`); !strings.Contains(got, "unreachable") {
		t.Errorf("abort: %s", got)
	}
}

func TestAlloc(t *testing.T) {
	h := module(t)
	m := h.instance(t)
	for _, c := range []struct {
		size uint32
		ok   bool
	}{{0, true}, {1, true}, {100000, true}, {1 << 29, false}, {1 << 31, false}, {1<<32 - 1, false}, {1 << 20, true}} {
		got, err := m.ExportedFunction(abi.ExportAlloc).Call(t.Context(), uint64(c.size))
		if err != nil {
			t.Fatal(err)
		}
		ptr := uint32(got[0])
		if (ptr != 0) != c.ok || ptr%8 != 0 || uint64(ptr)+uint64(c.size) > uint64(m.Memory().Size()) && c.ok {
			t.Errorf("entangle_alloc(%d) = %#x, memory of %d bytes", c.size, ptr, m.Memory().Size())
		}
	}
}

func TestManifest(t *testing.T) {
	for name, flags := range map[string][]string{
		"as is":       nil,
		"gc-sections": {"-Wl,--gc-sections"},
		"strip-debug": {"-Wl,--strip-debug"},
		"lto":         {"-flto"},
		"no -O":       {"-O0"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, clang(t, append(flags, "testdata/vectors.c", "testdata/second.c")...))
			var text []byte
			for _, s := range h.mod.CustomSections() {
				if s.Name() == abi.ManifestSection {
					text = append(text, s.Data()...)
				}
			}
			m, err := abi.ParseManifest(text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if m.Doc != `Tests the "C SDK" \ and its docs.` || !slices.Equal(m.Grants, []string{"fs:ro=/data"}) {
				t.Errorf("doc %q, grants %q", m.Doc, m.Grants)
			}
			var names []string
			for _, task := range m.Tasks {
				names = append(names, task.Name)
				if h.mod.ExportedFunctions()[task.Name] == nil {
					t.Errorf("%s is not exported", task.Name)
				}
				if task.Doc == "" || task.Plain != (task.Name == "add") {
					t.Errorf("%+v", task)
				}
			}
			want := "add same inner nothing sum iota squares lookup wrong second"
			if got := strings.Join(names, " "); got != want {
				t.Errorf("tasks %s, want %s", got, want)
			}
		})
	}
}

// A newline would smuggle a declaration in; the compiler refuses it.
func TestNewlineInDoc(t *testing.T) {
	name := compiler(t)
	file := filepath.Join(t.TempDir(), "bad.c")
	src := "#include \"entangle.h\"\nENTANGLE_TASK(f, \"()\", \"A line\\nand another.\") {}\n"
	if err := os.WriteFile(file, []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	msg, err := exec.Command(name, "--target=wasm32-wasi", "-I.", "-c", "-o", os.DevNull, file).CombinedOutput()
	if err == nil || !strings.Contains(string(msg), "a newline in the manifest's text") {
		t.Errorf("error %v\n%s", err, msg)
	}
}

// The header is C++ too. (The C++ library is not needed for that.)
func TestCPlusPlus(t *testing.T) {
	h := newHost(t, clang(t, "-xc++", "-std=c++17", "-fno-exceptions", "testdata/vectors.c", "testdata/second.c"))
	if got := h.run(t, "lookup", `[{"b": {"$array":{"dtype":"uint8","shape":[1],"data":[1]}}}, ["b"]]`); got != `[{"$array":{"dtype":"uint8","shape":[1],"data":[1]}}]` {
		t.Error(got)
	}
	if got := h.run(t, "wrong", `["fail", 0]`); got != "error: no luck: 7" {
		t.Error(got)
	}
}

// The example of README.md compiles as it stands there, and does what it says.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, ok := strings.Cut(string(readme), "```c\n")
	example, _, ok2 := strings.Cut(example, "```")
	if !ok || !ok2 {
		t.Fatal("no example")
	}
	file := filepath.Join(t.TempDir(), "greet.c")
	if err := os.WriteFile(file, []byte(example), 0o644); err != nil {
		t.Fatal(err)
	}
	h := newHost(t, clang(t, file))
	for _, c := range []struct{ task, args, want string }{
		{"greet", `["World"]`, `"Hello, World!"`},
		{"greet", `[""]`, "error: nobody is there"},
		{"mean", `[{"$array":{"dtype":"float64","shape":[2],"data":[1,2]}}]`, "1.5"},
	} {
		if got := h.run(t, c.task, c.args); got != c.want {
			t.Errorf("%s%s: %s, want %s", c.task, c.args, got, c.want)
		}
	}
}
