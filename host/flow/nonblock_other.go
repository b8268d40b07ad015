//go:build !unix

package flow

const nonBlock = 0
