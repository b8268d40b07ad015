package instrument

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestRewrite(t *testing.T) {
	bound := string(appendLEB(nil, MaxTableEntries))
	half := string(appendLEB(nil, MaxTableEntries/2))
	funcs := section(1, "\x01", "\x60\x00\x00") + section(3, "\x02\x00\x00")
	for name, c := range map[string]struct{ in, want string }{
		"nothing":           {"", ""},
		"table":             {section(4, "\x01\x70\x00\x05"), section(4, "\x01\x70\x01\x05"+bound)},
		"table with max":    {section(4, "\x01\x70\x01\x05\x09"), section(4, "\x01\x70\x01\x05\x09")},
		"high max":          {section(4, "\x01\x6f\x01\x05\xff\xff\xff\xff\x0f"), section(4, "\x01\x6f\x01\x05"+bound)},
		"two tables":        {section(4, "\x02\x70\x00\x05\x70\x00\x00"), section(4, "\x02\x70\x01\x05"+half+"\x70\x01\x00"+half)},
		"who may call":      {funcs + section(10, "\x02", "\x04\x00\x10\x00\x0b", "\x03\x00\x01\x0b"), funcs + section(10, "\x02", "\x07\x00\x03\x40\x0b\x10\x00\x0b", "\x03\x00\x01\x0b")},
		"behind the locals": {funcs + section(10, "\x02", "\x06\x01\x09\x7f\x12\x00\x0b", "\x02\x00\x0b"), funcs + section(10, "\x02", "\x09\x01\x09\x7f\x03\x40\x0b\x12\x00\x0b", "\x02\x00\x0b")},
		"debuggers":         {section(0, "\x0b.debug_info", "x") + section(0, "\x04name", "x"), section(0, "\x04name", "x")},
		"broken custom":     {section(0, "\x7f"), section(0, "\x7f")},
	} {
		got, err := Rewrite([]byte(header + c.in))
		if err != nil || string(got) != header+c.want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, header+c.want)
		}
	}
}

func TestRewriteErrors(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"table":     {section(4, "\x01\x70\x00\xff\xff\xff\x7f"), "table of 268435455 entries: at most 2097152"},
		"two":       {section(4, "\x02\x70\x00\x01\x70\x00\xff\xff\x7f"), "table of 2097151 entries: at most 1048576"},
		"its type":  {section(4, "\x01\x7f\x00\x01"), "table of i32"},
		"its flags": {section(4, "\x01\x70\x04\x01"), "flags 0x4"},
		"locals":    {section(10, "\x01\x09\x02\xff\xff\x02\x7f\x90\x4e\x7e\x0b"), "function 0: 59151 locals: at most 50000"},
		"cut":       {section(10, "\x01\x09\x00"), "module ends early"},
		"no locals": {section(10, "\x01\x01\x09"), "function 0: at byte 1: module ends early"},
	} {
		if _, err := Rewrite([]byte(header + c.in)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// FuzzRewrite checks that a rewritten module is as good as the one it is made of,
// and that rewriting it again adds checks only.
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
		if !reflect.DeepEqual(before.Exports, after.Exports) || !reflect.DeepEqual(before.Imports, after.Imports) ||
			!reflect.DeepEqual(before.Memories, after.Memories) || before.Functions != after.Functions || before.HasStart != after.HasStart {
			t.Errorf("before %+v, after %+v", before, after)
		}
	})
}
