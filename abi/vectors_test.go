package abi

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

type vector struct {
	Name       string          `json:"name"`
	JSON       json.RawMessage `json:"json"`
	CBOR       string          `json:"cbor"`
	DecodeOnly bool            `json:"decode_only"`
}

func vectors(t testing.TB, file string) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(b, &vs); err != nil {
		t.Fatal(err)
	}
	if len(vs) == 0 {
		t.Fatalf("%s is empty", file)
	}
	return vs
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	for _, vec := range vectors(t, "vectors.json") {
		t.Run(vec.Name, func(t *testing.T) {
			wire := unhex(t, vec.CBOR)
			v, err := Decode(wire, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			want, err := ParseJSON(vec.JSON)
			if err != nil {
				t.Fatal(err)
			}
			if a, ok := v.Array(); ok {
				if b, _ := want.Array(); a.String() != b.String() {
					t.Errorf("decoded %v, want %v", a, b)
				}
			}
			got, err := AppendJSON(nil, v)
			if err != nil {
				t.Fatal(err)
			}
			wantJSON, err := AppendJSON(nil, want)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(wantJSON) {
				t.Errorf("decoded %s, want %s", got, wantJSON)
			}
			for _, v := range []Value{v, want} {
				b, err := Encode(v)
				if err != nil {
					t.Fatal(err)
				}
				if string(b) != string(wire) && !vec.DecodeOnly {
					t.Errorf("encoded %x, want %x", b, wire)
				}
			}
		})
	}
}

func TestInvalidVectors(t *testing.T) {
	for _, vec := range vectors(t, "invalid.json") {
		t.Run(vec.Name, func(t *testing.T) {
			v, err := Decode(unhex(t, vec.CBOR), Limits{})
			if err == nil {
				t.Fatalf("decoded %v, want an error", v)
			}
			if !strings.Contains(err.Error(), "at byte ") {
				t.Errorf("error %q does not say where", err)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	list := unhex(t, "8301820203820405")
	for _, c := range []struct {
		lim  Limits
		want string
	}{
		{Limits{Bytes: 7}, "value of 8 bytes is larger than the limit of 7"},
		{Limits{Items: 6}, "more than 6 items"},
		{Limits{Depth: 1}, "nested deeper than 1 levels"},
		{Limits{Bytes: 8, Items: 7, Depth: 2}, ""},
	} {
		_, err := Decode(list, c.lim)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("limits %+v: error %v, want %q", c.lim, err, c.want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	deep := Null()
	for range MaxDepth + 1 {
		deep = List(deep)
	}
	if _, err := AppendList(nil, []Value{{}}); err != nil {
		t.Error(err)
	}
	for name, v := range map[string]Value{"not UTF-8": String("\xff"), "key not UTF-8": MapOf(map[string]Value{"\xff": Null()}), "deep": deep} {
		if b, err := Encode(v); err == nil {
			t.Errorf("%s: encoded %x, want an error", name, b)
		}
	}
}
