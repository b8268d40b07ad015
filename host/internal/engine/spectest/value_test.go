package spectest

import (
	"encoding/json"
	"testing"

	"entangle.example/entangle/host/internal/instrument"
)

// A pattern that matched too much would let everything pass.
func TestMatch(t *testing.T) {
	f32, f64 := instrument.F32, instrument.F64
	for _, c := range []struct {
		pattern string
		got     Value
		want    bool
	}{
		{`{"type":"i32","value":"4294967295"}`, Value{Type: instrument.I32, Low: 0xffffffff}, true},
		{`{"type":"i32","value":"-1"}`, Value{Type: instrument.I32, Low: 0xffffffff}, true},
		{`{"type":"i32","value":"1"}`, Value{Type: instrument.I32, Low: 2}, false},
		{`{"type":"i32","value":"1"}`, Value{Type: instrument.I64, Low: 1}, false},
		{`{"type":"i64","value":"18446744073709551615"}`, Value{Type: instrument.I64, Low: 1<<64 - 1}, true},
		{`{"type":"f32","value":"2147483648"}`, Value{Type: f32, Low: 0x80000000}, true}, // -0
		{`{"type":"f32","value":"0"}`, Value{Type: f32, Low: 0x80000000}, false},
		{`{"type":"f32","value":"nan:canonical"}`, Value{Type: f32, Low: 0x7fc00000}, true},
		{`{"type":"f32","value":"nan:canonical"}`, Value{Type: f32, Low: 0xffc00000}, true},
		{`{"type":"f32","value":"nan:canonical"}`, Value{Type: f32, Low: 0x7fc00001}, false},
		{`{"type":"f32","value":"nan:canonical"}`, Value{Type: f32, Low: 0x7f800000}, false}, // infinity
		{`{"type":"f32","value":"nan:arithmetic"}`, Value{Type: f32, Low: 0xffc00001}, true},
		{`{"type":"f32","value":"nan:arithmetic"}`, Value{Type: f32, Low: 0x7fa00000}, false}, // signalling
		{`{"type":"f32","value":"nan:arithmetic"}`, Value{Type: f32, Low: 0x7f800000}, false},
		{`{"type":"f64","value":"nan:canonical"}`, Value{Type: f64, Low: 0xfff8000000000000}, true},
		{`{"type":"f64","value":"nan:canonical"}`, Value{Type: f64, Low: 0x7ff8000000000001}, false},
		{`{"type":"f64","value":"nan:arithmetic"}`, Value{Type: f64, Low: 0x7ff8000000000001}, true},
		{`{"type":"f64","value":"nan:arithmetic"}`, Value{Type: f64, Low: 0x7ff4000000000000}, false},
		{`{"type":"v128","lane_type":"i16","value":["1","2","3","4","5","6","7","65535"]}`, Value{Type: V128, Low: 0x0004000300020001, High: 0xffff000700060005}, true},
		{`{"type":"v128","lane_type":"i16","value":["1","2","3","4","5","6","7","8"]}`, Value{Type: V128, Low: 0x0004000300020001, High: 0x0009000700060005}, false},
		{`{"type":"v128","lane_type":"f32","value":["nan:canonical","1","2","nan:arithmetic"]}`, Value{Type: V128, Low: 0x17fc00000, High: 0x7fc0000100000002}, true},
		{`{"type":"v128","lane_type":"f32","value":["nan:canonical","1","2","nan:canonical"]}`, Value{Type: V128, Low: 0x17fc00000, High: 0x7fc0000100000002}, false},
		{`{"type":"v128","lane_type":"i16","value":["1"]}`, Value{Type: V128, Low: 1}, false},
		{`{"type":"externref","value":"null"}`, Value{Type: ExternRef, Null: true}, true},
		{`{"type":"externref","value":"null"}`, Value{Type: ExternRef}, false},
		{`{"type":"externref","value":"5"}`, Value{Type: ExternRef, Low: 5}, true},
		{`{"type":"externref","value":"5"}`, Value{Type: ExternRef, Low: 6}, false},
		{`{"type":"externref","value":"0"}`, Value{Type: ExternRef, Null: true}, false},
		{`{"type":"funcref"}`, Value{Type: FuncRef, Low: 99}, true},
		{`{"type":"funcref"}`, Value{Type: FuncRef, Null: true}, false},
		{`{"type":"funcref","value":"null"}`, Value{Type: FuncRef, Null: true}, true},
	} {
		var p pattern
		if err := json.Unmarshal([]byte(c.pattern), &p); err != nil {
			t.Fatal(err)
		}
		if err := p.match(c.got); (err == nil) != c.want {
			t.Errorf("%s and %v: %v", c.pattern, c.got, err)
		}
	}
}
