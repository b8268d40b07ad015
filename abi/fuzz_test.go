package abi

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// FuzzDecode holds the codec against fxamacker/cbor: what we accept, it accepts
// too and reads as the same value, and what we write again is what it writes.
func FuzzDecode(f *testing.F) {
	for _, file := range []string{"vectors.json", "invalid.json"} {
		for _, v := range vectors(f, file) {
			f.Add(unhex(f, v.CBOR))
		}
	}
	dec, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
		MaxNestedLevels: 100, IntDec: cbor.IntDecConvertSignedOrFail,
		DefaultMapType: reflect.TypeFor[map[string]any](),
	}.DecMode()
	if err != nil {
		f.Fatal(err)
	}
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Decode(data, Limits{Items: 1 << 16})
		if err != nil {
			return
		}
		again, err := Encode(v)
		if err != nil {
			t.Fatalf("decoded %v, and cannot encode it: %v", v, err)
		}
		w, err := Decode(again, Limits{})
		if err != nil {
			t.Fatalf("wrote %x, and cannot read it: %v", again, err)
		}
		if b, _ := Encode(w); !bytes.Equal(b, again) {
			t.Fatalf("encodings of one value differ: %x, %x", again, b)
		}
		if hasArray(v) {
			return // the library has no typed arrays
		}
		var oracle any
		if err := dec.Unmarshal(data, &oracle); err != nil {
			t.Fatalf("accepted %x as %v; the library: %v", data, v, err)
		}
		want, err := enc.Marshal(oracle)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, want) {
			t.Fatalf("read %x, wrote %x; the library wrote %x", data, again, want)
		}
	})
}

func hasArray(v Value) bool {
	switch v.Kind() {
	case ArrayKind:
		return true
	case ListKind:
		vs, _ := v.List()
		for _, e := range vs {
			if hasArray(e) {
				return true
			}
		}
	case MapKind:
		es, _ := v.Entries()
		for _, e := range es {
			if hasArray(e.Value) {
				return true
			}
		}
	}
	return false
}

// FuzzJSON checks that whatever is read as JSON is written as JSON of the same value.
func FuzzJSON(f *testing.F) {
	for _, v := range vectors(f, "vectors.json") {
		f.Add([]byte(v.JSON))
	}
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Add([]byte(`1e400`))
	f.Add(bytes.Repeat([]byte("["), 10000))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := ParseJSON(text)
		if err != nil {
			return
		}
		b, err := AppendJSON(nil, v)
		if err != nil {
			t.Fatalf("%q is %v, which cannot be written: %v", text, v, err)
		}
		w, err := ParseJSON(b)
		if err != nil {
			t.Fatalf("%q was written as %q, which cannot be read: %v", text, b, err)
		}
		x, _ := Encode(v)
		if y, _ := Encode(w); !bytes.Equal(x, y) {
			t.Fatalf("%q was written as %q, which is another value", text, b)
		}
	})
}

// FuzzManifest checks that what is accepted is written as text of the same meaning.
func FuzzManifest(f *testing.F) {
	f.Add([]byte("module # Words.\ntask count(text: bytes) -> map[int] # Counts.\nplain add(a: int, b: int) -> int timeout=2s memory=1MiB\n"))
	f.Add([]byte("grant fs:ro=/data\ntask f(a: list[map[array[float64]?]], b: any...)"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseManifest(text)
		if err != nil {
			return
		}
		for _, task := range m.Tasks {
			s, err := ParseSignature(task.Sig.String())
			if err != nil {
				t.Fatalf("%s: %v", task.Sig, err)
			}
			if s.String() != task.Sig.String() {
				t.Fatalf("%s was read as %s", task.Sig, s)
			}
		}
	})
}

// FuzzText holds the small parsers to what they write: it reads back as the same.
func FuzzText(f *testing.F) {
	for _, s := range []string{"list[map[array[float64]?]]", "fs:ro=/data:/in", "fs:rw=C:\\x", "env=HOME", "64KiB", "1.5GiB", "int32?"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if typ, err := ParseType(s); err == nil {
			if again, err := ParseType(typ.String()); err != nil || again.String() != typ.String() {
				t.Errorf("type %q is written %q, which reads as %v, %v", s, typ, again, err)
			}
		}
		if g, err := ParseGrant(s); err == nil {
			if again, err := ParseGrant(g.String()); err != nil || again != g {
				t.Errorf("grant %q is written %q, which reads as %v, %v", s, g, again, err)
			}
		}
		if n, err := ParseSize(s); err == nil && n < 1 {
			t.Errorf("size %q is %d", s, n)
		}
	})
}

func TestFloat16(t *testing.T) {
	for h := range 1 << 16 {
		f := float16ToFloat64(uint16(h))
		got, exact := float64ToFloat16(f)
		if got != uint16(h) && !math.IsNaN(f) || !exact {
			t.Fatalf("%#04x is %v, which is %#04x (exact %v)", h, f, got, exact)
		}
	}
	for _, f := range []float64{65505, 1e-8, 0x1p-25, 1 + 0x1p-11, math.MaxFloat64} {
		if h, exact := float64ToFloat16(f); exact {
			t.Errorf("%v is said to be the float16 %#04x", f, h)
		}
	}
}
