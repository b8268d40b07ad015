//go:build !wasip1

package entangle

import (
	"fmt"
	"os"
)

// hostLog stands in for the host, so that functions that log can be tested as
// ordinary Go. Tests of this package replace it.
var hostLog = func(level int32, text string) {
	name := "debug"
	if level > 0 && level < 4 {
		name = [...]string{"debug", "info", "warn", "error"}[level]
	}
	fmt.Fprintf(os.Stderr, "%s: %s\n", name, text)
}
