//go:build !windows

package wasi

import "syscall"

func errnoOfWindows(syscall.Errno) errno { return 0 }
