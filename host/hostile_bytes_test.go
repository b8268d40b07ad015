package host_test

// Hostile modules that are too large, or too wrong, for an assembler.

import (
	"fmt"
	"strings"
	"testing"

	"entangle.example/entangle/abi"
)

// generated are modules with their attempts, as hostile_test.go writes them.
var generated = map[string]struct {
	module   func() string
	attempts string
}{
	"br_table": { // a million targets
		func() string { return function("\x41\x05\x0e" + leb(1_000_000) + strings.Repeat("\x00", 1_000_001)) },
		";;> load -> ? bad module\n;;> f() -> null",
	},
	"br_table_loop": { // the same, all back to a loop
		func() string {
			return function("\x03\x40\x41\x05\x0e" + leb(1_000_000) + strings.Repeat("\x00", 1_000_001) + "\x0b")
		},
		";;> load -> ? bad module\n;;> f() -> ! timed out",
	},
	"br_tables": { // as many of them as there are, each allowed, all to one block
		func() string {
			return function(strings.Repeat("\x02\x40\x41\x05\x0e"+leb(10_000)+strings.Repeat("\x01", 10_001)+"\x0b", 4))
		},
		";;> load -> ? bad module\n;;> f() -> null",
	},
	"locals": {
		func() string { return withLocals("\x01"+leb(50_001)+"\x7e", "") },
		`;;> load -> ! bad module "50001 locals"`,
	},
	"locals_groups": { // that are many only together
		func() string { return withLocals("\x03"+strings.Repeat("\xff\xff\xff\xff\x0f\x7e", 3), "") },
		`;;> load -> ! bad module "locals"`,
	},
	"frames": { // each of 40,000 locals, all in use
		func() string {
			return withLocals("\x01"+leb(40_000)+"\x7e", "\x10\x00"+locals(40_000, func(i int) string { return "\x20" + leb(i) + "\x1a" }))
		},
		`;;> f() -> ! trapped|limit "stack"`,
	},
	"body": {
		func() string { return function(strings.Repeat("\x41\x00\x1a", 8<<20/3)) },
		`;;> load -> ! bad module "bytes"`,
	},
	"body_large": { // and allowed
		func() string { return function(strings.Repeat("\x41\x00\x1a", 1<<20/3)) },
		";;> f() -> null",
	},
	"functions": {
		func() string {
			return header + section(1, "\x01\x60\x00\x00") + section(3, leb(1_000_001), strings.Repeat("\x00", 1_000_001)) +
				section(10, leb(1_000_001), strings.Repeat("\x02\x00\x0b", 1_000_001))
		},
		`;;> load -> ! bad module "functions"`,
	},
	"functions_claimed": { // and not there
		func() string { return header + section(1, "\x01\x60\x00\x00") + section(3, leb(1<<31)) },
		";;> load -> ! bad module",
	},
	"functions_many": {
		func() string {
			const n = 100_000
			return header + section(1, "\x01\x60\x00\x00") + section(3, leb(n), strings.Repeat("\x00", n)) +
				section(7, "\x01", named("f"), "\x00", leb(n-1)) + section(10, leb(n), strings.Repeat("\x02\x00\x0b", n))
		},
		";;> load -> ? bad module\n;;> f() -> null",
	},
	"types": {
		func() string {
			const n = 200_000
			return header + section(1, leb(n), strings.Repeat("\x60\x00\x00", n)) + section(3, "\x01", leb(n-1)) +
				section(7, "\x01", named("f"), "\x00\x00") + section(10, "\x01\x02\x00\x0b")
		},
		";;> load -> ? bad module\n;;> f() -> null",
	},
	"exports": {
		func() string { return exporting(200_000, func(i int) string { return fmt.Sprintf("f%d", i) }) },
		";;> load -> ? bad module\n;;> f7() -> null",
	},
	"params": { // a type of a million
		func() string {
			return header + section(1, "\x01\x60"+leb(1_000_000)+strings.Repeat("\x7e", 1_000_000)+"\x00")
		},
		";;> load -> ? bad module",
	},
	"segments": { // 100,000 passive ones
		func() string {
			const n = 100_000
			return header + section(1, "\x01\x60\x00\x00") + section(3, "\x01\x00") + section(5, "\x01\x00\x01") + section(7, "\x01", named("f"), "\x00\x00") +
				section(12, leb(n)) + section(10, "\x01\x0c\x00\x41\x00\x41\x00\x41\x01\xfc\x08\x00\x00\x0b") + section(11, leb(n), strings.Repeat("\x01\x01x", n))
		},
		";;> load -> ? bad module\n;;> f() -> null",
	},
	"segments_active": { // 20,000 that overlap
		func() string {
			const n = 20_000
			return header + section(1, "\x01\x60\x00\x01\x7f") + section(3, "\x01\x00") + section(5, "\x01\x00\x01") + section(7, "\x01", named("f"), "\x00\x00") +
				section(10, "\x01\x07\x00\x41\x00\x2d\x00\x00\x0b") + section(11, leb(n), strings.Repeat("\x00\x41\x00\x0b\x02xy", n))
		},
		";;> load -> ? bad module\n;;> f() -> 120",
	},
	"segment_huge": { // 64 MiB, of which the last byte is looked at
		func() string {
			const n = 64 << 20
			return header + section(1, "\x01\x60\x00\x01\x7f") + section(3, "\x01\x00") + section(5, "\x01\x00"+leb(n>>16)) + section(7, "\x01", named("f"), "\x00\x00") +
				section(10, "\x01\x0a\x00\x41\xff\xff\xff\x1f\x2d\x00\x00\x0b") + section(11, "\x01\x00\x41\x00\x0b", leb(n), strings.Repeat("\x07", n))
		},
		";;> f() -> 7",
	},
	"blocks": { // one in another, 100,000 deep
		func() string { return function(strings.Repeat("\x02\x40", 100_000) + strings.Repeat("\x0b", 100_000)) },
		";;> load -> ? bad module\n;;> f() -> null",
	},
	"blocks_loops": {
		func() string {
			return function(strings.Repeat("\x03\x40", 20_000) + "\x0c\x00" + strings.Repeat("\x0b", 20_000))
		},
		";;> load -> ? bad module\n;;> f() -> ! timed out",
	},
	"blocks_open": { // and never closed
		func() string { return function(strings.Repeat("\x02\x40", 1_000_000)) },
		";;> load -> ! bad module",
	},
	"constant": { // an expression of a million terms
		func() string {
			return header + section(6, "\x01\x7f\x00\x41\x01"+strings.Repeat("\x41\x01\x6a", 1_000_000)+"\x0b")
		},
		";;> load -> ? bad module",
	},
	"constant_deep": { // all of them on the stack
		func() string {
			return header + section(6, "\x01\x7f\x00\x41\x01"+strings.Repeat("\x41\x01", 1_000_000)+strings.Repeat("\x6a", 1_000_000)+"\x0b")
		},
		";;> load -> ? bad module",
	},
	"constant_open": {
		func() string { return header + section(6, "\x01\x7f\x00"+strings.Repeat("\x41\x01", 1_000_000)) },
		";;> load -> ! bad module",
	},
	"operands": { // a stack of a million
		func() string {
			return function(strings.Repeat("\x41\x01", 1_000_000) + strings.Repeat("\x1a", 1_000_000))
		},
		";;> load -> ? bad module\n;;> f() -> null",
	},
	"long_names": {
		func() string {
			return importing(strings.Repeat("m", 1<<20), strings.Repeat("\x1b", 1<<20), "\x00\x00")
		},
		";;> load -> ! bad module",
	},
	"simd_hidden": { // a loop that is an immediate to whoever reads the number before it right
		func() string {
			return function("\x02\x40\xfd\x8c\x00\x0b\x03\x40\x0c\x00\x0b" + strings.Repeat("\x01", 11) + "\x1a\x0b")
		},
		`;;> load -> ! bad module "instruction 0xfd 12 in 3 bytes"`,
	},
	"names_long": { // 4 MiB, for each frame of a deep stack
		func() string {
			return function("\x10\x00") + section(0, named("name"), "\x01", leb(4<<20+6), "\x01\x00", named(strings.Repeat("n", 4<<20)))
		},
		";;> f() -> ! limit \"stack\"",
	},
	"tables": { // 4,000 operations of milliseconds, one behind the other
		func() string {
			fill := "\x41\x00\xd0\x70\x41" + string([]byte{0x80, 0x80, 0x80, 1}) + "\xfc\x11\x00"
			return header + section(1, "\x01\x60\x00\x00") + section(3, "\x01\x00") + section(4, "\x01\x70\x00"+leb(1<<21)) +
				section(7, "\x01\x01f\x00\x00") + section(10, "\x01", leb(4000*len(fill)+2), "\x00", strings.Repeat(fill, 4000), "\x0b")
		},
		";;> f() -> ! timed out",
	},
	"calls": { // 100,000 of a slow function without loops
		func() string {
			work := "\x23\x00" + strings.Repeat("\x42\x03\x80", 50_000) + "\x24\x00\x0b" // divides a global
			calls := strings.Repeat("\x10\x00", 100_000) + "\x0b"
			return header + section(1, "\x01\x60\x00\x00") + section(3, "\x02\x00\x00") + section(6, "\x01\x7e\x01\x42\x7f\x0b") +
				section(7, "\x01", named("f"), "\x00\x01") + section(10, "\x02", leb(len(work)+1), "\x00"+work, leb(len(calls)+1), "\x00"+calls)
		},
		";;> f() -> ! timed out",
	},
	"exceptions": {throwing, `;;> load -> ? bad module "exception"
;;> spin() -> ! timed out
;;> throws() -> ! timed out
;;> exits() -> ! trapped "exit(3)"
;;> uncaught() -> ! trapped
;;> deep() -> ! trapped|limit "stack"
;;> traps() -> ! trapped "unreachable"
;;> good() -> 42`},
}

func locals(n int, code func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(code(i))
	}
	return b.String()
}

// throwing returns a module that catches all it can get, a deadline and an exit
// included, if those were exceptions.
func throwing() string {
	const try = "\x1f\x40\x01\x02\x00" // (try_table (catch_all 0)
	fns := []struct{ name, code string }{
		{"spin", "\x03\x40" + try + "\x03\x40\x0c\x00\x0b\x0b\x0c\x00\x0b"},
		{"throws", "\x03\x40" + try + "\x42\x01\x08\x00\x0b\x0c\x00\x0b"},
		{"exits", try + "\x41\x03\x10\x00\x0b"},
		{"uncaught", "\x42\x01\x08\x00"},
		{"deep", try + "\x10\x05\x0b"},
		{"traps", try + "\x00\x0b"},
		{"good", "\x41\x2a"},
	}
	var exports, code string
	for i, f := range fns {
		exports += named(f.name) + "\x00" + leb(i+1)
		code += leb(len(f.code)+2) + "\x00" + f.code + "\x0b"
	}
	return header + section(1, "\x04\x60\x00\x00\x60\x01\x7e\x00\x60\x01\x7f\x00\x60\x00\x01\x7f") +
		section(2, "\x01", named("wasi_snapshot_preview1"), named("proc_exit"), "\x00\x02") +
		section(3, leb(len(fns)), "\x00\x00\x00\x00\x00\x00\x03") + section(13, "\x01\x00\x01") +
		section(7, leb(len(fns)), exports) + section(10, leb(len(fns)), code)
}

// TestBeyond names what comes behind the module's own: where the rewriting has added
// something, that is what it would get. Nothing is there.
func TestBeyond(t *testing.T) {
	h := open(t, twoWorkers())
	refused := func(name, binary string) {
		if _, err := h.LoadBytes(t.Context(), name, []byte(binary)); codeOf(err) != abi.BadModule {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range 6 {
		i := leb(n)
		for name, code := range map[string]string{
			"global.get": "\x23" + i + "\x1a", "global.set": "\x41\x00\x24" + i, "call": "\x10" + leb(n+1), "return_call": "\x12" + leb(n+1),
			"ref.func": "\xd2" + leb(n+1) + "\x1a", "call_indirect": "\x41\x00\x11\x00" + i, "block type": "\x02" + leb(n+1) + "\x0b", "local.get": "\x20" + i + "\x1a",
			"local.set": "\x41\x00\x21" + i, "table.get": "\x41\x00\x25" + i + "\x1a", "table.size": "\xfc\x10" + i + "\x1a", "table.grow": "\xd0\x70\x41\x01\xfc\x0f" + i + "\x1a",
			"elem.drop": "\xfc\x0d" + i, "data.drop": "\xfc\x09" + i, "throw": "\x08" + i, "br": "\x0c" + leb(n+1),
			"no memory: i32.load": "\x41\x00\x28\x02\x00\x1a", "no memory: i32.store": "\x41\x00\x41\x00\x36\x02\x00", "no memory: memory.size": "\x3f" + i + "\x1a",
			"no memory: memory.grow": "\x41\x01\x40" + i + "\x1a", "no memory: memory.fill": "\x41\x00\x41\x00\x41\x00\xfc\x0b" + i,
			"no memory: v128.load": "\x41\x00\xfd\x00\x00\x00\x1a", "no memory: atomic": "\x41\x00\xfe\x10\x02\x00\x1a",
			"no memory: indexed load": "\x41\x00\x28\x42" + i + "\x00\x1a",
		} {
			refused(fmt.Sprint(name, " ", n), function(code))
			if at := leb(n + 1); strings.HasPrefix(name, "no memory: ") { // behind a memory of its own
				for _, code := range []string{"\x41\x00\x28\x42" + at + "\x00\x1a", "\x41\x00\x41\x00\x36\x42" + at + "\x00", "\x3f" + at + "\x1a", "\x41\x01\x40" + at + "\x1a",
					"\x41\x00\x41\x00\x41\x00\xfc\x0b" + at, "\x41\x00\x41\x00\x41\x00\xfc\x0a" + at + "\x00", "\x41\x00\x41\x00\x41\x00\xfc\x0a\x00" + at} {
					body := "\x00" + code + "\x0b"
					refused(fmt.Sprintf("memory %d: %x", n+1, code), header+section(1, "\x01\x60\x00\x00")+section(3, "\x01\x00")+section(5, "\x01\x00\x01")+
						section(10, "\x01", leb(len(body)), body))
				}
			}
		}
		plain := header + section(1, "\x01\x60\x00\x00") + section(3, "\x01\x00")
		body := section(10, "\x01\x02\x00\x0b")
		for kind, at := range []string{leb(n + 1), i, i, i, i} { // function, table, memory, global, tag
			refused(fmt.Sprint("export of kind ", kind), plain+section(7, "\x01", named("x"), string(rune(kind)), at)+body)
		}
		refused("start", plain+section(8, leb(n+1))+body)
		refused("type", header+section(1, "\x01\x60\x00\x00")+section(3, "\x01"+leb(n+1))+body)
		refused("element", plain+section(4, "\x01\x70\x00\x01")+section(9, "\x01\x00\x41\x00\x0b\x01"+leb(n+1))+body)
		refused("element's table", plain+section(9, "\x01\x02"+i+"\x41\x00\x0b\x00\x01\x00")+body)
		refused("element's expression", plain+section(4, "\x01\x70\x00\x01")+section(9, "\x01\x04\x41\x00\x0b\x01\xd2"+leb(n+1)+"\x0b")+body)
		refused("data's memory", plain+section(5, "\x01\x00\x01")+body+section(11, "\x01\x02"+leb(n+1)+"\x41\x00\x0b\x01x"))
		refused("data without memory", plain+body+section(11, "\x01\x00\x41\x00\x0b\x01x"))
		refused("data's offset", plain+section(5, "\x01\x00\x01")+body+section(11, "\x01\x00\x23"+i+"\x0b\x01x"))
		refused("global's value", plain+section(6, "\x01\x7f\x00\x23"+i+"\x0b")+body)
	}
}
