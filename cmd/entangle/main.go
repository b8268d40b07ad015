// Command entangle runs tasks compiled to WebAssembly, one by one or as flows.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

// errInterrupted is the cause of everything that Ctrl-C stops.
var errInterrupted = errors.New("interrupted")

// grace is how long what runs may take to stop after Ctrl-C.
const grace = 800 * time.Millisecond

func main() {
	ballast := tuneCollector()
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
	status := Main(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
	runtime.KeepAlive(ballast)
	os.Exit(status)
}

// tuneCollector has the heap grow by half of what is live instead of by all of
// it, which keeps graphs of a million nodes below 600 MiB; and by 32 MiB at least
// instead of by 2, for every call leaves some garbage. The latter is what ballast
// is for: memory that counts as live and is never touched, so that the system
// gives none.
func tuneCollector() (ballast []byte) {
	if os.Getenv("GOGC") != "" {
		return nil // whoever sets it knows better
	}
	debug.SetGCPercent(50)
	return make([]byte, 64<<20)
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
