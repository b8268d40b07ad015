package instrument

import (
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
	for title, b := range map[string]binaryModule{
		"functions":   {funcs: same(n, "")},
		"calls":       {funcs: many(n, func(i int) string { return "\x10" + num((i+1)%n) })},
		"calls of 0":  {funcs: same(n, call0)},
		"call chain":  {funcs: append(many(n, func(i int) string { return "\x10" + num(i+1) }), "")},
		"indirect":    {funcs: same(n, callType0), table: oneTable, elements: []string{"\x03\x00" + list(many(n, num)...)}},
		"types":       {types: same(n, nothing), funcs: many(n, func(i int) string { return "\x41\x00\x11" + num(i+3) + "\x00" }), table: oneTable, elements: []string{"\x03\x00" + list(many(n, num)...)}},
		"long types":  {types: same(n/1000, "\x60"+num(1000)+strings.Repeat("\x7f", 1000)+"\x00"), funcs: []string{""}},
		"imports":     {imports: same(n, "\x00\x00\x00\x00"), funcs: []string{call0}},
		"exports":     {exports: many(n, func(i int) string { return name("entangle:"+strconv.Itoa(i)) + "\x00\x00" }), funcs: []string{""}},
		"long export": {exports: []string{name("entangle:"+strings.Repeat(":", n)) + "\x00\x00"}, funcs: []string{""}},
		"guessed names": {exports: many(1000, func(i int) string { return name("entangle:"+strings.Repeat(":", i)) + "\x00\x00" }), globals: same(1000, global),
			funcs: []string{strings.Join(many(1000, func(i int) string { return "\x41\x00\x24" + num(i) }), "")}},
		"globals":       {globals: same(n, global), funcs: []string{strings.Join(many(n, func(i int) string { return "\x41\x00\x24" + num(i) }), "")}},
		"segments":      {memory: page, data: same(n, "\x00\x41\x00\x0b\x00"), funcs: []string{""}},
		"copies":        {memory: page, data: same(n, passive), funcs: []string{strings.Join(many(n, func(i int) string { return three + "\xfc\x08" + num(i) + "\x00" }), "")}},
		"fills":         {memory: page, funcs: []string{strings.Repeat(three+"\xfc\x0b\x00", n)}},
		"tables":        {table: list(same(n, "\x70\x00\x00")...), funcs: []string{strings.Join(many(n, func(i int) string { return "\xd0\x70\x41\x00\xfc\x0f" + num(i) + "\x1a" }), "")}},
		"elements":      {table: oneTable, elements: same(n, "\x00\x41\x00\x0b\x00"), funcs: []string{""}},
		"loops":         {funcs: []string{strings.Repeat("\x03\x40\x0b", n)}},
		"nested loops":  {funcs: same(n/MaxLoopNesting, nest(MaxLoopNesting, "\x03\x40"))},
		"nested blocks": {funcs: same(n/MaxNesting, nest(MaxNesting-1, "\x02\x40"))},
		"branches":      {funcs: same(n/1000, "\x41\x00\x0e"+num(1000)+strings.Repeat("\x00", 1001))},
		"try_tables":    {funcs: []string{strings.Repeat("\x1f\x40\x00\x0b", n)}},
		"custom":        {funcs: []string{""}, custom: strings.Repeat(section(0, "\x01a", "abcdefgh"), n)},
		"other custom":  {funcs: []string{""}, custom: strings.Join(many(n, func(i int) string { return section(0, name(strconv.Itoa(i))) }), "")},
		"names": {funcs: same(n, ""), custom: sect(0, name("name"), "\x01", func() string {
			s := list(many(n, func(i int) string { return num(i) + "\x01f" })...)
			return num(len(s)) + s
		}())},
		"name sections": {funcs: []string{""}, custom: strings.Repeat(section(0, name("name"), "\x00\x02\x01m"), n)},
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
			if len(r.Binary) > growth*len(binary) || allocated > 200*len(binary)+4<<20 || took > 3*time.Second {
				t.Errorf("%s, check %d: %d bytes become %d, with %d allocated, in %v", title, check, len(binary), len(r.Binary), allocated, took)
			}
		}
	}
}
