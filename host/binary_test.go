package host_test

// Modules that no assembler writes, byte by byte (WebAssembly 2.0, §5).

import (
	"encoding/binary"
	"strings"
)

const header = "\x00asm\x01\x00\x00\x00"

// leb returns n as an unsigned LEB128 number.
func leb(n int) string { return string(binary.AppendUvarint(nil, uint64(n))) }

func named(s string) string { return leb(len(s)) + s }

func section(id byte, parts ...string) string {
	body := strings.Join(parts, "")
	return string([]byte{id}) + leb(len(body)) + body
}

// function returns a module that exports one function f() of that code.
func function(code string) string { return withLocals("\x00", code) }

func withLocals(locals, code string) string {
	body := locals + code + "\x0b"
	return header + section(1, "\x01\x60\x00\x00") + section(3, "\x01\x00") +
		section(7, "\x01", named("f"), "\x00\x00") + section(10, "\x01", leb(len(body)), body)
}

// importing returns a module that imports name from module, and nothing else. desc
// begins with the kind; function types are 0: () -> (), 1: (i32) -> i32.
func importing(module, name, desc string) string {
	return header + section(1, "\x02\x60\x00\x00\x60\x01\x7f\x01\x7f") + section(2, "\x01", named(module), named(name), desc)
}

// exporting returns a module that exports n functions, which do nothing.
func exporting(n int, name func(i int) string) string {
	var b strings.Builder
	b.WriteString(leb(n))
	for i := range n {
		b.WriteString(named(name(i)) + "\x00\x00")
	}
	return header + section(1, "\x01\x60\x00\x00") + section(3, "\x01\x00") + section(7, b.String()) + section(10, "\x01\x02\x00\x0b")
}

// taking returns a module that exports a function of that name with a parameter.
func taking(name string) string {
	return header + section(1, "\x01\x60\x01\x7f\x00") + section(3, "\x01\x00") + section(7, "\x01", named(name), "\x00\x00") +
		section(10, "\x01\x02\x00\x0b")
}
