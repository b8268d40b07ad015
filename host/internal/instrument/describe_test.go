package instrument

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// section encodes a section; the parts together are shorter than 128 bytes.
func section(id byte, parts ...string) string {
	body := strings.Join(parts, "")
	return string([]byte{id, byte(len(body))}) + body
}

const header = "\x00asm\x01\x00\x00\x00"

var small = header +
	section(1, "\x02", "\x60\x02\x7e\x7e\x01\x7e", "\x60\x00\x00") +
	section(2, "\x01", "\x03env\x01f\x00\x01") +
	section(3, "\x01", "\x00") +
	section(5, "\x01", "\x01\x02\x10") +
	section(7, "\x02", "\x03add\x00\x01", "\x06memory\x02\x00") +
	section(10, "\x01", "\x04\x00\x42\x00\x0b") +
	section(0, "\x08entangle", "one\n") +
	section(0, "\x08entangle", "two\n")

func TestDescribe(t *testing.T) {
	m, err := Describe([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := m.Export("add", FuncKind); !ok || e.Type.String() != "(i64, i64) -> i64" {
		t.Errorf("export %+v", m.Exports)
	}
	if i := m.Imports[0]; i.Module != "env" || i.Name != "f" || i.Type.String() != "()" {
		t.Errorf("import %+v", i)
	}
	if mem := m.Memories[0]; mem.Min != 2 || mem.Max != 16 || !mem.HasMax {
		t.Errorf("memory %+v", mem)
	}
	if s := string(m.Custom["entangle"]); s != "one\ntwo\n" {
		t.Errorf("custom section %q", s)
	}
	if m.Functions != 1 || m.HasStart {
		t.Errorf("module %+v", m)
	}
}

func TestDescribeErrors(t *testing.T) {
	for name, c := range map[string]struct{ binary, want string }{
		"empty":            {"", "it is empty"},
		"ELF":              {"\x7fELF\x02\x01\x01\x00", "native program"},
		"text":             {"(module)", "WebAssembly text"},
		"PNG":              {"\x89PNG\r\n\x1a\n", `begins with "\x89PNG"`},
		"component":        {"\x00asm\x0d\x00\x01\x00", "component"},
		"version 2":        {"\x00asm\x02\x00\x00\x00", "version"},
		"cut":              {small[:40], "module ends early"},
		"huge section":     {header + "\x01\xff\xff\xff\xff\x0f", "module ends early"},
		"huge count":       {header + section(1, "\xff\xff\xff\xff\x0f"), "items cannot follow"},
		"long number":      {header + section(1, "\xff\xff\xff\xff\x1f"), "more than 32 bits"},
		"too many bytes":   {header + section(3, "\x00\x00"), "1 bytes too many"},
		"no bodies":        {header + section(1, "\x01\x60\x00\x00") + section(3, "\x01\x00"), "has bodies for 0"},
		"missing type":     {header + section(3, "\x01\x05") + section(7, "\x01\x01f\x00\x00") + section(10, "\x01\x02\x00\x0b"), `export "f": function 0 has a type`},
		"missing function": {header + section(7, "\x01\x01f\x00\x09"), "function 9 does not exist"},
		"name":             {header + section(7, "\x01\x01\xff\x00\x00"), "not UTF-8"},
	} {
		_, err := Describe([]byte(c.binary))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	if _, err := Describe([]byte("#!/bin/sh")); !errors.Is(err, ErrNotWasm) {
		t.Errorf("error %v", err)
	}
}

// FuzzDescribe checks that no input makes Describe panic, or believe a count.
func FuzzDescribe(f *testing.F) {
	f.Add([]byte(small))
	files, _ := filepath.Glob("../../../tasks/*.wasm")
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil && len(b) < 64<<10 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, binary []byte) {
		m, err := Describe(binary)
		if err != nil {
			return
		}
		if len(m.Exports)+len(m.Imports) > len(binary) || m.Functions > len(binary) {
			t.Errorf("%d bytes hold %d exports and %d imports", len(binary), len(m.Exports), len(m.Imports))
		}
	})
}
