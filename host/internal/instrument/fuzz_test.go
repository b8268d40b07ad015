package instrument

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// FuzzRewrite checks that a rewritten module has what it is made of, with what is
// added and nothing else, and is not much larger.
func FuzzRewrite(f *testing.F) {
	f.Add([]byte(small))
	for _, b := range []binaryModule{
		{memory: page, globals: []string{"\x7f\x01\x41\x00\x0b"}, data: []string{"\x00\x41\x00\x0b\x01x", "\x01\x01y"}, start: "\x00", exports: []string{name("entangle:") + "\x00\x00"},
			funcs: []string{call1, callType0 + "\x41\x00\x24\x00", loop}, table: oneTable, elements: []string{takes0, "\x05\x70\x01\xd2\x01\x0b"}},
		{memory: page, data: []string{"\x01\x01y"}, imports: []string{name("m") + name("f") + "\x00\x00", name("m") + name("g") + "\x03\x7f\x00"}, table: oneTable,
			funcs: []string{"\x41\x00\x41\x00\x41\x00\xfc\x08\x00\x00\x41\x00\x41\x00\x41\x00\xfc\x0b\x00", "\xd0\x70\x41\x00\xfc\x0f\x00\x1a", "\x12\x01"}},
		{tag: "\x01\x00\x00", funcs: []string{"\x02\x40\x1f\x40\x01\x02\x00\x08\x00\x0b\x0b", "\x41\x00\x0e\x01\x00\x00"}, globals: []string{"\x70\x00\xd2\x00\x0b"},
			custom: section(0, name("name"), "\x01\x04\x01\x00\x01f")},
	} {
		f.Add([]byte(b.String()))
	}
	set, read := "\x41\x05\x21\x00", "\x20\x00\x1a"
	for _, code := range []string{
		"\x02\x40" + catching(set+catching(set+"\x0c\x00")) + "\x0b" + read,
		"\x03\x40" + read + "\x02\x40" + catching(set+"\x41\x00\x0d\x00\x41\x00\x0e\x00\x02\x0f\x12\x00") + "\x0b\x0b",
		"\x02\x40\x1f\x40\x00\x0c\x01\x0b\x1f\x40\x01\x02\x01" + set + "\x00\x0b\x0b" + read,
		"\x02\x69\x1f\x40\x01\x03\x00\x1f\x40\x01\x01\x00\x02" + set + "\x22\x00\x08\x00\x0b\x0b\x00\x0b" + read + "\x0a",
	} {
		f.Add([]byte(withLocals(1, code)))
	}
	for _, pattern := range []string{"../../testdata/*.wasm", "../../../tasks/*.wasm", "../../../tasks/*/*.wasm", "../../testdata/hostile/*.wasm"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			if len(b) < 4<<10 {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before, err := Describe(in)
		if err != nil {
			return
		}
		kept := bytes.Clone(in)
		for _, check := range []Check{Countdown, ControlWord, Unchecked} {
			r, err := Rewrite(in, check)
			if !bytes.Equal(in, kept) {
				t.Fatal("the input was changed")
			}
			if err != nil {
				continue
			}
			after, err := Describe(r.Binary)
			if err != nil {
				t.Fatalf("rewritten: %v", err)
			}
			compare(t, before, after, r)
			if most := growth*len(in) + 4<<10; len(r.Binary) > most {
				t.Errorf("%d bytes become %d", len(in), len(r.Binary))
			}
		}
	})
}

// growth bounds how many bytes become of one. The worst is memory.init of a segment of
// its own, 6 bytes, for which there is a helper.
const growth = 40

// compare checks that all that was imported and exported is there, and beside it what
// the fields of r name.
func compare(t *testing.T, before, after *Module, r *Rewritten) {
	t.Helper()
	imports := after.Imports
	if r.Check == Countdown && len(imports) == len(before.Imports)+2 {
		for _, name := range []string{KeepName, PollName} {
			last := imports[len(imports)-1]
			if imports = imports[:len(imports)-1]; last.Module != PollModule || last.Name != name || last.Type.String() != "()" {
				t.Errorf("import %+v", last)
			}
		}
	}
	if a, b := fmt.Sprint(imports), fmt.Sprint(before.Imports); a != b {
		t.Errorf("imports %s, before %s", a, b)
	}
	exports := after.Exports
	if len(exports) < len(before.Exports) {
		t.Fatalf("exports %v, before %v", exports, before.Exports)
	}
	if a, b := fmt.Sprint(exports[:len(before.Exports)]), fmt.Sprint(before.Exports); a != b {
		t.Errorf("exports %s, before %s", a, b)
	}
	want := map[string]Kind{}
	for _, g := range r.Globals {
		want[g.Name] = GlobalKind
	}
	for name, kind := range map[string]Kind{r.Init: FuncKind, r.Control: MemoryKind, r.Budget: GlobalKind} {
		if name != "" {
			want[name] = kind
		}
	}
	for _, e := range exports[len(before.Exports):] {
		if kind, ok := want[e.Name]; !ok || kind != e.Kind {
			t.Errorf("export %+v is added", e)
		}
		delete(want, e.Name)
	}
	if len(want) > 0 {
		t.Errorf("exports %v are missing", want)
	}
	memories := after.Memories
	if r.Control != "" {
		memories = memories[:len(memories)-1]
	}
	if a, b := fmt.Sprint(memories), fmt.Sprint(before.Memories); a != b || after.HasStart {
		t.Errorf("memories %s, before %s; start: %v", a, b, after.HasStart)
	}
}
