//go:build !unix

package wazero

const nonBlock = 0
