package host

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/wasi"
)

// manifestTimeout bounds how long a guest may take to say what its tasks are.
const manifestTimeout = 30 * time.Second

// findTasks makes m's tasks from its manifest and its exports (abi/README.md,
// "Three ways to be a task").
func (m *Module) findTasks() error {
	m.byName = map[string]*graph.Def{}
	if start, ok := m.desc.Export(abi.ExportStart, instrument.FuncKind); ok {
		if len(m.manifest.Tasks) > 0 {
			return fmt.Errorf("it exports %s, as a command does, and has a manifest with tasks; build it as a reactor", abi.ExportStart)
		}
		if start.Type.String() != "()" {
			return fmt.Errorf("%s has the type %v, want ()", start.Name, start.Type)
		}
		m.add(&graph.Def{Name: "main", Doc: cmp.Or(printable(m.manifest.Doc), "The program itself: arguments are its arguments, its standard output is the result."),
			Sig: abi.Signature{Params: []abi.Param{{Name: "args", Type: abi.Any}}, Variadic: true}, Op: &commandTask{m, m.exportIndex(start)}})
		return nil
	}
	for _, t := range m.manifest.Tasks {
		op, err := m.declaredTask(t)
		if err != nil {
			return fmt.Errorf("task %s: %w", t.Name, err)
		}
		m.add(&graph.Def{Name: t.Name, Doc: printable(t.Doc), Sig: t.Sig, Op: op,
			Policy: graph.Policy{Timeout: t.Timeout, Memory: t.Memory}})
	}
	for _, e := range m.desc.Exports {
		if e.Kind != instrument.FuncKind || m.byName[e.Name] != nil || strings.HasPrefix(e.Name, "_") || strings.HasPrefix(e.Name, "entangle_") {
			continue
		}
		if sig, ok := plainSignature(e.Type); ok {
			m.add(&graph.Def{Name: e.Name, Sig: sig, Op: m.plainTask(e)})
		}
	}
	return nil
}

func (m *Module) add(d *graph.Def) {
	if m.setup != nil {
		d = d.Task().With(m.setup.Policy).Def()
	}
	m.tasks = append(m.tasks, d)
	m.byName[d.Name] = d
}

// typedType is the type of the export of a typed task.
const typedType = "(i32, i32) -> i64"

func (m *Module) declaredTask(t abi.TaskDecl) (graph.Op, error) {
	e, exported := m.desc.Export(t.Name, instrument.FuncKind)
	if t.Plain {
		if !exported {
			return nil, errors.New("the manifest declares it, and the module does not export it")
		}
		if err := checkPlain(t.Sig, e.Type); err != nil {
			return nil, err
		}
		return m.plainTask(e), nil
	}
	if _, ok := m.desc.Export(abi.ExportMemory, instrument.MemoryKind); !ok {
		return nil, fmt.Errorf("it is typed, and the module does not export its memory as %q", abi.ExportMemory)
	}
	alloc, ok := m.desc.Export(abi.ExportAlloc, instrument.FuncKind)
	if !ok || alloc.Type.String() != "(i32) -> i32" {
		return nil, fmt.Errorf("it is typed, and the module exports no %s(i32) -> i32", abi.ExportAlloc)
	}
	if exported {
		if e.Type.String() != typedType {
			return nil, fmt.Errorf("it is typed, and its export has the type %v, want %s; declare it as plain?", e.Type, typedType)
		}
		return &typedTask{m, m.exportIndex(e), m.exportIndex(alloc), -1}, nil
	}
	e, ok = m.desc.Export(abi.ExportCall, instrument.FuncKind)
	if !ok || e.Type.String() != "(i32, i32, i32) -> i64" {
		return nil, fmt.Errorf("the module exports neither it nor %s(i32, i32, i32) -> i64", abi.ExportCall)
	}
	return &typedTask{m, m.exportIndex(e), m.exportIndex(alloc), t.Index}, nil
}

// plainType returns the type of task parameters that a WebAssembly type is.
func plainType(t instrument.ValType) (abi.Type, bool) {
	switch t {
	case instrument.I32:
		return abi.Int32Type, true
	case instrument.I64:
		return abi.IntType, true
	case instrument.F32:
		return abi.Float32Type, true
	case instrument.F64:
		return abi.FloatType, true
	}
	return abi.Type{}, false
}

// plainSignature returns the signature of an export as a plain task, if it can be one.
func plainSignature(t instrument.FuncType) (sig abi.Signature, ok bool) {
	if len(t.Params) > abi.MaxParams {
		return sig, false
	}
	for i, p := range t.Params {
		typ, ok := plainType(p)
		if !ok {
			return sig, false
		}
		name := string(rune('a' + i%26))
		if i >= 26 {
			name = fmt.Sprintf("%s%d", name, i/26)
		}
		sig.Params = append(sig.Params, abi.Param{Name: name, Type: typ})
	}
	switch len(t.Results) {
	case 0:
		sig.Result = abi.NullType
	case 1:
		sig.Result, ok = plainType(t.Results[0])
		return sig, ok
	default:
		for _, r := range t.Results {
			if _, ok := plainType(r); !ok {
				return sig, false
			}
		}
		sig.Result = abi.ListType
	}
	return sig, true
}

// checkPlain checks that a manifest says of a plain export what its type says.
func checkPlain(sig abi.Signature, t instrument.FuncType) error {
	want, ok := plainSignature(t)
	same := ok && !sig.Variadic && len(sig.Params) == len(want.Params) && (sig.Result == want.Result || len(t.Results) > 1)
	for i := 0; same && i < len(sig.Params); i++ {
		same = sig.Params[i].Type == want.Params[i].Type
	}
	if !same {
		return fmt.Errorf("the manifest says plain %v, and its export has the type %v", sig, t)
	}
	return nil
}

// exportIndex returns where in the module's exports e is.
func (m *Module) exportIndex(e instrument.Export) int {
	i, _ := m.desc.ExportIndex(e.Name, e.Kind)
	return i
}

// A plainTask is an export of numbers.
type plainTask struct {
	m      *Module
	export int // of m.desc.Exports
	typ    instrument.FuncType
}

func (m *Module) plainTask(e instrument.Export) *plainTask {
	return &plainTask{m, m.exportIndex(e), e.Type}
}

func (t *plainTask) Call(c *graph.Call) (v abi.Value, err error) {
	i, err := t.m.acquire(c, nil)
	if err != nil {
		return abi.Value{}, err
	}
	for k, p := range t.typ.Params {
		if i.stack[k], err = plainBits(p, c.Args[k]); err != nil {
			return abi.Value{}, i.release(argumentError(c, k, err))
		}
	}
	if err = i.run(t.export, max(len(t.typ.Params), len(t.typ.Results))); err == nil {
		v = plainResult(t.typ.Results, i.stack)
	}
	if err = i.release(err); err != nil {
		return abi.Value{}, err
	}
	return v, nil
}

// plainResult returns the results of a call as one value.
func plainResult(types []instrument.ValType, stack []uint64) abi.Value {
	switch len(types) {
	case 0:
		return abi.Null()
	case 1:
		return plainValue(types[0], stack[0])
	}
	vs := make([]abi.Value, len(types))
	for i, t := range types {
		vs[i] = plainValue(t, stack[i])
	}
	return abi.List(vs...)
}

func argumentError(c *graph.Call, i int, err error) error {
	p := c.Node.Def().Sig.Param(i)
	return abi.Errorf(abi.BadCall, "argument %d (%s): %w", i+1, p.Name, err)
}

// plainBits returns v as a WebAssembly value of type t.
func plainBits(t instrument.ValType, v abi.Value) (uint64, error) {
	if i, ok := v.Int(); ok && t == instrument.I64 { // nearly all
		return uint64(i), nil
	}
	typ, _ := plainType(t)
	v, err := typ.Conform(v)
	if err != nil {
		return 0, err
	}
	if f, ok := v.Float(); ok {
		if t == instrument.F32 {
			return uint64(math.Float32bits(float32(f))), nil
		}
		return math.Float64bits(f), nil
	}
	i, _ := v.Int()
	if t == instrument.I32 {
		return uint64(uint32(i)), nil
	}
	return uint64(i), nil
}

// plainValue returns a WebAssembly value of type t.
func plainValue(t instrument.ValType, bits uint64) abi.Value {
	switch t {
	case instrument.I32:
		return abi.Int(int64(int32(bits)))
	case instrument.F32:
		return abi.Float(float64(math.Float32frombits(uint32(bits))))
	case instrument.F64:
		return abi.Float(math.Float64frombits(bits))
	}
	return abi.Int(int64(bits))
}

// A typedTask takes and returns values through memory.
type typedTask struct {
	m      *Module
	export int // of the task, or of entangle_call
	alloc  int
	index  int // for entangle_call; else -1
}

func (t *typedTask) Call(c *graph.Call) (v abi.Value, err error) {
	d := c.Node.Def()
	for k, a := range c.Args {
		if c.Args[k], err = d.Sig.Param(k).Type.Conform(a); err != nil {
			return abi.Value{}, argumentError(c, k, err)
		}
	}
	i, err := t.m.acquire(c, nil)
	if err != nil {
		return abi.Value{}, err
	}
	v, err = t.call(c, i)
	if err = i.release(err); err != nil {
		return abi.Value{}, err
	}
	return v, nil
}

// call passes the arguments, calls the task, and reads its result.
func (t *typedTask) call(c *graph.Call, i *instance) (v abi.Value, err error) {
	if i.args, err = abi.AppendList(i.args[:0], c.Args); err != nil {
		return v, abi.Errorf(abi.BadCall, "arguments: %w", err)
	}
	n := len(i.args)
	if int64(n) > math.MaxInt32 {
		return v, abi.Errorf(abi.LimitHit, "arguments of %d bytes do not fit a guest", n)
	}
	i.effect |= instrument.WritesMemory
	i.stack[0] = uint64(n)
	if err := i.run(t.alloc, 1); err != nil {
		return v, err
	}
	ptr := i.stack[0]
	switch room, ok := span(i.bytes(), ptr, uint64(n)); {
	case uint32(ptr) == 0:
		return v, abi.Errorf(abi.LimitHit, "%s has no memory for arguments of %d bytes; raise the limit with --memory", t.m.name, n)
	case ptr%8 != 0:
		return v, abi.Errorf(abi.Protocol, "%s returned %#x, which is not aligned to 8", abi.ExportAlloc, uint32(ptr))
	case !ok:
		return v, abi.Errorf(abi.Protocol, "%s returned %#x for %d bytes, which is outside the memory", abi.ExportAlloc, uint32(ptr), n)
	default:
		copy(room, i.args)
	}
	if cap(i.args) > keptArguments {
		i.args = nil
	}
	values := 3
	if t.index < 0 {
		i.stack[0], i.stack[1] = ptr, uint64(n)
		values = 2
	} else {
		i.stack[0], i.stack[1], i.stack[2] = uint64(t.index), ptr, uint64(n)
	}
	if err := i.run(t.export, values); err != nil || i.failed {
		return v, err
	}
	return i.result(c.Node.Def(), i.stack[0])
}

// keptArguments is how large a buffer for arguments may be that an idle instance
// keeps, in bytes.
const keptArguments = 64 << 10

// result reads the value that a task returned.
func (i *instance) result(d *graph.Def, packed uint64) (abi.Value, error) {
	b, ok := span(i.bytes(), packed>>32, packed)
	if !ok {
		return abi.Value{}, abi.Errorf(abi.Protocol, "the result is %d bytes at %#x, which is outside the memory of %d bytes", uint32(packed), packed>>32, len(i.bytes()))
	}
	if int64(len(b)) > i.limits.Result {
		return abi.Value{}, abi.Errorf(abi.LimitHit, "the result has %d bytes, more than %s, the limit of a call", len(b), sizeText(uint64(i.limits.Result)))
	}
	v, err := abi.Null(), error(nil)
	if len(b) > 0 {
		if v, err = abi.Decode(b, abi.Limits{}); err != nil {
			return abi.Value{}, abi.Errorf(abi.Protocol, "the result is no value: %w", err)
		}
	}
	if v, err = d.Sig.Result.Conform(v); err != nil {
		return abi.Value{}, abi.Errorf(abi.Protocol, "the result is not what the manifest declares: %w", err)
	}
	return v, nil
}

// A commandTask is a WASI program.
type commandTask struct {
	m     *Module
	start int // of m.desc.Exports
}

func (t *commandTask) Call(c *graph.Call) (abi.Value, error) {
	var stdin []byte
	args := []string{programName(t.m.name)}
	for i, a := range c.Args {
		if b, ok := a.Bytes(); ok {
			stdin = append(stdin, b...)
			continue
		}
		s, ok := a.Str()
		if !ok {
			js, err := abi.AppendJSON(nil, a)
			if err != nil {
				return abi.Value{}, argumentError(c, i, err)
			}
			s = string(js)
		}
		if strings.ContainsRune(s, 0) {
			return abi.Value{}, argumentError(c, i, errors.New("an argument of a program cannot hold a NUL"))
		}
		args = append(args, s)
	}
	out := output{most: c.Policy().Limits.Result}
	if out.most == 0 {
		out.most = t.m.host.limits.Result
	}
	i, err := t.m.acquire(c, &wasi.Config{Args: args, Stdin: bytes.NewReader(stdin), Stdout: &out})
	if err != nil {
		return abi.Value{}, err
	}
	err = i.run(t.start, 0)
	if x, ok := errors.AsType[*wasi.Exit](err); ok {
		err = nil
		if x.Code != 0 {
			err = abi.Errorf(abi.Failed, "exit status %d%s", x.Code, tail(i.log.last()))
		}
	}
	if err = i.release(err); err != nil {
		return abi.Value{}, err
	}
	return out.value(), nil
}

// programName returns the last element of a path, without ".wasm".
func programName(path string) string {
	return strings.TrimSuffix(path[strings.LastIndexAny(path, `/\`)+1:], ".wasm")
}

// tail returns the end of standard error for a message.
func tail(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return ": " + strings.Join(lines, "\n")
}

// output is the standard output of a command.
type output struct {
	buf  []byte
	most int64 // bytes
}

func (o *output) Write(b []byte) (int, error) {
	if int64(len(o.buf)+len(b)) > o.most {
		return 0, abi.Errorf(abi.LimitHit, "it wrote more than %s to standard output, the limit of a call", sizeText(uint64(o.most)))
	}
	o.buf = append(o.buf, b...)
	return len(b), nil
}

// value returns what the output means: JSON, else a string, else bytes.
func (o *output) value() abi.Value {
	if v, err := abi.ParseJSON(o.buf); err == nil {
		return v
	}
	if utf8.Valid(o.buf) {
		s, _ := strings.CutSuffix(string(o.buf), "\n")
		return abi.String(s)
	}
	return abi.Bytes(slices.Clip(o.buf))
}
