package instrument

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Time, memory and the result are linear in the input, whatever it is. Each module
// has so many of one thing that a product of two would show.
func TestLinear(t *testing.T) {
	const n = 50_000
	many := func(n int, item func(i int) string) []string {
		items := make([]string, n)
		for i := range items {
			items[i] = item(i)
		}
		return items
	}
	same := func(n int, item string) []string { return many(n, func(int) string { return item }) }
	three := "\x41\x00\x41\x00\x41\x00"
	passive := "\x01\x00"
	global := "\x7f\x01\x41\x00\x0b"
	nest := func(n int, head string) string {
		return strings.Repeat(head, n) + strings.Repeat("\x0b", n)
	}
	each := func(n int, code string) []string { return many(n, func(i int) string { return code + num(i) }) }
	tries := func(n int, body string) string { return strings.Repeat(catching(body), n) }
	nested := func(n int, body string) string {
		return strings.Repeat("\x1f\x40\x01\x00\x00\x00", n) + body + strings.Repeat("\x0b", n)
	}
	read := strings.Join(each(400, "\x20"), "\x1a") + "\x1a"
	set := "\x41\x00\x21" + strings.Join(each(400, ""), "\x41\x00\x21")
	inLoop := func(code string) stringer { return withLocals(400, "\x03\x40"+read+code+"\x0b") }
	for title, b := range map[string]fmt.Stringer{
		"tries":                     inLoop(tries(n, "\x41\x00\x21\x00")),
		"tries, many locals":        inLoop(tries(n/400, set)),
		"own labels":                inLoop(tries(n, "\x0c\x00")),
		"nested tries":              inLoop(nested(1000, set)),
		"often nested tries":        inLoop(strings.Repeat(nested(50, set), n/500)),
		"a few nested tries":        inLoop(strings.Repeat(nested(5, set), n/500)),
		"jumps out of tries":        inLoop(strings.Repeat("\x02\x40", 1000) + tries(100, "\x41\x00\x21\x00\x41\x00\x0e"+num(1000)+strings.Join(each(1000, ""), "")+"\x00") + strings.Repeat("\x0b", 1000)),
		"returns from tries":        inLoop(tries(100, set+strings.Repeat("\x0f", 5000))),
		"calls of the last":         inLoop(tries(10, set+strings.Repeat("\x12\x00", 5000))),
		"calls of the last, nested": inLoop(nested(400, set+strings.Repeat("\x12\x00", 50_000))),
		"functions":                 binaryModule{funcs: same(n, "")},
		"calls":                     binaryModule{funcs: many(n, func(i int) string { return "\x10" + num((i+1)%n) })},
		"calls of 0":                binaryModule{funcs: same(n, call0)},
		"call chain":                binaryModule{funcs: append(many(n, func(i int) string { return "\x10" + num(i+1) }), "")},
		"indirect":                  binaryModule{funcs: same(n, callType0), table: oneTable, elements: []string{"\x03\x00" + list(many(n, num)...)}},
		"types":                     binaryModule{types: same(n, nothing), funcs: many(n, func(i int) string { return "\x41\x00\x11" + num(i+3) + "\x00" }), table: oneTable, elements: []string{"\x03\x00" + list(many(n, num)...)}},
		"long types":                binaryModule{types: same(n/1000, "\x60"+num(1000)+strings.Repeat("\x7f", 1000)+"\x00"), funcs: []string{""}},
		"imports":                   binaryModule{imports: same(n, "\x00\x00\x00\x00"), funcs: []string{call0}},
		"exports":                   binaryModule{exports: many(n, func(i int) string { return name("entangle:"+strconv.Itoa(i)) + "\x00\x00" }), funcs: []string{""}},
		"long export":               binaryModule{exports: []string{name("entangle:"+strings.Repeat(":", n)) + "\x00\x00"}, funcs: []string{""}},
		"guessed names": binaryModule{exports: many(1000, func(i int) string { return name("entangle:"+strings.Repeat(":", i)) + "\x00\x00" }), globals: same(1000, global),
			funcs: []string{strings.Join(many(1000, func(i int) string { return "\x41\x00\x24" + num(i) }), "")}},
		"globals":       binaryModule{globals: same(n, global), funcs: []string{strings.Join(many(n, func(i int) string { return "\x41\x00\x24" + num(i) }), "")}},
		"segments":      binaryModule{memory: page, data: same(n, "\x00\x41\x00\x0b\x00"), funcs: []string{""}},
		"copies":        binaryModule{memory: page, data: same(n, passive), funcs: []string{strings.Join(many(n, func(i int) string { return three + "\xfc\x08" + num(i) + "\x00" }), "")}},
		"fills":         binaryModule{memory: page, funcs: []string{strings.Repeat(three+"\xfc\x0b\x00", n)}},
		"tables":        binaryModule{table: list(same(n, "\x70\x00\x00")...), funcs: []string{strings.Join(many(n, func(i int) string { return "\xd0\x70\x41\x00\xfc\x0f" + num(i) + "\x1a" }), "")}},
		"elements":      binaryModule{table: oneTable, elements: same(n, "\x00\x41\x00\x0b\x00"), funcs: []string{""}},
		"loops":         binaryModule{funcs: []string{strings.Repeat("\x03\x40\x0b", n)}},
		"nested loops":  binaryModule{funcs: same(n/MaxLoopNesting, nest(MaxLoopNesting, "\x03\x40"))},
		"nested blocks": binaryModule{funcs: same(n/MaxNesting, nest(MaxNesting-1, "\x02\x40"))},
		"branches":      binaryModule{funcs: same(n/1000, "\x41\x00\x0e"+num(1000)+strings.Repeat("\x00", 1001))},
		"try_tables":    binaryModule{funcs: []string{strings.Repeat("\x1f\x40\x00\x0b", n)}},
		"custom":        binaryModule{funcs: []string{""}, custom: strings.Repeat(section(0, "\x01a", "abcdefgh"), n)},
		"other custom":  binaryModule{funcs: []string{""}, custom: strings.Join(many(n, func(i int) string { return section(0, name(strconv.Itoa(i))) }), "")},
		"names": binaryModule{funcs: same(n, ""), custom: sect(0, name("name"), "\x01", func() string {
			s := list(many(n, func(i int) string { return num(i) + "\x01f" })...)
			return num(len(s)) + s
		}())},
		"name sections": binaryModule{funcs: []string{""}, custom: strings.Repeat(section(0, name("name"), "\x00\x02\x01m"), n)},
	} {
		binary := []byte(b.String())
		for _, check := range []Check{Countdown, ControlWord} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begun := time.Now()
			if _, err := Describe(binary); err != nil {
				t.Fatalf("%s: %v", title, err)
			}
			r, err := Rewrite(binary, check)
			took := time.Since(begun)
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatalf("%s: %v", title, err)
			}
			allocated := int(after.TotalAlloc - before.TotalAlloc)
			t.Logf("%-14s %d: %7d bytes become %8d, with %9d allocated, in %v", title, check, len(binary), len(r.Binary), allocated, took)
			if len(r.Binary) > growth*len(binary) || allocated > 500*len(binary)+4<<20 || took > 3*time.Second {
				t.Errorf("%s, check %d: %d bytes become %d, with %d allocated, in %v", title, check, len(binary), len(r.Binary), allocated, took)
			}
		}
	}
}

// withLocals returns a module with a tag and a function that has so many locals.
func withLocals(n int, code string) stringer {
	body := "\x01" + num(n) + "\x7f" + code + "\x0b"
	return stringer(header + sect(typeSection, list(nothing)) + sect(functionSection, list("\x00")) + sect(tagSection, list("\x00\x00")) +
		sect(codeSection, list(num(len(body))+body)))
}
