// Command entangle runs tasks compiled to WebAssembly, one by one or as flows.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// errInterrupted is the cause of everything that Ctrl-C stops.
var errInterrupted = errors.New("interrupted")

// grace is how long what runs may take to stop after Ctrl-C.
const grace = 800 * time.Millisecond

func main() {
	// Graphs of a million nodes live long beside short-lived instances: letting
	// the heap grow by half of what is live, not by all of it, keeps them below 600 MiB.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel(errInterrupted)
		select { // a second Ctrl-C does not wait
		case <-signals:
		case <-time.After(grace):
		}
		os.Exit(exitInterrupted)
	}()
	os.Exit(Main(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs the command line args and returns the exit status.
func Main(ctx context.Context, args []string, s streams) int {
	root := rootCommand(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil {
		printError(s.err, err)
	}
	return exitStatus(ctx, err)
}
