//go:build unix

package wazero

import "syscall"

// nonBlock keeps an open from waiting, should a FIFO take a file's place.
const nonBlock = syscall.O_NONBLOCK
