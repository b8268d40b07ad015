package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"entangle.example/entangle/host"
	"entangle.example/entangle/sched"
)

// A finding is what doctor says of one thing. OK is false where something is
// missing; what that means and how to get it is then in Advice.
type finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"`
}

func doctorCommand(s streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Show what this machine offers, and what to install for what is missing",
		Long: `Show what this machine offers: CPUs, engines, the cache, compilers for tasks,
docker, ssh, GPUs; and what to install for what is missing. Nothing that is
missing keeps tasks from running here. Exit status 1 if a worker or the cache
does not work.`,
		Example: "  entangle doctor\n  entangle doctor --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := examine(cmd.Context())
			if asJSON {
				enc := json.NewEncoder(s.out)
				enc.SetIndent("", "  ")
				return errors.Join(enc.Encode(findings), broken(findings))
			}
			w := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
			for _, f := range findings {
				mark := "ok"
				if !f.OK {
					mark = "--"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", mark, f.Name, f.Found)
				if f.Advice != "" {
					fmt.Fprintf(w, "\t\t%s\n", f.Advice)
				}
			}
			return errors.Join(w.Flush(), broken(findings))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// broken returns an error if something does not work that every run needs, or
// that makes each of them slow.
func broken(findings []finding) error {
	for _, f := range findings {
		if !f.OK && (f.Name == "cpus" || f.Name == "cache") {
			return fmt.Errorf("%s does not work here: %s", f.Name, f.Found)
		}
	}
	return nil
}

func examine(ctx context.Context) []finding {
	fs := []finding{
		{Name: "system", OK: true, Found: fmt.Sprintf("%s/%s, %s", runtime.GOOS, runtime.GOARCH, runtime.Version())},
		examineCPUs(), examinePinning(),
	}
	for _, e := range host.Engines() {
		fs = append(fs, examineEngine(e))
	}
	fs = append(fs, examineMemory(), examineCache())
	for _, t := range tools {
		fs = append(fs, t.examine(ctx))
	}
	return append(fs, examineGPU())
}

func examineCPUs() finding {
	cpus, err := sched.UsableCPUs()
	if err != nil {
		return finding{Name: "cpus", Found: err.Error()}
	}
	f := finding{Name: "cpus", OK: true, Found: fmt.Sprintf("%d of %d usable: %v", len(cpus), runtime.NumCPU(), cpus)}
	if len(cpus) < runtime.NumCPU() {
		f.Advice = "the control group's quota pays for no more"
	}
	return f
}

func examinePinning() finding {
	p, err := sched.New(sched.Config{}.WithCPUs(1))
	if err != nil {
		return finding{Name: "pinning", Found: err.Error()}
	}
	defer p.Close()
	if on, err := p.Pinned(); !on {
		return finding{Name: "pinning", Found: err.Error(), Advice: "tasks run on threads that the system moves between CPUs: correct, a little slower"}
	}
	return finding{Name: "pinning", OK: true, Found: "threads can be bound to CPUs"}
}

func examineEngine(e host.EngineInfo) finding {
	f := finding{Name: e.Name, OK: e.Missing == "", Found: e.Missing}
	if f.OK {
		f.Found = e.Version
	} else {
		f.Advice = "tasks run with another engine: correct, but slower; build with a C compiler and CGO_ENABLED=1"
	}
	if e.Auto {
		f.Found += " (auto takes it: " + e.Why + ")"
	}
	return f
}

func examineMemory() finding {
	how, missing := host.ResetSupport()
	f := finding{Name: "memory", OK: missing == nil, Found: "after a call, what it changed is " + how}
	if missing != nil {
		f.Found += ": " + missing.Error()
		f.Advice = "tasks run all the same; a call takes longer the more memory its module has"
	}
	return f
}

func examineCache() finding {
	dir, err := os.UserCacheDir()
	if err == nil {
		dir = filepath.Join(dir, "entangle")
		err = os.MkdirAll(dir, 0o700)
	}
	var f *os.File
	if err == nil {
		f, err = os.CreateTemp(dir, "doctor-*.tmp")
	}
	if err != nil {
		return finding{Name: "cache", Found: err.Error(), Advice: "modules are compiled anew by every process; set XDG_CACHE_HOME to a directory that can be written"}
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
	return finding{Name: "cache", OK: true, Found: dir}
}

// A tool is a program that some feature needs.
type tool struct {
	name     string
	programs []string // any of them
	version  []string // arguments that make it print its version
	purpose  string
	advice   string
}

var tools = []tool{
	{"go", []string{"go"}, []string{"version"}, "tasks in Go", "install Go 1.26 or later"},
	{"clang", []string{"clang-19", "clang-20", "clang-18", "clang"}, []string{"--version"}, "tasks in C and C++", "Debian: apt-get install clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32"},
	{"rustc", []string{"rustc"}, []string{"--version"}, "tasks in Rust", "install Rust with the target wasm32-wasip1"},
	{"asc", []string{"asc"}, []string{"--version"}, "tasks in AssemblyScript", "npm install -g assemblyscript"},
	{"zig", []string{"zig"}, []string{"version"}, "tasks in Zig", "pip install ziglang"},
	{"docker", []string{"docker"}, []string{"--version"}, "tasks in containers (not in this version yet)", "Debian: apt-get install docker.io"},
	{"ssh", []string{"ssh"}, []string{"-V"}, "tasks on other hosts (not in this version yet)", "Debian: apt-get install openssh-client"},
}

func (t tool) examine(ctx context.Context) finding {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	for _, p := range t.programs {
		path, err := exec.LookPath(p)
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, path, t.version...).CombinedOutput()
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		if err != nil {
			return finding{Name: t.name, Found: fmt.Sprintf("%s does not work: %v: %s", path, err, line), Advice: "for " + t.purpose + ": " + t.advice}
		}
		return finding{Name: t.name, OK: true, Found: printable(line)}
	}
	return finding{Name: t.name, Found: "not found", Advice: "for " + t.purpose + ": " + t.advice}
}

func examineGPU() finding {
	for _, pattern := range []string{"/dev/nvidia[0-9]*", "/dev/kfd", "/dev/dri/renderD*"} {
		if devices, _ := filepath.Glob(pattern); len(devices) > 0 {
			return finding{Name: "gpu", OK: true, Found: strings.Join(devices, ", ") + " (no task uses it in this version yet)"}
		}
	}
	return finding{Name: "gpu", Found: "none", Advice: "no task needs one in this version"}
}
