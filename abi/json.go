package abi

// JSON, for the edges only: command line, HTTP, people. What JSON has no form
// for is an object with one key that begins with "$" (abi/README.md, "JSON").

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The keys of the objects that stand for what JSON lacks.
const (
	jsonBytes = "$bytes" // base64
	jsonFloat = "$float" // "NaN", "Infinity" or "-Infinity"
	jsonArray = "$array" // {"dtype": …, "shape": […], "data": […]}
	jsonMap   = "$map"   // a map whose own only key begins with "$"
)

// AppendJSON appends v as JSON on one line, the keys of maps in alphabetical
// order. A float always has a fraction or an exponent, so that it reads back as
// one. It fails as [Encode] does.
func AppendJSON(b []byte, v Value) ([]byte, error) { return appendJSON(b, v, MaxDepth) }

func appendJSON(b []byte, v Value, depth int) ([]byte, error) {
	switch v.kind {
	case NullKind:
		return append(b, "null"...), nil
	case BoolKind:
		return strconv.AppendBool(b, v.num != 0), nil
	case IntKind:
		return strconv.AppendInt(b, int64(v.num), 10), nil
	case FloatKind:
		f := math.Float64frombits(v.num)
		if name := nonFinite(f); name != "" {
			return append(b, `{"`+jsonFloat+`":"`+name+`"}`...), nil
		}
		return appendJSONFloat(b, f, 64), nil
	case StringKind:
		s, _ := v.Str()
		return appendJSONString(b, s)
	case BytesKind:
		p, _ := v.Bytes()
		b = append(b, `{"`+jsonBytes+`":"`...)
		b = base64.StdEncoding.AppendEncode(b, p)
		return append(b, `"}`...), nil
	}
	if depth--; depth < 0 {
		return nil, fmt.Errorf("value nests deeper than %d levels", MaxDepth)
	}
	var err error
	switch v.kind {
	case ListKind:
		vs, _ := v.List()
		b = append(b, '[')
		for i, e := range vs {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendJSON(b, e, depth); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case MapKind:
		es, _ := v.Entries()
		escape := len(es) == 1 && strings.HasPrefix(es[0].Key, "$")
		if escape {
			b = append(b, `{"`+jsonMap+`":`...)
		}
		es = slices.SortedFunc(slices.Values(es), func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
		b = append(b, '{')
		for i, e := range es {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendJSONString(b, e.Key); err != nil {
				return nil, err
			}
			b = append(b, ':')
			if b, err = appendJSON(b, e.Value, depth); err != nil {
				return nil, err
			}
		}
		if escape {
			b = append(b, '}')
		}
		return append(b, '}'), nil
	}
	a, _ := v.Array()
	return appendJSONArray(b, a), nil
}

func appendJSONArray(b []byte, a Array) []byte {
	b = append(b, `{"`+jsonArray+`":{"dtype":"`+a.DType.String()+`","shape":[`...)
	for i, d := range a.Shape {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(d), 10)
	}
	b = append(b, `],"data":[`...)
	for i, n := 0, a.Len(); i < n; i++ {
		if i > 0 {
			b = append(b, ',')
		}
		switch e := a.element(i); {
		case a.DType == Uint64 && a.uint64At(i) > math.MaxInt64:
			b = append(strconv.AppendUint(append(b, '"'), a.uint64At(i), 10), '"')
		case e.kind == FloatKind:
			f, _ := e.Float()
			if name := nonFinite(f); name != "" {
				b = append(b, '"')
				b = append(b, name...)
				b = append(b, '"')
				break
			}
			bits := 64
			if a.DType != Float64 {
				bits = 32
			}
			b = appendJSONFloat(b, f, bits)
		case e.kind == BoolKind:
			b = strconv.AppendBool(b, e.num != 0)
		default:
			b = strconv.AppendInt(b, int64(e.num), 10)
		}
	}
	return append(b, "]}}"...)
}

func nonFinite(f float64) string {
	switch {
	case f != f:
		return "NaN"
	case f > math.MaxFloat64:
		return "Infinity"
	case f < -math.MaxFloat64:
		return "-Infinity"
	}
	return ""
}

func parseNonFinite(s string) (float64, bool) {
	switch s {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	return 0, false
}

func appendJSONFloat(b []byte, f float64, bits int) []byte {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, format, -1, bits)
	if !bytes.ContainsAny(b[start:], ".e") {
		b = append(b, ".0"...)
	}
	return b
}

// appendJSONString quotes s by hand: encoding/json would be a third of a small Go
// guest, which has this function through Value.String.
func appendJSONString(b []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, errInvalidUTF8
	}
	const hex = "0123456789abcdef"
	b = append(b, '"')
	done := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
			continue
		}
		b = append(b, s[done:i]...)
		done = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\t':
			b = append(b, `\t`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, s[done:]...), '"'), nil
}

// ErrNotJSON is wrapped by the errors of [ParseJSON] for text that is no JSON at
// all, as opposed to JSON that is no value.
var ErrNotJSON = errors.New("not JSON")

// ParseJSON returns the value that text holds. A number without fraction and
// exponent is an int, and an error beyond int64. It refuses duplicate keys,
// nesting beyond [MaxDepth] levels, and text that is not UTF-8.
func ParseJSON(text []byte) (Value, error) {
	if !utf8.Valid(text) {
		return Value{}, fmt.Errorf("%w: it is not valid UTF-8", ErrNotJSON)
	}
	// Valid's own nesting limit, 10,000 levels, makes deep text invalid: tell
	// that apart from text that is not JSON.
	if !json.Valid(text) && !deep(text) {
		var v any
		return Value{}, fmt.Errorf("%w: %v", ErrNotJSON, json.Unmarshal(text, &v))
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	v, err := parseJSON(dec, MaxDepth)
	if err != nil {
		return Value{}, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return Value{}, fmt.Errorf("%w: something follows the value", ErrNotJSON)
	}
	return v, nil
}

// deep reports whether text opens more than MaxDepth levels before it closes one.
func deep(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	n := 0
	for n < len(text) && (text[n] == '[' || text[n] == '{') {
		n++
	}
	return n > MaxDepth
}

func parseJSON(dec *json.Decoder, depth int) (Value, error) {
	tok, err := dec.Token()
	if err != nil {
		return Value{}, fmt.Errorf("%w: %v", ErrNotJSON, err)
	}
	switch t := tok.(type) {
	case nil:
		return Null(), nil
	case bool:
		return Bool(t), nil
	case string:
		return String(t), nil
	case json.Number:
		return parseJSONNumber(t.String())
	}
	if depth == 0 {
		return Value{}, fmt.Errorf("JSON nests deeper than %d levels", MaxDepth)
	}
	if tok == json.Delim('[') {
		var vs []Value
		for dec.More() {
			v, err := parseJSON(dec, depth-1)
			if err != nil {
				return Value{}, err
			}
			vs = append(vs, v)
		}
		_, err := dec.Token()
		return List(vs...), err
	}
	var es []Entry
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return Value{}, fmt.Errorf("%w: %v", ErrNotJSON, err)
		}
		v, err := parseJSON(dec, depth-1)
		if err != nil {
			return Value{}, err
		}
		es = append(es, Entry{key.(string), v})
	}
	if _, err := dec.Token(); err != nil {
		return Value{}, err
	}
	if len(es) == 1 && strings.HasPrefix(es[0].Key, "$") {
		return parseJSONExtension(es[0])
	}
	return Map(es...)
}

func parseJSONNumber(s string) (Value, error) {
	if !strings.ContainsAny(s, ".eE") {
		i, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return Value{}, fmt.Errorf("integer %s is beyond int64; write %s.0 for a float", s, s)
		}
		return Int(i), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return Value{}, fmt.Errorf("number %s is beyond float64", s)
	}
	return Float(f), nil
}

// parseJSONExtension turns an object whose only key begins with "$" into what it stands for.
func parseJSONExtension(e Entry) (Value, error) {
	s, isString := e.Value.Str()
	switch {
	case e.Key == jsonBytes && isString:
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return Value{}, fmt.Errorf("%s: %v", jsonBytes, err)
		}
		return Bytes(b), nil
	case e.Key == jsonFloat && isString:
		if f, ok := parseNonFinite(s); ok {
			return Float(f), nil
		}
	case e.Key == jsonMap && e.Value.kind == MapKind:
		return e.Value, nil
	case e.Key == jsonMap:
		// {"$map": {"$bytes": …}}: the inner object was read as what it stands
		// for, and is meant as the map that it is.
		if inner, ok := unextend(e.Value); ok {
			return inner, nil
		}
	case e.Key == jsonArray && e.Value.kind == MapKind:
		return parseJSONArray(e.Value)
	}
	return Value{}, fmt.Errorf(`object with the key %q: only "$bytes", "$float", "$array" and "$map" have a meaning, with the values that abi/README.md gives`, e.Key)
}

// unextend returns the one-key map that was written where v was read.
func unextend(v Value) (Value, bool) {
	switch v.kind {
	case BytesKind:
		b, _ := v.Bytes()
		return sortedMap([]Entry{{jsonBytes, String(base64.StdEncoding.EncodeToString(b))}}), true
	case FloatKind:
		f, _ := v.Float()
		return sortedMap([]Entry{{jsonFloat, String(nonFinite(f))}}), nonFinite(f) != ""
	}
	return Value{}, false
}

func parseJSONArray(m Value) (Value, error) {
	dtype, _ := m.Get("dtype")
	shape, _ := m.Get("shape")
	data, _ := m.Get("data")
	name, ok := dtype.Str()
	dims, ok2 := shape.List()
	elems, ok3 := data.List()
	if !ok || !ok2 || !ok3 || m.Len() != 3 {
		return Value{}, fmt.Errorf(`%s: want {"dtype": …, "shape": […], "data": […]}`, jsonArray)
	}
	d, err := ParseDType(name)
	if err != nil {
		return Value{}, fmt.Errorf("%s: %v", jsonArray, err)
	}
	a := Array{DType: d, Shape: make([]int, len(dims))}
	for i, dim := range dims {
		n, ok := dim.Int()
		if !ok || n < 0 || n > math.MaxInt32 {
			return Value{}, fmt.Errorf("%s: dimension %v", jsonArray, dim)
		}
		a.Shape[i] = int(n)
	}
	for i, e := range elems {
		if s, ok := e.Str(); ok {
			if u, err := strconv.ParseUint(s, 10, 64); err == nil && d == Uint64 {
				a.Data = binary.LittleEndian.AppendUint64(a.Data, u)
				continue
			}
			if f, ok := parseNonFinite(s); ok {
				e = Float(f)
			}
		}
		if a.Data, err = appendElement(a.Data, d, e); err != nil {
			return Value{}, fmt.Errorf("%s: element %d: %v", jsonArray, i, err)
		}
	}
	v, err := ArrayValue(a)
	if err != nil {
		return Value{}, fmt.Errorf("%s: %v", jsonArray, err)
	}
	return v, nil
}
