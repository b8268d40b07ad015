package wazero

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/memory"
	"entangle.example/entangle/host/internal/wasi"
)

const header = "\x00asm\x01\x00\x00\x00"

func leb(n int) string { return string(binary.AppendUvarint(nil, uint64(n))) }

func section(id byte, parts ...string) string {
	body := strings.Join(parts, "")
	return string([]byte{id}) + leb(len(body)) + body
}

func instantiate(t *testing.T, e engine.Engine, binary string, c engine.Config) (engine.Instance, error) {
	t.Helper()
	rewritten, err := instrument.Rewrite([]byte(binary))
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Compile(t.Context(), rewritten, [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m.Instantiate(t.Context(), c)
}

// importAll returns a module that imports all of WASI, with the types that package
// wasi says.
func importAll() string {
	codes := map[string]string{"i32": "\x7f", "i64": "\x7e"}
	list := func(s string) string {
		s = strings.Trim(s, "()")
		if s == "" {
			return leb(0)
		}
		var out string
		types := strings.Split(s, ", ")
		for _, t := range types {
			out += codes[t]
		}
		return leb(len(types)) + out
	}
	var types, imports string
	i := 0
	for name, typ := range wasi.Functions {
		params, results, _ := strings.Cut(typ, " -> ")
		types += "\x60" + list(params) + list(results)
		imports += leb(len(wasi.Module)) + wasi.Module + leb(len(name)) + name + "\x00" + leb(i)
		i++
	}
	return header + section(1, leb(i), types) + section(2, leb(i), imports)
}

func TestWASI(t *testing.T) {
	in, err := instantiate(t, New(engine.Options{}), importAll(), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

const spin = "\x03\x40\x0c\x00\x0b" // loop br 0 end

// function returns a module with a memory of one page and an exported function.
func function(code string) string {
	return header + section(1, "\x01\x60\x00\x00") + section(3, "\x01\x00") + section(5, "\x01\x00\x01") +
		section(7, "\x01\x01f\x00\x00") + section(10, "\x01", leb(len(code)+2), "\x00", code, "\x0b")
}

func TestCallErrors(t *testing.T) {
	cause := errors.New("its time was over")
	for name, c := range map[string]struct {
		code string
		want func(error) bool
	}{
		"fine": {"", func(err error) bool { return err == nil }},
		"trap": {"\x00", func(err error) bool {
			x, ok := errors.AsType[*engine.Trap](err)
			return ok && x.Reason == "unreachable"
		}},
		"ended": {spin, func(err error) bool { return err == cause }},
	} {
		in, err := instantiate(t, New(engine.Options{}), function(c.code), engine.Config{MemoryLimit: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, cause)
		if err := in.Call(ctx, "f", instrument.FuncType{}, nil); !c.want(err) {
			t.Errorf("%s: error %v", name, err)
		}
		cancel()
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if m := in.(*instance).memory; m.Reallocate(0) != nil {
			t.Errorf("%s: the memory is still there", name)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	e := New(engine.Options{})
	if _, err := e.Compile(t.Context(), []byte(function("\x6a")), [32]byte{}); err == nil || strings.HasPrefix(err.Error(), "invalid module") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if m, err := e.Compile(ctx, []byte(function("")), [32]byte{}); err == nil {
		_ = m.Close() // it may have been faster
	} else if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestNoAddresses instantiates when no address space is left for a memory.
func TestNoAddresses(t *testing.T) {
	var all []*memory.Linear
	defer func() {
		for _, l := range all {
			l.Free()
		}
	}()
	// What is left between these is enough for the Go runtime.
	for size := uint64(1 << 46); size >= 1<<32; size /= 2 {
		for {
			l, err := memory.Reserve(size)
			if err != nil {
				break
			}
			if all = append(all, l); len(all) > 200 {
				t.Skip("the address space has no end here")
			}
		}
	}
	if len(all) == 0 {
		t.Skip("there is no address space to use up")
	}
	_, err := instantiate(t, New(engine.Options{}), function(""), engine.Config{MemoryLimit: 4 << 30})
	if err == nil || !strings.Contains(err.Error(), "reserving 4294967296 bytes of address space: ") {
		t.Errorf("error %v", err)
	}
}

// A host function gets no memory where there is none.
func TestHostFunctions(t *testing.T) {
	var got []any
	opts := engine.Options{ImportModule: "ours", Functions: []engine.Function{{Name: "f", Params: 1,
		Call: func(data any, mem []byte, params []uint64) (uint32, error) {
			got = append(got, data, len(mem), params[0])
			return 5, errors.New("enough")
		}}}}
	binary := header + section(1, "\x02\x60\x01\x7f\x01\x7f\x60\x00\x00") + section(2, "\x01\x04ours\x01f\x00\x00") + section(3, "\x01\x01") +
		section(7, "\x01\x01g\x00\x01") + section(10, "\x01\x07\x00\x41\x07\x10\x00\x1a\x0b")
	in, err := instantiate(t, New(opts), binary, engine.Config{Data: "data"})
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Call(t.Context(), "g", instrument.FuncType{}, nil); err == nil || err.Error() != "enough" {
		t.Errorf("error %v", err)
	}
	if want := []any{"data", 0, uint64(7)}; !slices.Equal(got, want) {
		t.Errorf("it got %v, want %v", got, want)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}
