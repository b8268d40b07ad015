package spectest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
)

// A script is what wast2json makes of one file of the suite.
type script struct {
	Commands []command
	dir      string
}

type command struct {
	Type       string
	Line       int
	Name       string // of a module, or of what is registered
	As         string // to register
	Filename   string
	ModuleType string `json:"module_type"`
	Text       string // of the failure that is expected
	Action     action
	Expected   []pattern
}

type action struct {
	Type   string // invoke or get
	Module string
	Field  string
	Args   []pattern
}

func read(file string) (*script, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := &script{dir: filepath.Dir(file)}
	return s, json.Unmarshal(b, s)
}

// errText is the outcome of commands about the text format.
var errText = errors.New("it is text")

// errRefused is the outcome of commands about modules that the host refuses on purpose:
// those that have groups of types, which are not WebAssembly 2.0 and which the engines
// read differently.
var errRefused = errors.New("it is refused")

type rewriting func([]byte, instrument.Check) (*instrument.Rewritten, error)

// run runs the script and returns the outcome of each command, nil if it passed.
func (s *script) run(t *testing.T, e *Engine, rewrite rewriting) []error {
	t.Helper()
	r := &runner{script: s, runtime: e.Open(t), check: e.Check, rewrite: rewrite, named: map[string]Instance{}}
	defer func() {
		if err := r.runtime.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := r.spectest(); err != nil {
		t.Fatalf("the module that scripts import from: %v", err)
	}
	outcomes := make([]error, len(s.Commands))
	refused := false // the last module
	for i := range s.Commands {
		c := &s.Commands[i]
		err := r.command(c)
		switch {
		case err != nil && strings.Contains(err.Error(), "type of form 0x4e"):
			err, refused = errRefused, true
		case c.Type == "module":
			refused = false
		case err != nil && refused && r.last == nil:
			err = errRefused
		}
		outcomes[i] = err
	}
	return outcomes
}

type runner struct {
	*script
	runtime Runtime
	check   instrument.Check
	rewrite rewriting
	last    Instance // nil if the last module failed
	named   map[string]Instance
}

// spectest makes what all scripts may import. It is the host's, so it is as it is.
func (r *runner) spectest() error {
	b, err := os.ReadFile(filepath.Join(r.dir, "..", "..", "testdata", "spectest.wasm"))
	if err != nil {
		return err
	}
	m, err := r.runtime.Compile(b)
	if err != nil {
		return err
	}
	i, err := m.Instantiate()
	if err != nil {
		return err
	}
	return r.runtime.Register("spectest", i)
}

func (r *runner) command(c *command) error {
	switch c.Type {
	case "module":
		return r.module(c)
	case "register":
		i, err := r.instance(c.Name)
		if err != nil {
			return err
		}
		return r.runtime.Register(c.As, i)
	case "action":
		_, err := r.act(c.Action)
		return err
	case "assert_return":
		got, err := r.act(c.Action)
		if err != nil {
			return err
		}
		return match(got, c.Expected)
	case "assert_trap", "assert_exhaustion":
		_, err := r.act(c.Action)
		return wantTrap(err, c.Text)
	case "assert_exception":
		_, err := r.act(c.Action)
		return wantTrap(err, engine.UncaughtException)
	case "assert_invalid", "assert_malformed":
		if c.ModuleType == "text" {
			return errText
		}
		if _, _, err := r.compile(c); err == nil {
			return fmt.Errorf("it is accepted; want %q", c.Text)
		}
		return nil
	case "assert_unlinkable":
		return r.unlinkable(c)
	case "assert_uninstantiable":
		m, init, err := r.compile(c)
		if err != nil {
			return err
		}
		_, err = instantiate(m, init)
		return wantTrap(err, c.Text)
	}
	return fmt.Errorf("unknown command %q", c.Type)
}

func (r *runner) module(c *command) error {
	r.last = nil
	if c.Name != "" {
		delete(r.named, c.Name)
	}
	m, init, err := r.compile(c)
	if err != nil {
		return err
	}
	i, err := instantiate(m, init)
	if err != nil {
		return err
	}
	r.last = i
	if c.Name != "" {
		r.named[c.Name] = i
	}
	return nil
}

// compile returns the module of c, rewritten, and its Init.
func (r *runner) compile(c *command) (m Module, init string, err error) {
	b, err := os.ReadFile(filepath.Join(r.dir, c.Filename))
	if err != nil {
		return nil, "", err
	}
	rewritten, err := r.rewrite(b, r.check)
	if err != nil {
		return nil, "", err
	}
	if m, err = r.runtime.Compile(rewritten.Binary); err != nil {
		return nil, "", fmt.Errorf("compiling: %w", err)
	}
	return m, rewritten.Init, nil
}

// instantiate does what instantiating the original did.
func instantiate(m Module, init string) (Instance, error) {
	i, err := m.Instantiate()
	if err == nil && init != "" {
		_, err = i.Call(init, nil)
	}
	return i, err
}

// unlinkable expects a failure to link, with one exception: WebAssembly 1.0 checked
// segments before it instantiated, later versions trap.
func (r *runner) unlinkable(c *command) error {
	m, init, err := r.compile(c)
	if err != nil {
		return err
	}
	_, err = instantiate(m, init)
	if strings.HasSuffix(c.Text, "segment does not fit") {
		if trap, ok := err.(*engine.Trap); ok && (trap.Reason == engine.OutOfBoundsMemory || trap.Reason == engine.OutOfBoundsTable) {
			return nil
		}
		return fmt.Errorf("%v; want %q", err, c.Text)
	}
	if _, trap := err.(*engine.Trap); err == nil || trap {
		return fmt.Errorf("it can be linked, %v; want %q", err, c.Text)
	}
	return nil
}

func (r *runner) instance(name string) (Instance, error) {
	i := r.last
	if name != "" {
		i = r.named[name]
	}
	if i == nil {
		return nil, fmt.Errorf("there is no instance %q", name)
	}
	return i, nil
}

func (r *runner) act(a action) ([]Value, error) {
	i, err := r.instance(a.Module)
	if err != nil {
		return nil, err
	}
	switch a.Type {
	case "get":
		v, err := i.Global(a.Field)
		return []Value{v}, err
	case "invoke":
		args := make([]Value, len(a.Args))
		for k, p := range a.Args {
			if args[k], err = p.value(); err != nil {
				return nil, err
			}
		}
		return i.Call(a.Field, args)
	}
	return nil, fmt.Errorf("unknown action %q", a.Type)
}

func match(got []Value, want []pattern) error {
	if len(got) != len(want) {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	for k, p := range want {
		if err := p.match(got[k]); err != nil {
			return fmt.Errorf("result %d: %w", k, err)
		}
	}
	return nil
}

// texts are how the suite says an engine's reasons: the beginnings of what it says.
var texts = map[string][]string{
	engine.Unreachable:       {"unreachable"},
	engine.DivideByZero:      {"integer divide by zero"},
	engine.IntegerOverflow:   {"integer overflow"},
	engine.InvalidConversion: {"invalid conversion to integer"},
	engine.OutOfBoundsMemory: {"out of bounds memory access"},
	engine.OutOfBoundsTable:  {"out of bounds table access", "undefined", "uninitialized"},
	engine.IndirectCallType:  {"indirect call"},
	engine.StackOverflow:     {"call stack exhausted"},
	engine.UnalignedAtomic:   {"unaligned atomic"},
	engine.NullReference:     {"null reference", "null function reference"},
	engine.UncaughtException: {"uncaught exception"},
	engine.ExpectedShared:    {"expected shared memory"},
}

func wantTrap(err error, text string) error {
	if err == nil {
		return fmt.Errorf("no trap; want %q", text)
	}
	if trap, ok := err.(*engine.Trap); ok && slices.ContainsFunc(texts[trap.Reason], func(s string) bool { return strings.HasPrefix(text, s) }) {
		return nil
	}
	return fmt.Errorf("%w; want %q", err, text)
}
