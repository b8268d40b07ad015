package abi

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/fxamacker/cbor/v2"
)

func TestValueSize(t *testing.T) {
	if s := unsafe.Sizeof(Value{}); s != 24 {
		t.Errorf("a Value is %d bytes, want 24", s)
	}
	if n := testing.AllocsPerRun(100, func() {
		v := Int(1 << 40)
		sink, _ = v.Int()
		w := String("text")
		s, _ := w.Str()
		sink += int64(len(s))
	}); n != 0 {
		t.Errorf("scalars cost %v allocations", n)
	}
}

var sink int64

func TestFromInto(t *testing.T) {
	for _, x := range []any{
		true, int8(-3), uint32(7), 2.5, float32(0.5), "text", []byte{1, 2}, []string{"a", "b"},
		map[string]int{"a": 1}, []map[string][]float64{{"x": {1, 2}}}, [2]int{1, 2},
		Array{DType: Int8, Shape: []int{2}, Data: []byte{1, 2}},
	} {
		v, err := From(x)
		if err != nil {
			t.Errorf("From(%v): %v", x, err)
			continue
		}
		p := reflect.New(reflect.TypeOf(x))
		if err := Into(v, p.Interface()); err != nil {
			t.Errorf("Into(%v, %T): %v", v, x, err)
		} else if !reflect.DeepEqual(p.Elem().Interface(), x) {
			t.Errorf("%v came back as %v", x, p.Elem())
		}
		if typ := TypeOf(reflect.TypeOf(x)); !typ.IsAny() {
			if _, err := typ.Conform(v); err != nil {
				t.Errorf("%v is no %v: %v", x, typ, err)
			}
		}
	}
	for _, x := range []any{uint64(math.MaxUint64), "\xff", struct{}{}, make(chan int), map[int]int{1: 2}, []any{"\xff"}} {
		if v, err := From(x); err == nil {
			t.Errorf("From(%v) = %v, want an error", x, v)
		}
	}
	var i8 int8
	var u uint
	var f float64
	var s string
	for _, c := range []struct {
		v Value
		p any
	}{{Int(128), &i8}, {Int(-1), &u}, {Float(1), &u}, {Int(1<<53 + 1), &f}, {Int(math.MaxInt64), &f}, {Int(1), &s}, {Null(), &s}, {Int(1), s}} {
		if err := Into(c.v, c.p); err == nil {
			t.Errorf("Into(%v, %T) succeeded", c.v, c.p)
		}
	}
}

func TestTypes(t *testing.T) {
	typ := func(s string) Type {
		t.Helper()
		x, err := ParseType(s)
		if err != nil {
			t.Fatal(err)
		}
		if x.String() != s {
			t.Errorf("%q is written as %q", s, x)
		}
		return x
	}
	for _, c := range []struct {
		want, got string
		ok        bool
	}{
		{"int", "int", true}, {"int", "int32", true}, {"int32", "int", true}, {"float", "int", true}, {"int", "float", false},
		{"any", "string", true}, {"string", "any", true}, {"string", "bytes", false}, {"int?", "int", true}, {"int", "int?", false},
		{"int?", "null", true}, {"int", "null", false}, {"list[float]", "list[int]", true}, {"list[int]", "list[string]", false},
		{"list", "list[int]", true}, {"map[list[int]]", "map[list[string]]", false}, {"array[float64]", "array", true},
		{"array[float64]", "array[int8]", false}, {"array", "list", false},
	} {
		if typ(c.want).Accepts(typ(c.got)) != c.ok {
			t.Errorf("%s accepts %s: want %v", c.want, c.got, c.ok)
		}
	}
	for _, s := range []string{"", "in", "int[int]", "list[", "list[int", "list[int]]", "array[string]", "int??", "list[any", strings.Repeat("list[", 17) + "int" + strings.Repeat("]", 17)} {
		if x, err := ParseType(s); err == nil {
			t.Errorf("type %q was read as %v", s, x)
		}
	}
	v, err := typ("map[list[float]]").Conform(MapOf(map[string]Value{"a": List(Int(1), Float(2.5))}))
	if err != nil || v.String() != `{"a":[1.0,2.5]}` {
		t.Errorf("ints did not become floats: %v, %v", v, err)
	}
	if _, err := typ("list[int]").Conform(List(Int(1), String("x"))); err == nil || err.Error() != `element 1: want int, got string "x"` {
		t.Errorf("error %v", err)
	}
	if v, err := Float32Type.Conform(Float(0.1)); err != nil || v != Float(float64(float32(0.1))) {
		t.Errorf("0.1 as a float32 is %v, %v", v, err)
	}
	if _, err := Int32Type.Conform(Int(1 << 32)); err == nil {
		t.Error("2^32 is an int32")
	}
}

func TestManifest(t *testing.T) {
	m, err := ParseManifest([]byte(`
module   # Words and their counts.
grant fs:ro=/data
task count(text: bytes) -> map[int]   # Counts # the words.
plain add(a: int, b: int) -> int
task top( counts : map[int] , n: int... ) -> list timeout=2s memory=64MiB
task log(x: any)`))
	if err != nil {
		t.Fatal(err)
	}
	if m.Doc != "Words and their counts." || len(m.Grants) != 1 || len(m.Tasks) != 4 {
		t.Fatalf("manifest %+v", m)
	}
	top := m.Tasks[2]
	if top.Index != 1 || top.Timeout.Seconds() != 2 || top.Memory != 64<<20 || !top.Sig.Variadic ||
		top.Sig.String() != "(counts: map[int], n: int...) -> list" || m.Tasks[0].Doc != "Counts # the words." || m.Tasks[3].Sig.Result != NullType {
		t.Errorf("tasks %+v", m.Tasks)
	}
	if min, max := top.Sig.Arity(); min != 1 || max != -1 {
		t.Errorf("arity %d, %d", min, max)
	}
	for text, want := range map[string]string{
		"task f":                    "no signature",
		"\n\ntask f(":               "line 3",
		"task f(a)":                 "no parameter",
		"task f(a: int":             "want , or )",
		"task f(a: int) -> what":    "unknown type",
		"task f(a: int..., b: int)": "follows the variadic",
		"task 1f()":                 "is no name",
		"task f()\ntask f()":        "declared twice",
		"task f() timeout=-1s":      "not positive",
		"task f() memory=lots":      "is no size",
		"task f() colour=red":       "unknown option",
		"job f()":                   "unknown declaration",
		"task f() # \xff":           "UTF-8",
		"module words":              "takes nothing but",
		"task " + strings.Repeat("f", 129) + "()": "is no name",
	} {
		if _, err := ParseManifest([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{"1": 1, "64KiB": 64 << 10, "1.5GiB": 3 << 29, "10MB": 10_000_000, "2m": 2 << 20} {
		if n, err := ParseSize(s); n != want || err != nil {
			t.Errorf("%q = %d, %v; want %d", s, n, err, want)
		}
	}
	for _, s := range []string{"", "0", "-1", "x", "1XB", "1e30", "NaN", "1 2"} {
		if n, err := ParseSize(s); err == nil {
			t.Errorf("%q = %d, want an error", s, n)
		}
	}
}

func TestParseJSON(t *testing.T) {
	for text, want := range map[string]string{
		`9223372036854775808`:      "beyond int64",
		`1e400`:                    "beyond float64",
		`{"a":1,"a":2}`:            `duplicate key "a"`,
		strings.Repeat("[", 10000): "nests deeper than 64",
		strings.Repeat(`[`, 65) + strings.Repeat(`]`, 65): "nests deeper than 64",
		`NaN`:            "not JSON",
		`[1,]`:           "not JSON",
		`1 2`:            "not JSON",
		"\"\xff\"":       "not valid UTF-8",
		`{"$what":1}`:    `key "$what"`,
		`{"$bytes":"%"}`: "$bytes",
		`{"$array":{"dtype":"int8","shape":[2],"data":[1,200]}}`: "out of the range",
		`{"$array":{"dtype":"int8","shape":[3],"data":[1,2]}}`:   "want 3",
		`{"$array":{"dtype":"text","shape":[],"data":[]}}`:       "unknown element type",
	} {
		if v, err := ParseJSON([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q = %v, error %v, want %q", text, v, err, want)
		}
	}
}

// What a decoder of our own is worth: `go test -bench Decode -benchmem ./abi`.
func BenchmarkDecode(b *testing.B) {
	words := map[string]int{}
	for _, w := range strings.Fields("it was the best of times and it was the worst of times, in a land of many words") {
		words[w]++
	}
	v, err := From([]any{strings.Repeat("x", 100), words, 1.5, []int{1, 2, 3}})
	if err != nil {
		b.Fatal(err)
	}
	data, err := Encode(v)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("abi", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Decode(data, Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("fxamacker", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var x any
			if err := cbor.Unmarshal(data, &x); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	x := []any{strings.Repeat("x", 100), map[string]any{"a": 1, "b": "two"}, 1.5, []any{1, 2, 3}}
	v, err := From(x)
	if err != nil {
		b.Fatal(err)
	}
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 1024)
	b.Run("abi", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Append(buf, v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("fxamacker", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := enc.Marshal(x); err != nil {
				b.Fatal(err)
			}
		}
	})
}
