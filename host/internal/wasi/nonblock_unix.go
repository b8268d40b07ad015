//go:build unix

package wasi

import "syscall"

// nonBlock keeps an open from waiting.
const nonBlock = syscall.O_NONBLOCK
