package wazero

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"entangle.example/entangle/host/internal/instrument"
)

// specSuites are the official test suites that ship, compiled, inside wazero's
// module: one folder a proposal.
var specSuites = []string{"v1", "v2", "extended-const", "tail-call", "threads", "exception-handling"}

// specDir returns where the suites are in the module cache.
func specDir(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	dir := filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
	if err != nil {
		t.Skipf("the module cache cannot be asked for wazero: %v", err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("wazero's module has no spectest folder here: %v", err)
	}
	return dir
}

type specCommand struct {
	Type     string     `json:"type"`
	Line     int        `json:"line"`
	Name     string     `json:"name"`
	As       string     `json:"as"`
	Filename string     `json:"filename"`
	Action   specAction `json:"action"`
	Expected []specVal  `json:"expected"`
	Text     string     `json:"text"`
	ModType  string     `json:"module_type"`
}

type specAction struct {
	Type   string    `json:"type"`
	Module string    `json:"module"`
	Field  string    `json:"field"`
	Args   []specVal `json:"args"`
}

type specVal struct {
	Type  string          `json:"type"`
	Lane  string          `json:"lane_type"`
	Value json.RawMessage `json:"value"`
}

// TestSpec runs the official suite with every module rewritten: whatever holds of
// the originals holds of them.
func TestSpec(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds; run without -short")
	}
	dir := specDir(t)
	for _, suite := range specSuites {
		t.Run(suite, func(t *testing.T) {
			var files []string
			err := filepath.WalkDir(filepath.Join(dir, suite), func(path string, d os.DirEntry, err error) error {
				if strings.HasSuffix(path, ".json") {
					files = append(files, path)
				}
				return err
			})
			if err != nil || len(files) == 0 {
				t.Fatalf("%d files, %v", len(files), err)
			}
			passed, failed := 0, 0
			for _, f := range files {
				p, bad := runSpec(t, f)
				passed += p
				failed += bad
			}
			t.Logf("%s: %d passed, %d failed", suite, passed, failed)
			if passed == 0 {
				t.Error("nothing was tested")
			}
		})
	}
}

// specRun is a pair of runtimes in which one script runs: with originals, and
// with rewritten modules. What the original does says what is right.
type specRun struct {
	t       *testing.T
	file    string
	ctx     context.Context
	rt      [2]wazero.Runtime
	current [2]api.Module
	named   map[string][2]api.Module
	polls   int
}

func runSpec(t *testing.T, file string) (passed, failed int) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var script struct{ Commands []specCommand }
	if err := json.Unmarshal(b, &script); err != nil {
		t.Fatal(err)
	}
	r := &specRun{t: t, file: filepath.Base(file), ctx: context.Background(), named: map[string][2]api.Module{}}
	features := api.CoreFeaturesV2 | experimental.CoreFeaturesThreads | experimental.CoreFeaturesTailCall |
		experimental.CoreFeaturesExtendedConst | experimental.CoreFeaturesExceptionHandling
	for i := range r.rt {
		r.rt[i] = wazero.NewRuntimeWithConfig(r.ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features))
		defer r.rt[i].Close(r.ctx)
		r.spectest(i, filepath.Dir(file))
	}
	if _, err := r.rt[1].NewHostModuleBuilder(instrument.PollModule).NewFunctionBuilder().WithFunc(func() { r.polls++ }).Export(instrument.PollName).Instantiate(r.ctx); err != nil {
		t.Fatal(err)
	}
	for _, c := range script.Commands {
		if r.command(filepath.Dir(file), c) {
			passed++
		} else {
			failed++
		}
	}
	return passed, failed
}

// spectest makes the module that scripts import from.
func (r *specRun) spectest(i int, dir string) {
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if b, err := os.ReadFile(filepath.Join(dir, "testdata", "spectest.wasm")); err == nil {
			if _, err := r.rt[i].InstantiateWithConfig(r.ctx, b, wazero.NewModuleConfig().WithName("spectest")); err == nil {
				return
			}
		}
	}
	b := r.rt[i].NewHostModuleBuilder("spectest")
	for name, fn := range map[string]any{"print": func() {}, "print_i32": func(uint32) {}, "print_i64": func(uint64) {}, "print_f32": func(float32) {},
		"print_f64": func(float64) {}, "print_i32_f32": func(uint32, float32) {}, "print_f64_f64": func(float64, float64) {}} {
		b.NewFunctionBuilder().WithFunc(fn).Export(name)
	}
	if _, err := b.Instantiate(r.ctx); err != nil {
		r.t.Fatal(err)
	}
}

func (r *specRun) errorf(c specCommand, format string, args ...any) bool {
	r.t.Errorf("%s:%d: "+format, append([]any{r.file, c.Line}, args...)...)
	return false
}

// command runs one command and reports whether both modules agree.
func (r *specRun) command(dir string, c specCommand) bool {
	switch c.Type {
	case "module":
		return r.module(dir, c)
	case "register":
		// Both runtimes know the current module by that name from now on.
		for i := range r.rt {
			m := r.pick(c.Name)[i]
			if m == nil {
				continue
			}
			if r, ok := m.(interface{ RegisterAs(string) }); ok {
				r.RegisterAs(c.As)
			}
		}
		return true
	case "assert_return", "action", "assert_trap", "assert_exhaustion", "assert_exception":
		return r.act(c)
	case "assert_invalid", "assert_malformed", "assert_unlinkable", "assert_uninstantiable":
		return r.refused(dir, c)
	}
	return true
}

func (r *specRun) pick(name string) [2]api.Module {
	if name == "" {
		return r.current
	}
	return r.named[name]
}

func (r *specRun) module(dir string, c specCommand) bool {
	b, err := os.ReadFile(filepath.Join(dir, c.Filename))
	if err != nil {
		r.t.Fatal(err)
	}
	r.current = [2]api.Module{}
	name := c.Filename
	rewritten, rewriteErr := instrument.Rewrite(b)
	var errs [2]error
	for i, bin := range [][]byte{b, rewritten} {
		if i == 1 && rewriteErr != nil {
			errs[i] = rewriteErr
			break
		}
		r.current[i], errs[i] = r.rt[i].InstantiateWithConfig(r.ctx, bin, wazero.NewModuleConfig().WithName(name).WithStartFunctions())
	}
	if (errs[0] == nil) != (errs[1] == nil) {
		return r.errorf(c, "the original: %v, rewritten: %v", errs[0], errs[1])
	}
	if c.Name != "" {
		r.named[c.Name] = r.current
	}
	return true
}

// refused checks that what is no module does not become one by rewriting.
func (r *specRun) refused(dir string, c specCommand) bool {
	if !strings.HasSuffix(c.Filename, ".wasm") {
		return true
	}
	b, err := os.ReadFile(filepath.Join(dir, c.Filename))
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := instrument.Describe(b); err != nil {
		return true
	}
	rewritten, err := instrument.Rewrite(b)
	if err != nil {
		return true
	}
	_, was := r.rt[0].CompileModule(r.ctx, b)
	_, is := r.rt[1].CompileModule(r.ctx, rewritten)
	if was != nil && is == nil {
		return r.errorf(c, "%s: the original is refused (%v), rewritten it is accepted", c.Text, was)
	}
	return true
}

func (r *specRun) act(c specCommand) bool {
	ms := r.pick(c.Action.Module)
	if ms[0] == nil || ms[1] == nil {
		return true // it could not be instantiated, by either
	}
	if c.Action.Type != "invoke" {
		a, b := ms[0].ExportedGlobal(c.Action.Field), ms[1].ExportedGlobal(c.Action.Field)
		if a == nil || b == nil || a.Get() != b.Get() {
			return r.errorf(c, "global %s differs", c.Action.Field)
		}
		return true
	}
	var results [2][]uint64
	var errs [2]error
	for i, m := range ms {
		f := m.ExportedFunction(c.Action.Field)
		if f == nil {
			return r.errorf(c, "no function %s in module %d", c.Action.Field, i)
		}
		args, ok := specArgs(c.Action.Args)
		if !ok {
			return true
		}
		results[i], errs[i] = f.Call(r.ctx, args...)
	}
	if (errs[0] == nil) != (errs[1] == nil) || errs[0] != nil && reasonOf(errs[0]) != reasonOf(errs[1]) {
		return r.errorf(c, "%s: the original %v, rewritten %v", c.Action.Field, errs[0], errs[1])
	}
	for i := range results[0] {
		if results[0][i] != results[1][i] && (i >= len(c.Expected) || !isReference(c.Expected[i].Type)) {
			return r.errorf(c, "%s: the original gives %x, rewritten %x", c.Action.Field, results[0], results[1])
		}
	}
	return true
}

func isReference(t string) bool { return strings.HasSuffix(t, "ref") }

func reasonOf(err error) string {
	s, _, _ := strings.Cut(err.Error(), "\n")
	return s
}

// specArgs returns the bits of arguments.
func specArgs(vals []specVal) (out []uint64, ok bool) {
	for _, v := range vals {
		var s string
		if v.Type == "v128" {
			var lanes []string
			if json.Unmarshal(v.Value, &lanes) != nil {
				return nil, false
			}
			bits := map[string]uint{"i8": 8, "i16": 16, "i32": 32, "f32": 32, "i64": 64, "f64": 64}[v.Lane]
			var lo, hi uint64
			for i, lane := range lanes {
				n, err := strconv.ParseUint(lane, 10, 64)
				if err != nil {
					m, err := strconv.ParseInt(lane, 10, 64)
					if err != nil {
						return nil, false
					}
					n = uint64(m)
				}
				if bits < 64 {
					n &= 1<<bits - 1
				}
				if at := uint(i) * bits; at < 64 {
					lo |= n << at
				} else {
					hi |= n << (at - 64)
				}
			}
			out = append(out, lo, hi)
			continue
		}
		if json.Unmarshal(v.Value, &s) != nil {
			return nil, false
		}
		if s == "null" {
			out = append(out, 0)
			continue
		}
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return nil, false
		}
		if isReference(v.Type) && n < math.MaxUint32 {
			n++ // 0 is null
		}
		out = append(out, n)
	}
	return out, true
}
