package host

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/sched"
)

// A Config says what a host offers. The zero Config has a worker on each usable
// CPU, 256 MiB of linear memory an instance, the user's cache directory, no log,
// and grants nothing. It is a value: the With methods return a changed copy.
type Config struct {
	sched     sched.Config
	engine    string
	memory    int64
	limits    graph.Limits
	idle      int
	cacheDir  string
	noCache   bool
	noImages  bool
	cacheSize int64
	log       *slog.Logger
	grants    []abi.Grant
	imports   []Import
}

// WithCPUs returns c with n workers, each bound to a CPU; 0 means one on each
// usable CPU.
func (c Config) WithCPUs(n int) Config { c.sched = c.sched.WithCPUs(n); return c }

// WithEngine returns c with the engine of that name: "wasmtime", "wazero", or "auto",
// the default: wasmtime where it is built in, else wazero. A task's policy may name
// another.
func (c Config) WithEngine(name string) Config { c.engine = name; return c }

// WithMemory returns c with a limit to each instance's linear memory, in bytes;
// 0 means [DefaultMemory].
func (c Config) WithMemory(bytes int64) Config { c.memory = bytes; return c }

// WithLimits returns c with other limits of a call; those that are zero are as they
// are by default. A stack limit is rounded up to a power of two, of 64 KiB at least.
func (c Config) WithLimits(l graph.Limits) Config { c.limits = l; return c }

// WithIdle returns c with at most n instances in all, idle ones included, before idle
// ones are closed; 0 means [DefaultIdle]. Those in use are not limited.
func (c Config) WithIdle(n int) Config { c.idle = n; return c }

func (c Config) idleInstances() int { return cmp.Or(c.idle, DefaultIdle) }

// WithCacheDir returns c with compiled modules kept below dir. The default is
// "entangle" in [os.UserCacheDir]. Where they cannot be kept, or where others may
// write, modules are compiled each time, and the log has a warning.
func (c Config) WithCacheDir(dir string) Config { c.cacheDir, c.noCache = dir, false; return c }

// WithoutCache returns c with nothing kept on disk.
func (c Config) WithoutCache() Config { c.cacheDir, c.noCache = "", true; return c }

// WithCacheSize returns c with at most so many bytes in the cache: beyond, what was not
// used for longest goes; 0 means [DefaultCacheSize].
func (c Config) WithCacheSize(bytes int64) Config { c.cacheSize = bytes; return c }

// WithoutSnapshots returns c with no state of guests kept on disk: every process
// initializes its modules itself. Otherwise what was slow to make is kept in the cache,
// with all that a module has read or drawn when it was initialized, random numbers and
// the time included.
func (c Config) WithoutSnapshots() Config { c.noImages = true; return c }

// WithLog returns c with what the host and its guests log going to log. What a
// guest writes to standard output or error is logged with level info.
func (c Config) WithLog(log *slog.Logger) Config { c.log = log; return c }

// WithGrants returns c with more granted to tasks; see [abi.ParseGrant].
func (c Config) WithGrants(grants ...abi.Grant) Config {
	c.grants = append(slices.Clip(c.grants), grants...)
	return c
}

// WithImports returns c with more functions that modules may import.
func (c Config) WithImports(imports ...Import) Config {
	c.imports = append(slices.Clip(c.imports), imports...)
	return c
}

// cache returns the directory for compiled modules, or "" for none.
func (c Config) cache() (string, error) {
	if c.noCache || c.cacheDir != "" {
		return c.cacheDir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "entangle"), nil
}

func (c Config) check() error {
	if c.idle < 0 {
		return fmt.Errorf("%d idle instances: want a positive number, or 0 for the default", c.idle)
	}
	if c.cacheSize < 0 {
		return fmt.Errorf("a cache of %d bytes: want a positive number, or 0 for the default", c.cacheSize)
	}
	return checkLimits(c.memory, c.limits)
}
