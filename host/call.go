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
			return abi.Errorf(abi.LimitHit, "%s begins with %s of memory, and the limit is %s; raise it with --memory", m.name, sizeText(least), sizeText(limit))
		}
	}
	if ctx.Err() != nil {
		return stopError(ctx)
	}
	inst, err := m.compiled.Instantiate(ctx, engine.Config{WASI: w, MemoryLimit: limit, Data: call})
	if err != nil {
		return call.wrap(ctx, err, nil, limit)
	}
	defer inst.Close()
	if m.begin != nil {
		if err := inst.Call(ctx, m.begin.Name, m.begin.Type, nil); err != nil {
			return call.wrap(ctx, err, inst, limit)
		}
	}
	call.inTask = true
	return call.wrap(ctx, do(ctx, &instanceOf{inst, call}), inst, limit)
}

// wrap turns what ended a call into an *abi.Error of its own, with the guest's
// stack and its last log lines.
func (c *call) wrap(ctx context.Context, err error, inst engine.Instance, limit uint64) error {
	if err == nil && !c.failed {
		return nil
	}
	e := explain(ctx, err)
	switch {
	case c.failed && e.Code != abi.TimedOut && e.Code != abi.Cancelled && e.Code != abi.LimitHit:
		e = &abi.Error{Code: abi.Failed, Message: c.reason, Stack: e.Stack}
	case inst != nil && e.Code == abi.Trapped && inst.MemoryRefused() > 0:
		e.Code = abi.LimitHit
		e.Message = fmt.Sprintf("out of memory: it asked for %s, and the limit is %s (raise it with --memory); then %s",
			sizeText(inst.MemoryRefused()), sizeText(limit), e.Message)
	}
	e.Log = c.log.last()
	return e
}

// explain finds the code of what ended a call.
func explain(ctx context.Context, err error) *abi.Error {
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return stopError(ctx)
	}
	switch x := err.(type) {
	case nil:
		return &abi.Error{}
	case *abi.Error:
		return x
	case *engine.Trap:
		e := abi.Errorf(abi.Trapped, "%s", x.Reason)
		for _, line := range x.Stack {
			e.Stack = append(e.Stack, printable(line))
		}
		return e
	case *engine.Exit:
		return abi.Errorf(abi.Trapped, "the guest called exit(%d)", x.Code)
	}
	return abi.Errorf(abi.Trapped, "%w", err)
}

// stopError returns why ctx, which is over, has stopped a call. The cause may
// belong to several calls.
func stopError(ctx context.Context) *abi.Error {
	cause := context.Cause(ctx)
	if a, ok := cause.(*abi.Error); ok && a.Code == abi.TimedOut {
		e := *a
		return &e
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return abi.Errorf(abi.TimedOut, "the time was over: %w", cause)
	}
	return abi.Errorf(abi.Cancelled, "cancelled: %w", cause)
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
