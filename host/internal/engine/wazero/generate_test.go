package wazero_test

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/instrument/generate"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

const generated = api.CoreFeaturesV2 | experimental.CoreFeaturesThreads | experimental.CoreFeaturesTailCall |
	experimental.CoreFeaturesExtendedConst | experimental.CoreFeaturesExceptionHandling

// What the generator promises, on wazero itself: its modules compile, its calls
// end, and a compiler and an interpreter see the same results, the same traps and
// the same memory. So where a rewritten module differs, rewriting is to blame. What
// catches exceptions is rewritten as it is, for wazero itself runs it wrong.
func TestGenerated(t *testing.T) {
	seeds := 500
	if testing.Short() {
		seeds = 150
	}
	compiler := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfig().WithCoreFeatures(generated))
	defer compiler.Close(t.Context())
	interpreter := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(generated))
	defer interpreter.Close(t.Context())

	ends := make(map[string]int)
	instances, calls := 0, 0
	for seed := range uint64(seeds) {
		o := generate.Options{Exceptions: seed%4 == 3}
		p := o.Module(choices(seed))
		if p.Work > 1_000_000 {
			t.Errorf("seed %d: a call may execute %d instructions", seed, p.Work)
		}
		want, err := runGenerated(t.Context(), compiler, p, o.Exceptions)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		got, err := runGenerated(t.Context(), interpreter, p, o.Exceptions)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("seed %d: the interpreter and the compiler differ:\n%v\n%v", seed, got, want)
		}
		if slices.Equal(want, noInstance) {
			ends[want[0]]++
			continue
		}
		instances++
		for i := range p.Calls {
			calls++
			if p.Calls[i].Export != "digest" {
				ends[reason(want[i])]++
			}
		}
	}
	total := 0
	for _, n := range ends {
		total += n
	}
	for _, end := range slices.Sorted(maps.Keys(ends)) {
		t.Logf("%6.2f%%  %s", 100*float64(ends[end])/float64(total), end)
	}
	t.Logf("%d modules, %d instances, %d calls", seeds, instances, calls)
	if share := float64(ends[returned]) / float64(total); share < 0.6 || share > 0.85 {
		t.Errorf("%.0f%% of the calls return; more than 85 leave traps untested, fewer than 60 what comes after them", 100*share)
	}
	if testing.Short() {
		return // too few for each trap
	}
	for _, trap := range []string{"unreachable", "out of bounds memory access", "invalid table access", "indirect call type mismatch",
		"integer divide by zero", "integer overflow", "invalid conversion to integer", "unaligned atomic",
		"expected shared memory", "uncaught exception"} {
		if ends["wasm error: "+trap] == 0 {
			t.Errorf("no call ends in %q", trap)
		}
	}
}

// A second opinion on validity.
func TestGeneratedValidate(t *testing.T) {
	tool, err := exec.LookPath("wasm-validate")
	if err != nil {
		if strings.Contains(os.Getenv("ENTANGLE_REQUIRE"), "wabt") {
			t.Fatal("wasm-validate is not there, and ENTANGLE_REQUIRE has wabt")
		}
		t.Skip("wasm-validate is not there: install wabt")
	}
	dir := t.TempDir()
	for seed := range uint64(200) {
		file := filepath.Join(dir, fmt.Sprint(seed, ".wasm"))
		if err := os.WriteFile(file, generate.Module(choices(seed)).Binary, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(tool, "--enable-threads", "--enable-tail-call", "--enable-extended-const", file).CombinedOutput()
		if err != nil {
			t.Errorf("seed %d: %v\n%s", seed, err, out)
		}
	}
}

// choices returns random bytes, few or many.
func choices(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 64<<r.IntN(9))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

const returned = "returned"

var noInstance = []string{"no instance"}

func reason(outcome string) string {
	if strings.HasPrefix(outcome, "wasm error") {
		return outcome
	}
	return returned
}

var seed = maphash.MakeSeed()

// runGenerated returns how each call ended, and last what memory holds then. An
// instance that cannot be made, because a segment lies outside, is an outcome.
func runGenerated(ctx context.Context, r wazero.Runtime, p *generate.Program, exceptions bool) (outcomes []string, err error) {
	binary, init := p.Binary, ""
	if exceptions {
		rewritten, err := instrument.Rewrite(binary, instrument.Unchecked)
		if err != nil || rewritten.Lost != "" {
			return nil, fmt.Errorf("%v, %s", err, rewritten.Lost)
		}
		binary, init = rewritten.Binary, rewritten.Init
	}
	compiled, err := r.CompileModule(ctx, binary)
	if err != nil {
		return nil, err
	}
	defer compiled.Close(ctx)
	instance, err := r.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return noInstance, nil
	}
	defer instance.Close(ctx)
	if init != "" {
		if _, err := instance.ExportedFunction(init).Call(ctx); err != nil {
			return noInstance, nil
		}
	}
	for _, c := range p.Calls {
		results, err := instance.ExportedFunction(c.Export).Call(ctx, c.Args...)
		if err != nil {
			first, _, _ := strings.Cut(err.Error(), "\n")
			if !strings.HasPrefix(first, "wasm error: ") {
				return nil, fmt.Errorf("calling %s: %w", c.Export, err)
			}
			outcomes = append(outcomes, first)
			continue
		}
		for i, t := range c.Results {
			if t == generate.I32 || t == generate.F32 {
				results[i] = uint64(uint32(results[i])) // the compiler leaves anything above
			}
		}
		outcomes = append(outcomes, fmt.Sprintf("%s%x", c.Export, results))
	}
	if memory := instance.ExportedMemory("memory"); memory != nil {
		bytes, _ := memory.Read(0, memory.Size())
		outcomes = append(outcomes, fmt.Sprint("memory ", maphash.Bytes(seed, bytes)))
	}
	return outcomes, nil
}
