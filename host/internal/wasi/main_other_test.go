//go:build !linux

package wasi

func withoutOpenat2() bool { return false }
