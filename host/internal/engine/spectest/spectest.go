// Package spectest holds every engine to the official WebAssembly test suite, with
// its modules rewritten by package instrument.
//
// The suite's compiled form ships in wazero's module: scripts, as JSON, that say
// which modules are valid, how they link, and what their functions return, or why
// they trap. What a script expects decides, not what an engine does: where it fails,
// it is run again with the originals, on the same engine, to tell whose failure it
// is. An engine's own has to be in its list of those that are known.
package spectest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entangle.example/entangle/host/internal/instrument"
)

// Proposals are the folders of the suite whose features the engines have.
var Proposals = []string{"v1", "v2", "extended-const", "tail-call", "threads", "exception-handling"}

// A Runtime is what the modules of one script share.
type Runtime interface {
	// Compile compiles a module. What it accepts is valid.
	Compile(binary []byte) (Module, error)
	// Register offers the exports of an instance to importers of a module of that name.
	Register(name string, i Instance) error
	Close() error
}

// A Module is a compiled module.
type Module interface {
	// Instantiate links the module with what is registered. If it traps, its error
	// is an [engine.Trap].
	Instantiate() (Instance, error)
}

// An Instance is an instance of a module.
type Instance interface {
	// Call calls an exported function. If it traps, its error is an [engine.Trap].
	Call(export string, args []Value) ([]Value, error)
	Global(export string) (Value, error)
	// Memory returns the bytes of an exported memory, valid until the next call.
	Memory(export string) []byte
}

// An Engine is what is tested.
type Engine struct {
	Check instrument.Check
	Open  func(*testing.T) Runtime
	// Own are the failures that the engine has with the originals too.
	Own []Own
}

// An Own says which commands of a script fail, whatever is rewritten, by their lines.
type Own struct {
	Script string // such as "v1/elem"
	Lines  []int
	Why    string
}

// superseded are expectations of the suite's first version that later ones changed.
var superseded = []Own{
	{"v1/func", []int{493, 497}, "several results are valid since 2.0"},
	{"v1/type", []int{53, 57}, "several results are valid since 2.0"},
	{"v1/unreached-invalid", []int{539}, "types of unreachable code were relaxed in 2.0"},
	{"v1/linking", []int{236, 248, 342, 354}, "since 2.0, what was written before a segment trapped stays"},
}

// Run runs the suite.
func Run(t *testing.T, e Engine) {
	if testing.Short() {
		t.Skip("it takes half a minute; run without -short")
	}
	root := folder(t)
	for _, proposal := range Proposals {
		t.Run(proposal, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(root, proposal, "testdata", "*.json"))
			if err != nil || len(files) == 0 {
				t.Fatalf("%d scripts in %s, %v", len(files), root, err)
			}
			var total tally
			for _, f := range files {
				name := proposal + "/" + strings.TrimSuffix(filepath.Base(f), ".json")
				total.add(e.script(t, name, f))
			}
			t.Logf("%d passed, %d failed, %d failed in the engine itself, %d skipped (text, which no engine reads, and groups of types)",
				total.passed, total.failed, total.own, total.skipped)
			if total.passed == 0 {
				t.Error("nothing was tested")
			}
		})
	}
}

type tally struct{ passed, failed, own, skipped int }

func (t *tally) add(o tally) {
	t.passed += o.passed
	t.failed += o.failed
	t.own += o.own
	t.skipped += o.skipped
}

// folder returns where the suite is.
func folder(t *testing.T) string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	dir := filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
	if err == nil {
		_, err = os.Stat(dir)
	}
	if err == nil {
		return dir
	}
	message := fmt.Sprintf("the test suite is in the source of github.com/tetratelabs/wazero, which `go mod download` brings: %v", err)
	if strings.Contains(os.Getenv("ENTANGLE_REQUIRE"), "spectest") {
		t.Fatal(message)
	}
	t.Skip(message)
	return ""
}

// script runs one script.
func (e *Engine) script(t *testing.T, name, file string) (n tally) {
	s, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	own := map[int]string{}
	for _, o := range slices.Concat(superseded, e.Own) {
		for _, line := range o.Lines {
			if o.Script == name {
				own[line] = o.Why
			}
		}
	}
	outcomes := s.run(t, e, rewrite)
	var originals []error // once they are needed
	for i, err := range outcomes {
		c := &s.Commands[i]
		switch {
		case err == nil:
			n.passed++
			continue
		case errors.Is(err, errText), errors.Is(err, errRefused):
			n.skipped++
			continue
		}
		if originals == nil {
			originals = s.run(t, e, unchanged)
		}
		if originals[i] == nil {
			n.failed++
			t.Errorf("%s:%d: %s: %v", name, c.Line, c.Type, err)
			continue
		}
		n.own++
		if own[c.Line] == "" {
			t.Errorf("%s:%d: %s: %v; the original, too: %v", name, c.Line, c.Type, err, originals[i])
		}
		delete(own, c.Line)
	}
	for line, why := range own {
		t.Errorf("%s:%d passes, and is expected to fail (%s)", name, line, why)
	}
	return n
}

// rewrite does what loading a module does.
func rewrite(binary []byte, check instrument.Check) (*instrument.Rewritten, error) {
	if _, err := instrument.Describe(binary); err != nil {
		return nil, fmt.Errorf("describing: %w", err)
	}
	r, err := instrument.Rewrite(binary, check)
	if err != nil {
		return nil, fmt.Errorf("rewriting: %w", err)
	}
	return r, nil
}

// unchanged stands in for it.
func unchanged(binary []byte, check instrument.Check) (*instrument.Rewritten, error) {
	return &instrument.Rewritten{Binary: binary, Check: check}, nil
}
