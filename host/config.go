package host

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/sched"
)

// A Config says what a host offers. The zero Config has a worker on each usable
// CPU, 256 MiB of linear memory an instance, the user's cache directory, no log,
// and grants nothing. It is a value: the With methods return a changed copy.
type Config struct {
	sched    sched.Config
	engine   string
	memory   int64
	cacheDir string
	noCache  bool
	log      *slog.Logger
	grants   []abi.Grant
}

// DefaultMemory bounds an instance's linear memory, in bytes, where nothing else does.
const DefaultMemory = 256 << 20

// MaxMemory is the most that linear memory can be limited to, in bytes.
const MaxMemory = 4 << 30

// WithCPUs returns c with n workers, each bound to a CPU; 0 means one on each
// usable CPU.
func (c Config) WithCPUs(n int) Config { c.sched = c.sched.WithCPUs(n); return c }

// WithEngine returns c with the engine of that name: "auto", the default, or "wazero".
func (c Config) WithEngine(name string) Config { c.engine = name; return c }

// WithMemory returns c with a limit to each instance's linear memory, in bytes;
// 0 means [DefaultMemory].
func (c Config) WithMemory(bytes int64) Config { c.memory = bytes; return c }

// WithCacheDir returns c with compiled modules kept below dir. The default is
// "entangle" in [os.UserCacheDir]. Where they cannot be kept, or where others may
// write, modules are compiled each time, and the log has a warning.
func (c Config) WithCacheDir(dir string) Config { c.cacheDir, c.noCache = dir, false; return c }

// WithoutCache returns c with nothing kept on disk.
func (c Config) WithoutCache() Config { c.cacheDir, c.noCache = "", true; return c }

// WithLog returns c with what the host and its guests log going to log. What a
// guest writes to standard output or error is logged with level info.
func (c Config) WithLog(log *slog.Logger) Config { c.log = log; return c }

// WithGrants returns c with more granted to tasks; see [abi.ParseGrant].
func (c Config) WithGrants(grants ...abi.Grant) Config {
	c.grants = append(slices.Clip(c.grants), grants...)
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
	if c.memory < 0 || c.memory > MaxMemory {
		return fmt.Errorf("memory limit of %d bytes: want at most %d, or 0 for the default", c.memory, int64(MaxMemory))
	}
	switch c.engine {
	case "", "auto", "wazero":
		return nil
	case "wasmtime":
		return fmt.Errorf("engine %q is not built into this program; use auto or wazero", c.engine)
	}
	return fmt.Errorf("unknown engine %q: want auto or wazero", c.engine)
}
