package entangle

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"entangle.example/entangle/abi"
)

// A module is what a guest offers. A guest has one, which [Task] fills while it
// starts; after that it does not change.
type module struct {
	doc    string
	grants []string
	tasks  []*task
}

type task struct {
	decl   abi.TaskDecl
	fn     reflect.Value
	params []codec // of a variadic one, the codec of one argument
	slice  reflect.Type
	result *codec // nil where the function has no result but an error
	fails  bool   // its last result is an error
	// encoded says that a parameter is an Encoded, so that the arguments are
	// taken apart one by one.
	encoded bool
}

// guest is the module that is being run.
var guest module

// Task registers fn, a function, as the task name. It is called in init
// functions, or in the initializers of variables. It panics if the name or a
// type of fn is none that a task can have, since a module with such a task would
// be of no use to anyone.
//
// The results of fn are none, a value, an error, or a value and an error. An
// error that it returns is the task's error, and so is a panic.
func Task(name string, fn any, opts ...Option) {
	if err := guest.register(name, fn, opts); err != nil {
		panic(fmt.Sprintf("entangle: task %q: %v", name, err))
	}
}

// Module sets the line of documentation of the whole module.
func Module(doc string) { guest.doc = oneLine(doc) }

// Grant says that the module wants to be granted something, such as
// "fs:ro=/data". Whoever runs it decides.
func Grant(grant string) { guest.grants = append(guest.grants, oneLine(grant)) }

// An Option says more about a task than its function does.
type Option func(*task) error

// Doc is the line of documentation of a task.
func Doc(line string) Option {
	return func(t *task) error {
		t.decl.Doc = oneLine(line)
		return nil
	}
}

// Params names the parameters of a task, all of them; without it they are a, b,
// c and so on. A type may follow a name, "counts: map[int]", to say more than
// the Go type does, as for a [Value]; the host checks it.
func Params(names ...string) Option {
	return func(t *task) error {
		params := t.decl.Sig.Params
		if len(names) != len(params) {
			return errorf("Params has %d names, and the function %d parameters", len(names), len(params))
		}
		for i, s := range names {
			name, typ, typed := strings.Cut(s, ":")
			name = strings.TrimSpace(name)
			if err := abi.CheckName(name); err != nil {
				return errorf("parameter %w", err)
			}
			for _, p := range params[:i] {
				if p.Name == name {
					return errorf("two parameters are named %q", name)
				}
			}
			params[i].Name = name
			if !typed {
				continue
			}
			if err := narrow(&params[i].Type, typ); err != nil {
				return errorf("parameter %s: %w", name, err)
			}
		}
		return nil
	}
}

// Returns gives the type of a task's result in the manifest's own words, such as
// "map[int]", where the Go type says less.
func Returns(typ string) Option {
	return func(t *task) error {
		if t.result == nil {
			return errorf("Returns(%q), but the function returns nothing", typ)
		}
		if err := narrow(&t.decl.Sig.Result, typ); err != nil {
			return errorf("result: %w", err)
		}
		return nil
	}
}

// narrow replaces *t by the type that text names, if that is a kind of *t.
func narrow(t *abi.Type, text string) error {
	declared, err := abi.ParseType(text)
	if err != nil {
		return err
	}
	if !t.Accepts(declared) {
		return errorf("the function has %v there, not %v", *t, declared)
	}
	*t = declared
	return nil
}

// Timeout is how long a call may take if whoever makes it does not say.
func Timeout(d time.Duration) Option {
	return func(t *task) error {
		if d <= 0 {
			return errorf("timeout %v is not positive", d)
		}
		t.decl.Timeout = d
		return nil
	}
}

// Memory is how many bytes of memory a call may use if whoever makes it does not
// say.
func Memory(bytes int64) Option {
	return func(t *task) error {
		if bytes <= 0 {
			return errorf("memory of %d bytes is not positive", bytes)
		}
		t.decl.Memory = bytes
		return nil
	}
}

func (m *module) register(name string, fn any, opts []Option) error {
	if err := abi.CheckName(name); err != nil {
		return err
	}
	for _, t := range m.tasks {
		if t.decl.Name == name {
			return errorf("it is registered twice")
		}
	}
	if len(m.tasks) == abi.MaxTasks {
		return errorf("a module has %d tasks at most", abi.MaxTasks)
	}
	t := &task{fn: reflect.ValueOf(fn)}
	t.decl.Name = name
	if t.fn.Kind() != reflect.Func || t.fn.IsNil() {
		return errorf("want a function, got %T", fn)
	}
	if err := t.readSignature(t.fn.Type()); err != nil {
		return err
	}
	for _, o := range opts {
		if err := o(t); err != nil {
			return err
		}
	}
	warmCall(t.fn.Type())
	m.tasks = append(m.tasks, t)
	return nil
}

func (t *task) readSignature(f reflect.Type) error {
	sig := &t.decl.Sig
	sig.Result, sig.Variadic = abi.NullType, f.IsVariadic()
	if f.NumIn() > abi.MaxParams {
		return errorf("a task has %d parameters at most", abi.MaxParams)
	}
	for i := range f.NumIn() {
		in := f.In(i)
		if f.IsVariadic() && i == f.NumIn()-1 {
			t.slice, in = in, in.Elem()
		}
		name := "p" + strconv.Itoa(i+1)
		if i < 26 {
			name = string(rune('a' + i))
		}
		c, err := codecOf(in)
		if err != nil {
			return errorf("parameter %s: %w", name, err)
		}
		if err := checkType(c.typ); err != nil {
			return errorf("parameter %s: %w", name, err)
		}
		t.encoded = t.encoded || in == encodedType
		t.params = append(t.params, c)
		sig.Params = append(sig.Params, abi.Param{Name: name, Type: c.typ})
	}
	outs := f.NumOut()
	if outs > 0 && f.Out(outs-1) == reflect.TypeFor[error]() {
		t.fails = true
		outs--
	}
	if outs > 1 {
		return errorf("%v: the results of a task are none, a value, an error, or a value and an error", f)
	}
	if outs == 1 {
		c, err := codecOf(f.Out(0))
		if err != nil {
			return errorf("result: %w", err)
		}
		if err := checkType(c.typ); err != nil {
			return errorf("result: %w", err)
		}
		t.result, sig.Result = &c, c.typ
	}
	return nil
}

// checkType reports whether a manifest can say t, which may nest too deep.
func checkType(t abi.Type) error {
	_, err := abi.ParseType(t.String())
	return err
}

// oneLine makes a line of s, since a line of the manifest is a declaration.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
}

// manifest returns the text of m's manifest.
func (m *module) manifest() []byte {
	var b []byte
	if m.doc != "" {
		b = append(b, "module # "+m.doc+"\n"...)
	}
	for _, g := range m.grants {
		b = append(b, "grant "+g+"\n"...)
	}
	for _, t := range m.tasks {
		d := t.decl
		b = append(b, "task "+d.Name+d.Sig.String()...)
		if d.Timeout != 0 {
			b = append(b, " timeout="+d.Timeout.String()...)
		}
		if d.Memory != 0 {
			b = append(b, " memory="+formatSize(d.Memory)...)
		}
		if d.Doc != "" {
			b = append(b, " # "+d.Doc...)
		}
		b = append(b, '\n')
	}
	return b
}

// formatSize writes n as the manifest does: "64MiB", or "1000" where nothing
// larger divides it.
func formatSize(n int64) string {
	unit := ""
	for _, u := range []string{"KiB", "MiB", "GiB"} {
		if n%1024 != 0 {
			break
		}
		n, unit = n/1024, u
	}
	return strconv.FormatInt(n, 10) + unit
}

// A panicError is a panic of a task, as its error.
type panicError struct {
	message string
	stack   string
}

func (e *panicError) Error() string { return "panic: " + e.message }

// call runs task number index with the arguments that args encodes and returns
// the encoding of its result, or the error that it ends with.
func (m *module) call(index uint32, args []byte) (result []byte, err error) {
	if uint64(index) >= uint64(len(m.tasks)) {
		return nil, errorf("task number %d of %d", index, len(m.tasks))
	}
	t := m.tasks[index]
	in, err := t.arguments(args)
	if err != nil {
		return nil, err
	}
	out, err := t.run(in)
	if err != nil || t.result == nil {
		return nil, err
	}
	if out.Type() == encodedType {
		return out.Bytes(), nil
	}
	v, err := t.result.encode(out, abi.MaxDepth)
	if err == nil {
		result, err = abi.Append(make([]byte, 0, encodedLen(v)), v)
	}
	if err != nil {
		return nil, errorf("result of %s: %w", t.decl.Name, err)
	}
	return result, nil
}

// arguments returns what to call t's function with.
func (t *task) arguments(args []byte) ([]reflect.Value, error) {
	items, vs, err := t.items(args)
	if err != nil {
		return nil, errorf("arguments of %s: %w", t.decl.Name, err)
	}
	n := max(len(items), len(vs))
	if least, most := t.decl.Sig.Arity(); n < least || most >= 0 && n > most {
		return nil, errorf("%s takes %s, got %d", t.decl.Name, arity(least, most), n)
	}
	in := make([]reflect.Value, len(t.params))
	for i := range in {
		if t.slice != nil && i == len(in)-1 {
			in[i] = reflect.MakeSlice(t.slice, n-i, n-i)
			continue
		}
		in[i] = reflect.New(t.fn.Type().In(i)).Elem()
	}
	for i := range n {
		param := min(i, len(in)-1)
		to := in[param]
		if t.slice != nil && param == len(in)-1 {
			to = to.Index(i - param)
		}
		var err error
		switch {
		case items == nil:
			err = t.params[param].decode(vs[i], to)
		case to.Type() == encodedType:
			to.SetBytes(items[i])
		default:
			var v Value
			if v, err = abi.Decode(items[i], abi.Limits{}); err == nil {
				err = t.params[param].decode(v, to)
			}
		}
		if err != nil {
			return nil, errorf("%s: argument %d, %s: %w", t.decl.Name, i+1, t.decl.Sig.Params[param].Name, err)
		}
	}
	return in, nil
}

// items takes the list of arguments apart: into items where t wants one encoded,
// else into values.
func (t *task) items(args []byte) (items [][]byte, vs []Value, err error) {
	if t.encoded {
		items, err = splitList(args)
		return items, nil, err
	}
	list, err := abi.Decode(args, abi.Limits{Depth: abi.MaxDepth + 1}) // the list is one
	if err != nil {
		return nil, nil, err
	}
	vs, ok := list.List()
	if !ok {
		return nil, nil, errorf("want a list, got %v", list.Kind())
	}
	return nil, vs, nil
}

func arity(least, most int) string {
	s := strconv.Itoa(least) + " argument"
	if least != 1 {
		s += "s"
	}
	if most < 0 {
		s = "at least " + s
	}
	return s
}

// run calls t's function.
func (t *task) run(in []reflect.Value) (out reflect.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{message: fmt.Sprint(r), stack: panicStack()}
		}
	}()
	var outs []reflect.Value
	if t.slice != nil {
		outs = t.fn.CallSlice(in)
	} else {
		outs = t.fn.Call(in)
	}
	if t.fails {
		if err, _ := outs[len(outs)-1].Interface().(error); err != nil {
			return reflect.Value{}, err
		}
	}
	if t.result != nil {
		out = outs[0]
	}
	return out, nil
}

// panicStack returns the stack of the panic that is being recovered from: the
// part between the panic itself and this package's call of the task.
func panicStack() string {
	buf := make([]byte, 16<<10)
	lines := strings.Split(strings.TrimSpace(string(buf[:runtime.Stack(buf, false)])), "\n")
	// A frame is two lines, the function and its place.
	if i := slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, "panic(") }); i >= 0 {
		lines = lines[min(i+2, len(lines)):]
	}
	if i := slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, "reflect.Value.call(") }); i >= 0 {
		lines = lines[:i]
	}
	return strings.Join(lines, "\n")
}

// encodedLen returns how many bytes v takes on the wire, or a little more, so
// that a large result is written into one allocation.
func encodedLen(v Value) int {
	switch v.Kind() {
	case IntKind:
		i, _ := v.Int()
		if i < 0 {
			i = ^i
		}
		return headLen(uint64(i))
	case FloatKind:
		return 9
	case StringKind, BytesKind:
		return headLen(uint64(v.Len())) + v.Len()
	case ListKind:
		vs, _ := v.List()
		n := headLen(uint64(len(vs)))
		for _, e := range vs {
			n += encodedLen(e)
		}
		return n
	case MapKind:
		es, _ := v.Entries()
		n := headLen(uint64(len(es)))
		for _, e := range es {
			n += headLen(uint64(len(e.Key))) + len(e.Key) + encodedLen(e.Value)
		}
		return n
	case ArrayKind:
		a, _ := v.Array()
		return 2 + 2 + 2 + 5*len(a.Shape) + 3 + 9 + len(a.Data)
	}
	return 1
}

func headLen(n uint64) int {
	switch {
	case n < 24:
		return 1
	case n < 1<<8:
		return 2
	case n < 1<<16:
		return 3
	case n < 1<<32:
		return 5
	}
	return 9
}
