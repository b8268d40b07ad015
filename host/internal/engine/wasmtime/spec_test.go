//go:build cgo && (linux || darwin) && (amd64 || arm64)

package wasmtime

import (
	"errors"
	"fmt"
	"math"

	"slices"
	"strings"
	"testing"
	"unsafe"

	binding "github.com/bytecodealliance/wasmtime-go/v39"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/engine/spectest"
	"entangle.example/entangle/host/internal/instrument"
)

var specOwn = []spectest.Own{
	{Script: "v1/imports", Lines: []int{310, 314, 318}, Why: "several tables are valid since 2.0"},
	{Script: "exception-handling/try_table", Lines: []int{420, 464, 465, 466, 467, 468}, Why: "typed function references are off"},
}

func TestSpec(t *testing.T) {
	spectest.Run(t, spectest.Engine{Check: instrument.ControlWord, Open: openSpec, Own: specOwn})
}

// A specRuntime links modules with each other, which no engine.Module is, through
// the binding; but in the engine that New makes, with its settings.
type specRuntime struct {
	ours   engine.Engine
	engine *binding.Engine
	native unsafe.Pointer // the engine that the binding has made
	store  *binding.Store
	linker *binding.Linker
	wraps  map[string]*binding.Module // by the type of what they call
}

// bindingPointer is where the binding keeps the engine: the only field.
func bindingPointer(e *binding.Engine) *unsafe.Pointer { return (*unsafe.Pointer)(unsafe.Pointer(e)) }

func openSpec(t *testing.T) spectest.Runtime {
	e, err := New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := &specRuntime{ours: e, engine: binding.NewEngine(), wraps: map[string]*binding.Module{}}
	r.native = *bindingPointer(r.engine)
	*bindingPointer(r.engine) = unsafe.Pointer(e.(*wasmtimeEngine).native)
	r.store = binding.NewStore(r.engine)
	r.linker = binding.NewLinker(r.engine)
	r.linker.AllowShadowing(true)
	return r
}

func (r *specRuntime) Close() error {
	r.linker.Close()
	r.store.Close()
	*bindingPointer(r.engine) = r.native
	r.engine.Close()
	return r.ours.Close()
}

func (r *specRuntime) Compile(binary []byte) (spectest.Module, error) {
	m, err := binding.NewModule(r.engine, binary)
	if err != nil {
		return nil, err
	}
	// The types of exports, of which the binding does not know all. An original that
	// Describe refuses is valid all the same.
	d, err := instrument.Describe(binary)
	if err != nil {
		d = &instrument.Module{}
	}
	return &specModule{r, m, d}, nil
}

func (r *specRuntime) Register(name string, i spectest.Instance) error {
	return r.linker.DefineInstance(r.store, name, i.(*specInstance).instance)
}

type specModule struct {
	*specRuntime
	module *binding.Module
	typ    *instrument.Module
}

func (m *specModule) Instantiate() (spectest.Instance, error) {
	i, err := m.linker.Instantiate(m.store, m.module)
	if err != nil {
		return nil, specTrap(err)
	}
	return &specInstance{m, i, map[string]*binding.Func{}}, nil
}

// specTrap makes an engine.Trap of a trap, and of nothing else.
func specTrap(err error) error {
	var trap *binding.Trap
	if errors.As(err, &trap) {
		if code := trap.Code(); code != nil {
			for c, reason := range reasons {
				if uint8(c) == uint8(*code) {
					return &engine.Trap{Reason: reason}
				}
			}
		}
	}
	if strings.Contains(err.Error(), "thrown Wasm exception") {
		return &engine.Trap{Reason: engine.UncaughtException}
	}
	return err
}

type specInstance struct {
	*specModule
	instance *binding.Instance
	wrapped  map[string]*binding.Func // by their export
}

func (i *specInstance) Call(export string, args []spectest.Value) ([]spectest.Value, error) {
	f := i.instance.GetFunc(i.store, export)
	e, ok := i.typ.Export(export, instrument.FuncKind)
	if f == nil || !ok {
		return nil, fmt.Errorf("no function %q is exported", export)
	}
	vectors := slices.Contains(e.Type.Params, spectest.V128) || slices.Contains(e.Type.Results, spectest.V128)
	if vectors {
		var err error
		if f, err = i.wrap(export, f, e.Type); err != nil {
			return nil, err
		}
	}
	var params []any
	for _, v := range args {
		if v.Type == spectest.V128 {
			params = append(params, binding.ValI64(int64(v.Low)), binding.ValI64(int64(v.High)))
		} else {
			params = append(params, specParam(v))
		}
	}
	result, err := f.Call(i.store, params...)
	if err != nil {
		return nil, specTrap(err)
	}
	// The binding returns nothing, a value, or a list of them.
	var results []any
	if list, ok := result.([]binding.Val); ok {
		for _, v := range list {
			results = append(results, v.Get())
		}
	} else if len(e.Type.Results) > 0 {
		results = []any{result}
	}
	var values []spectest.Value
	for _, t := range e.Type.Results {
		v := specValue(t, results[0])
		results = results[1:]
		if t == spectest.V128 {
			v.High, results = uint64(results[0].(int64)), results[1:]
		}
		values = append(values, v)
	}
	return values, nil
}

func (i *specInstance) Global(export string) (spectest.Value, error) {
	e := i.instance.GetExport(i.store, export)
	if e == nil || e.Global() == nil {
		return spectest.Value{}, fmt.Errorf("no global %q is exported", export)
	}
	v := e.Global().Get(i.store)
	types := map[binding.ValKind]instrument.ValType{binding.KindI32: instrument.I32, binding.KindI64: instrument.I64,
		binding.KindF32: instrument.F32, binding.KindF64: instrument.F64, binding.KindFuncref: spectest.FuncRef, binding.KindExternref: spectest.ExternRef}
	return specValue(types[v.Kind()], v.Get()), nil
}

func (i *specInstance) Memory(export string) []byte {
	return i.instance.GetExport(i.store, export).Memory().UnsafeData(i.store)
}

func specParam(v spectest.Value) binding.Val {
	switch v.Type {
	case instrument.I32:
		return binding.ValI32(int32(v.Low))
	case instrument.I64:
		return binding.ValI64(int64(v.Low))
	case instrument.F32:
		return binding.ValF32(math.Float32frombits(uint32(v.Low)))
	case instrument.F64:
		return binding.ValF64(math.Float64frombits(v.Low))
	case spectest.FuncRef:
		return binding.ValFuncref(nil) // no script passes another
	}
	if v.Null {
		return binding.ValExternref(nil)
	}
	return binding.ValExternref(v.Low)
}

// specValue returns the value of a result; of a vector, the lower half.
func specValue(t instrument.ValType, got any) spectest.Value {
	v := spectest.Value{Type: t}
	switch x := got.(type) {
	case int32:
		v.Low = uint64(uint32(x))
	case int64:
		v.Low = uint64(x)
	case float32:
		v.Low = uint64(math.Float32bits(x))
	case float64:
		v.Low = math.Float64bits(x)
	case uint64: // a reference that specParam has made
		v.Low = x
	case *binding.Func:
		v.Null = x == nil
	case nil:
		v.Null = true
	}
	return v
}

// wrap returns f with two i64 in place of each vector, which the binding does not know.
func (i *specInstance) wrap(name string, f *binding.Func, t instrument.FuncType) (*binding.Func, error) {
	if w := i.wrapped[name]; w != nil {
		return w, nil
	}
	m := i.wraps[t.String()]
	if m == nil {
		var err error
		if m, err = binding.NewModule(i.engine, wrapper(t)); err != nil {
			return nil, err
		}
		i.wraps[t.String()] = m
	}
	in, err := binding.NewInstance(i.store, m, []binding.AsExtern{f})
	if err != nil {
		return nil, err
	}
	i.wrapped[name] = in.GetFunc(i.store, "f")
	return i.wrapped[name], nil
}

// wrapper returns a module that imports a function of type t and exports one with
// two i64 in place of each vector. No type has 127 of anything.
func wrapper(t instrument.FuncType) []byte {
	const localGet, localSet, i64, splat, extract, replace = 0x20, 0x21, 0x7e, 0x12, 0x1d, 0x1e
	vector := func(items ...byte) []byte { return append([]byte{byte(len(items))}, items...) }
	split := func(ts []instrument.ValType) (out []byte) {
		for _, t := range ts {
			if t == spectest.V128 {
				out = append(out, i64, i64)
			} else {
				out = append(out, byte(t))
			}
		}
		return out
	}
	plain := func(ts []instrument.ValType) (out []byte) {
		for _, t := range ts {
			out = append(out, byte(t))
		}
		return out
	}
	section := func(id byte, body ...[]byte) []byte {
		b := slices.Concat(body...)
		return append([]byte{id, byte(len(b))}, b...)
	}
	params := split(t.Params)
	code := []byte{byte(len(t.Results))} // a local for each result
	for _, r := range t.Results {
		code = append(code, 1, byte(r))
	}
	at := byte(0)
	for _, p := range t.Params {
		code = append(code, localGet, at)
		at++
		if p == spectest.V128 {
			code = append(code, 0xfd, splat, localGet, at, 0xfd, replace, 1)
			at++
		}
	}
	code = append(code, 0x10, 0) // call
	for k := len(t.Results) - 1; k >= 0; k-- {
		code = append(code, localSet, byte(len(params)+k))
	}
	for k, r := range t.Results {
		code = append(code, localGet, byte(len(params)+k))
		if r == spectest.V128 {
			code = append(code, 0xfd, extract, 0, localGet, byte(len(params)+k), 0xfd, extract, 1)
		}
	}
	code = append(code, 0x0b)
	return slices.Concat([]byte("\x00asm\x01\x00\x00\x00"),
		section(1, []byte{2, 0x60}, vector(plain(t.Params)...), vector(plain(t.Results)...),
			[]byte{0x60}, vector(params...), vector(split(t.Results)...)),
		section(2, []byte("\x01\x00\x01f\x00\x00")),
		section(3, []byte{1, 1}),
		section(7, []byte("\x01\x01f\x00\x01")),
		section(10, []byte{1}, vector(code...)))
}
