package wazero

// What wazero does not tell, and a host of untrusted guests must know. It is read
// from wazero's own struct behind an api.Function, by names that are checked first:
// with another layout, nothing runs.
//
// The stack of a call is a slice of bytes, which doubles when it is too small, up to
// 400 MB; no option bounds it. Each try_table that is open holds a copy of it. An
// exception that the guest holds a reference to (exnref) is not known to the garbage
// collector, but for the one that was thrown last: so all that a call throws are
// kept until its instance is reset.

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"unsafe"

	"github.com/tetratelabs/wazero/api"

	"entangle.example/entangle/host/internal/engine"
)

// A layout says where in the struct behind an api.Function its parts are.
type layout struct{ stack, handlers, exception uintptr }

type exception = unsafe.Pointer

var errUnknown = errors.New("this version of wazero is not the one that the host knows")

// layoutOf finds the layout, or says what is missing.
func layoutOf(f api.Function) (*layout, error) {
	t := reflect.TypeOf(f)
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("%w: a function is %v", errUnknown, t)
	}
	var l layout
	for _, field := range []struct {
		name string
		kind reflect.Kind
		at   *uintptr
	}{{"stack", reflect.Slice, &l.stack}, {"tryHandlers", reflect.Slice, &l.handlers}, {"pendingException", reflect.Pointer, &l.exception}} {
		found, ok := t.Elem().FieldByName(field.name)
		if !ok || found.Type.Kind() != field.kind {
			return nil, fmt.Errorf("%w: no field %s", errUnknown, field.name)
		}
		*field.at = found.Offset
	}
	return &l, nil
}

// look finds the layout out, by the first function that is called.
func (e *wazeroEngine) look(f api.Function) error {
	if !compiles || e.layout.Load() != nil {
		return nil
	}
	l, err := layoutOf(f)
	e.layout.Store(l)
	return err
}

// compiles says whether wazero compiles here, or only interprets.
const compiles = (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64") &&
	(runtime.GOOS == "linux" || runtime.GOOS == "darwin" || runtime.GOOS == "windows" || runtime.GOOS == "freebsd")

type slice struct {
	data     unsafe.Pointer
	len, cap int
}

// struct behind an api.Function.
func behind(f api.Function) unsafe.Pointer {
	return (*[2]unsafe.Pointer)(unsafe.Pointer(&f))[1]
}

const (
	// maxCopied bounds the copies of the stack that open try_tables hold, in bytes.
	maxCopied = 128 << 20
	// maxKept bounds the exceptions that a call throws.
	maxKept = 1 << 20
	// keepStack is how large a stack may be that an idle instance keeps, in bytes.
	keepStack = 64 << 10
)

// poll is what a guest calls every so often, and where a try_table is entered. That
// it is called at all lets Go's scheduler and collector in.
func (i *instance) poll() error {
	used := 0
	if l := i.m.engine.layout.Load(); l != nil {
		p := behind(i.current)
		stack := (*slice)(unsafe.Add(p, l.stack)).len
		used = stack / 2 // it has doubled when that was too little
		i.deep = i.deep || stack > keepStack
		if open := (*slice)(unsafe.Add(p, l.handlers)).len; open*stack > maxCopied {
			return &engine.Exceeded{What: engine.OpenTries, Limit: maxCopied}
		}
	}
	return i.m.engine.opts.Poll(i.data, int64(used))
}

// keep keeps the exception that was thrown last.
func (i *instance) keep() error {
	l := i.m.engine.layout.Load()
	if l == nil {
		return nil
	}
	if len(i.kept) == maxKept {
		return &engine.Exceeded{What: engine.Exceptions, Limit: maxKept}
	}
	if e := *(*exception)(unsafe.Add(behind(i.current), l.exception)); e != nil {
		i.kept = append(i.kept, e)
	}
	return nil
}

// forget drops what calls have left in the engine.
func (i *instance) forget() {
	if l := i.m.engine.layout.Load(); l != nil {
		for k, f := range i.funcs {
			if f == nil {
				continue
			}
			p := behind(f)
			if (*slice)(unsafe.Add(p, l.stack)).cap > keepStack || (*slice)(unsafe.Add(p, l.handlers)).cap > 0 {
				i.funcs[k] = nil
			}
		}
	}
	clear(i.kept)
	i.kept = i.kept[:0]
}
