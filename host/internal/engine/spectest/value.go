package spectest

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"entangle.example/entangle/host/internal/instrument"
)

// The types of values that are not numbers.
const (
	V128      instrument.ValType = 0x7b
	FuncRef   instrument.ValType = 0x70
	ExternRef instrument.ValType = 0x6f
)

// A Value is a parameter or a result.
type Value struct {
	Type instrument.ValType
	Low  uint64 // its bits; of an external reference, its number
	High uint64 // of a vector
	Null bool   // it is a reference to nothing
}

func (v Value) String() string {
	switch {
	case v.Null:
		return fmt.Sprintf("%v(null)", v.Type)
	case v.Type == V128:
		return fmt.Sprintf("v128(%#016x %016x)", v.High, v.Low)
	}
	return fmt.Sprintf("%v(%#x)", v.Type, v.Low)
}

// A pattern is a value in a script: of an argument its bits, of a result what it
// has to look like.
type pattern struct {
	Type  string          `json:"type"`
	Lane  string          `json:"lane_type"` // of a vector
	Value json.RawMessage `json:"value"`     // a string or, of a vector, one for each lane
}

func (p pattern) String() string { return fmt.Sprintf("%s%s(%s)", p.Type, p.Lane, p.Value) }

var valTypes = map[string]instrument.ValType{"i32": instrument.I32, "i64": instrument.I64, "f32": instrument.F32, "f64": instrument.F64,
	"v128": V128, "funcref": FuncRef, "externref": ExternRef}

var widths = map[string]uint{"i8": 8, "i16": 16, "i32": 32, "i64": 64, "f32": 32, "f64": 64}

// lanes returns the lanes, one for a number, and their width in bits.
func (p pattern) lanes() (lanes []string, width uint, err error) {
	kind := p.Type
	if kind == "v128" {
		kind = p.Lane
		err = json.Unmarshal(p.Value, &lanes)
	} else {
		lanes = make([]string, 1)
		err = json.Unmarshal(p.Value, &lanes[0])
	}
	width, ok := widths[kind]
	if err == nil && (!ok || p.Type == "v128" && uint(len(lanes))*width != 128) {
		err = fmt.Errorf("%v is no value", p)
	}
	return lanes, width, err
}

// reference returns the value of a reference: any stands for one that is not null.
func (p pattern) reference() (v Value, any bool, err error) {
	var text string
	v.Type = valTypes[p.Type]
	switch {
	case p.Value == nil:
		return v, true, nil
	case json.Unmarshal(p.Value, &text) != nil:
		return v, false, fmt.Errorf("%v is no value", p)
	case text == "null":
		v.Null = true
		return v, false, nil
	}
	v.Low, err = strconv.ParseUint(text, 10, 32)
	return v, false, err
}

func (p pattern) isReference() bool { return strings.HasSuffix(p.Type, "ref") }

// value returns the value of an argument.
func (p pattern) value() (v Value, err error) {
	if p.isReference() {
		v, any, err := p.reference()
		if err == nil && any {
			err = fmt.Errorf("%v is no argument", p)
		}
		return v, err
	}
	v.Type = valTypes[p.Type]
	lanes, width, err := p.lanes()
	for i, lane := range lanes {
		n, e := number(lane, width)
		if e != nil {
			return v, e
		}
		if at := uint(i) * width; at < 64 {
			v.Low |= n << at
		} else {
			v.High |= n << (at - 64)
		}
	}
	return v, err
}

// number reads a number, which may have a sign, as so many bits.
func number(text string, width uint) (uint64, error) {
	if strings.HasPrefix(text, "-") {
		n, err := strconv.ParseInt(text, 10, int(width))
		return uint64(n) & (math.MaxUint64 >> (64 - width)), err
	}
	return strconv.ParseUint(text, 10, int(width))
}

// match says how a result differs.
func (p pattern) match(got Value) error {
	differs := fmt.Errorf("got %v, want %v", got, p)
	if got.Type != valTypes[p.Type] {
		return differs
	}
	if p.isReference() {
		want, any, err := p.reference()
		switch {
		case err != nil:
			return err
		case any && got.Null, !any && got.Null != want.Null, !any && p.Type == "externref" && got.Low != want.Low:
			return differs
		}
		return nil
	}
	lanes, width, err := p.lanes()
	if err != nil {
		return err
	}
	for i, lane := range lanes {
		bits := got.Low
		at := uint(i) * width
		if at >= 64 {
			bits, at = got.High, at-64
		}
		bits = bits >> at & (math.MaxUint64 >> (64 - width))
		ok, err := matchLane(lane, bits, width)
		if err != nil {
			return err
		}
		if !ok {
			return differs
		}
	}
	return nil
}

// matchLane knows the patterns of NaNs (WebAssembly 2.0, §2.2.3): canonical ones have
// the highest bit of the fraction set and no other, arithmetic ones that bit and any.
func matchLane(want string, bits uint64, width uint) (bool, error) {
	fraction := uint(23)
	if width == 64 {
		fraction = 52
	}
	sign := uint64(1) << (width - 1)
	quiet := sign - 1<<(fraction-1) // the exponent, and the highest bit of the fraction
	switch want {
	case "nan:canonical":
		return bits&^sign == quiet, nil
	case "nan:arithmetic":
		return bits&quiet == quiet, nil
	}
	n, err := number(want, width)
	return n == bits, err
}
