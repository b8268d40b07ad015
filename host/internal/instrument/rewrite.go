package instrument

// Rewriting. An engine that looks at its deadline in loops only cannot stop a
// guest that has none and recurses (fib of 60) or tail-calls for ever, and holds
// up the collector of the whole process meanwhile. So every function that may call
// another begins with an empty loop, and every cycle of execution has a check.
// And an engine bounds linear memory, but not tables.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// RewriteVersion changes whenever Rewrite gives other bytes for the same module.
const RewriteVersion = 1

// Limits of a module. Those of functions are the ones of the WebAssembly
// JavaScript API ("Implementation-defined Limits"), so whatever runs in a browser
// keeps them; beyond them, compilers take time and memory out of all proportion.
const (
	MaxFunctions    = 1_000_000
	MaxFunctionSize = 7_654_321 // bytes
	MaxLocals       = 50_000    // of a function
	MaxTableEntries = 1 << 21   // of all tables together, 16 MiB
)

// Rewrite returns the module in binary, which [Describe] has accepted, with a
// check of the deadline in every cycle of calls, with bounds on its tables, and
// without the sections of debuggers, which would be wrong about the changed code.
func Rewrite(binary []byte) ([]byte, error) {
	out := make([]byte, 0, len(binary)+len(binary)/16)
	out = append(out, binary[:8]...)
	r := reader{data: binary, off: 8}
	for r.err == nil && r.off < len(binary) {
		start := r.off
		id := r.byte()
		size := r.u32()
		at := r.off
		body := r.bytes(size)
		s := reader{data: binary[:at+len(body)], off: at}
		var changed []byte
		switch id {
		case 0:
			if strings.HasPrefix(s.name(), ".debug_") && s.err == nil {
				continue
			}
			s.err = nil
		case tableSection:
			changed = boundTables(&s)
		case codeSection:
			changed = checkCalls(&s)
		}
		if r.err == nil {
			r.err = s.err
		}
		if changed == nil {
			out = append(out, binary[start:r.off]...)
			continue
		}
		out = appendLEB(append(out, id), uint64(len(changed)))
		out = append(out, changed...)
	}
	return out, r.err
}

// appendLEB appends n as an unsigned LEB128 number.
func appendLEB(b []byte, n uint64) []byte { return binary.AppendUvarint(b, n) }

// boundTables gives every table a maximum.
func boundTables(r *reader) []byte {
	n := r.count(3)
	if n == 0 {
		return nil
	}
	most := uint64(MaxTableEntries / n)
	out := appendLEB(nil, uint64(n))
	for range n {
		elem := ValType(r.byte())
		if elem != 0x70 && elem != 0x6f {
			r.fail("table of %v: want funcref or externref", elem)
		}
		flags, low, high := r.limits()
		if flags > 1 {
			r.fail("table with flags %#x", flags)
		}
		if low > most {
			r.fail("table of %d entries: at most %d", low, most)
		}
		if flags == 0 || high > most {
			high = most
		}
		if r.err != nil {
			return nil
		}
		out = append(out, byte(elem), 1)
		out = appendLEB(appendLEB(out, low), high)
	}
	return out
}

// An empty loop: the place where engines look at the deadline.
var check = []byte{0x03, 0x40, 0x0b}

// calls are the opcodes by which a function enters another: call, call_indirect,
// and the same as return_ and _ref. A body in which none of these bytes occurs,
// be it as part of something else, calls nothing.
const calls = "\x10\x11\x12\x13\x14\x15"

// checkCalls puts a check at the beginning of each function that may call.
func checkCalls(r *reader) []byte {
	n := r.count(1)
	if n > MaxFunctions {
		r.fail("%d functions: at most %d", n, MaxFunctions)
	}
	out := appendLEB(make([]byte, 0, len(r.data)-r.off+8*int(n)), uint64(n))
	for i := range n {
		size := r.u32()
		if size > MaxFunctionSize {
			r.fail("function %d has %d bytes: at most %d", i, size, MaxFunctionSize)
		}
		body := r.bytes(size)
		code := r.afterLocals(body, i)
		if r.err != nil {
			return nil
		}
		if !bytes.ContainsAny(body[code:], calls) {
			out = append(appendLEB(out, uint64(size)), body...)
			continue
		}
		out = appendLEB(out, uint64(len(body)+len(check)))
		out = append(out, body[:code]...)
		out = append(out, check...)
		out = append(out, body[code:]...)
	}
	return out
}

// afterLocals returns where in the body of function i the code begins.
func (r *reader) afterLocals(body []byte, i uint32) int {
	if r.err != nil {
		return 0
	}
	b := reader{data: body}
	var locals uint64
	for range b.count(2) {
		locals += uint64(b.u32())
		if t := b.byte(); t == 0x63 || t == 0x64 { // a reference to a type by number
			b.leb(33)
		}
	}
	if b.err == nil && locals > MaxLocals {
		b.err = fmt.Errorf("%d locals: at most %d", locals, MaxLocals)
	}
	if b.err != nil {
		r.fail("function %d: %v", i, b.err)
	}
	return b.off
}
