package wazero

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/engine/spectest"
	"entangle.example/entangle/host/internal/instrument"
)

// Rewriting makes up for it where the table is the module's own.
const beyondTable = "it ignores elements beyond the end of an imported table, and no host of ours offers tables"

var specOwn = []spectest.Own{
	{Script: "v1/elem", Lines: []int{186, 203, 220, 237}, Why: beyondTable},
	{Script: "v1/linking", Lines: []int{207, 228}, Why: beyondTable},
	{Script: "v2/elem", Lines: []int{281, 298, 315, 332}, Why: beyondTable},
	{Script: "v2/linking", Lines: []int{244, 267}, Why: beyondTable},
	{Script: "v1/imports", Lines: []int{318}, Why: "several tables are valid since 2.0; several that are imported, wazero refuses to name twice"},
	{Script: "v2/elem", Lines: []int{171, 175, 458, 484}, Why: "it lets offsets of elements name any global"},
	{Script: "v2/global", Lines: []int{371}, Why: "it lets initial values name mutable globals"},
	{Script: "extended-const/global", Lines: []int{350}, Why: "it lets initial values name mutable globals"},
	{Script: "exception-handling/try_table", Lines: []int{420, 464, 465, 466, 467, 468}, Why: "typed function references are not on, and no proposal of ours"},
}

func TestSpec(t *testing.T) {
	spectest.Run(t, spectest.Engine{Check: instrument.Countdown, Open: openSpec, Own: specOwn})
}

// A specRuntime links modules with each other, which no engine.Module is: only the
// checks' imports are as there.
type specRuntime struct {
	runtime wazero.Runtime
	engine  *wazeroEngine
	named   map[string]api.Module
}

func openSpec(t *testing.T) spectest.Runtime {
	opts := engine.Options{Poll: func(any, int64) error { return nil }}
	r := &specRuntime{runtime: wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfig().WithCoreFeatures(features)),
		engine: New(opts).(*wazeroEngine), named: map[string]api.Module{}}
	b := r.runtime.NewHostModuleBuilder(instrument.PollModule)
	for name, fn := range map[string]func(*instance) error{instrument.PollName: (*instance).poll, instrument.KeepName: (*instance).keep} {
		b.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(ctx context.Context, _ []uint64) {
			if err := fn(ctx.(*instance)); err != nil {
				panic(err)
			}
		}), nil, nil).Export(name)
	}
	if _, err := b.Instantiate(t.Context()); err != nil { // which makes it known by its name
		t.Fatal(err)
	}
	return r
}

func (r *specRuntime) Compile(binary []byte) (spectest.Module, error) {
	m, err := r.runtime.CompileModule(context.Background(), binary)
	return &specModule{r, m}, err
}

func (r *specRuntime) Register(name string, i spectest.Instance) error {
	r.named[name] = i.(*specInstance).module
	return nil
}

func (r *specRuntime) Close() error { return r.runtime.Close(context.Background()) }

type specModule struct {
	*specRuntime
	compiled wazero.CompiledModule
}

func (m *specModule) Instantiate() (spectest.Instance, error) {
	ctx := experimental.WithImportResolver(context.Background(), func(name string) api.Module { return m.named[name] })
	i := &instance{m: &module{engine: m.engine, rewritten: &instrument.Rewritten{}}}
	var err error
	if i.module, err = m.runtime.InstantiateModule(ctx, m.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions()); err == nil {
		return &specInstance{i}, nil
	}
	if strings.Contains(err.Error(), "wasm error: ") {
		return nil, i.trap(err)
	}
	return nil, err
}

type specInstance struct{ *instance }

func (i *specInstance) Call(export string, args []spectest.Value) ([]spectest.Value, error) {
	f := i.module.ExportedFunction(export)
	if f == nil {
		return nil, fmt.Errorf("no function %q is exported", export)
	}
	if err := i.m.engine.look(f); err != nil {
		return nil, err
	}
	var params []uint64
	for _, v := range args {
		switch {
		case v.Type == spectest.V128:
			params = append(params, v.Low, v.High)
		case v.Null:
			params = append(params, 0)
		case v.Type == spectest.ExternRef:
			params = append(params, v.Low+1) // 0 is null
		default:
			params = append(params, v.Low)
		}
	}
	i.current = f
	results, err := f.Call(i.instance, params...)
	if err != nil {
		return nil, i.trap(err)
	}
	var values []spectest.Value
	for _, t := range f.Definition().ResultTypes() {
		v := value(t, results[0])
		results = results[1:]
		if v.Type == spectest.V128 {
			v.High, results = results[0], results[1:]
		}
		values = append(values, v)
	}
	return values, nil
}

func (i *specInstance) Global(export string) (spectest.Value, error) {
	g := i.module.ExportedGlobal(export)
	if g == nil {
		return spectest.Value{}, fmt.Errorf("no global %q is exported", export)
	}
	return value(g.Type(), g.Get()), nil
}

func (i *specInstance) Memory(export string) []byte {
	m := i.module.ExportedMemory(export)
	b, _ := m.Read(0, m.Size())
	return b
}

func value(t api.ValueType, bits uint64) spectest.Value {
	v := spectest.Value{Type: instrument.ValType(t), Low: bits}
	switch v.Type {
	case instrument.I32, instrument.F32:
		v.Low = uint64(uint32(bits)) // what is above is not defined
	case spectest.FuncRef:
		v.Null = bits == 0
	case spectest.ExternRef:
		v.Null = bits == 0
		if !v.Null {
			v.Low--
		}
	}
	return v
}
