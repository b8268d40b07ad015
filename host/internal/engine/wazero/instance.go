package wazero

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/memory"
)

// An instance is the context of the calls into it, too: the only way by which
// wazero lets a host function know who calls, and one that costs nothing. It never
// ends, and has no values.
type instance struct {
	m       *module
	module  api.Module
	memory  *memory.Linear // nil if the module defines none
	data    any
	funcs   []api.Function // by their number, once they are called
	globals []api.MutableGlobal
	current api.Function // that runs
	kept    []exception
	deep    bool // a call needed a large stack
}

func (*instance) Deadline() (time.Time, bool) { return time.Time{}, false }
func (*instance) Done() <-chan struct{}       { return nil }
func (*instance) Err() error                  { return nil }
func (*instance) Value(any) any               { return nil }

func (m *module) Instantiate(c engine.Config) (_ engine.Instance, err error) {
	i := &instance{m: m, data: c.Data, memory: c.Memory, funcs: make([]api.Function, len(m.exports))}
	ctx := experimental.WithMemoryAllocator(context.Background(), experimental.MemoryAllocatorFunc(func(_, _ uint64) experimental.LinearMemory {
		return given{c.Memory}
	}))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("instantiating: %v", r)
		}
	}()
	if i.module, err = m.runtime.InstantiateModule(ctx, m.compiled, m.config); err != nil {
		return nil, i.trap(err)
	}
	i.globals = make([]api.MutableGlobal, len(m.rewritten.Globals))
	for k, g := range m.rewritten.Globals {
		i.globals[k] = i.module.ExportedGlobal(g.Name).(api.MutableGlobal)
	}
	if b := m.rewritten.Budget; b != "" {
		i.module.ExportedGlobal(b).(api.MutableGlobal).Set(uint64(c.Tables))
	}
	return i, nil
}

// given is a memory that wazero does not free.
type given struct{ *memory.Linear }

func (given) Free() {}

func (i *instance) Call(fn int, stack []uint64) error {
	f := i.funcs[fn]
	outer := i.current
	if f == nil || outer != nil { // one that runs already cannot be called again
		f = i.module.ExportedFunction(i.m.exports[fn])
		if err := i.m.engine.look(f); err != nil {
			return &engine.Trap{Reason: err.Error(), Err: err}
		}
		if outer == nil {
			i.funcs[fn] = f
		}
	}
	i.current = f
	err := f.CallWithStack(i, stack)
	i.current = outer
	if err != nil {
		return i.trap(err)
	}
	return nil
}

// Stop does nothing: a guest that runs polls.
func (i *instance) Stop()   {}
func (i *instance) Resume() {}

// Spent drops what a deep call has left.
func (i *instance) Spent() bool {
	if i.deep {
		i.deep = false
		i.forget()
	}
	return false
}

func (i *instance) Globals(dst []uint64) {
	for k, g := range i.globals {
		dst[k] = g.Get()
	}
}

// SetGlobals comes after a call, when what the guest threw is gone too.
func (i *instance) SetGlobals(src []uint64) {
	for k, g := range i.globals {
		g.Set(src[k])
	}
	i.forget()
}

func (i *instance) Close() error { return i.module.Close(context.Background()) }

// trap makes a Trap of wazero's error.
func (i *instance) trap(err error) *engine.Trap {
	reason, trace, _ := strings.Cut(err.Error(), "\nwasm stack trace:\n")
	trace, _, _ = strings.Cut(trace, "\n\nGo runtime stack trace:")
	reason = strings.TrimPrefix(strings.TrimSuffix(reason, " (recovered by wazero)"), "wasm error: ")
	t := &engine.Trap{Reason: reason}
	if h, ok := errors.AsType[*hostError](err); ok {
		t.Err = h.err
	}
	for line := range strings.Lines(trace) {
		// A frame is "\tmodule.name(params) results"; what follows it is about its source.
		line, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "\t")
		end := strings.LastIndexByte(line, '(')
		if !ok || end <= 0 || strings.HasPrefix(line, "\t") {
			continue
		}
		if name, ok := i.m.rewritten.FunctionName(strings.TrimPrefix(line[:end], ".")); ok {
			t.Stack = append(t.Stack, name)
		}
	}
	return t
}
