package graph

import (
	"context"
	"fmt"
	"reflect"
	"runtime/debug"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/sched"
)

// An Op is what a task does.
type Op interface {
	// Call returns the task's result. An error that is an *abi.Error keeps its
	// code; another is the task's own failure. Call must not keep c or c.Args.
	Call(c *Call) (abi.Value, error)
}

// OpFunc makes an Op of a function.
type OpFunc func(c *Call) (abi.Value, error)

// Call calls f.
func (f OpFunc) Call(c *Call) (abi.Value, error) { return f(c) }

// An Executor runs single tasks.
type Executor interface {
	// Pool returns the workers that run them.
	Pool() *sched.Pool
	// Execute runs the task of c.Node on c.Args, or has it run somewhere else:
	// here, that is c.Node.Def().Op.Call(c).
	Execute(c *Call) (abi.Value, error)
}

// Local returns an executor that runs tasks as they are on p's workers: enough
// for Go functions.
func Local(p *sched.Pool) Executor { return local{p} }

type local struct{ pool *sched.Pool }

func (l local) Pool() *sched.Pool                  { return l.pool }
func (l local) Execute(c *Call) (abi.Value, error) { return c.Node.def.Op.Call(c) }

// A Call is one execution of a node's task. It is the worker's, and used again
// for its next call.
type Call struct {
	// Ctx ends when the run does. The node's timeout is the Op's business: see
	// Context.
	Ctx  context.Context
	Node *Node
	// Args are the values of the node's arguments, of the kinds that the
	// signature wants where their producers said what they give; an Op with
	// narrower needs checks them.
	Args   []abi.Value
	Worker *sched.Worker
}

// Policy returns how the node is to run, not to be changed: it is not copied, as
// [Node.Policy] does.
func (c *Call) Policy() *Policy { return c.Node.policy() }

// Context returns the context of this call, which ends with the run or after the
// node's timeout; the caller must call cancel.
func (c *Call) Context() (ctx context.Context, cancel context.CancelFunc) {
	if t := c.Node.Policy().Timeout; t > 0 {
		return context.WithTimeoutCause(c.Ctx, t, timeoutError(c.Node.def.Name, t))
	}
	return c.Ctx, func() {}
}

// timeoutError returns the error of a task that ran longer than limit.
func timeoutError(task string, limit time.Duration) *abi.Error {
	return abi.Errorf(abi.TimedOut, "%s ran longer than its timeout of %v", task, limit)
}

// Block runs fn, which may wait, while another job uses the worker.
func (c *Call) Block(fn func()) {
	c.Worker.Local = nil // c itself; who takes the worker over makes its own
	c.Worker = c.Worker.Block(fn)
}

// Func returns a task that calls fn, a Go function, in this process. Parameters
// and results are what [abi.From] and [abi.Into] convert; fn may return an error
// besides its result, and may be variadic. A panic is the task's error.
//
// If fn's first parameter is a context.Context, fn is expected to wait (for a
// network, or for another run): it gets the call's context and runs without
// holding a worker. A function that computes takes none.
func Func(name string, fn any) Task {
	v := reflect.ValueOf(fn)
	op, sig, err := funcOp(v)
	if err != nil {
		return Broken(name, fmt.Errorf("graph.Func(%q): %w", name, err))
	}
	return New(name, sig, op)
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

type goFunc struct {
	fn      reflect.Value
	context bool
	result  bool
	err     bool
}

func funcOp(fn reflect.Value) (Op, abi.Signature, error) {
	if fn.Kind() != reflect.Func {
		return nil, abi.Signature{}, fmt.Errorf("want a function, got %v", fn.Kind())
	}
	t := fn.Type()
	f := goFunc{fn: fn}
	sig := abi.Signature{Variadic: t.IsVariadic(), Result: abi.NullType}
	for i := range t.NumIn() {
		in := t.In(i)
		if i == 0 && in == contextType {
			f.context = true
			continue
		}
		if t.IsVariadic() && i == t.NumIn()-1 {
			in = in.Elem()
		}
		sig.Params = append(sig.Params, abi.Param{Name: string(rune('a' + i%26)), Type: abi.TypeOf(in)})
	}
	outs := t.NumOut()
	if outs > 0 && t.Out(outs-1) == errorType {
		f.err = true
		outs--
	}
	switch outs {
	case 0:
	case 1:
		f.result = true
		sig.Result = abi.TypeOf(t.Out(0))
	default:
		return nil, abi.Signature{}, fmt.Errorf("want one result and perhaps an error, got %v", t)
	}
	return f, sig, nil
}

func (f goFunc) Call(c *Call) (v abi.Value, err error) {
	if !f.context {
		return f.call(c.Ctx, c.Args)
	}
	ctx, cancel := c.Context()
	defer cancel()
	c.Block(func() { v, err = f.call(ctx, c.Args) })
	if err != nil && ctx.Err() != nil {
		if cause, ok := context.Cause(ctx).(*abi.Error); ok {
			return abi.Value{}, cause
		}
	}
	return v, err
}

func (f goFunc) call(ctx context.Context, args []abi.Value) (v abi.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = abi.Value{}, panicError(r)
		}
	}()
	in := make([]reflect.Value, 0, len(args)+1)
	t := f.fn.Type()
	if f.context {
		in = append(in, reflect.ValueOf(ctx))
	}
	for i, a := range args {
		var pt reflect.Type
		if last := t.NumIn() - 1; t.IsVariadic() && len(in) >= last {
			pt = t.In(last).Elem()
		} else {
			pt = t.In(len(in))
		}
		p := reflect.New(pt)
		if err := abi.Into(a, p.Interface()); err != nil {
			return abi.Value{}, abi.Errorf(abi.BadCall, "argument %d: %w", i+1, err)
		}
		in = append(in, p.Elem())
	}
	out := f.fn.Call(in)
	if f.err {
		if e, _ := out[len(out)-1].Interface().(error); e != nil {
			return abi.Value{}, e
		}
	}
	if !f.result {
		return abi.Null(), nil
	}
	return abi.From(out[0].Interface())
}

// panicError returns the error of a task that panicked with r; it must be called
// by the deferred function that recovered.
func panicError(r any) error {
	e := abi.Errorf(abi.Failed, "panic: %v", r)
	e.Stack = stackLines(debug.Stack())
	return e
}
