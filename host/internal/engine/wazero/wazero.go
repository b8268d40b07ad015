// Package wazero runs modules with wazero, in pure Go.
//
// Each module has a runtime of its own, so that closing it frees all that it
// made. A guest cannot be preempted; what stops it, and lets the garbage collector
// in, is the call of the host that instrument.Rewrite puts into every cycle of
// execution (pollModule). wazero's own WithCloseOnContextDone looks in loops only,
// and makes them several times slower.
package wazero

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/memory"
	"entangle.example/entangle/host/internal/wasi"
)

// features are the proposals that the engine is asked to accept. Exceptions are
// not among them: wazero copies the whole stack at each try_table that is open, so
// a guest that recurses through one takes all the memory of the machine.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesThreads | experimental.CoreFeaturesTailCall |
	experimental.CoreFeaturesExtendedConst

type wazeroEngine struct{ opts engine.Options }

// New returns the engine.
func New(opts engine.Options) engine.Engine { return &wazeroEngine{opts} }

func (e *wazeroEngine) Name() string { return "wazero" }
func (e *wazeroEngine) Close() error { return nil } // modules own everything

// Compile gives up when ctx ends; what wazero is compiling then, it compiles to the
// end, and it is thrown away.
func (e *wazeroEngine) Compile(ctx context.Context, binary []byte, id [32]byte) (engine.Module, error) {
	type result struct {
		m   *module
		err error
	}
	done := make(chan result, 1)
	go func() {
		m, err := e.compileAny(ctx, binary, id)
		done <- result{m, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, r.err
		}
		return r.m, nil
	case <-ctx.Done():
		go func() {
			if r := <-done; r.m != nil {
				_ = r.m.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// compileAny compiles binary, with the cache if there is one and it works.
func (e *wazeroEngine) compileAny(ctx context.Context, binary []byte, id [32]byte) (*module, error) {
	var cacheErr error
	if e.opts.Cache != "" {
		m, err := e.compileCached(ctx, binary, entryName(e.opts.Cache, id))
		if err == nil || ctx.Err() != nil {
			return m, err
		}
		cacheErr = err // or is it the module's fault? Find out without the cache.
	}
	m, err := e.compile(ctx, binary, "")
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "invalid module: "))
	}
	if cacheErr != nil {
		e.opts.Warn("the compiled module cannot be cached", cacheErr)
	}
	return m, nil
}

// compileCached takes the compiled module from the entry dir, or makes that.
func (e *wazeroEngine) compileCached(ctx context.Context, binary []byte, dir string) (*module, error) {
	if err := prepare(dir); err != nil {
		return nil, err
	}
	if checkEntry(dir) == nil {
		if m, err := e.compile(ctx, binary, dir); err == nil {
			return m, nil
		}
	}
	removeEntry(dir)
	fresh, err := newEntry(dir)
	if err != nil {
		return nil, err
	}
	m, err := e.compile(ctx, binary, fresh)
	if err != nil {
		removeEntry(fresh)
		return nil, err
	}
	if err := publish(fresh, dir); err != nil {
		e.opts.Warn("the compiled module cannot be cached", err)
	}
	return m, nil
}

type module struct {
	engine   *wazeroEngine
	cache    wazero.CompilationCache
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	config   wazero.ModuleConfig // what all instances have
	wasi     bool                // it imports WASI
	memories memory.Pool
}

// parallelSize is the size of a module from which on functions are compiled in
// parallel: in goroutines of wazero's, where a panic of its compiler is the end of
// the process.
const parallelSize = 1 << 20

// compile compiles binary, with compiled code kept in dir if that is not "".
func (e *wazeroEngine) compile(ctx context.Context, binary []byte, dir string) (m *module, err error) {
	m = &module{engine: e}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the compiler of wazero cannot take it: %v", r)
		}
		if err != nil {
			_ = m.Close()
			m = nil
		}
	}()
	c := wazero.NewRuntimeConfig().WithCoreFeatures(features)
	if dir != "" {
		if m.cache, err = wazero.NewCompilationCacheWithDir(dir); err != nil {
			return m, err
		}
		c = c.WithCompilationCache(m.cache)
	}
	m.runtime = wazero.NewRuntimeWithConfig(ctx, c)
	if len(binary) >= parallelSize {
		ctx = experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0))
	}
	if m.compiled, err = m.runtime.CompileModule(ctx, binary); err != nil {
		return m, err
	}
	// Without a source of randomness, each instance would seed one of wazero's: 7 µs.
	m.config = wazero.NewModuleConfig().WithName("").WithStartFunctions().
		WithSysNanotime().WithSysWalltime().WithRandSource(randomness{})
	ours := false
	for _, f := range m.compiled.ImportedFunctions() {
		module, _, _ := f.Import()
		m.wasi = m.wasi || module == wasi.Module
		ours = ours || module == e.opts.ImportModule
	}
	if err := m.pollModule(ctx); err != nil {
		return m, err
	}
	if m.wasi {
		if err := m.wasiModule(ctx); err != nil {
			return m, err
		}
	}
	if ours {
		return m, m.hostModule(ctx)
	}
	return m, nil
}

// pollModule makes the function importable that a rewritten module calls every so
// often. That it is called at all lets Go's scheduler and collector in.
func (m *module) pollModule(ctx context.Context) error {
	_, err := m.runtime.NewHostModuleBuilder(instrument.PollModule).NewFunctionBuilder().
		WithGoFunction(api.GoFunc(func(ctx context.Context, _ []uint64) {
			if i := ctx.Value(instanceKey{}).(*instance); i.ctx.Err() != nil {
				panic(&hostError{context.Cause(i.ctx)})
			}
		}), nil, nil).Export(instrument.PollName).Instantiate(ctx)
	return err
}

// wasiModule makes WASI importable.
func (m *module) wasiModule(ctx context.Context) error {
	b := m.runtime.NewHostModuleBuilder(wasi.Module)
	wasi_snapshot_preview1.NewFunctionExporter().ExportFunctions(b)
	// wazero's own makes its table of files as long as the number that the guest
	// gives, up to 2³¹ entries.
	const notSupported = 58
	i32 := api.ValueTypeI32
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, _ api.Module, stack []uint64) {
		stack[0] = notSupported
	}), []api.ValueType{i32, i32}, []api.ValueType{i32}).Export("fd_renumber")
	_, err := b.Instantiate(ctx)
	return err
}

// hostModule makes the functions of the host importable.
func (m *module) hostModule(ctx context.Context) error {
	b := m.runtime.NewHostModuleBuilder(m.engine.opts.ImportModule)
	for _, f := range m.engine.opts.Functions {
		params := make([]api.ValueType, f.Params)
		for i := range params {
			params[i] = api.ValueTypeI32
		}
		b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, mod api.Module, stack []uint64) {
			i := ctx.Value(instanceKey{}).(*instance)
			var mem []byte
			if i.memory != nil {
				mem, _ = mod.Memory().Read(0, mod.Memory().Size())
			}
			result, err := f.Call(i.data, mem, stack[:f.Params])
			if err != nil {
				panic(&hostError{err})
			}
			stack[0] = uint64(result)
		}), params, []api.ValueType{api.ValueTypeI32}).Export(f.Name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// instanceKey is the key of an instance in the context of a call: the only way by
// which wazero lets a host function know who calls.
type instanceKey struct{}

// hostError carries an error of the host through the guest's frames.
type hostError struct{ err error }

func (e *hostError) Error() string { return e.err.Error() }
func (e *hostError) Unwrap() error { return e.err }

func (m *module) Close() error {
	ctx := context.Background()
	var errs []error
	if m.runtime != nil {
		errs = append(errs, m.runtime.Close(ctx))
	}
	m.memories.Close()
	if m.cache != nil {
		errs = append(errs, m.cache.Close(ctx))
	}
	return errors.Join(errs...)
}
