package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

// flags are those that run and eval share.
type flags struct {
	cpus     int
	engine   string
	timeout  time.Duration
	memory   string
	limits   []string
	allow    []string
	graph    string
	trace    string
	progress string
	logLevel string
	logFile  string
	noCache  bool
	noSnaps  bool
	raw      bool
}

func (f *flags) register(fs *pflag.FlagSet) {
	fs.IntVar(&f.cpus, "cpus", 0, "use `N` CPUs (default: all that this process may use)")
	fs.StringVar(&f.engine, "engine", "auto", "run modules with `ENGINE`: auto, wasmtime or wazero")
	fs.DurationVar(&f.timeout, "timeout", 0, "stop after `D`, such as 500ms, 10s or 5m (default: never)")
	fs.StringVar(&f.memory, "memory", "256MiB", "limit an instance's memory to `SIZE`")
	fs.StringArrayVar(&f.limits, "limit", nil, "limit what else a call uses: `NAME=N` with stack, log, log-lines, result, table or host-calls (repeatable)")
	fs.StringArrayVar(&f.allow, "allow", nil, "grant `GRANT` to tasks: fs:ro=DIR[:GUEST], fs:rw=DIR[:GUEST] or env=NAME (repeatable)")
	fs.StringVar(&f.graph, "graph", "", "write the graph to `FILE`, as its ending says: .json, .dot or .mmd")
	fs.StringVar(&f.trace, "trace", "", "write a Chrome trace (chrome://tracing, ui.perfetto.dev) to `FILE`")
	fs.StringVar(&f.progress, "progress", "auto", "show progress: `MODE` auto, plain or none")
	fs.StringVar(&f.logLevel, "log-level", "info", "log from this `LEVEL` on: debug, info, warn, error")
	fs.StringVar(&f.logFile, "log-file", "", "log to `FILE` instead of standard error")
	fs.BoolVar(&f.noCache, "no-cache", false, "keep nothing on disk: neither compiled modules nor snapshots")
	fs.BoolVar(&f.noSnaps, "no-snapshots", false, "keep no states of initialized modules on disk")
	fs.BoolVar(&f.raw, "raw", false, "print a string or bytes as they are, not as JSON")
}

// A session is a host with what the flags ask for around it.
type session struct {
	host    *host.Host
	flags   *flags
	streams streams
	ctx     context.Context
	close   []func() error // in reverse

	progress *progress
	tracer   *tracer
	mu       sync.Mutex
	roots    []*graph.Node // of all runs, for --graph
}

// open begins a session. Its close must be called with the error of what was
// done in it; it returns the error to report.
func (f *flags) open(cmd *cobra.Command, s streams) (*session, error) {
	ses := &session{flags: f, streams: s, ctx: cmd.Context()}
	usage := func(err error) (*session, error) { return nil, ses.end(usageError{err, cmd.CommandPath()}) }
	if f.cpus < 0 {
		return usage(fmt.Errorf("--cpus %d: want a positive number", f.cpus))
	}
	if f.timeout < 0 {
		return usage(fmt.Errorf("--timeout %v is negative", f.timeout))
	}
	if f.timeout > 0 {
		ctx, cancel := context.WithTimeoutCause(ses.ctx, f.timeout, errTimeout)
		ses.ctx = ctx
		ses.close = append(ses.close, func() error { cancel(); return nil })
	}
	if !slices.Contains([]string{"auto", "plain", "none"}, f.progress) {
		return usage(fmt.Errorf("--progress %s: want auto, plain or none", f.progress))
	}
	ses.progress = startProgress(s.err, f.progress)
	ses.close = append(ses.close, func() error { ses.progress.stop(); return nil })
	ses.streams.out, ses.streams.err = ses.progress.above(s.out), ses.progress.above(s.err)
	memory, err := abi.ParseSize(f.memory)
	if err != nil {
		return usage(fmt.Errorf("--memory: %w", err))
	}
	limits, err := parseLimits(f.limits)
	if err != nil {
		return usage(fmt.Errorf("--limit %w", err))
	}
	log, err := ses.logger()
	if err != nil {
		return usage(err)
	}
	c := host.Config{}.WithCPUs(f.cpus).WithEngine(f.engine).WithMemory(memory).WithLimits(limits).WithLog(log)
	if f.noCache {
		c = c.WithoutCache()
	}
	if f.noSnaps {
		c = c.WithoutSnapshots()
	}
	for _, a := range f.allow {
		g, err := abi.ParseGrant(a)
		if err != nil {
			return usage(fmt.Errorf("--allow: %w", err))
		}
		c = c.WithGrants(g)
	}
	if f.graph != "" && !slices.Contains([]string{".json", ".dot", ".mmd"}, filepath.Ext(f.graph)) {
		return usage(fmt.Errorf("--graph %s: want a name that ends in .json, .dot or .mmd", f.graph))
	}
	if ses.host, err = host.Open(c); err != nil {
		return usage(err)
	}
	ses.close = append(ses.close, ses.host.Close)
	if f.trace != "" {
		ses.tracer = newTracer()
	}
	return ses, nil
}

// parseLimits reads limits as --limit takes them; sizes may have a unit.
func parseLimits(texts []string) (l graph.Limits, err error) {
	fields := map[string]*int64{"stack": &l.Stack, "log": &l.LogBytes, "log-lines": &l.LogLines, "result": &l.Result,
		"table": &l.Table, "host-calls": &l.HostCalls}
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		field := fields[name]
		if !ok || field == nil {
			return l, fmt.Errorf("%s: want NAME=N, with a name of %s", text, strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		if *field, err = abi.ParseSize(value); err != nil || *field == 0 {
			return l, fmt.Errorf("%s: want a number above 0, such as 1000 or 4MiB", text)
		}
	}
	return l, nil
}

// end closes the session and returns err, or the first error of closing.
func (s *session) end(err error) error {
	for _, c := range slices.Backward(s.close) {
		if closeErr := c(); err == nil {
			err = closeErr
		}
	}
	if s.flags.graph != "" && len(s.roots) > 0 {
		if writeErr := writeGraph(s.flags.graph, s.roots); err == nil {
			err = writeErr
		}
	}
	if s.tracer != nil {
		if writeErr := s.tracer.write(s.flags.trace); err == nil {
			err = writeErr
		}
	}
	return err
}

// options are those of every run of the session.
func (s *session) options(roots []*graph.Node) []graph.Option {
	if s.flags.graph != "" {
		s.mu.Lock()
		s.roots = append(s.roots, roots...)
		s.mu.Unlock()
	}
	opts := []graph.Option{graph.WithFuture(s.progress.watch)}
	if s.tracer != nil {
		opts = append(opts, graph.WithObserver(s.tracer.observe))
	}
	return opts
}

// print writes a result to standard output.
func (s *session) print(v abi.Value) error {
	if s.flags.raw {
		if str, ok := v.Str(); ok {
			_, err := io.WriteString(s.streams.out, str+"\n")
			return err
		}
		if b, ok := v.Bytes(); ok {
			_, err := s.streams.out.Write(b)
			return err
		}
	}
	b, err := abi.AppendJSON(nil, v)
	if err != nil {
		return err
	}
	_, err = s.streams.out.Write(append(b, '\n'))
	return err
}

// logger returns the logger that the flags ask for.
func (s *session) logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.flags.logLevel)); err != nil {
		return nil, fmt.Errorf("--log-level %s: want debug, info, warn or error", s.flags.logLevel)
	}
	if s.flags.logFile == "" {
		return slog.New(newLineHandler(s.streams.err, level)), nil
	}
	f, err := os.OpenFile(s.flags.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("--log-file: %w", err)
	}
	s.close = append(s.close, f.Close)
	return slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: level})), nil
}

// hoist moves the flags of fs that stand behind the target to the front, so that
// they may stand anywhere before "--"; whatever else begins with "-", such as -1,
// is an argument of the task.
func hoist(fs *pflag.FlagSet, args []string) (flags, rest []string) {
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			return flags, append(rest, args[i+1:]...)
		}
		name, _, hasValue := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		f := fs.Lookup(name)
		if !strings.HasPrefix(a, "--") || f == nil {
			rest = append(rest, a)
			continue
		}
		flags = append(flags, a)
		if !hasValue && f.NoOptDefVal == "" && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	return flags, rest
}
