package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode/utf8"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/wasi"
)

// Limits of one call.
const (
	// MaxLog bounds what a call may log, in bytes.
	MaxLog = 1 << 20
	// MaxOutput bounds the standard output of a command, in bytes.
	MaxOutput = 64 << 20
	// MaxFailure bounds the message of import "fail", in bytes.
	MaxFailure = 64 << 10
)

// A call is one call into a guest. It is the Data of the guest's instance.
type call struct {
	module *Module
	task   string
	log    taskLog
	inTask bool // not in _initialize
	failed bool // the guest called fail
	reason string
}

// run makes an instance for one call, runs do with it, and turns whatever went
// wrong into an *abi.Error.
func (m *Module) run(c *graph.Call, w wasi.Config, do func(ctx context.Context, in *instanceOf) error) error {
	p := c.Node.Policy()
	done, err := m.host.granted.apply(&w, &p)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := c.Context()
	defer cancel()
	return m.runIn(ctx, c.Node.Def().Name, w, m.host.memoryLimit(&p), do)
}

// instanceOf is an instance and the call that it was made for.
type instanceOf struct {
	engine.Instance
	call *call
}

func (m *Module) runIn(ctx context.Context, task string, w wasi.Config, limit uint64, do func(context.Context, *instanceOf) error) error {
	call := &call{module: m, task: task}
	call.log = taskLog{log: m.host.log, task: task}
	defer call.log.flush()
	if w.Stdout == nil {
		w.Stdout = &call.log
	}
	if w.Stderr == nil {
		w.Stderr = &call.log
	}
	if len(w.Args) == 0 {
		w.Args = []string{task}
	}
	for _, mem := range m.desc.Memories {
		if least := mem.Min * instrument.PageSize; least > limit {
			return abi.Errorf(abi.LimitHit, "%s begins with %d bytes of memory, more than the limit of %d; raise it with --memory", m.name, least, limit)
		}
	}
	if ctx.Err() != nil {
		return call.wrap(context.Cause(ctx), nil, limit)
	}
	inst, err := m.compiled.Instantiate(ctx, engine.Config{WASI: w, MemoryLimit: limit, Data: call})
	if err != nil {
		return call.wrap(err, nil, limit)
	}
	defer inst.Close()
	in := &instanceOf{inst, call}
	if e, ok := m.desc.Export(abi.ExportInit, instrument.FuncKind); ok {
		if err := inst.Call(ctx, e.Name, e.Type, nil); err != nil {
			return call.wrap(err, inst, limit)
		}
	}
	call.inTask = true
	return call.wrap(do(ctx, in), inst, limit)
}

// wrap turns what ended a call into an *abi.Error with the guest's stack and its
// last log lines.
func (c *call) wrap(err error, inst engine.Instance, limit uint64) error {
	if err == nil && !c.failed {
		return nil
	}
	var e *abi.Error
	switch {
	case c.failed && !stopped(err):
		e = abi.Errorf(abi.Failed, "%s", c.reason)
		if t, ok := errors.AsType[*engine.Trap](err); ok {
			e.Stack = t.Stack
		}
	case errors.As(err, &e):
	default:
		e = c.explain(err)
	}
	if inst != nil && e.Code == abi.Trapped && inst.MemoryRefused() > 0 {
		e.Code = abi.LimitHit
		e.Message = fmt.Sprintf("out of memory: it asked for %d bytes, and the limit is %d (raise it with --memory); then %s", inst.MemoryRefused(), limit, e.Message)
	}
	e.Log = c.log.last()
	return e
}

// stopped reports whether err is the host's stopping the call.
func stopped(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || isCode(err, abi.TimedOut, abi.LimitHit, abi.Cancelled)
}

func isCode(err error, codes ...abi.Code) bool {
	a, ok := errors.AsType[*abi.Error](err)
	if !ok {
		return false
	}
	for _, c := range codes {
		if a.Code == c {
			return true
		}
	}
	return false
}

// explain finds the code of an engine's error.
func (c *call) explain(err error) *abi.Error {
	if t, ok := errors.AsType[*engine.Trap](err); ok {
		e := abi.Errorf(abi.Trapped, "%s", t.Reason)
		e.Stack = t.Stack
		return e
	}
	if x, ok := errors.AsType[*engine.Exit](err); ok {
		return abi.Errorf(abi.Trapped, "the guest called exit(%d)", x.Code)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return abi.Errorf(abi.TimedOut, "the time was over: %w", err)
	}
	if errors.Is(err, context.Canceled) {
		return abi.Errorf(abi.Cancelled, "cancelled: %w", err)
	}
	return abi.Errorf(abi.Trapped, "%w", err)
}

// importFunctions are the functions of import module entangle_v1.
var importFunctions = []engine.Function{
	{Name: abi.ImportLog, Params: 3, Call: importLog},
	{Name: abi.ImportFail, Params: 2, Call: importFail},
}

// span returns the len bytes at ptr, or false if they are not all in mem.
func span(mem []byte, ptr, n uint64) ([]byte, bool) {
	ptr, n = uint64(uint32(ptr)), uint64(uint32(n))
	if ptr+n > uint64(len(mem)) {
		return nil, false
	}
	return mem[ptr : ptr+n], true
}

func importLog(data any, mem []byte, p []uint64) (uint32, error) {
	levels := [...]slog.Level{abi.LogDebug: slog.LevelDebug, abi.LogInfo: slog.LevelInfo, abi.LogWarn: slog.LevelWarn, abi.LogError: slog.LevelError}
	level := uint32(p[0])
	if int64(level) >= int64(len(levels)) {
		return uint32(abi.StatusInvalid), nil
	}
	b, ok := span(mem, p[1], p[2])
	if !ok {
		return uint32(abi.StatusPointer), nil
	}
	return uint32(abi.StatusOK), data.(*call).log.lines(levels[level], string(b))
}

func importFail(data any, mem []byte, p []uint64) (uint32, error) {
	c := data.(*call)
	if !c.inTask {
		return uint32(abi.StatusInvalid), nil
	}
	b, ok := span(mem, p[0], p[1])
	if !ok {
		return uint32(abi.StatusPointer), nil
	}
	status := abi.StatusOK
	if len(b) > MaxFailure {
		b, status = b[:MaxFailure], abi.StatusLimit
	}
	c.failed, c.reason = true, strings.ToValidUTF8(string(b), "\uFFFD")
	return uint32(status), nil
}

// askManifest runs the guest's own entangle_manifest.
func (m *Module) askManifest(ctx context.Context, e instrument.Export) (text []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, manifestTimeout)
	defer cancel()
	err = m.runIn(ctx, e.Name, wasi.Config{}, m.host.memoryLimit(&graph.Policy{}), func(ctx context.Context, in *instanceOf) error {
		stack := []uint64{0}
		if err := in.Call(ctx, e.Name, e.Type, stack); err != nil {
			return err
		}
		b, ok := span(in.Memory(), stack[0]>>32, stack[0])
		if !ok || len(b) > abi.MaxManifest || !utf8.Valid(b) {
			return abi.Errorf(abi.Protocol, "%s returned no text of at most %d bytes", e.Name, abi.MaxManifest)
		}
		text = append([]byte(nil), b...)
		return nil
	})
	return text, err
}
