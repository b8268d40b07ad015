package instrument

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func lebString(n uint32) string { return string(leb(nil, n)) }

// Modules without functions get bounds on their tables, and nothing else.
func TestRewriteTables(t *testing.T) {
	bound, half := lebString(MaxTableEntries), lebString(MaxTableEntries/2)
	for name, c := range map[string]struct{ in, want string }{
		"nothing":        {"", ""},
		"no table":       {section(4, "\x00"), section(4, "\x00")},
		"table":          {section(4, "\x01\x70\x00\x05"), section(4, "\x01\x70\x01\x05"+bound)},
		"table with max": {section(4, "\x01\x70\x01\x05\x09"), section(4, "\x01\x70\x01\x05\x09")},
		"high max":       {section(4, "\x01\x6f\x01\x05\xff\xff\xff\xff\x0f"), section(4, "\x01\x6f\x01\x05"+bound)},
		"two tables":     {section(4, "\x02\x70\x00\x05\x70\x00\x00"), section(4, "\x02\x70\x01\x05"+half+"\x70\x01\x00"+half)},
		"broken custom":  {section(0, "\x7f"), section(0, "\x7f")},
	} {
		got, err := Rewrite([]byte(header + c.in))
		if err != nil || string(got) != header+c.want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, header+c.want)
		}
	}
}

// bodies returns the bodies of a module's functions.
func bodies(t *testing.T, binary []byte) (out []string) {
	t.Helper()
	w := rewriter{}
	if err := w.split(binary); err != nil {
		t.Fatal(err)
	}
	for _, s := range w.sections {
		if r := s.reader(); s.id == codeSection {
			for range r.count(1) {
				out = append(out, string(r.bytes(r.u32())))
			}
		}
	}
	return out
}

func TestRewriteCode(t *testing.T) {
	// Global 0 and function 2 are added: check is --global0 == 0 and a call of it.
	check := "\x23\x00\x41\x01\x6b\x24\x00\x23\x00\x45\x04\x40\x10\x02\x0b"
	for name, c := range map[string]struct{ in, want string }{
		"leaf":              {"\x00\x01\x0b", "\x00\x01\x0b"},
		"may call":          {"\x00\x10\x00\x0b", "\x00" + check + "\x10\x01\x0b"},
		"loop":              {"\x00\x03\x40\x0c\x00\x0b\x0b", "\x00\x03\x40" + check + "\x0c\x00\x0b\x0b"},
		"behind the locals": {"\x01\x09\x7f\x12\x00\x0b", "\x01\x09\x7f" + check + "\x12\x01\x0b"},
		"typed loop":        {"\x00\x03\x00\x0b\x0b", "\x00\x03\x00" + check + "\x0b\x0b"},
		"a range":           {"\x00\x41\x00\x41\x00\x41\x00\xfc\x0b\x00\x0b", "\x00\x41\x00\x41\x00\x41\x00\x10\x03\xfc\x0b\x00\x0b"},
		"a constant":        {"\x00\x41\x83\x20\x1a\x0b", "\x00\x41\x83\x20\x1a\x0b"},
	} {
		got, err := Rewrite([]byte(header + section(1, "\x01", "\x60\x00\x00") + section(3, "\x01\x00") +
			section(10, "\x01", string(rune(len(c.in))), c.in) + section(0, "\x0b.debug_info", "x")))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if b := bodies(t, got); len(b) != 3 || b[0] != c.want || b[1] != "\x00\x41\x80\x80\x04\x24\x00\x10\x00\x0b" {
			t.Errorf("%s: the bodies are %q, want %q", name, b, c.want)
		}
		if d, err := Describe(got); err != nil || len(d.Custom) != 0 || d.Imports[0].Module != PollModule {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}

func TestRewriteErrors(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"table":     {section(4, "\x01\x70\x00\xff\xff\xff\x7f"), "table of 268435455 entries: at most 2097152"},
		"two":       {section(4, "\x02\x70\x00\x01\x70\x00\xff\xff\x7f"), "table of 2097151 entries: at most 1048576"},
		"its type":  {section(4, "\x01\x7f\x00\x01"), "table of i32"},
		"its flags": {section(4, "\x01\x70\x04\x01"), "flags 0x4"},
		"locals":    {section(10, "\x01\x09\x02\xff\xff\x02\x7f\x90\x4e\x7e\x0b"), "locals: at most 50000"},
		"cut":       {section(10, "\x01\x09\x00"), "module ends early"},
		"no locals": {section(10, "\x01\x01\x09"), "function 0: at byte"},
		"opcode":    {section(10, "\x01\x03\x00\xff\x0b"), "unknown instruction 0xff"},
		"prefix":    {section(10, "\x01\x05\x00\xfc\xff\x01\x0b"), "unknown instruction 0xfc 255"},
		"function":  {section(10, "\x01\x04\x00\x10\x01\x0b"), "function 1 does not exist"},
		"global":    {section(10, "\x01\x04\x00\x23\x00\x0b"), "global 0 does not exist"},
		"set":       {section(10, "\x01\x04\x00\x24\x00\x0b"), "global 0 does not exist"},
		"type":      {section(10, "\x01\x05\x00\x11\x01\x00\x0b"), "type 1 does not exist"},
		"block":     {section(10, "\x01\x05\x00\x02\x01\x0b\x0b"), "type 1 does not exist"},
		"export":    {section(7, "\x01\x01x\x03\x00") + section(10, "\x01\x02\x00\x0b"), "global 0 does not exist"},
		"start":     {section(8, "\x01") + section(10, "\x01\x02\x00\x0b"), "function 1 does not exist"},
		"element":   {section(9, "\x01\x00\x41\x00\x0b\x01\x01") + section(10, "\x01\x02\x00\x0b"), "function 1 does not exist"},
		"too long":  {section(8, "\x00\x00") + section(10, "\x01\x02\x00\x0b"), "1 bytes too many"},
	} {
		in := c.in
		if strings.Contains(in, "\x0a") { // code has to belong to a function
			in = section(1, "\x01", "\x60\x00\x00") + section(3, "\x01\x00") + in
		}
		if _, err := Rewrite([]byte(header + in)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// FuzzRewrite checks that a rewritten module is as good as the one it is made of,
// with what is added and nothing else.
func FuzzRewrite(f *testing.F) {
	f.Add([]byte(small))
	files, _ := filepath.Glob("../../testdata/*.wasm")
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil && len(b) < 4<<10 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, binary []byte) {
		before, err := Describe(binary)
		if err != nil {
			return
		}
		kept := bytes.Clone(binary)
		rewritten, err := Rewrite(binary)
		if !bytes.Equal(binary, kept) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			return
		}
		after, err := Describe(rewritten)
		if err != nil {
			t.Fatalf("rewritten: %v", err)
		}
		if before.Functions > 0 {
			before.Functions += 2
			before.Imports = append(before.Imports, Import{Module: PollModule, Name: PollName})
			if i := len(before.Imports) - 1; i >= len(after.Imports) || after.Imports[i].Type.String() != "()" {
				t.Fatalf("imports %+v", after.Imports)
			}
			before.Imports[len(before.Imports)-1].Type = after.Imports[len(after.Imports)-1].Type
		}
		if !reflect.DeepEqual(before.Exports, after.Exports) || !reflect.DeepEqual(before.Imports, after.Imports) ||
			!reflect.DeepEqual(before.Memories, after.Memories) || before.Functions != after.Functions || before.HasStart != after.HasStart {
			t.Errorf("before %+v, after %+v", before, after)
		}
	})
}
