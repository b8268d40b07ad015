package host_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/wasi"
)

// A function of WASI that a module imports as another type than it has is refused, and
// named, when the module is loaded.
func TestWASISignatures(t *testing.T) {
	types := func(list []instrument.ValType) string {
		s := leb(len(list))
		for _, v := range list {
			s += string([]byte{byte(v)})
		}
		return s
	}
	const i32, i64 = instrument.I32, instrument.I64
	h := open(t, config().WithoutCache())
	for _, f := range wasi.Functions {
		p, r := f.Type.Params, f.Type.Results
		longer := append(append([]instrument.ValType(nil), p...), i32)
		other := append([]instrument.ValType(nil), longer[:len(p)]...)
		wrong := []instrument.FuncType{{Params: longer, Results: r}, {Params: p, Results: []instrument.ValType{i64}}, {Params: p, Results: []instrument.ValType{i32, i32}}}
		if len(p) > 0 {
			if other[0] = i64; p[0] == i64 {
				other[0] = i32
			}
			wrong = append(wrong, instrument.FuncType{Params: other, Results: r}, instrument.FuncType{Params: p[1:], Results: r})
		}
		for _, w := range append(wrong, f.Type) {
			binary := header + section(1, "\x01\x60", types(w.Params), types(w.Results)) +
				section(2, "\x01", named(wasi.Module), named(f.Name), "\x00\x00")
			_, err := h.LoadBytes(t.Context(), "wrong", []byte(binary))
			if w.String() == f.Type.String() {
				if err != nil {
					t.Errorf("%s%v: %v", f.Name, w, err)
				}
			} else {
				wantError(t, err, abi.BadModule, f.Name)
			}
		}
	}
	binary := header + section(1, "\x01\x60\x00\x00") + section(2, "\x01", named(wasi.Module), named("fd_dup"), "\x00\x00")
	_, err := h.LoadBytes(t.Context(), "unknown", []byte(binary))
	wantError(t, err, abi.BadModule, "fd_dup")
}

// A granted directory is deleted under its guests: they find nothing there, and what
// takes its name is not theirs.
func TestWASIDeleted(t *testing.T) {
	dir := tree(t)
	h := open(t, config().WithoutCache().WithGrants(grant(t, "fs:rw="+dir+"/b:/w")))
	files := load(t, h, "testdata/files.wasm").Task("main")
	steps(t, h, files, do(`{"text":"zed"}`, "read", "/w/z"))
	if err := errors.Join(os.RemoveAll(dir+"/b"), os.Mkdir(dir+"/b", 0o700), os.WriteFile(filepath.Join(dir, "b/z"), []byte("another"), 0o600)); err != nil {
		t.Fatal(err)
	}
	steps(t, h, files,
		fail(notFound, "read", "/w/z"),
		fail(notFound, "write", "/w/n", "text"),
		fail(notFound, "mkdir", "/w/n"),
		fail(notFound, "list", "/w"),
		fail(notFound, "remove", "/w/z"),
		do(`["/w"]`, "roots"))
	if b, err := os.ReadFile(filepath.Join(dir, "b/z")); string(b) != "another" {
		t.Errorf("what took the name is %q, %v", b, err)
	}
}
