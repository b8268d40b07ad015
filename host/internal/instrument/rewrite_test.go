package instrument

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func num(n int) string { return string(leb(nil, uint32(n))) }

// sect encodes a section of any size.
func sect(id byte, parts ...string) string {
	body := strings.Join(parts, "")
	return string(rune(id)) + num(len(body)) + body
}

// list encodes a vector.
func list(items ...string) string { return num(len(items)) + strings.Join(items, "") }

// name encodes a name.
func name(s string) string { return num(len(s)) + s }

// A binaryModule is a module to be; its zero value is empty.
type binaryModule struct {
	types    []string // behind () -> (), (i32) -> () and (i32, i32, i32) -> ()
	imports  []string
	funcs    []string // bodies of functions of type 0, without locals and end
	table    string
	memory   string
	tag      string
	globals  []string
	exports  []string
	start    string
	elements []string
	data     []string
	custom   string
}

func (b binaryModule) String() string {
	var functions, codes []string
	for _, f := range b.funcs {
		functions = append(functions, "\x00")
		codes = append(codes, num(len(f)+2)+"\x00"+f+"\x0b")
	}
	s := header + sect(typeSection, list(append([]string{nothing, "\x60\x01\x7f\x00", threeNumber}, b.types...)...))
	add := func(id byte, items []string) {
		if len(items) > 0 {
			s += sect(id, list(items...))
		}
	}
	one := func(id byte, content string) {
		if content != "" {
			s += sect(id, content)
		}
	}
	add(importSection, b.imports)
	add(functionSection, functions)
	one(tableSection, b.table)
	one(memorySection, b.memory)
	one(tagSection, b.tag)
	add(globalSection, b.globals)
	add(exportSection, b.exports)
	one(startSection, b.start)
	add(elementSection, b.elements)
	if len(b.data) > 0 {
		s += sect(dataCountSection, num(len(b.data)))
	}
	add(codeSection, codes)
	add(dataSection, b.data)
	return s + b.custom
}

// rewriteTo rewrites a module that is valid.
func rewriteTo(t *testing.T, check Check, b binaryModule) *Rewritten {
	t.Helper()
	r, err := Rewrite([]byte(b.String()), check)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Describe(r.Binary); err != nil {
		t.Fatalf("rewritten: %v", err)
	}
	return r
}

// sectionOf returns the content of a section of a rewritten module.
func sectionOf(t *testing.T, r *Rewritten, id byte) (*reader, bool) {
	t.Helper()
	m := module{binary: r.Binary}
	if err := m.split(); err != nil {
		t.Fatal(err)
	}
	for _, s := range m.sections {
		if s.id == id {
			return s.reader(), true
		}
	}
	return nil, false
}

// Modules without functions get bounds on their tables, and nothing else.
func TestTables(t *testing.T) {
	bound, half := num(MaxTableEntries), num(MaxTableEntries/2)
	for name, c := range map[string]struct{ in, want string }{
		"nothing":        {"", ""},
		"no table":       {section(4, "\x00"), section(4, "\x00")},
		"table":          {section(4, "\x01\x70\x00\x05"), section(4, "\x01\x70\x01\x05"+bound)},
		"table with max": {section(4, "\x01\x70\x01\x05\x09"), section(4, "\x01\x70\x01\x05\x09")},
		"high max":       {section(4, "\x01\x6f\x01\x05\xff\xff\xff\xff\x0f"), section(4, "\x01\x6f\x01\x05"+bound)},
		"two tables":     {section(4, "\x02\x70\x00\x05\x70\x00\x00"), section(4, "\x02\x70\x01\x05"+half+"\x70\x01\x00"+half)},
		"full":           {section(4, "\x01\x70\x00"+bound), section(4, "\x01\x70\x01"+bound+bound)},
	} {
		for _, check := range []Check{Countdown, ControlWord, Unchecked} {
			got, err := Rewrite([]byte(header+c.in), check)
			if err != nil || string(got.Binary) != header+c.want || got.Init+got.Control+got.Budget != "" {
				t.Errorf("%s: got %+v, %v; want %q", name, got, err, header+c.want)
			}
		}
	}
}

// What debuggers and linkers need goes; what is left stays as it is.
func TestCustomSections(t *testing.T) {
	names := section(0, name("name"), "\x00\x02\x01m", "\x01\x07\x02\x00\x01f\x01\x01g", "\x02\x03\x01\x00\x00")
	b := binaryModule{imports: []string{name("env") + name("f") + "\x00\x00"}, funcs: []string{""}, custom: names +
		section(0, name(".debug_info"), "x") + section(0, name("linking"), "x") + section(0, name("reloc.CODE"), "x") +
		section(0, name("sourceMappingURL"), "x") + section(0, name("metadata.code.branch_hint"), "x") + section(0, name("entangle"), "kept")}
	for check, want := range map[Check]string{Countdown: "\x00\x02\x01m\x01\x07\x02\x00\x01f\x03\x01g", ControlWord: "\x00\x02\x01m\x01\x07\x02\x00\x01f\x01\x01g"} {
		m, err := Describe(rewriteTo(t, check, b).Binary)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Custom) != 2 || string(m.Custom["entangle"]) != "kept" || string(m.Custom["name"]) != want {
			t.Errorf("%q, want the names %q", m.Custom, want)
		}
	}
	b.custom = section(0, name("name"), "\x01\x07\x02\x00\x01f") // and another that is not there
	if m, err := Describe(rewriteTo(t, Countdown, b).Binary); err != nil || len(m.Custom) != 0 {
		t.Errorf("broken names become %q, %v", m.Custom, err)
	}
}

// Names and numbers of functions lead back to the original.
func TestFunctionName(t *testing.T) {
	b := binaryModule{imports: []string{name("env") + name("f") + "\x00\x00"}, funcs: []string{"", ""}, start: "\x01"}
	for check, want := range map[Check][]string{
		Countdown:   {"$0", "", "", "$1", "$2", "", ""},
		ControlWord: {"$0", "$1", "$2", "", ""},
	} {
		r := rewriteTo(t, check, b)
		for i, want := range want {
			got, ok := r.FunctionName(fmt.Sprintf("$%d", i))
			if ok != (want != "") || ok && got != want {
				t.Errorf("$%d is %q, %v; want %q", i, got, ok, want)
			}
		}
		for _, name := range []string{"main", "$x", "$", "$99999999999999999999"} {
			if got, ok := r.FunctionName(name); !ok || got != name {
				t.Errorf("%s is %q, %v", name, got, ok)
			}
		}
		if _, ok := r.FunctionName(PollModule + "." + PollName); ok {
			t.Error("poll is a function of the original")
		}
	}
}

const page = "\x01\x00\x01" // the content of a memory section

// Instantiating does nothing: segments and the start function are Init's.
func TestInit(t *testing.T) {
	imported := name("env") + name("base") + "\x03\x7f\x00" // global 0, immutable
	for title, c := range map[string]struct {
		b    binaryModule
		want string // in the body of Init, before its end
	}{
		"nothing": {binaryModule{funcs: []string{""}, memory: page}, "none"},
		"passive": {binaryModule{funcs: []string{""}, memory: page, data: []string{"\x01" + name("x")}}, "none"},
		"start":   {binaryModule{funcs: []string{"", ""}, start: "\x01"}, "\x10\x03"},
		"segments": {binaryModule{funcs: []string{""}, memory: page, data: []string{"\x00\x41\x07\x0b" + name("abc"), "\x01" + name("p"), "\x02\x00\x41\x08\x0b" + name("")}},
			"\x41\x07\x41\x00\x41\x03\xfc\x08\x00\x00\xfc\x09\x00" + "\x41\x08\x41\x00\x41\x00\xfc\x08\x02\x00\xfc\x09\x02"},
		"no code": {binaryModule{memory: page, data: []string{"\x00\x41\x07\x0b" + name("abc")}}, "\x41\x07\x41\x00\x41\x03\xfc\x08\x00\x00\xfc\x09\x00"},
		"expression": {binaryModule{imports: []string{imported}, memory: page, data: []string{"\x00\x23\x00\x41\x02\x6c\x41\x01\x6a\x41\x03\x6b\x0b" + name("a")}},
			"\x23\x00\x41\x02\x6c\x41\x01\x6a\x41\x03\x6b" + "\x41\x00\x41\x01\xfc\x08\x00\x00\xfc\x09\x00"},
		"both": {binaryModule{funcs: []string{""}, memory: page, start: "\x00", data: []string{"\x00\x41\x07\x0b" + name("abc")}},
			"\x41\x07\x41\x00\x41\x03\xfc\x08\x00\x00\xfc\x09\x00" + "\x10\x02"},
		"beside a table": {binaryModule{funcs: []string{""}, table: "\x01\x70\x00\x01", elements: []string{"\x00\x41\x01\x0b\x01\x00"}}, "\x41\x7f\x25\x00\x1a"},
		"in a table":     {binaryModule{funcs: []string{""}, table: "\x01\x70\x00\x01", elements: []string{"\x00\x41\x00\x0b\x01\x00"}}, "none"},
	} {
		r := rewriteTo(t, Countdown, c.b)
		m, err := Describe(r.Binary)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := sectionOf(t, r, startSection); ok || m.HasStart {
			t.Errorf("%s: it has a start section", title)
		}
		if c.want == "none" {
			if r.Init != "" {
				t.Errorf("%s: Init is %q", title, r.Init)
			}
			continue
		}
		if e, ok := m.Export(r.Init, FuncKind); !ok || e.Type.String() != "()" {
			t.Errorf("%s: Init is %q: %+v", title, r.Init, m.Exports)
		}
		if got := bodiesOf(t, r); !slices.Contains(got, "\x00"+c.want+"\x0b") {
			t.Errorf("%s: no body is %q: %q", title, c.want, got)
		}
		if d, ok := sectionOf(t, r, dataSection); ok {
			for range d.count(1) {
				if d.u32() != 1 {
					t.Errorf("%s: a segment is not passive", title)
				}
				d.bytes(d.u32())
			}
		}
	}
}

// A large segment is copied in parts.
func TestInitOfLargeSegments(t *testing.T) {
	small := binaryModule{memory: "\x01\x00\x40", data: []string{"\x00\x41\x00\x0b" + name(strings.Repeat("x", partSize))}}
	large := binaryModule{memory: "\x01\x00\x40", data: []string{"\x00\x41\x00\x0b" + name(strings.Repeat("x", partSize+1))}}
	for _, check := range []Check{Countdown, ControlWord} {
		a, b := bodiesOf(t, rewriteTo(t, check, small)), bodiesOf(t, rewriteTo(t, check, large))
		if len(b) != len(a)+1 {
			t.Errorf("%d functions for a segment of %d bytes, %d for one more", len(a), partSize, len(b))
		}
	}
	if b := bodiesOf(t, rewriteTo(t, Unchecked, large)); len(b) != 1 {
		t.Errorf("%d functions without checks", len(b))
	}
}

// bodiesOf returns the bodies of a module's functions, the added ones last.
func bodiesOf(t *testing.T, rewritten *Rewritten) (out []string) {
	t.Helper()
	r, ok := sectionOf(t, rewritten, codeSection)
	if !ok {
		return nil
	}
	for range r.count(1) {
		out = append(out, string(r.bytes(r.u32())))
	}
	if r.err != nil || r.off != len(r.data) {
		t.Fatalf("the code section ends at %d, not %d: %v", r.off, len(r.data), r.err)
	}
	return out
}

// Mutable globals that code sets are exported, and no others.
func TestGlobals(t *testing.T) {
	b := binaryModule{
		imports: []string{name("env") + name("g") + "\x03\x7e\x01"}, // 0
		globals: []string{"\x7f\x01\x41\x00\x0b", "\x7f\x01\x41\x00\x0b", "\x7e\x00\x42\x00\x0b", "\x7c\x01\x44\x00\x00\x00\x00\x00\x00\x00\x00\x0b"},
		funcs:   []string{"\x41\x05\x24\x01\x23\x00\x24\x00", "\x44\x00\x00\x00\x00\x00\x00\x00\x00\x24\x04\x23\x02\x1a\x23\x03\x1a"},
	}
	for _, check := range []Check{Countdown, ControlWord, Unchecked} {
		r := rewriteTo(t, check, b)
		m, err := Describe(r.Binary)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, g := range r.Globals {
			got = append(got, fmt.Sprint(g.index, " ", g.Type))
			if i, ok := m.ExportIndex(g.Name, GlobalKind); !ok || exportedIndex(t, r, i) != g.index {
				t.Errorf("global %d is not exported as %q", g.index, g.Name)
			}
		}
		if want := []string{"0 i64", "1 i32", "4 f64"}; !slices.Equal(got, want) || r.Unsafe != "" {
			t.Errorf("the globals are %v, want %v; unsafe: %q", got, want, r.Unsafe)
		}
		if r.Budget != "" {
			t.Errorf("no table grows, and the budget is %q", r.Budget)
		}
	}
}

// exportedIndex returns the index that export number i names.
func exportedIndex(t *testing.T, rewritten *Rewritten, i int) (index uint32) {
	t.Helper()
	r, _ := sectionOf(t, rewritten, exportSection)
	r.count(3)
	for range i + 1 {
		r.name()
		r.byte()
		index = r.u32()
	}
	return index
}

// What could take long is done by a function that is added, or counts for more.
func TestRanges(t *testing.T) {
	const three = "\x41\x00\x41\x00\x41\x00"
	// Of Countdown, functions 0 and 1 are poll and keep, 2 is the original's, 3 resets
	// the counter, 4 charges it; of ControlWord, 0 is the original's.
	// Before an operation on a table there is a check: it may take milliseconds. "All"
	// is enough for one at the entry.
	const counts, loads = "\x23\x00\x41\x07\x6b\x24\x00\x23\x00\x41\x00\x4c\x04\x40\x10\x03\x0b", "\x41\x00\xfe\x10\x42\x01\x00\x04\x40\x00\x0b"
	const entry = "\x23\x00\x41\x14\x6b\x24\x00\x23\x00\x41\x00\x4c\x04\x40\x10\x03\x0b"
	for title, c := range map[string]struct{ in, countdown, controlWord string }{
		"fill":       {three + "\xfc\x0b\x00", three + "\x10\x05", three + "\x10\x01"},
		"copy":       {three + "\xfc\x0a\x00\x00", three + "\x10\x05", three + "\x10\x01"},
		"init":       {three + "\xfc\x08\x00\x00", three + "\x10\x05", three + "\x10\x01"},
		"all":        {three + "\xfc\x0b\x00" + three + "\xfc\x0b\x00" + three + "\xfc\x08\x00\x00", entry + three + "\x10\x05" + three + "\x10\x05" + three + "\x10\x06", loads + three + "\x10\x01" + three + "\x10\x01" + three + "\x10\x02"},
		"table.init": {three + "\xfc\x0c\x00\x00", three + counts + "\x10\x04\xfc\x0c\x00\x00", three + loads + "\xfc\x0c\x00\x00"},
		"table.copy": {three + "\xfc\x0e\x00\x00", three + counts + "\x10\x04\xfc\x0e\x00\x00", three + loads + "\xfc\x0e\x00\x00"},
		"table.fill": {"\x41\x00\xd0\x70\x41\x00\xfc\x11\x00", "\x41\x00\xd0\x70\x41\x00" + counts + "\x10\x04\xfc\x11\x00", "\x41\x00\xd0\x70\x41\x00" + loads + "\xfc\x11\x00"},
		"try_table":  {"\x1f\x40\x01\x02\x00\x0b", "\x10\x00\x1f\x40\x01\x02\x00\x0b", "\x1f\x40\x01\x02\x00\x0b"},
		"throw":      {"\x08\x00", "\x10\x01\x08\x00", "\x08\x00"},
		"constants":  {"\x41\x83\x20\x1a\x42\xfc\x0b\x1a", "\x41\x83\x20\x1a\x42\xfc\x0b\x1a", "\x41\x83\x20\x1a\x42\xfc\x0b\x1a"}, // that look like a loop and a fill
	} {
		b := binaryModule{funcs: []string{c.in}, table: "\x01\x70\x00\x01", memory: page, tag: "\x01\x00\x00", elements: []string{"\x01\x00\x00"}, data: []string{"\x01\x00"}}
		for check, want := range map[Check]string{Countdown: c.countdown, ControlWord: c.controlWord} {
			if got := bodiesOf(t, rewriteTo(t, check, b))[0]; got != "\x00"+want+"\x0b" {
				t.Errorf("%s, check %d: %q, want %q", title, check, got, want)
			}
		}
	}
}

func TestBudget(t *testing.T) {
	b := binaryModule{table: "\x01\x70\x00\x01", funcs: []string{"\xd0\x70\x41\x01\xfc\x0f\x00\x1a"}}
	for _, check := range []Check{Countdown, ControlWord, Unchecked} {
		r := rewriteTo(t, check, b)
		m, err := Describe(r.Binary)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.ExportIndex(r.Budget, GlobalKind); !ok {
			t.Errorf("the budget %q is not exported: %+v", r.Budget, m.Exports)
		}
		if got := bodiesOf(t, r)[0]; strings.Contains(got, "\xfc\x0f") {
			t.Errorf("the table grows in %q", got)
		}
		g, _ := sectionOf(t, r, globalSection)
		var last string
		for range g.count(3) {
			from := g.off
			g.valType()
			g.byte()
			(&module{}).constant(g, nil)
			last = string(g.data[from:g.off])
		}
		if want := "\x7f\x01\x41" + string(sleb(nil, MaxTableEntries)) + "\x0b"; last != want {
			t.Errorf("the budget is %q, want %q", last, want)
		}
	}
}

// The names that are added are none that the module has, whatever it exports, and
// no longer for it.
func TestReservedNames(t *testing.T) {
	taken := []string{"entangle:", "entangle:init", "entangle::init", "entangle:global:0", "entangle:::", "entangle:control", "entangle:budget",
		"entangle:1:init", "entangle:2:", "entangle:1", "entangle:01:", "entangle", "entangle:" + strings.Repeat(":", 20_000)}
	if r := rewriteTo(t, ControlWord, binaryModule{funcs: []string{"", ""}, start: "\x00"}); r.Init != "entangle:init" || r.Control != "entangle:control" {
		t.Errorf("without exports, %q and %q are added", r.Init, r.Control)
	}
	for range 3 {
		b := binaryModule{memory: page, data: []string{"\x00\x41\x00\x0b\x00"}, globals: []string{"\x7f\x01\x41\x00\x0b"}, table: "\x01\x70\x00\x01",
			funcs: []string{"\x41\x00\x24\x00\xd0\x70\x41\x01\xfc\x0f\x00\x1a"}}
		for _, n := range taken {
			b.exports = append(b.exports, name(n)+"\x00\x00")
		}
		var added []string
		for _, check := range []Check{Countdown, ControlWord} {
			r := rewriteTo(t, check, b) // Describe refuses names that are there twice
			added = []string{r.Init, r.Budget, r.Globals[0].Name}
			if check == ControlWord {
				added = append(added, r.Control)
			}
			for _, n := range added {
				if slices.Contains(taken, n) || !strings.HasPrefix(n, "entangle:") || len(n) > 40 {
					t.Errorf("%.60q (%d bytes) is added", n, len(n))
				}
			}
		}
		taken = append(taken, added...) // as if somebody had guessed
	}
}
