package instrument

import (
	"fmt"
	"strings"
)

// ParseFuncType is the inverse of [FuncType.String] for types of numbers.
func ParseFuncType(s string) (t FuncType, err error) {
	params, results, arrow := strings.Cut(s, "->")
	params, results = strings.TrimSpace(params), strings.TrimSpace(results)
	inner, ok := strings.CutPrefix(params, "(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !ok || !closed {
		return t, fmt.Errorf("function type %q: want one such as (i32, i64) -> f64", s)
	}
	if t.Params, err = parseNumbers(inner); err != nil {
		return t, fmt.Errorf("function type %q: %w", s, err)
	}
	if !arrow {
		return t, nil
	}
	if inner, ok = strings.CutPrefix(results, "("); ok {
		results, _ = strings.CutSuffix(inner, ")")
	}
	if t.Results, err = parseNumbers(results); err != nil {
		return t, fmt.Errorf("function type %q: %w", s, err)
	}
	return t, nil
}

func parseNumbers(list string) (types []ValType, err error) {
	if strings.TrimSpace(list) == "" {
		return nil, nil
	}
	for name := range strings.SplitSeq(list, ",") {
		switch name = strings.TrimSpace(name); name {
		case "i32":
			types = append(types, I32)
		case "i64":
			types = append(types, I64)
		case "f32":
			types = append(types, F32)
		case "f64":
			types = append(types, F64)
		default:
			return nil, fmt.Errorf("%q is not i32, i64, f32 or f64", name)
		}
	}
	return types, nil
}
