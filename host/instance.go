package host

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/memory"
	"entangle.example/entangle/host/internal/wasi"
	"entangle.example/entangle/sched"
)

// An instance is one instance of a program and what belongs to the call that it
// makes, one after the other. Whoever has taken it out of the idle ones (idle.go)
// owns it.
//
// A call is: acquire, call exports, release. Release resets what the call may have
// changed, or closes the instance if that cannot be done: its memory grew, the guest
// trapped, or state changed that no image holds.
type instance struct {
	program  *program
	template *template // whose it is once it is idle
	engine   engine.Instance
	image    *image // that it was made from, or became
	memory   *memory.Linear
	ticket   ticket
	ages     int   // how many times the janitor has found it idle
	yieldAt  int64 // of the watchdog's clock

	call
	guest  Guest // for what drives it by hand
	stack  []uint64
	inline [8]uint64
	args   []byte // encoded, of a typed task
}

// A call is what one call of a guest has.
type call struct {
	c           *graph.Call // nil outside of a graph
	task        string
	limits      *limits
	effect      instrument.Effect // of what was called
	begun       int64             // of the watchdog's clock, if there is a deadline
	timeout     time.Duration
	log         taskLog
	wasi        wasi.State
	leased      *template
	done        func() // closes what was opened for it
	calls       int64  // of host functions
	inTask      bool   // not in _initialize
	failed      bool   // the guest called fail
	reason      string // that it gave
	worn        bool   // it cannot be reset
	held        *actor // whose instance it is
	imaging     bool   // the image is to be made of it, once it is initialized
	initialized bool   // in this call

	sleeping func(time.Duration) error // of wasi.Config, made once
	asking   func() error
}

// acquire returns an instance for one call of a task: an idle one, or a new one. The
// caller must release it.
func (m *Module) acquire(c *graph.Call, streams *wasi.Config) (*instance, error) {
	policy := c.Policy()
	l, err := m.host.limitsOf(m.limits, policy)
	if err != nil {
		return nil, err
	}
	p := m.program()
	if policy.Engine != "" || l.Stack != m.host.limits.Stack {
		if p = m.programs.known(policy.Engine, l.Stack); p == nil {
			c.Block(func() { p, err = m.programFor(c.Ctx, policy.Engine, l.Stack) })
		}
		if err != nil {
			return nil, err
		}
	}
	var w wasi.Config
	if streams != nil {
		w = *streams
	}
	t, env, done, err := m.template(p, policy)
	if err != nil {
		return nil, err
	}
	w.Mounts, w.Env = env.mounts, env.vars
	i, err := m.startCall(c.Ctx, c, t, c.Node.Def().Name, l, &w, policy)
	if err != nil {
		t.leave()
		if done != nil {
			done()
		}
		return nil, err
	}
	i.leased, i.done = t, done
	return i, nil
}

// acquireAlone is acquire for a call that belongs to no graph.
func (m *Module) acquireAlone(ctx context.Context, task string) (*instance, error) {
	p, err := m.ownProgram(ctx)
	if err != nil {
		return nil, err
	}
	var w wasi.Config
	policy := &graph.Policy{}
	if s := m.setup; s != nil {
		policy, w.Mounts, w.Env = &s.Policy, s.env.mounts, s.env.vars
	}
	return m.startCall(ctx, nil, p.templateOf(m.setup), task, m.limits, &w, policy)
}

// startCall returns an instance of t in which a call has begun; c is nil outside of a graph.
func (m *Module) startCall(ctx context.Context, c *graph.Call, t *template, task string, l *limits, w *wasi.Config, policy *graph.Policy) (i *instance, err error) {
	for {
		var worker *sched.Worker
		if c != nil {
			worker = c.Worker
		}
		if policy.Actor != "" {
			i, err = m.actorInstance(c, t, policy.Actor, l)
		} else {
			i, err = t.take(worker, l)
		}
		if err != nil {
			return nil, instantiateError(err)
		}
		i.c = c
		if err = i.start(ctx, task, l, w, policy.Timeout); err == nil {
			return i, nil
		}
		released := i.release(err)
		if err != errNoImage {
			return nil, released
		}
	}
}

// start begins a call, and initializes the instance if that has not been done.
func (i *instance) start(ctx context.Context, task string, l *limits, w *wasi.Config, timeout time.Duration) error {
	h := i.program.m.host
	i.task, i.limits, i.timeout = task, l, timeout
	i.log.begin(h.log, task, l)
	if i.memory != nil {
		i.memory.SetLimit(l.memory)
	}
	deadline := int64(noDeadline)
	if timeout > 0 {
		i.begun = h.watchdog.clock()
		if timeout < noDeadline-time.Duration(i.begun) {
			deadline = i.begun + int64(timeout)
		}
	}
	h.watchdog.begin(&i.ticket, h.runOf(i.c, ctx), deadline)
	if i.imaging {
		i.imaging = false
		if err := i.template.initializeImage(ctx, i, w); err != nil {
			i.worn = true
			return err
		}
		i.calls, i.limits = 0, l
		i.log.begin(h.log, task, l)
		if i.memory != nil {
			i.memory.SetLimit(l.memory)
			if n := uint64(len(i.memory.Bytes())); n > l.memory {
				return tooSmall(i.program.m.name, n, l.memory)
			}
		}
	}
	i.beginWASI(w)
	if i.image == nil && (i.held == nil || !i.held.ready) && !i.initialized {
		if err := i.initialize(); err != nil {
			return err
		}
	}
	i.inTask = true
	return nil
}

// beginWASI gives the guest what w says.
func (i *instance) beginWASI(w *wasi.Config) {
	if !i.program.m.wasi {
		return
	}
	if w.Stdout == nil {
		w.Stdout = &i.log
	}
	if w.Stderr == nil {
		w.Stderr = &i.log
	}
	if len(w.Args) == 0 {
		w.Args = i.log.args[:]
	}
	w.Sleep, w.Stopped = i.sleeping, i.asking
	i.wasi.Begin(*w)
}

// initialize does for a new instance what the image does for others.
func (i *instance) initialize() error {
	p := i.program
	i.initialized = true
	for _, fn := range [2]int{p.init, p.begin} {
		if fn < 0 {
			continue
		}
		if err := i.engine.Call(fn, i.stack[:0]); err != nil {
			i.worn = true
			return err
		}
	}
	return nil
}

// run calls an export of the module. On entry i.stack holds the parameters, on
// return the results.
func (i *instance) run(export int, values int) error {
	return i.runOn(export, i.stack[:values])
}

// runOn is run with the numbers in stack.
func (i *instance) runOn(export int, stack []uint64) error {
	x := &i.program.exports[export]
	i.effect |= x.effect
	if err := i.engine.Call(x.fn, stack); err != nil {
		if t, ok := err.(*engine.Trap); !ok || !isExit(t.Err) {
			i.worn = true
		}
		i.effect |= instrument.WritesGlobals
		return err
	}
	return nil
}

func isExit(err error) bool {
	_, ok := err.(*wasi.Exit)
	return ok
}

// release ends a call that ended with err. It returns the call's error, nil or an
// *abi.Error with all that is known.
func (i *instance) release(err error) error {
	cause := i.ticket.end()
	if cause != nil {
		i.engine.Resume()
	}
	if i.program.m.wasi {
		if closeErr := i.wasi.End(); err == nil && closeErr != nil {
			err = closeErr
		}
	}
	if i.done != nil {
		i.done()
		i.done = nil
	}
	if i.leased != nil {
		i.leased.leave()
		i.leased = nil
	}
	if err != nil || cause != nil || i.failed || i.log.written > 0 {
		err = i.explain(err, cause)
	}
	var worker *sched.Worker
	if i.c != nil {
		worker = i.c.Worker
	}
	held := i.held
	worn := i.worn || held == nil && !i.reset()
	i.clear()
	switch {
	case held != nil:
		held.leave(i, worn)
	case worn:
		i.close()
	default:
		i.template.put(worker, i)
	}
	return err
}

// clear forgets the call.
func (i *instance) clear() {
	i.c, i.held, i.limits, i.effect, i.begun = nil, nil, nil, 0, 0
	i.calls, i.inTask, i.failed, i.reason, i.imaging, i.initialized, i.worn = 0, false, false, "", false, false, false
}

// reset brings the guest's state back to the image, and reports whether it could.
func (i *instance) reset() bool {
	im := i.image
	if im == nil || i.effect&instrument.WritesTables != 0 || i.engine.Spent() {
		return false
	}
	if i.effect&(instrument.WritesMemory|instrument.CallsHost) != 0 && i.memory != nil {
		if i.memory.Grew() || i.memory.ResetOn(i.thread()) != nil {
			return false
		}
	}
	if i.effect != instrument.NoEffect {
		i.engine.SetGlobals(im.globals)
	}
	return true
}

// thread returns what stands for the thread that the call was on, if it was on one.
func (i *instance) thread() uint64 {
	if i.c == nil || i.c.Worker == nil {
		return 0
	}
	return i.c.Worker.Binding()
}

// close frees the instance.
func (i *instance) close() {
	h := i.program.m.host
	h.watchdog.remove(&i.ticket)
	if err := i.engine.Close(); err != nil {
		h.log.Warn("an instance cannot be closed", "module", i.program.m.name, "error", err)
	}
	if i.memory != nil {
		i.memory.Discard()
	}
	h.live.Add(-1)
}

// sleep waits on behalf of the guest, and lets others have the worker meanwhile.
func (i *instance) sleep(pause time.Duration) (err error) {
	if i.c == nil || i.c.Worker == nil || pause < shortSleep {
		return i.ticket.sleep(pause)
	}
	i.c.Block(func() { err = i.ticket.sleep(pause) })
	return err
}

// shortSleep is a sleep that is shorter than giving a worker up and getting one back.
const shortSleep = 50 * time.Microsecond

// whyStopped returns an error if the call was stopped.
func (i *instance) whyStopped() error {
	if i.ticket.isStopped() || i.program.m.host.watchdog.overdue(&i.ticket) {
		return errStopped
	}
	return nil
}

const (
	// yieldEvery is how long a guest runs before it lets others run. A worker's
	// goroutine is bound to its thread, so yielding takes tens of microseconds.
	yieldEvery = 400 * time.Microsecond
	// wanted is how long yielding takes if others did run. Then they are let run again
	// as soon as may be: a collection needs the processor several times, and would
	// wait each time for as long as a goroutine may run.
	wanted = 50 * time.Microsecond
)

func (i *instance) yield() {
	clock := i.program.m.host.watchdog.clock
	now := clock()
	if now < i.yieldAt {
		return
	}
	runtime.Gosched()
	then := clock()
	if i.yieldAt = then; then-now < int64(wanted) {
		i.yieldAt += int64(yieldEvery)
	}
}

// poll is what a guest in wazero calls now and then.
func poll(data any, stack int64) error {
	i := data.(*instance)
	i.yield()
	if stack > i.limits.Stack {
		return stackError(i.limits.Stack)
	}
	return i.whyStopped()
}

func stackError(limit int64) error {
	return abi.Errorf(abi.LimitHit, "its calls need more than %s of stack, the limit of a call", sizeText(uint64(limit)))
}

// explain turns what ended a call into an *abi.Error of its own, with the guest's
// stack and its last log lines; nil if nothing is wrong.
func (i *instance) explain(err, cause error) error {
	last := i.log.last()
	if err == nil && !i.failed {
		return nil // it returned in the moment in which it was stopped
	}
	var stack []string
	e, isError := err.(*abi.Error)
	if t, ok := err.(*engine.Trap); ok {
		for _, name := range t.Stack {
			stack = append(stack, printable(name))
		}
		for inner, ok := t.Err.(*engine.Trap); ok; inner, ok = t.Err.(*engine.Trap) {
			t = inner // a function that the guest imports has called the guest
			for _, name := range slices.Backward(t.Stack) {
				stack = slices.Insert(stack, 0, printable(name))
			}
		}
		if t.Err != nil {
			err = t.Err
			e, isError = err.(*abi.Error)
		} else if cause != nil && t.Reason == engine.Unreachable { // how a control word stops
			err = errStopped
		} else {
			e, isError = i.trapError(t), true
		}
	}
	switch {
	case cause != nil && errors.Is(err, errStopped):
		e = i.stopError(cause)
	case i.failed && (err == nil || e == nil || e.Code != abi.LimitHit):
		e = &abi.Error{Code: abi.Failed, Message: i.reason}
	case !isError:
		e = otherError(err)
	}
	if len(stack) > 0 {
		e.Stack = stack
	}
	e.Log = last
	return e
}

// trapError explains a trap of the engine.
func (i *instance) trapError(t *engine.Trap) *abi.Error {
	if t.Reason == engine.StackOverflow {
		return abi.Errorf(abi.LimitHit, "%s: %s", t.Reason, stackError(i.limits.Stack))
	}
	e := abi.Errorf(abi.Trapped, "%s", t.Reason)
	starved := t.Reason == engine.Unreachable || t.Reason == engine.OutOfBoundsMemory // what follows a refusal
	if starved && i.memory != nil && i.memory.Refused() > 0 {
		e.Code = abi.LimitHit
		e.Message = fmt.Sprintf("out of memory: it asked for %s, and the limit is %s (raise it with --memory); then %s",
			sizeText(i.memory.Refused()), sizeText(i.limits.memory), e.Message)
	}
	return e
}

// otherError explains what a host function met.
func otherError(err error) *abi.Error {
	if x, ok := errors.AsType[*wasi.Exit](err); ok {
		return abi.Errorf(abi.Trapped, "the guest called exit(%d)", x.Code)
	}
	if x, ok := errors.AsType[*engine.Exceeded](err); ok {
		return abi.Errorf(abi.LimitHit, "%w", x)
	}
	if a, ok := errors.AsType[*abi.Error](err); ok {
		return a
	}
	return abi.Errorf(abi.Trapped, "%w", err)
}

// stopError returns why cause has stopped the call.
func (i *instance) stopError(cause error) *abi.Error {
	if cause == errDeadline && i.timeout > 0 {
		elapsed := time.Duration(i.program.m.host.watchdog.clock() - i.begun)
		return abi.Errorf(abi.TimedOut, "%s ran longer than its timeout of %v (%v)", i.task, i.timeout, elapsed.Round(10*time.Microsecond))
	}
	return causeError(cause)
}

// causeOf returns the error of a call that ctx, which is over, has ended.
func causeOf(ctx context.Context) *abi.Error {
	e := causeError(context.Cause(ctx))
	if e.Code == abi.Cancelled && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return abi.Errorf(abi.TimedOut, "the time was over: %w", context.Cause(ctx))
	}
	return e
}

// causeError returns the error of a call that a context has ended, for that cause.
// It may belong to several calls.
func causeError(cause error) *abi.Error {
	if a, ok := errors.AsType[*abi.Error](cause); ok && a.Code == abi.TimedOut {
		return &abi.Error{Code: a.Code, Message: a.Message, Cause: cause}
	}
	if cause == errDeadline || errors.Is(cause, context.DeadlineExceeded) {
		return abi.Errorf(abi.TimedOut, "the time was over: %w", cause)
	}
	return abi.Errorf(abi.Cancelled, "cancelled: %w", cause)
}

// instantiateError is the error of a call for which there is no instance.
func instantiateError(err error) error {
	if _, ok := errors.AsType[*abi.Error](err); ok {
		return err
	}
	if t, ok := err.(*engine.Trap); ok {
		return abi.Errorf(abi.Trapped, "instantiating: %s", t.Reason)
	}
	return abi.Errorf(abi.LimitHit, "%w", err)
}
