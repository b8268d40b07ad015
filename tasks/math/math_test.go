package math_test

import (
	"context"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"entangle.example/entangle/abi"
)

// open instantiates ../math.wasm as it is committed. It has no import, so that this
// needs nothing around it.
func open(t *testing.T) (wazero.CompiledModule, api.Module) {
	t.Helper()
	wasm, err := os.ReadFile("../math.wasm")
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCustomSections(true))
	t.Cleanup(func() { r.Close(ctx) })
	compiled, err := r.CompileModule(ctx, wasm)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := r.InstantiateModule(ctx, compiled, wazero.NewModuleConfig())
	if err != nil {
		t.Fatal(err)
	}
	return compiled, mod
}

// Every export is documented, with the types that it has.
func TestManifest(t *testing.T) {
	compiled, _ := open(t)
	if n := len(compiled.ImportedFunctions()) + len(compiled.ImportedMemories()); n != 0 {
		t.Errorf("%d imports", n)
	}
	var text []byte
	for _, s := range compiled.CustomSections() {
		if s.Name() == abi.ManifestSection {
			text = append(text, s.Data()...)
		}
	}
	m, err := abi.ParseManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	if m.Doc == "" || len(m.Tasks) != len(compiled.ExportedFunctions()) {
		t.Errorf("doc %q, %d tasks, %d exports", m.Doc, len(m.Tasks), len(compiled.ExportedFunctions()))
	}
	names := map[api.ValueType]string{api.ValueTypeI64: "int", api.ValueTypeF64: "float"}
	for _, task := range m.Tasks {
		f := compiled.ExportedFunctions()[task.Name]
		if f == nil || !task.Plain || task.Doc == "" {
			t.Errorf("%+v", task)
			continue
		}
		var want []string
		for i, p := range f.ParamTypes() {
			want = append(want, string(rune('a'+i))+": "+names[p])
		}
		sig := "(" + strings.Join(want, ", ") + ") -> " + names[f.ResultTypes()[0]]
		if got := strings.Replace(task.Sig.String(), "(n: ", "(a: ", 1); got != sig {
			t.Errorf("%s%s, want %s", task.Name, got, sig)
		}
	}
}

func TestInts(t *testing.T) {
	_, mod := open(t)
	const trap = "trap: "
	for _, c := range []struct {
		name string
		args []int64
		want any // an int64, or what a trap says
	}{
		{"add", []int64{2, 3}, int64(5)},
		{"add", []int64{math.MaxInt64, 1}, int64(math.MinInt64)},
		{"subtract", []int64{2, 3}, int64(-1)},
		{"mult", []int64{-4, 5}, int64(-20)},
		{"mult", []int64{math.MinInt64, -1}, int64(math.MinInt64)},
		{"div", []int64{-7, 2}, int64(-3)},
		{"div", []int64{7, 0}, trap + "integer divide by zero"},
		{"div", []int64{math.MinInt64, -1}, trap + "integer overflow"},
		{"mod", []int64{-7, 2}, int64(-1)},
		{"mod", []int64{math.MinInt64, -1}, int64(0)},
		{"mod", []int64{7, 0}, trap + "integer divide by zero"},
		{"neg", []int64{math.MinInt64}, int64(math.MinInt64)},
		{"neg", []int64{5}, int64(-5)},
		{"abs", []int64{-5}, int64(5)},
		{"abs", []int64{math.MinInt64}, int64(math.MinInt64)},
		{"min", []int64{-5, 3}, int64(-5)},
		{"max", []int64{-5, 3}, int64(3)},
		{"pow", []int64{-3, 3}, int64(-27)},
		{"pow", []int64{0, 0}, int64(1)},
		{"pow", []int64{2, 64}, int64(0)},
		{"pow", []int64{3, math.MaxInt64}, pow(3, math.MaxInt64)},
		{"pow", []int64{2, -1}, trap + "unreachable"},
		{"num", []int64{-9}, int64(-9)},
		{"zero", nil, int64(0)}, {"one", nil, int64(1)}, {"two", nil, int64(2)}, {"three", nil, int64(3)},
		{"four", nil, int64(4)}, {"five", nil, int64(5)}, {"six", nil, int64(6)}, {"seven", nil, int64(7)},
		{"eight", nil, int64(8)}, {"nine", nil, int64(9)}, {"ten", nil, int64(10)},
	} {
		var args []uint64
		for _, a := range c.args {
			args = append(args, uint64(a))
		}
		got, err := mod.ExportedFunction(c.name).Call(t.Context(), args...)
		switch want := c.want.(type) {
		case string:
			if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(want, trap)) {
				t.Errorf("%s%d = %d, error %v; want %s", c.name, c.args, got, err, want)
			}
		default:
			if err != nil || int64(got[0]) != want {
				t.Errorf("%s%d = %d, error %v; want %d", c.name, c.args, got, err, want)
			}
		}
	}
}

// pow multiplies as Go does, which wraps around too.
func pow(base, exponent int64) int64 {
	result := int64(1)
	for ; exponent > 0; exponent >>= 1 {
		if exponent&1 != 0 {
			result *= base
		}
		base *= base
	}
	return result
}

func TestFloats(t *testing.T) {
	_, mod := open(t)
	values := []float64{0, math.Copysign(0, -1), 1, -1, 0.5, 1.5, 2.5, -2.5, 1e300, -1e-300, math.Inf(1), math.Inf(-1), math.NaN()}
	call := func(name string, args ...uint64) float64 {
		got, err := mod.ExportedFunction(name).Call(t.Context(), args...)
		if err != nil {
			t.Fatal(err)
		}
		return math.Float64frombits(got[0])
	}
	same := func(a, b float64) bool {
		return a != a && b != b || math.Float64bits(a) == math.Float64bits(b)
	}
	for _, a := range values {
		for name, f := range map[string]func(float64) float64{
			"fneg": func(x float64) float64 { return -x }, "fabs": math.Abs, "sqrt": math.Sqrt, "floor": math.Floor,
			"ceil": math.Ceil, "trunc": math.Trunc, "nearest": math.RoundToEven,
		} {
			if got := call(name, math.Float64bits(a)); !same(got, f(a)) {
				t.Errorf("%s(%v) = %v, want %v", name, a, got, f(a))
			}
		}
		for _, b := range values {
			for name, f := range map[string]func(a, b float64) float64{
				"fadd": func(a, b float64) float64 { return a + b }, "fsub": func(a, b float64) float64 { return a - b },
				"fmul": func(a, b float64) float64 { return a * b }, "fdiv": func(a, b float64) float64 { return a / b },
				"fmin": fmin, "fmax": func(a, b float64) float64 { return -fmin(-a, -b) },
			} {
				if got := call(name, math.Float64bits(a), math.Float64bits(b)); !same(got, f(a, b)) {
					t.Errorf("%s(%v, %v) = %v, want %v", name, a, b, got, f(a, b))
				}
			}
		}
	}
}

// fmin gives NaN where one of two is; math.Min prefers −∞ to it.
func fmin(a, b float64) float64 {
	if a != a || b != b {
		return math.NaN()
	}
	return math.Min(a, b)
}
