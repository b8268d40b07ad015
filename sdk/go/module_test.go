package entangle

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"entangle.example/entangle/abi"
)

type vector struct {
	Name       string `json:"name"`
	CBOR       string `json:"cbor"`
	DecodeOnly bool   `json:"decode_only"`
}

func (v vector) cbor(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.CBOR)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readVectors(t testing.TB, file string) []vector {
	t.Helper()
	b, err := os.ReadFile("../../abi/testdata/" + file)
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

// moduleOf returns a module with one task.
func moduleOf(t testing.TB, fn any, opts ...Option) *module {
	t.Helper()
	m := &module{}
	if err := m.register("task", fn, opts); err != nil {
		t.Fatal(err)
	}
	return m
}

// callOne calls the only task of m with Go values and returns its result.
func callOne(t testing.TB, m *module, args ...any) (Value, error) {
	t.Helper()
	vs := make([]Value, len(args))
	for i, a := range args {
		var err error
		if vs[i], err = From(a); err != nil {
			t.Fatal(err)
		}
	}
	in, err := abi.AppendList(nil, vs)
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.call(0, in)
	if err != nil || len(out) == 0 {
		return Null(), err
	}
	return abi.Decode(out, abi.Limits{})
}

func TestVectors(t *testing.T) {
	m := moduleOf(t, func(v Value) Value { return v })
	for _, v := range readVectors(t, "vectors.json") {
		t.Run(v.Name, func(t *testing.T) {
			wire := v.cbor(t)
			got, err := m.call(0, append([]byte{0x81}, wire...))
			if err != nil {
				t.Fatal(err)
			}
			if !v.DecodeOnly && !bytes.Equal(got, wire) {
				t.Errorf("got %x, want %x", got, wire)
			}
			value, _ := abi.Decode(wire, abi.Limits{})
			if n := encodedLen(value); n < len(got) || n > len(got)+20 && n > 3*len(got) {
				t.Errorf("encodedLen is %d for %d bytes", n, len(got))
			}
			// Through Go's own types nothing is lost either.
			back, err := From(value.Any())
			if err != nil || !abi.Equal(back, value) {
				t.Errorf("From(Any()) is %v, %v; want %v", back, err, value)
			}
		})
	}
}

func TestEncoded(t *testing.T) {
	m := moduleOf(t, func(a Encoded, v Value, b Encoded) Encoded {
		wire, _ := abi.Encode(v)
		return slices.Concat(Encoded{0x83}, a, wire, b)
	}, Params("a: list", "v", "b"))
	if got := string(m.manifest()); got != "task task(a: list, v: any, b: any) -> any\n" {
		t.Errorf("manifest: %s", got)
	}
	for _, v := range readVectors(t, "vectors.json") {
		wire := v.cbor(t)
		if n := itemLen(append(slices.Clone(wire), 0)); n != len(wire) {
			t.Errorf("%s: itemLen is %d of %d", v.Name, n, len(wire))
		}
		in := slices.Concat([]byte{0x83}, wire, []byte{0x01}, wire)
		if got, err := m.call(0, in); err != nil || !bytes.Equal(got, in) {
			t.Errorf("%s: got %x, %v; want %x", v.Name, got, err, in)
		}
	}
	for _, wire := range []string{"", "83", "830101", "8401010101", "80", "8000", "01", "839f0101", "83c1", "8361", "83bb8000000000000000", "83a10101"} {
		b, _ := hex.DecodeString(wire)
		if got, err := m.call(0, b); err == nil {
			t.Errorf("arguments %q: got %x, want an error", wire, got)
		}
	}
	rest := moduleOf(t, func(xs ...Encoded) []Encoded { return xs })
	got, err := callOne(t, rest, 1, []string{"a"})
	if want, _ := From([]any{1, []string{"a"}}); err != nil || !abi.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestInvalid(t *testing.T) {
	m := moduleOf(t, func(v Value) Value { return v })
	for _, v := range readVectors(t, "invalid.json") {
		if got, err := m.call(0, append([]byte{0x81}, v.cbor(t)...)); err == nil {
			t.Errorf("%s: got %x, want an error", v.Name, got)
		}
	}
	for _, wire := range []string{"", "f6", "00", "a0", "8181", "8001"} {
		b, _ := hex.DecodeString(wire)
		if got, err := m.call(0, b); err == nil {
			t.Errorf("arguments %q: got %x, want an error", wire, got)
		}
	}
	if _, err := m.call(1, []byte{0x80}); err == nil {
		t.Error("task number 1 of 1: no error")
	}
}

type label string

type tile struct {
	X, Y   int
	Pixels Array[uint8]
	Note   *string
	Kind   label `entangle:"type"`
	Hidden int   `entangle:"-"`
	secret int
}

type matrix struct{ Array[float32] }

func TestManifest(t *testing.T) {
	m := &module{doc: oneLine("Tasks\n of all shapes."), grants: []string{"fs:ro=/data"}}
	for _, c := range []struct {
		name string
		fn   any
		opts []Option
	}{
		{"nothing", func() {}, nil},
		{"fails", func() error { return nil }, nil},
		{"one", func() int { return 1 }, nil},
		{"numbers", func(int8, uint16, float32) float64 { return 0 }, nil},
		{"texts", func(string, []byte, label) (string, error) { return "", nil }, nil},
		{"lists", func([]string, [3]bool, []any) [][]int { return nil }, nil},
		{"maps", func(map[string]int, map[label]Value) map[string][]byte { return nil }, nil},
		{"maybe", func(*int, *Array[int64]) *string { return nil }, nil},
		{"arrays", func(Array[uint8], RawArray, matrix) Array[bool] { return Array[bool]{} }, nil},
		{"records", func([]tile) (tile, error) { return tile{}, nil }, nil},
		{"variadic", func(int, ...string) any { return nil }, nil},
		{"named", func(Value, int) Value { return Null() }, []Option{
			Params("counts: map[int]", " n: int32 "), Returns("list"), Doc(" The most\nfrequent. # 1 "),
			Timeout(1500 * time.Millisecond), Memory(64 << 20)}},
		{"sized", func() {}, []Option{Memory(1000)}},
	} {
		if err := m.register(c.name, c.fn, c.opts); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
	}
	const want = `module # Tasks of all shapes.
grant fs:ro=/data
task nothing()
task fails()
task one() -> int
task numbers(a: int, b: int, c: float) -> float
task texts(a: string, b: bytes, c: string) -> string
task lists(a: list[string], b: list[bool], c: list) -> list[list[int]]
task maps(a: map[int], b: map) -> map[bytes]
task maybe(a: int?, b: array[int64]?) -> string?
task arrays(a: array[uint8], b: array, c: array[float32]) -> array[bool]
task records(a: list[map]) -> map
task variadic(a: int, b: string...) -> any
task named(counts: map[int], n: int32) -> list timeout=1.5s memory=64MiB # The most frequent. # 1
task sized() memory=1000
`
	got := string(m.manifest())
	if got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	parsed, err := abi.ParseManifest([]byte(got))
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range parsed.Tasks {
		mine := m.tasks[i].decl
		if d.Index != i || d.Sig.String() != mine.Sig.String() || d.Doc != mine.Doc || d.Timeout != mine.Timeout || d.Memory != mine.Memory {
			t.Errorf("parsed %+v, want %+v", d, mine)
		}
	}
}

func TestRegistrationErrors(t *testing.T) {
	type loop struct{ Next *loop }
	type twice struct {
		A int
		B int `entangle:"a"`
	}
	deep := reflect.TypeFor[int]()
	for range 17 {
		deep = reflect.SliceOf(deep)
	}
	for _, c := range []struct {
		name string
		fn   any
		opts []Option
		want string
	}{
		{"", func() {}, nil, "is no name"},
		{"a-b", func() {}, nil, "is no name"},
		{"there", func() {}, nil, "registered twice"},
		{"x", nil, nil, "want a function"},
		{"x", 5, nil, "want a function, got int"},
		{"x", (func())(nil), nil, "want a function"},
		{"x", func(chan int) {}, nil, "parameter a: type chan int is none"},
		{"x", func(int, ...func()) {}, nil, "parameter b: type func() is none"},
		{"x", func(map[int]string) {}, nil, "keys of a map are strings"},
		{"x", func(time.Time) {}, nil, "struct without fields"},
		{"x", func(loop) {}, nil, "nests deeper"},
		{"x", func(twice) {}, nil, "the same key"},
		{"x", func(struct{ C complex128 }) {}, nil, "field C"},
		{"x", func() (int, int) { return 0, 0 }, nil, "results of a task"},
		{"x", func() (error, int) { return nil, 0 }, nil, "results of a task"}, //lint:ignore ST1008 it is the mistake
		{"x", func() error { return nil }, []Option{Returns("int")}, "returns nothing"},
		{"x", func() int { return 0 }, []Option{Returns("string")}, "the function has int there, not string"},
		{"x", func() int { return 0 }, []Option{Returns("number")}, "unknown type"},
		{"x", func(int) {}, []Option{Params()}, "0 names"},
		{"x", func(int, int) {}, []Option{Params("a", "a")}, "two parameters"},
		{"x", func(int) {}, []Option{Params("a b")}, "is no name"},
		{"x", func([]int) {}, []Option{Params("a: list[string]")}, "parameter a: the function has list[int] there"},
		{"x", func() {}, []Option{Timeout(0)}, "not positive"},
		{"x", func() {}, []Option{Memory(-1)}, "not positive"},
	} {
		m := &module{}
		if err := m.register("there", func() {}, nil); err != nil {
			t.Fatal(err)
		}
		err := m.register(c.name, c.fn, c.opts)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("register(%q, %T): %v, want %q", c.name, c.fn, err, c.want)
		}
		if len(m.tasks) != 1 {
			t.Errorf("register(%q, %T) left a task behind", c.name, c.fn)
		}
	}
	deepFn := reflect.MakeFunc(reflect.FuncOf([]reflect.Type{deep}, nil, false), nil).Interface()
	if err := new(module).register("x", deepFn, nil); err == nil || !strings.Contains(err.Error(), "16 levels") {
		t.Errorf("a type of 17 levels: %v", err)
	}

	defer func() {
		if r := recover(); r != `entangle: task "bad": parameter a: type chan int is none that a task can take or return` {
			t.Errorf("Task panics with %v", r)
		}
	}()
	Task("bad", func(chan int) {})
}

func TestCalls(t *testing.T) {
	note := "n"
	for _, c := range []struct {
		fn   any
		args []any
		want any
	}{
		{func() {}, nil, nil},
		{func() error { return nil }, nil, nil},
		{func(a, b int) int { return a + b }, []any{1, 2}, 3},
		{func(f float64) (float64, error) { return f / 2, nil }, []any{3}, 1.5},
		{func(f float32) float32 { return f }, []any{0.5}, 0.5},
		{func(xs ...int) int { return len(xs) }, nil, 0},
		{func(p string, xs ...int) any { return []any{p, xs} }, []any{"p", 1, 2}, []any{"p", []int{1, 2}}},
		{func(xs []string) []string { slices.Sort(xs); return xs }, []any{[]string{"b", "a"}}, []string{"a", "b"}},
		{func(m map[string]int) map[string]int { m["x"]++; return m }, []any{map[string]int{"x": 1}}, map[string]int{"x": 2}},
		{func(m map[label]label) int { return len(m["a"]) }, []any{map[string]string{"a": "bcd"}}, 3},
		{func(b []byte) []byte { return bytes.ToUpper(b) }, []any{[]byte("abc")}, []byte("ABC")},
		{func(p *int) bool { return p == nil }, []any{nil}, true},
		{func(p *int) int { return *p }, []any{7}, 7},
		{func() *int { return nil }, nil, nil},
		{func() []int { return nil }, nil, []int{}},
		{func() map[string]int { return nil }, nil, map[string]int{}},
		{func(x any) any { return x }, []any{map[string]any{"a": []any{1, 2.5, "s", nil, true}}}, map[string]any{"a": []any{1, 2.5, "s", nil, true}}},
		{func(x any) bool { _, ok := x.(int64); return ok }, []any{1}, true},
		{func(x any) bool { return x == nil }, []any{nil}, true},
		{func(v Value) string { return v.Kind().String() }, []any{[]byte{}}, "bytes"},
		{func(a [2]int) int { return a[1] }, []any{[]int{4, 5}}, 5},
		{func(a Array[float64]) float64 { return a.At(1, 0) }, []any{Array[float64]{[]int{2, 1}, []float64{1, 2}}}, 2.0},
		{func(a Array[bool]) int { return len(a.Data) }, []any{ArrayOf(true, false)}, 2},
		{func(a Array[int32]) Array[int32] { a.Set(9, 1); return a }, []any{ArrayOf[int32](1, 2)}, ArrayOf[int32](1, 9)},
		{func(x float32) Array[float32] { return Array[float32]{[]int{}, []float32{x}} }, []any{1}, Array[float32]{[]int{}, []float32{1}}},
		{func() Array[uint16] { return Array[uint16]{Data: []uint16{1, 2}} }, nil, ArrayOf[uint16](1, 2)},
		{func(as []Array[uint8]) int { return len(as[1].Data) }, []any{[]Array[uint8]{ArrayOf[uint8](1), ArrayOf[uint8](1, 2)}}, 2},
		{func(m matrix) int { return len(m.Data) }, []any{NewArray[float32](2, 3)}, 6},
		{func(a RawArray) string { return a.String() }, []any{NewArray[int64](2, 3)}, "array[int64](2, 3)"},
		{func(ts []tile) tile { return ts[0] },
			[]any{[]any{map[string]any{"x": 1, "y": 2, "pixels": ArrayOf[uint8](7), "type": "k", "more": 1}}},
			map[string]any{"x": 1, "y": 2, "pixels": ArrayOf[uint8](7), "type": "k", "note": nil}},
		{func(t tile) string { return *t.Note }, []any{tile{Note: &note, secret: 1}}, "n"},
		{func() Value { return Int(5) }, nil, 5},
		{func() time.Duration { return 3 }, nil, 3},
	} {
		got, err := callOne(t, moduleOf(t, c.fn), c.args...)
		want, werr := From(c.want)
		if werr != nil {
			t.Fatal(werr)
		}
		if err != nil || !abi.Equal(got, want) {
			t.Errorf("%T%v: got %v, %v; want %v", c.fn, c.args, got, err, want)
		}
	}
}

func TestErrors(t *testing.T) {
	type self []any
	loop := self{nil}
	loop[0] = loop
	for _, c := range []struct {
		fn   any
		args []any
		want string
	}{
		{func() error { return errors.New("no") }, nil, "no"},
		{func() (int, error) { return 1, errors.New("no") }, nil, "no"},
		{func() { panic("oh") }, nil, "panic: oh"},
		{func() { panic(errors.New("oh")) }, nil, "panic: oh"},
		{func(m *map[string]int) { *m = nil; (*m)["a"] = 1 }, []any{map[string]int{}}, "panic: assignment to entry in nil map"},
		{func(a Array[int8]) int8 { return a.At(2) }, []any{ArrayOf[int8](1)}, "panic: index [2] is out of an array of shape [1]"},
		{func(a, b int) {}, []any{1}, "task takes 2 arguments, got 1"},
		{func(a int, b ...int) {}, nil, "task takes at least 1 argument, got 0"},
		{func() {}, []any{1}, "task takes 0 arguments, got 1"},
		{func(int8) {}, []any{300}, "task: argument 1, a: int 300 does not fit a Go int8"},
		{func(uint) {}, []any{-1}, "task: argument 1, a: int -1 does not fit a Go uint"},
		{func(int) {}, []any{1.0}, "task: argument 1, a: float 1.0 does not fit a Go int"},
		{func(int, ...[]int) {}, []any{1, []int{}, []any{1, "x"}}, `task: argument 3, b: element 1: string "x" does not fit a Go int`},
		{func(map[string]bool) {}, []any{map[string]any{"k": nil}}, `task: argument 1, a: key "k": null does not fit a Go bool`},
		{func(Array[float64]) {}, []any{ArrayOf[float32](1)}, "task: argument 1, a: want array[float64], got array[float32](1)"},
		{func(Array[float64]) {}, []any{[]int{1}}, "task: argument 1, a: want array[float64], got list"},
		{func(RawArray) {}, []any{1}, "task: argument 1, a: int 1 does not fit a Go abi.Array"},
		{func([2]int) {}, []any{[]int{1}}, "task: argument 1, a: a list of 1 does not fit a Go [2]int"},
		{func(tile) {}, []any{map[string]any{"x": 1}}, `task: argument 1, a: the key "y" is missing`},
		{func(tile) {}, []any{map[string]any{"x": "1"}}, `task: argument 1, a: key "x": string "1" does not fit a Go int`},
		{func() string { return "\xff" }, nil, "result of task: string is not valid UTF-8"},
		{func() any { return make(chan int) }, nil, "result of task: type chan int is none that a task can take or return"},
		{func() uint64 { return math.MaxUint64 }, nil, "result of task: integer 18446744073709551615 is beyond int64"},
		{func() any { return loop }, nil, "value nests deeper than 64 levels"},
		{func() Array[int8] { return Array[int8]{[]int{3}, []int8{1}} }, nil, "result of task: array[int8](3) has 1 bytes of data, want 3"},
	} {
		got, err := callOne(t, moduleOf(t, c.fn), c.args...)
		if err == nil || err.Error() != c.want && !strings.HasSuffix(err.Error(), ": "+c.want) {
			t.Errorf("%T%v: got %v, %v; want %s", c.fn, c.args, got, err, c.want)
		}
	}
}

func TestPanicStack(t *testing.T) {
	m := moduleOf(t, func(xs []int) int { return last(xs) })
	_, err := callOne(t, m, []int{})
	var p *panicError
	if !errors.As(err, &p) {
		t.Fatalf("got %v", err)
	}
	if first, _, _ := strings.Cut(p.stack, "\n"); !strings.Contains(first, "entangle/sdk/go.last(") || strings.Contains(p.stack, "reflect") {
		t.Errorf("stack:\n%s", p.stack)
	}
}

//go:noinline
func last(xs []int) int { return xs[len(xs)-1] }

// TestAgreesWithABI holds the codecs to what package abi does with the types
// that both know.
func TestAgreesWithABI(t *testing.T) {
	for _, x := range []any{
		true, 1, int8(-2), uint32(3), 1.5, float32(2.5), "s", []byte{1}, []string{"a"}, [][]int{{1}, nil},
		map[string]float64{"a": 1}, map[label][]bool{"b": {true}}, RawArray{DType: abi.Int8, Shape: []int{1}, Data: []byte{1}},
		[]any{nil, 1, "x"}, map[string]any{"k": []any{}}, new(int), label("l"), []Value{Int(1)}, Float(2), (*string)(nil),
	} {
		c, err := codecOf(reflect.TypeOf(x))
		if err != nil {
			t.Errorf("%T: %v", x, err)
			continue
		}
		if got, want := c.typ.String(), abi.TypeOf(reflect.TypeOf(x)).String(); got != want {
			t.Errorf("%T is %s, in abi %s", x, got, want)
		}
		got, err := From(x)
		want, werr := abi.From(x)
		if err != nil || werr != nil || !abi.Equal(got, want) {
			t.Errorf("From(%T) is %v, %v, in abi %v, %v", x, got, err, want, werr)
		}
		mine, theirs := reflect.New(reflect.TypeOf(x)), reflect.New(reflect.TypeOf(x))
		if err := Into(want, mine.Interface()); err != nil {
			t.Errorf("Into(%T): %v", x, err)
		}
		if err := abi.Into(want, theirs.Interface()); err != nil {
			t.Errorf("abi.Into(%T): %v", x, err)
		}
		if !reflect.DeepEqual(mine.Interface(), theirs.Interface()) {
			t.Errorf("Into(%T) gives %v, in abi %v", x, mine.Elem(), theirs.Elem())
		}
	}
	for _, p := range []any{nil, 1, (*int)(nil), new(chan int)} {
		if Into(Int(1), p) == nil {
			t.Errorf("Into(%T): no error", p)
		}
	}
}

func TestArrayViews(t *testing.T) {
	raw := make([]byte, 33)
	for _, at := range []int{0, 1} { // aligned and not
		data := raw[at : at+32]
		var a Array[float64]
		v, err := abi.ArrayValue(abi.Array{DType: abi.Float64, Shape: []int{4}, Data: data})
		if err != nil {
			t.Fatal(err)
		}
		if err := Into(v, &a); err != nil {
			t.Fatal(err)
		}
		a.Data[3] = 1
		if shared := data[31] != 0; shared != (at == 0) {
			t.Errorf("at offset %d: shared is %v", at, shared)
		}
		clear(raw)
	}
	a := ArrayOf(1.5, 2.5)
	v, _ := From(a)
	view, _ := v.Array()
	a.Data[0] = 0
	if view.Data[7] != 0 {
		t.Error("From copies the elements of an array")
	}
}
