// Package instrument reads WebAssembly binaries.
//
// [Describe] says what a module imports, exports and needs, without an engine
// and without looking at code: it is what loading, inspecting and the checks
// before compiling rest on. Its input is untrusted: every count is checked
// against the bytes that are left before anything is allocated, and the memory
// used is linear in the input.
package instrument

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A ValType is the type of a value, by its code in the binary format
// (WebAssembly 2.0, §5.3).
type ValType byte

// The types that plain tasks may have; others exist.
const (
	I32 ValType = 0x7f
	I64 ValType = 0x7e
	F32 ValType = 0x7d
	F64 ValType = 0x7c
)

// String returns t as the text format writes it.
func (t ValType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case 0x7b:
		return "v128"
	case 0x70:
		return "funcref"
	case 0x6f:
		return "externref"
	}
	return fmt.Sprintf("type(%#x)", byte(t))
}

// A FuncType gives the types of a function's parameters and results.
type FuncType struct{ Params, Results []ValType }

// String returns t as "(i32, i64) -> i32".
func (t FuncType) String() string {
	list := func(ts []ValType) string {
		s := make([]string, len(ts))
		for i, t := range ts {
			s[i] = t.String()
		}
		return strings.Join(s, ", ")
	}
	s := "(" + list(t.Params) + ")"
	switch len(t.Results) {
	case 0:
		return s
	case 1:
		return s + " -> " + list(t.Results)
	}
	return s + " -> (" + list(t.Results) + ")"
}

// A Kind says what is imported or exported.
type Kind byte

// The kinds, by their codes in the binary format.
const (
	FuncKind   Kind = 0
	TableKind  Kind = 1
	MemoryKind Kind = 2
	GlobalKind Kind = 3
	TagKind    Kind = 4
)

// String returns k as the text format writes it.
func (k Kind) String() string {
	if int(k) < 5 {
		return [...]string{"func", "table", "memory", "global", "tag"}[k]
	}
	return fmt.Sprintf("kind(%d)", byte(k))
}

// An Import is something that a module needs.
type Import struct {
	Module, Name string
	Kind         Kind
	Type         FuncType // of a function
}

// An Export is something that a module offers.
type Export struct {
	Name string
	Kind Kind
	Type FuncType // of a function
}

// PageSize is the size of a page of linear memory in bytes.
const PageSize = 64 << 10

// A Memory is a linear memory that a module defines or imports.
type Memory struct {
	Min, Max uint64 // in pages; Max is 1<<16 where the module gives none
	HasMax   bool
	Shared   bool
	Is64     bool
}

// A Module is what Describe found.
type Module struct {
	Size      int // of the binary, in bytes
	Imports   []Import
	Exports   []Export
	Memories  []Memory
	Functions int               // defined by the module
	HasStart  bool              // it has a start function
	Custom    map[string][]byte // sections by name, those of one name joined; aliases the input
	Producers string            // the toolchain, from the section "producers", or ""

	byName map[string]int // index of each export
}

// Export returns the export of that name and kind, if there is one.
func (m *Module) Export(name string, k Kind) (Export, bool) {
	if i, ok := m.byName[name]; ok && m.Exports[i].Kind == k {
		return m.Exports[i], true
	}
	return Export{}, false
}

// ExportIndex returns where in m.Exports the export of that name and kind is.
func (m *Module) ExportIndex(name string, k Kind) (int, bool) {
	i, ok := m.byName[name]
	return i, ok && m.Exports[i].Kind == k
}

// ErrNotWasm is wrapped by the error for bytes that are no WebAssembly module at all.
var ErrNotWasm = errors.New("not a WebAssembly module")

// Describe reads binary. Its errors say at which byte.
func Describe(binary []byte) (*Module, error) {
	if len(binary) < 8 || string(binary[:4]) != "\x00asm" {
		return nil, fmt.Errorf("%w: %s", ErrNotWasm, looksLike(binary))
	}
	switch version := string(binary[4:8]); version {
	case "\x01\x00\x00\x00":
	case "\x0d\x00\x01\x00":
		return nil, fmt.Errorf("%w: it is a component, and components are not supported; build a core module (for Rust, target wasm32-wasip1)", ErrNotWasm)
	default:
		return nil, fmt.Errorf("%w: version %q", ErrNotWasm, version)
	}
	m := &Module{Size: len(binary), Custom: map[string][]byte{}}
	d := describer{m: m, custom: map[string][][]byte{}}
	r := reader{data: binary, off: 8}
	for r.err == nil && r.off < len(binary) {
		id := r.byte()
		size := r.u32()
		at := r.off
		body := r.bytes(size)
		if r.err != nil {
			break
		}
		s := reader{data: binary[:at+len(body)], off: at}
		d.section(id, &s)
		if s.err == nil && s.off != len(s.data) && id != codeSection && id != 0 {
			s.fail("section %d has %d bytes too many", id, len(s.data)-s.off)
		}
		r.err = s.err
	}
	if r.err != nil {
		return nil, r.err
	}
	if d.funcs != d.bodies {
		return nil, fmt.Errorf("module declares %d functions and has bodies for %d", d.funcs, d.bodies)
	}
	if err := d.resolve(); err != nil {
		return nil, err
	}
	for name, parts := range d.custom {
		if m.Custom[name] = parts[0]; len(parts) > 1 {
			m.Custom[name] = bytes.Join(parts, nil)
		}
	}
	m.Producers = producers(m.Custom["producers"])
	return m, nil
}

// looksLike says what data seems to be instead.
func looksLike(data []byte) string {
	switch {
	case len(data) == 0:
		return "it is empty"
	case strings.HasPrefix(string(data), "\x7fELF"):
		return "it is a native program; compile for WebAssembly (for example clang --target=wasm32-wasi)"
	case strings.HasPrefix(string(data), "(module"):
		return "it is WebAssembly text; convert it with wat2wasm"
	case strings.HasPrefix(string(data), "\x00asm"):
		return "it ends after 4 bytes"
	}
	return fmt.Sprintf("it begins with %q", data[:min(len(data), 4)])
}

// The ids of sections (§5.5.2).
const (
	typeSection      = 1
	importSection    = 2
	functionSection  = 3
	tableSection     = 4
	memorySection    = 5
	globalSection    = 6
	exportSection    = 7
	startSection     = 8
	elementSection   = 9
	codeSection      = 10
	dataSection      = 11
	dataCountSection = 12
	tagSection       = 13
)

type describer struct {
	m       *Module
	types   []FuncType
	typeOf  []uint32 // of each function, imported ones first
	funcs   int
	bodies  int
	exports []uint32 // the function index of each export, 0 for other kinds
	custom  map[string][][]byte
}

func (d *describer) section(id byte, r *reader) {
	switch id {
	case 0:
		name := r.name()
		if r.err != nil { // only what follows the name is nobody's business
			return
		}
		d.custom[name] = append(d.custom[name], r.bytes(uint32(len(r.data)-r.off)))
	case typeSection:
		for range r.items(3) {
			d.types = append(d.types, r.funcType())
		}
	case importSection:
		for range r.items(4) {
			d.imported(r)
		}
	case functionSection:
		for range r.count(1) {
			d.typeOf = append(d.typeOf, r.u32())
			d.funcs++
		}
		d.m.Functions = d.funcs
	case memorySection:
		for range r.items(2) {
			d.m.Memories = append(d.m.Memories, r.memory())
		}
	case exportSection:
		for range r.items(3) {
			e := Export{Name: r.name(), Kind: Kind(r.byte())}
			d.exports = append(d.exports, r.u32())
			d.m.Exports = append(d.m.Exports, e)
		}
	case startSection:
		r.u32()
		d.m.HasStart = true
	case codeSection:
		d.bodies = int(r.count(1))
	default:
		r.off = len(r.data)
	}
}

func (d *describer) imported(r *reader) {
	i := Import{Module: r.name(), Name: r.name(), Kind: Kind(r.byte())}
	switch i.Kind {
	case FuncKind:
		d.typeOf = append(d.typeOf, r.u32())
	case TableKind:
		r.valType()
		r.limits()
	case MemoryKind:
		d.m.Memories = append(d.m.Memories, r.memory())
	case GlobalKind:
		r.valType()
		r.byte()
	case TagKind:
		r.byte()
		r.u32()
	default:
		r.fail("import of kind %d", i.Kind)
	}
	d.m.Imports = append(d.m.Imports, i)
}

// resolve gives imported and exported functions their types.
func (d *describer) resolve() error {
	typ := func(fn uint32) (FuncType, error) {
		if int64(fn) >= int64(len(d.typeOf)) {
			return FuncType{}, fmt.Errorf("function %d does not exist", fn)
		}
		if t := d.typeOf[fn]; int64(t) < int64(len(d.types)) {
			return d.types[t], nil
		}
		return FuncType{}, fmt.Errorf("function %d has a type that does not exist", fn)
	}
	var err error
	fn := uint32(0)
	for i := range d.m.Imports {
		if im := &d.m.Imports[i]; im.Kind == FuncKind {
			if im.Type, err = typ(fn); err != nil {
				return fmt.Errorf("import %s.%s: %w", im.Module, im.Name, err)
			}
			fn++
		}
	}
	d.m.byName = make(map[string]int, len(d.m.Exports))
	for i := range d.m.Exports {
		e := &d.m.Exports[i]
		if _, ok := d.m.byName[e.Name]; ok {
			return fmt.Errorf("export %q is there twice", e.Name)
		}
		d.m.byName[e.Name] = i
		if e.Kind == FuncKind {
			if e.Type, err = typ(d.exports[i]); err != nil {
				return fmt.Errorf("export %q: %w", e.Name, err)
			}
		}
	}
	return nil
}

// producers returns the processing tools of the section "producers"
// (tool-conventions, ProducersSection.md), or what can be read of them.
func producers(section []byte) string {
	r := reader{data: section}
	var tools []string
	for range r.count(2) {
		field := r.name()
		for range r.count(2) {
			tool := r.name()
			if version := r.name(); field == "processed-by" && r.err == nil {
				tools = append(tools, strings.TrimSpace(tool+" "+version))
			}
		}
	}
	return strings.Join(tools, ", ")
}

// reader reads the primitives of the binary format. After the first error it
// returns zeros, so that callers check once.
type reader struct {
	data []byte
	off  int
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("at byte %d: %s", r.off, fmt.Sprintf(format, args...))
	}
}

func (r *reader) byte() byte {
	if r.err != nil || r.off >= len(r.data) {
		r.fail("module ends early")
		return 0
	}
	r.off++
	return r.data[r.off-1]
}

// leb reads an unsigned LEB128 number of at most so many bits.
func (r *reader) leb(bits uint) uint64 {
	var n uint64
	for shift := uint(0); ; shift += 7 {
		b := r.byte()
		if shift+7 > bits && b>>(bits-shift) != 0 {
			r.fail("number needs more than %d bits", bits)
			return 0
		}
		n |= uint64(b&0x7f) << shift
		if b&0x80 == 0 {
			return n
		}
	}
}

func (r *reader) u32() uint32 { return uint32(r.leb(32)) }

func (r *reader) bytes(n uint32) []byte {
	if r.err != nil || int64(n) > int64(len(r.data)-r.off) {
		r.fail("module ends early")
		return nil
	}
	r.off += int(n)
	return r.data[r.off-int(n) : r.off]
}

// count reads the number of items that follow, each of at least size bytes.
func (r *reader) count(size int) uint32 {
	n := r.u32()
	if r.err == nil && int64(n)*int64(size) > int64(len(r.data)-r.off) {
		r.fail("module ends early: %d items cannot follow", n)
	}
	if r.err != nil {
		return 0
	}
	return n
}

func (r *reader) name() string {
	b := r.bytes(r.u32())
	if !utf8.Valid(b) {
		r.fail("name is not UTF-8")
		return ""
	}
	return string(b)
}

// funcType reads an item of the type section: a function. Groups and subtypes, which
// some engines read, are refused, as is every value type that can be written in two
// ways: an engine must see the same types as we do, or what is known of a module is
// not true of it.
func (r *reader) funcType() FuncType {
	if form := r.byte(); form != 0x60 {
		r.fail("type of form %#x: want a function", form)
	}
	return FuncType{r.valTypes(), r.valTypes()}
}

func (r *reader) valTypes() []ValType {
	ts := make([]ValType, r.count(1))
	for i := range ts {
		ts[i] = r.valType()
	}
	return ts
}

// valType reads a value type.
func (r *reader) valType() ValType {
	t := ValType(r.byte())
	switch t {
	case I32, I64, F32, F64, v128, funcRef, externRef, exnRef:
	default:
		r.fail("value type %#x", byte(t))
	}
	return t
}

// The value types that plain tasks do not have.
const (
	v128      ValType = 0x7b
	funcRef   ValType = 0x70
	externRef ValType = 0x6f
	exnRef    ValType = 0x69
)

// items is count for what takes much more memory than it has bytes.
func (r *reader) items(size int) uint32 {
	n := r.count(size)
	if n > MaxItems {
		r.fail("%d items: at most %d", n, MaxItems)
		return 0
	}
	return n
}

// limits reads the limits of a table or memory and their flags.
func (r *reader) limits() (flags byte, least, most uint64) {
	flags = r.byte()
	bits := uint(32)
	if flags&4 != 0 {
		bits = 64
	}
	least = r.leb(bits)
	if flags&1 != 0 {
		most = r.leb(bits)
	}
	return flags, least, most
}

func (r *reader) memory() Memory {
	flags, least, most := r.limits()
	m := Memory{Min: least, Max: most, HasMax: flags&1 != 0, Shared: flags&2 != 0, Is64: flags&4 != 0}
	if !m.HasMax {
		m.Max = 1 << 16
	}
	return m
}
