// Package wazero runs modules with wazero, in pure Go.
//
// Each module has a runtime of its own, so that closing it frees all that it
// made. A guest cannot be preempted; what stops it, and lets the garbage collector
// in, is the call of the host that instrument.Rewrite puts into every stretch of
// work (instrument.Countdown). wazero's own WithCloseOnContextDone looks in loops
// only, and makes them several times slower.
package wazero

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
)

// features are the proposals that the engine accepts.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesThreads | experimental.CoreFeaturesTailCall |
	experimental.CoreFeaturesExtendedConst | experimental.CoreFeaturesExceptionHandling

type wazeroEngine struct {
	opts   engine.Options
	layout atomic.Pointer[layout] // once a function has been called
}

// New returns the engine.
func New(opts engine.Options) engine.Engine { return &wazeroEngine{opts: opts} }

func (e *wazeroEngine) Name() string            { return "wazero" }
func (e *wazeroEngine) Version() string         { return engine.Dependency("github.com/tetratelabs/wazero") }
func (e *wazeroEngine) Check() instrument.Check { return instrument.Countdown }
func (e *wazeroEngine) Close() error            { return nil } // modules own everything

func (e *wazeroEngine) Compile(ctx context.Context, r *instrument.Rewritten, id [32]byte) (engine.Module, error) {
	if r.Lost != "" {
		return nil, fmt.Errorf("this version of wazero would run it wrong when it catches an exception, and it cannot be mended: %s; use wasmtime", r.Lost)
	}
	return engine.Await(ctx, func() (engine.Module, error) { return e.compileAny(ctx, r, id) })
}

// compileAny compiles r, with the cache if there is one and it works.
func (e *wazeroEngine) compileAny(ctx context.Context, r *instrument.Rewritten, id [32]byte) (engine.Module, error) {
	var cacheErr error
	if e.opts.Cache != "" {
		m, err := e.compileCached(ctx, r, entryName(e.opts.Cache, id))
		if err == nil {
			return m, nil
		} else if ctx.Err() != nil {
			return nil, err
		}
		cacheErr = err // or is it the module's fault? Find out without the cache.
	}
	m, err := e.compile(ctx, r, "")
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "invalid module: "))
	}
	if cacheErr != nil {
		e.opts.Warn("the compiled module cannot be cached", cacheErr)
	}
	return m, nil
}

// compileCached takes the compiled module from the entry dir, or makes that.
func (e *wazeroEngine) compileCached(ctx context.Context, r *instrument.Rewritten, dir string) (*module, error) {
	if err := engine.PrepareCache(filepath.Dir(dir)); err != nil {
		return nil, err
	}
	err := checkEntry(dir)
	if err == nil {
		var m *module
		if m, err = e.compile(ctx, r, dir); err == nil {
			engine.Used(dir)
			return m, nil
		}
	}
	if ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
		e.opts.Warn("a compiled module in the cache is made anew", fmt.Errorf("%s: %w", dir, err))
	}
	engine.RemoveEntry(dir)
	fresh, err := newEntry(dir)
	if err != nil {
		return nil, err
	}
	m, err := e.compile(ctx, r, fresh)
	if err != nil {
		engine.RemoveEntry(fresh)
		return nil, err
	}
	if err := publish(fresh, dir); err != nil {
		e.opts.Warn("the compiled module cannot be cached", err)
	}
	return m, nil
}

type module struct {
	engine    *wazeroEngine
	rewritten *instrument.Rewritten
	cache     wazero.CompilationCache
	runtime   wazero.Runtime
	compiled  wazero.CompiledModule
	config    wazero.ModuleConfig // of all instances
	exports   []string            // functions
}

// parallelSize is the size of a module from which on functions are compiled in
// parallel: in goroutines of wazero's, where a panic of its compiler is the end of
// the process.
const parallelSize = 1 << 20

// compile compiles r, with compiled code kept in dir if that is not "".
func (e *wazeroEngine) compile(ctx context.Context, rewritten *instrument.Rewritten, dir string) (m *module, err error) {
	m = &module{engine: e, rewritten: rewritten}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the compiler of wazero cannot take it: %v", r)
		}
		if err != nil {
			_ = m.Close()
			m = nil
		}
	}()
	c := wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features)
	if !compiles {
		c = wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features &^ experimental.CoreFeaturesExceptionHandling)
	}
	if dir != "" {
		if m.cache, err = wazero.NewCompilationCacheWithDir(dir); err != nil {
			return m, err
		}
		c = c.WithCompilationCache(m.cache)
	}
	m.runtime = wazero.NewRuntimeWithConfig(ctx, c)
	binary, err := rewritten.Code()
	if err != nil {
		return m, err
	}
	if len(binary) >= parallelSize {
		ctx = experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0))
	}
	if m.compiled, err = m.runtime.CompileModule(ctx, binary); err != nil {
		return m, err
	}
	// Without a source of randomness, each instance would seed one of wazero's: 7 µs.
	m.config = wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(noRandomness{})
	for name := range m.compiled.ExportedFunctions() {
		m.exports = append(m.exports, name)
	}
	slices.Sort(m.exports)
	return m, m.hostModules(ctx)
}

// noRandomness is for wazero's own WASI, which no guest gets.
type noRandomness struct{}

func (noRandomness) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

// hostModules makes importable what the module imports.
func (m *module) hostModules(ctx context.Context) error {
	builders := map[string]wazero.HostModuleBuilder{}
	for _, f := range m.compiled.ImportedFunctions() {
		mod, name, _ := f.Import()
		b := builders[mod]
		if b == nil {
			b = m.runtime.NewHostModuleBuilder(mod)
			builders[mod] = b
		}
		if mod == instrument.PollModule {
			fn := (*instance).poll
			if name == instrument.KeepName {
				fn = (*instance).keep
			}
			b.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(ctx context.Context, _ []uint64) {
				if err := fn(ctx.(*instance)); err != nil {
					panic(&hostError{err})
				}
			}), nil, nil).Export(name)
			continue
		}
		i := slices.IndexFunc(m.engine.opts.Functions, func(f engine.Function) bool { return f.Module == mod && f.Name == name })
		if i < 0 {
			return fmt.Errorf("no function %s.%s is offered", mod, name)
		}
		call := m.engine.opts.Functions[i].Call
		var halves []int // parameters above whose 32 bits wazero leaves anything
		for k, t := range f.ParamTypes() {
			if t == api.ValueTypeI32 || t == api.ValueTypeF32 {
				halves = append(halves, k)
			}
		}
		b.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(ctx context.Context, stack []uint64) {
			for _, k := range halves {
				stack[k] = uint64(uint32(stack[k]))
			}
			i := ctx.(*instance)
			var mem []byte
			if i.memory != nil {
				mem = i.memory.Bytes()
			}
			if err := call(i.data, mem, stack); err != nil {
				panic(&hostError{err})
			}
		}), f.ParamTypes(), f.ResultTypes()).Export(name)
	}
	for _, b := range builders {
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// hostError carries an error of the host through the guest's frames.
type hostError struct{ err error }

func (e *hostError) Error() string { return "stopped by the host" }
func (e *hostError) Unwrap() error { return e.err }

func (m *module) Func(export string) int {
	i, ok := slices.BinarySearch(m.exports, export)
	if !ok {
		return -1
	}
	return i
}

func (m *module) Close() error {
	ctx := context.Background()
	var errs []error
	if m.runtime != nil {
		errs = append(errs, m.runtime.Close(ctx))
	}
	if m.cache != nil {
		errs = append(errs, m.cache.Close(ctx))
	}
	return errors.Join(errs...)
}
