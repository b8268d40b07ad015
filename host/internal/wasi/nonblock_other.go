//go:build !unix

package wasi

const nonBlock = 0 // no file there waits
