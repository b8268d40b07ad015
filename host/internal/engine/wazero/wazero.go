// Package wazero runs modules with wazero, in pure Go.
//
// Each module has a runtime of its own, so that closing it frees all that it
// made. Until the rewriter's countdown is there, WithCloseOnContextDone is what
// stops a guest and lets the garbage collector in: right, and slow in loops.
package wazero

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/memory"
	"entangle.example/entangle/host/internal/wasi"
)

// features are the proposals that the engine is asked to accept.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesThreads | experimental.CoreFeaturesTailCall |
	experimental.CoreFeaturesExtendedConst | experimental.CoreFeaturesExceptionHandling

type wazeroEngine struct{ opts engine.Options }

// New returns the engine.
func New(opts engine.Options) engine.Engine { return &wazeroEngine{opts} }

func (e *wazeroEngine) Name() string { return "wazero" }
func (e *wazeroEngine) Close() error { return nil } // modules own everything

func (e *wazeroEngine) Compile(ctx context.Context, binary []byte, id [32]byte) (engine.Module, error) {
	m := &module{engine: e}
	var err error
	if e.opts.Cache != "" {
		dir := entryName(e.opts.Cache, id)
		entry, openErr := openEntry(dir)
		if openErr != nil {
			e.opts.Warn("the compiled module cannot be cached", openErr)
		} else if err = m.compile(ctx, binary, dir); err == nil {
			if err := entry.seal(); err != nil {
				e.opts.Warn("the compiled module cannot be cached", err)
			}
			return m, nil
		} else {
			// Is it the module, or what lies in the cache? Find out without it.
			_ = m.Close()
			entry.discard()
			m = &module{engine: e}
		}
	}
	if err = m.compile(ctx, binary, ""); err != nil {
		_ = m.Close()
		return nil, errors.New(strings.TrimPrefix(err.Error(), "invalid module: "))
	}
	return m, nil
}

type module struct {
	engine   *wazeroEngine
	cache    wazero.CompilationCache
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
}

// compile compiles binary, with compiled code kept in dir if that is not "".
func (m *module) compile(ctx context.Context, binary []byte, dir string) (err error) {
	c := wazero.NewRuntimeConfig().WithCoreFeatures(features).WithCloseOnContextDone(true)
	if dir != "" {
		if m.cache, err = wazero.NewCompilationCacheWithDir(dir); err != nil {
			return err
		}
		c = c.WithCompilationCache(m.cache)
	}
	m.runtime = wazero.NewRuntimeWithConfig(ctx, c)
	ctx = experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0))
	if m.compiled, err = m.runtime.CompileModule(ctx, binary); err != nil {
		return err
	}
	needs := map[string]bool{}
	for _, f := range m.compiled.ImportedFunctions() {
		module, _, _ := f.Import()
		needs[module] = true
	}
	if needs[wasi_snapshot_preview1.ModuleName] {
		if _, err := wasi_snapshot_preview1.Instantiate(ctx, m.runtime); err != nil {
			return err
		}
	}
	if needs[m.engine.opts.ImportModule] {
		return m.hostModule(ctx)
	}
	return nil
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
			var mem []byte
			if mod.Memory() != nil {
				mem, _ = mod.Memory().Read(0, mod.Memory().Size())
			}
			result, err := f.Call(ctx.Value(dataKey{}), mem, stack[:f.Params])
			if err != nil {
				panic(&hostError{err})
			}
			stack[0] = uint64(result)
		}), params, []api.ValueType{api.ValueTypeI32}).Export(f.Name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// dataKey is the key of an instance's Data in the context of a call: the only way
// by which wazero lets a host function know who calls.
type dataKey struct{}

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
	if m.cache != nil {
		errs = append(errs, m.cache.Close(ctx))
	}
	return errors.Join(errs...)
}

type instance struct {
	module api.Module
	memory *memory.Linear // nil if the module defines none
	data   any
}

func (m *module) Instantiate(ctx context.Context, c engine.Config) (engine.Instance, error) {
	i := &instance{data: c.Data}
	var reserveErr error
	ctx = experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(func(_, most uint64) experimental.LinearMemory {
		if i.memory, reserveErr = memory.Reserve(min(most, c.MemoryLimit)); reserveErr != nil {
			i.memory = &memory.Linear{} // of no size: instantiation fails
		}
		return i.memory
	}))
	ctx = context.WithValue(ctx, dataKey{}, c.Data)
	mod, err := m.runtime.InstantiateModule(ctx, m.compiled, moduleConfig(c.WASI))
	if err != nil {
		if i.memory != nil {
			i.memory.Free()
		}
		return nil, errors.Join(reserveErr, callError(ctx, err))
	}
	i.module = mod
	return i, nil
}

// moduleConfig gives a guest what c says, and clocks and randomness.
func moduleConfig(c wasi.Config) wazero.ModuleConfig {
	mc := wazero.NewModuleConfig().WithName("").WithStartFunctions().
		WithSysNanotime().WithSysWalltime().WithSysNanosleep().WithRandSource(randomness{}).
		WithArgs(c.Args...)
	for _, e := range c.Env {
		k, v, _ := strings.Cut(e, "=")
		mc = mc.WithEnv(k, v)
	}
	if c.Stdin != nil {
		mc = mc.WithStdin(c.Stdin)
	}
	if c.Stdout != nil {
		mc = mc.WithStdout(panicking{c.Stdout})
	}
	if c.Stderr != nil {
		mc = mc.WithStderr(panicking{c.Stderr})
	}
	if len(c.Mounts) > 0 {
		fs := wazero.NewFSConfig()
		for _, m := range c.Mounts {
			fs = fs.(sysfs.FSConfig).WithSysFSMount(&rootFS{root: m.Root, readOnly: m.ReadOnly}, m.Guest)
		}
		mc = mc.WithFSConfig(fs)
	}
	return mc
}

// panicking turns an error of a writer, which a guest could ignore, into the end
// of the call.
type panicking struct{ w io.Writer }

func (p panicking) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	if err != nil {
		panic(&hostError{err})
	}
	return n, nil
}

func (i *instance) Call(ctx context.Context, export string, _ instrument.FuncType, stack []uint64) error {
	f := i.module.ExportedFunction(export)
	if f == nil {
		return fmt.Errorf("no export %q", export)
	}
	return callError(ctx, f.CallWithStack(context.WithValue(ctx, dataKey{}, i.data), stack))
}

func (i *instance) Memory() []byte {
	if mem := i.module.ExportedMemory("memory"); mem != nil {
		b, _ := mem.Read(0, mem.Size())
		return b
	}
	return nil
}

func (i *instance) MemoryRefused() uint64 {
	if i.memory == nil {
		return 0
	}
	return i.memory.Refused()
}

func (i *instance) Close() error { return i.module.Close(context.Background()) }

// callError turns wazero's errors into the engine's.
func callError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if h, ok := errors.AsType[*hostError](err); ok {
		return h.err
	}
	if exit, ok := errors.AsType[*sys.ExitError](err); ok {
		if code := exit.ExitCode(); ctx.Err() != nil && (code == sys.ExitCodeContextCanceled || code == sys.ExitCodeDeadlineExceeded) {
			return context.Cause(ctx)
		}
		return &engine.Exit{Code: exit.ExitCode()}
	}
	reason, trace, _ := strings.Cut(err.Error(), "\nwasm stack trace:\n")
	trace, _, _ = strings.Cut(trace, "\n\nGo runtime stack trace:")
	t := &engine.Trap{Reason: strings.TrimPrefix(strings.TrimSuffix(reason, " (recovered by wazero)"), "wasm error: ")}
	for line := range strings.Lines(trace) {
		if line = strings.TrimSpace(line); line != "" {
			t.Stack = append(t.Stack, strings.TrimPrefix(line, "."))
		}
	}
	return t
}
