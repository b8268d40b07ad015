package spectest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
)

// Rewriting splits memory.fill, memory.copy and memory.init of more than 1 MiB. What
// each must do is simple enough to be done again here, on a slice.

const (
	mib        = 1 << 20
	bulkPages  = 40 // 2.5 MiB
	bulkSize   = bulkPages << 16
	segmentLen = mib + mib/2 + 3
)

// A bulk is one call; x is the byte of a fill, the source of the others.
type bulk struct {
	op      string
	d, x, n uint32
}

func (b bulk) String() string { return fmt.Sprintf("%s(%#x, %#x, %#x)", b.op, b.d, b.x, b.n) }

// bulks are the calls that matter most. Those in a group begin with fresh memory.
var bulks = [][]bulk{
	{{"fill", 3, 0x1ff, mib - 1}, {"fill", 3, 2, mib}, {"fill", 3, 3, mib + 1}, {"fill", 0, 4, 2 * mib}, {"fill", 1, 5, 2*mib + 1}},
	{{"fill", 0, 1, bulkSize}, {"fill", 1, 2, bulkSize}, {"fill", 0, 3, bulkSize + 1}, {"fill", bulkSize - mib - 1, 4, mib + 1}, {"fill", bulkSize - mib, 5, mib + 1}},
	{{"fill", 0xffffffff, 1, mib + 1}, {"fill", 1 << 31, 2, 1 << 31}, {"fill", 5, 3, 0xffffffff}, {"fill", 0xffffffff, 3, 0xffffffff}, {"fill", 0xffffffff, 4, 1}},
	{{"fill", bulkSize, 1, 0}, {"fill", bulkSize + 1, 1, 0}, {"fill", 0xffffffff, 1, 0}},

	{{"copy", 0, 5, mib}, {"copy", 0, 5, mib + 1}, {"copy", 5, 0, mib}, {"copy", 5, 0, mib + 1}, {"copy", 7, 7, 2 * mib}},
	{{"copy", 1, 0, 2*mib + 9}, {"copy", 0, 1, 2*mib + 9}},
	{{"copy", mib, 0, mib + 77}, {"copy", 0, mib, mib + 77}},
	{{"copy", mib - 1, 0, mib + 77}, {"copy", 0, mib - 1, mib + 77}, {"copy", mib + 1, 0, mib + 77}, {"copy", 0, mib + 1, mib + 77}},
	{{"copy", 1000, 0, bulkSize - 1000}, {"copy", 0, 1000, bulkSize - 1000}, {"copy", 0, 0, bulkSize}},
	{{"copy", 1001, 0, bulkSize - 1000}, {"copy", 0, 1001, bulkSize - 1000}, {"copy", 0, 0, bulkSize + 1}, {"copy", 1, 0, bulkSize}, {"copy", 0, 1, bulkSize}},
	{{"copy", 0xffffffff, 0, mib + 1}, {"copy", 0, 0xffffffff, mib + 1}, {"copy", 1, 0, 0xffffffff}, {"copy", 0, 1, 0xffffffff}, {"copy", 0xfff00000, 0, mib + 1}},
	{{"copy", bulkSize, bulkSize, 0}, {"copy", bulkSize + 1, 0, 0}, {"copy", 0, bulkSize + 1, 0}},

	{{"init", 9, 0, mib}, {"init", 9, 1, mib + 1}, {"init", 9, 0, segmentLen}, {"init", bulkSize - segmentLen, 0, segmentLen}},
	{{"init", 9, 1, segmentLen}, {"init", 9, 0, segmentLen + 1}, {"init", bulkSize - segmentLen + 1, 0, segmentLen}, {"init", 9, segmentLen - mib, mib + 1}},
	{{"init", 0xffffffff, 0, mib + 1}, {"init", 0, 0xffffffff, mib + 1}, {"init", 0, 1, 0xffffffff}, {"init", 0, 0xffffffff, 0}, {"init", 0, segmentLen, 0}, {"init", bulkSize, 0, 0}},
	{{op: "drop"}, {"init", 9, 0, segmentLen}, {"init", 9, 0, mib}, {"init", 9, 0, 1}, {"init", 9, 0, 0}, {op: "drop"}},

	{{"active", 9, 0, 0}, {"active", 9, 0, 1}, {"active", 9, 0, mib + 1}}, // a segment that is dropped once it is copied
}

// Bulk runs them, and random ones.
func Bulk(t *testing.T, e Engine) {
	segment := make([]byte, segmentLen)
	r := rand.New(rand.NewPCG(4, 2))
	for i := range segment {
		segment[i] = byte(r.Uint32())
	}
	original := bulkModule(segment)
	rewritten, err := rewrite(original, e.Check)
	if err != nil {
		t.Fatal(err)
	}
	runtime := e.Open(t)
	defer runtime.Close()
	m, err := runtime.Compile(rewritten.Binary)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range bulks {
		runBulks(t, m, rewritten.Init, segment, group)
	}
	edges := []uint32{0, 1, 4095, mib - 1, mib, mib + 1, 2 * mib, segmentLen, bulkSize - mib, bulkSize - 1, bulkSize, bulkSize + 1, 1 << 31, 0xffffffff}
	near := func() uint32 { return edges[r.IntN(len(edges))] + r.Uint32N(3) - 1 }
	for range 40 {
		var group []bulk
		for range 12 {
			b := bulk{[]string{"fill", "copy", "copy", "init"}[r.IntN(4)], near(), near(), near()}
			if r.IntN(2) == 0 { // inside
				b.d, b.x, b.n = b.d%mib, b.x%(mib/2), b.n%mib+r.Uint32N(mib/2)
			}
			group = append(group, b)
		}
		runBulks(t, m, rewritten.Init, segment, group)
	}
}

// runBulks makes calls in a new instance and holds its memory to a model of it.
func runBulks(t *testing.T, m Module, init string, segment []byte, group []bulk) {
	t.Helper()
	i, err := instantiate(m, init)
	if err != nil {
		t.Fatal(err)
	}
	model := make([]byte, bulkSize)
	copy(model, segment)
	if !bytes.Equal(i.Memory("memory"), model) {
		t.Fatal("the active segment is not what memory begins with")
	}
	for _, b := range group {
		args := []Value{{Type: instrument.I32, Low: uint64(b.d)}, {Type: instrument.I32, Low: uint64(b.x)}, {Type: instrument.I32, Low: uint64(b.n)}}
		_, err := i.Call(b.op, args)
		trap, _ := err.(*engine.Trap)
		if inside := b.on(model, &segment); inside && err != nil {
			t.Errorf("%v of %v: %v", b, group, err)
		} else if !inside && (trap == nil || trap.Reason != engine.OutOfBoundsMemory) {
			t.Errorf("%v of %v: error %v", b, group, err)
		}
		if got := i.Memory("memory"); !bytes.Equal(got, model) {
			at := 0
			for got[at] == model[at] {
				at++
			}
			t.Fatalf("%v of %v: memory differs from byte %#x on", b, group, at)
		}
	}
}

// on does what b does to memory, or returns false and does nothing. What is left of
// segment is what can be copied.
func (b bulk) on(memory []byte, segment *[]byte) bool {
	within := func(from uint32, in []byte) bool { return uint64(from)+uint64(b.n) <= uint64(len(in)) }
	source := *segment
	switch b.op {
	case "drop":
		*segment = nil
		return true
	case "fill":
		if !within(b.d, memory) {
			return false
		}
		for i := range memory[b.d : b.d+b.n] {
			memory[b.d:][i] = byte(b.x)
		}
		return true
	case "copy":
		source = memory
	case "active":
		source = nil
	}
	if !within(b.d, memory) || !within(b.x, source) {
		return false
	}
	copy(memory[b.d:b.d+b.n], source[b.x:])
	return true
}

// bulkModule returns a module with one function for each instruction, of (d, x, n),
// a passive segment, and an active one of the same bytes.
func bulkModule(segment []byte) []byte {
	leb := func(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }
	section := func(id byte, parts ...[]byte) []byte {
		body := slices.Concat(parts...)
		return slices.Concat([]byte{id}, leb(len(body)), body)
	}
	ops := []struct{ name, code string }{{"fill", "\xfc\x0b\x00"}, {"copy", "\xfc\x0a\x00\x00"}, {"init", "\xfc\x08\x00\x00"}, {"active", "\xfc\x08\x01\x00"}, {"drop", "\xfc\x09\x00"}}
	functions, exports, codes := []byte{byte(len(ops))}, []byte{byte(len(ops) + 1)}, []byte{byte(len(ops))}
	for k, op := range ops {
		functions = append(functions, 0)
		exports = slices.Concat(exports, leb(len(op.name)), []byte(op.name), []byte{0, byte(k)})
		code := "\x00\x20\x00\x20\x01\x20\x02" + op.code + "\x0b"
		if op.name == "drop" {
			code = "\x00" + op.code + "\x0b"
		}
		codes = slices.Concat(codes, leb(len(code)), []byte(code))
	}
	exports = append(exports, "\x06memory\x02\x00"...)
	return slices.Concat([]byte("\x00asm\x01\x00\x00\x00"),
		section(1, []byte("\x01\x60\x03\x7f\x7f\x7f\x00")),
		section(3, functions),
		section(5, []byte{1, 0, bulkPages}),
		section(7, exports),
		section(12, []byte{2}),
		section(10, codes),
		section(11, []byte{2, 1}, leb(len(segment)), segment, []byte{0, 0x41, 0, 0x0b}, leb(len(segment)), segment))
}
