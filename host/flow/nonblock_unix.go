//go:build unix

package flow

import "syscall"

// nonBlock keeps an open from waiting at a FIFO.
const nonBlock = syscall.O_NONBLOCK
