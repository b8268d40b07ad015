package enginetest

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A function of a module that a test writes down, for wat2wasm knows no try_table.
// The types are written "i32,i64>f32", the code as in the text format, flat, but for
// blocks: each has a type behind it, and a try_table its clauses and "do".
type function struct{ typ, locals, code string }

var valueTypes = map[string]byte{"i32": 0x7f, "i64": 0x7e, "f32": 0x7d, "f64": 0x7c, "v128": 0x7b, "funcref": 0x70, "externref": 0x6f, "exnref": 0x69}

// mnemonics are what stands in the binary, and behind it one letter for each immediate: u
// and s a number without and with a sign, b a block type, y a function type, t a table of labels, c clauses,
// f the bits of an f32, F of an f64, r a type of references.
var mnemonics = map[string]string{
	"unreachable": "\x00", "block": "\x02b", "loop": "\x03b", "if": "\x04b", "else": "\x05", "throw": "\x08u", "throw_ref": "\x0a", "end": "\x0b",
	"br": "\x0cu", "br_if": "\x0du", "br_table": "\x0et", "return": "\x0f", "call": "\x10u", "call_indirect": "\x11yu", "return_call": "\x12u",
	"return_call_indirect": "\x13yu", "drop": "\x1a", "try_table": "\x1fbc", "local.get": "\x20u", "local.set": "\x21u", "local.tee": "\x22u",
	"global.get": "\x23u", "global.set": "\x24u", "i32.const": "\x41s", "i64.const": "\x42s", "f32.const": "\x43f", "f64.const": "\x44F",
	"i32.eqz": "\x45", "i32.eq": "\x46", "i32.lt_s": "\x48", "i32.add": "\x6a", "i32.sub": "\x6b", "i32.mul": "\x6c", "i32.div_s": "\x6d", "i64.add": "\x7c",
	"f32.add": "\x92", "f64.add": "\xa0", "i32.wrap_i64": "\xa7", "i32.trunc_f32_s": "\xa8", "i32.trunc_f64_s": "\xaa", "i64.extend_i32_s": "\xac",
	"ref.null": "\xd0r", "ref.is_null": "\xd1", "ref.func": "\xd2u", "i32x4.splat": "\xfd\x11", "i32x4.extract_lane": "\xfd\x1bu",
}

type assembler struct {
	t     *testing.T
	types []string // in binary
	words []string
	out   []byte
}

// assemble makes a module that exports its functions as "0", "1" and so on, has them in
// table 0, and two tags: 0 without parameters, 1 with an i32.
func assemble(t *testing.T, functions ...function) []byte {
	t.Helper()
	a := &assembler{t: t}
	a.typ(">")
	a.typ("i32>")
	var types, exports, indices, bodies [][]byte
	for i, f := range functions {
		types = append(types, a.u(nil, uint64(a.typ(f.typ))))
		n := strconv.Itoa(i)
		exports = append(exports, a.u(append([]byte{byte(len(n))}, n+"\x00"...), uint64(i)))
		indices = append(indices, a.u(nil, uint64(i)))
		var locals [][]byte
		for _, l := range split(f.locals) {
			locals = append(locals, []byte{1, valueTypes[l]})
		}
		a.words, a.out = strings.Fields(f.code), vector(locals)
		for len(a.words) > 0 {
			a.instruction()
		}
		a.out = append(a.out, 0x0b)
		bodies = append(bodies, append(a.u(nil, uint64(len(a.out))), a.out...))
	}
	b := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, body []byte) { b = append(a.u(append(b, id), uint64(len(body))), body...) }
	var ts [][]byte
	for _, t := range a.types {
		ts = append(ts, []byte(t))
	}
	section(1, vector(ts))
	section(3, vector(types))
	section(4, a.u([]byte{1, 0x70, 0}, uint64(len(functions))))
	section(13, []byte{2, 0, 0, 0, 1})
	section(7, vector(exports))
	section(9, append([]byte{1, 0, 0x41, 0, 0x0b}, vector(indices)...))
	section(10, vector(bodies))
	return b
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

func vector(items [][]byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(items))), slices.Concat(items...)...)
}

func (a *assembler) u(b []byte, n uint64) []byte { return binary.AppendUvarint(b, n) }

// typ returns the index of a function type.
func (a *assembler) typ(s string) int {
	params, results, arrow := strings.Cut(s, ">")
	if !arrow {
		a.t.Fatalf("type %q", s)
	}
	t := "\x60"
	for _, list := range []string{params, results} {
		t += string(byte(len(split(list))))
		for _, v := range split(list) {
			t += string([]byte{valueTypes[v]})
		}
	}
	if i := slices.Index(a.types, t); i >= 0 {
		return i
	}
	a.types = append(a.types, t)
	return len(a.types) - 1
}

func (a *assembler) word() string {
	if len(a.words) == 0 {
		a.t.Fatal("the code ends early")
	}
	w := a.words[0]
	a.words = a.words[1:]
	return w
}

func (a *assembler) number() int64 {
	n, err := strconv.ParseInt(a.word(), 10, 64)
	if err != nil {
		a.t.Fatal(err)
	}
	return n
}

func (a *assembler) instruction() {
	w := a.word()
	m, ok := mnemonics[w]
	if !ok {
		a.t.Fatalf("instruction %q", w)
	}
	opcode := strings.TrimRight(m[1:], "usbytcfFr")
	a.out = append(append(a.out, m[0]), opcode...)
	for _, immediate := range m[1+len(opcode):] {
		switch immediate {
		case 'u':
			a.out = a.u(a.out, uint64(a.number()))
		case 's':
			a.signed(a.number())
		case 'f':
			a.out = binary.LittleEndian.AppendUint32(a.out, uint32(f32(float32(a.number()))))
		case 'F':
			a.out = binary.LittleEndian.AppendUint64(a.out, f64(float64(a.number())))
		case 'r':
			a.out = append(a.out, valueTypes[a.word()])
		case 'b':
			if typ := a.word(); typ == ">" {
				a.out = append(a.out, 0x40)
			} else {
				a.signed(int64(a.typ(typ)))
			}
		case 'y':
			a.out = a.u(a.out, uint64(a.typ(a.word())))
		case 't': // "1 2 : 3" is with the default 3
			var labels []uint64
			for a.words[0] != ":" {
				labels = append(labels, uint64(a.number()))
			}
			a.word()
			a.out = a.u(a.out, uint64(len(labels)))
			for _, l := range append(labels, uint64(a.number())) {
				a.out = a.u(a.out, l)
			}
		case 'c':
			a.clauses()
		}
	}
}

func (a *assembler) clauses() {
	var clauses [][]byte
	for w := a.word(); w != "do"; w = a.word() {
		kind := slices.Index([]string{"catch", "catch_ref", "catch_all", "catch_all_ref"}, w)
		if kind < 0 {
			a.t.Fatalf("clause %q", w)
		}
		c := []byte{byte(kind)}
		if kind < 2 {
			c = a.u(c, uint64(a.number()))
		}
		clauses = append(clauses, a.u(c, uint64(a.number())))
	}
	a.out = append(a.out, vector(clauses)...)
}

func (a *assembler) signed(n int64) {
	for ; n < -64 || n > 63; n >>= 7 {
		a.out = append(a.out, byte(n)|0x80)
	}
	a.out = append(a.out, byte(n)&0x7f)
}
