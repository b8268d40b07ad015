package host

import (
	"context"
	"log/slog"
	"strings"
	"unicode/utf8"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/wasi"
)

// importFunctions are what modules may import: entangle_v1, and WASI.
var importFunctions = func() []engine.Function {
	i32 := instrument.I32
	number := []instrument.ValType{i32}
	fs := []engine.Function{
		{Module: abi.ImportModule, Name: abi.ImportLog, Type: instrument.FuncType{Params: []instrument.ValType{i32, i32, i32}, Results: number}, Call: importLog},
		{Module: abi.ImportModule, Name: abi.ImportFail, Type: instrument.FuncType{Params: []instrument.ValType{i32, i32}, Results: number}, Call: importFail},
	}
	for _, f := range wasi.Functions {
		fs = append(fs, engine.Function{Module: wasi.Module, Name: f.Name, Type: f.Type, Call: func(data any, mem []byte, stack []uint64) error {
			i := data.(*instance)
			if err := i.count(); err != nil {
				return err
			}
			return f.Call(&i.wasi, mem, stack)
		}})
	}
	return fs
}()

// someCalls is how many calls of the host pass before the clock is looked at.
const someCalls = 16

// count counts a call of a host function, which may take longer than many checks.
func (i *instance) count() error {
	if i.ticket.isStopped() {
		return errStopped
	}
	if i.calls%someCalls == someCalls-1 {
		i.yield()
	}
	if i.calls++; i.calls > i.limits.HostCalls {
		return abi.Errorf(abi.LimitHit, "it called the host more than %d times, the limit of a call", i.limits.HostCalls)
	}
	return nil
}

// span returns the len bytes at ptr, or false if they are not all in mem.
func span(mem []byte, ptr, n uint64) ([]byte, bool) {
	ptr, n = uint64(uint32(ptr)), uint64(uint32(n))
	if ptr+n > uint64(len(mem)) {
		return nil, false
	}
	return mem[ptr : ptr+n], true
}

func importLog(data any, mem []byte, stack []uint64) error {
	i := data.(*instance)
	if err := i.count(); err != nil {
		return err
	}
	levels := [...]slog.Level{abi.LogDebug: slog.LevelDebug, abi.LogInfo: slog.LevelInfo, abi.LogWarn: slog.LevelWarn, abi.LogError: slog.LevelError}
	level := uint32(stack[0])
	b, ok := span(mem, stack[1], stack[2])
	switch {
	case int64(level) >= int64(len(levels)):
		stack[0] = uint64(abi.StatusInvalid)
	case !ok:
		stack[0] = uint64(abi.StatusPointer)
	default:
		stack[0] = uint64(abi.StatusOK)
		return i.log.add(levels[level], b)
	}
	return nil
}

func importFail(data any, mem []byte, stack []uint64) error {
	i := data.(*instance)
	if err := i.count(); err != nil {
		return err
	}
	b, ok := span(mem, stack[0], stack[1])
	switch {
	case !i.inTask:
		stack[0] = uint64(abi.StatusInvalid)
	case !ok:
		stack[0] = uint64(abi.StatusPointer)
	default:
		stack[0] = uint64(abi.StatusOK)
		if len(b) > MaxFailure {
			b, stack[0] = b[:MaxFailure], uint64(abi.StatusLimit)
		}
		i.failed, i.reason = true, strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return nil
}

// askManifest runs the guest's own entangle_manifest.
func (m *Module) askManifest(ctx context.Context, export int) (text []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, manifestTimeout)
	defer cancel()
	i, err := m.acquireAlone(ctx, abi.ExportManifest)
	if err != nil {
		return nil, err
	}
	if err = i.run(export, 1); err == nil {
		b, ok := span(i.bytes(), i.stack[0]>>32, i.stack[0])
		if !ok || len(b) > abi.MaxManifest || !utf8.Valid(b) {
			err = abi.Errorf(abi.Protocol, "%s returned no text of at most %d bytes", abi.ExportManifest, abi.MaxManifest)
		}
		text = append([]byte(nil), b...)
	}
	return text, i.release(err)
}

// bytes returns the memory that the module exports.
func (i *instance) bytes() []byte {
	if i.memory == nil || !i.program.m.memory {
		return nil
	}
	return i.memory.Bytes()
}
