package wazero

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	"github.com/tetratelabs/wazero/sys"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/memory"
	"entangle.example/entangle/host/internal/wasi"
)

// An instance frees its memory and closes its files itself: wazero does not when
// the start function fails, or when a deadline passes in the wrong moment.
type instance struct {
	module api.Module
	memory *memory.Linear  // nil if the module defines none
	files  map[*file]bool  // that the guest has open
	ctx    context.Context // of the call that runs
	inner  context.Context // ctx, by which host functions find the instance
	data   any
}

func (m *module) Instantiate(ctx context.Context, c engine.Config) (_ engine.Instance, err error) {
	i := &instance{data: c.Data, ctx: ctx}
	var reserveErr error
	ctx = experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(func(_, most uint64) experimental.LinearMemory {
		if i.memory, reserveErr = m.memories.Reserve(min(most, c.MemoryLimit)); reserveErr != nil {
			i.memory = &memory.Linear{}
			panic(reserveErr) // wazero would slice what there is not
		}
		return i.memory
	}))
	defer func() {
		if r := recover(); r != nil {
			if err = reserveErr; err == nil {
				err = fmt.Errorf("instantiating: %v", r)
			}
		}
		if err != nil {
			i.free()
		}
	}()
	i.inner = context.WithValue(ctx, instanceKey{}, i)
	i.module, err = m.runtime.InstantiateModule(i.inner, m.compiled, m.configOf(i, &c.WASI))
	if err != nil {
		return nil, callError(ctx, err)
	}
	return i, nil
}

// configOf gives a guest what c says.
func (m *module) configOf(i *instance, c *wasi.Config) wazero.ModuleConfig {
	mc := m.config
	if !m.wasi {
		return mc
	}
	mc = mc.WithNanosleep(i.sleep).WithArgs(c.Args...)
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
		i.files = map[*file]bool{}
		fs := wazero.NewFSConfig()
		for _, m := range c.Mounts {
			fs = fs.(sysfs.FSConfig).WithSysFSMount(&rootFS{instance: i, root: m.Root, readOnly: m.ReadOnly}, m.Guest)
		}
		mc = mc.WithFSConfig(fs)
	}
	return mc
}

// randomness is what random_get reads.
type randomness struct{}

func (randomness) Read(b []byte) (int, error) { return rand.Read(b) }

// sleep waits as long as a guest asked for, or until its call ends.
func (i *instance) sleep(ns int64) {
	timer := time.NewTimer(time.Duration(ns))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-i.ctx.Done():
		panic(&hostError{context.Cause(i.ctx)})
	}
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
	if ctx != i.ctx {
		i.ctx, i.inner = ctx, context.WithValue(ctx, instanceKey{}, i)
	}
	return callError(ctx, f.CallWithStack(i.inner, stack))
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

func (i *instance) Close() error {
	err := i.module.Close(context.Background())
	i.free()
	return err
}

// free gives back what the guest holds, as far as wazero has not.
func (i *instance) free() {
	for f := range i.files {
		_ = f.f.Close()
	}
	i.files = nil
	if i.memory != nil {
		i.memory.Free()
	}
}

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
	reason = strings.TrimSuffix(reason, " (recovered by wazero)")
	if i := strings.Index(reason, "wasm error: "); i >= 0 { // before it: which start function failed
		reason = reason[i+len("wasm error: "):]
	}
	t := &engine.Trap{Reason: reason}
	for line := range strings.Lines(trace) {
		if line = strings.TrimSpace(line); line != "" {
			t.Stack = append(t.Stack, strings.TrimPrefix(line, "."))
		}
	}
	return t
}
