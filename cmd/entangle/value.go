package main

import (
	"errors"
	"unicode/utf8"

	"entangle.example/entangle/abi"
)

// textValue returns the value of text: what it holds as JSON, else a string, else
// bytes. JSON that is no value (an integer beyond int64, deep nesting) is an error.
func textValue(text []byte) (abi.Value, error) {
	v, err := abi.ParseJSON(text)
	if errors.Is(err, abi.ErrNotJSON) {
		if !utf8.Valid(text) {
			return abi.Bytes(text), nil
		}
		return abi.String(string(text)), nil
	}
	return v, err
}
