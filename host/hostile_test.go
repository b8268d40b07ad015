package host_test

// The corpus in testdata/hostile: modules that try to get more than they are given.
// Each says at its head what it tries, and what must come of it, a line an attempt:
//
//	;;> TASK(ARGUMENTS) [POLICY] -> JSON             it returns that
//	;;> TASK(ARGUMENTS) [POLICY] -> ! CODES ["TEXT"] it fails with one of these codes
//	;;> load [timeout=D] -> ! CODES ["TEXT"]         the module is not loaded
//	;;> load -> ? CODES ["TEXT"]                     it is not loaded, or the rest holds
//
// CODES are separated by "|"; "*" is any. POLICY is timeout=, memory=, and the fields
// of graph.Limits; "files" grants what the host has, "grant=" something else, and
// without both a task gets nothing. Where a deadline must end it, that is 50 ms. After
// each attempt the task "good" of the same module and one of another module must be
// right on every worker, and at the end the process holds what it held before.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

const (
	hostileDir = "testdata/hostile"
	// endlessTimeout is the deadline of what does not end by itself.
	endlessTimeout = 50 * time.Millisecond
	// hostileMax is how long after its deadline anything may go on, on a busy machine.
	hostileMax = 2 * time.Second
)

func TestHostile(t *testing.T) {
	c := twoWorkers()
	warm(t, c)
	before := takeCensus(t)
	func() {
		h, err := host.Open(c.WithGrants(grant(t, "fs:ro="+tree(t)+"/a:/d")))
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		}()
		neighbour := loadGuest(t, h, "plain", "").Task("divide")
		for name, s := range hostileModules(t) {
			t.Run(name, func(t *testing.T) { s.try(t, h, name, neighbour) })
		}
	}()
	before.mappings += 64 // for large modules the runtime maps more for itself
	settled(t, before)
}

// twoWorkers is the configuration of these tests.
func twoWorkers() host.Config { return config().WithoutCache().WithCPUs(2) }

// warm makes what a process makes once.
func warm(t *testing.T, c host.Config) {
	h, err := host.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = run(t.Context(), h, loadGuest(t, h, "stop", "").Task("spin").With(graph.Policy{Timeout: time.Millisecond}))
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

// A hostile is a module and what it tries.
type hostile struct {
	binary   []byte
	attempts []attempt
}

type attempt struct {
	text    string // as it is written
	task    string // "" to load the module
	args    []any
	policy  graph.Policy
	may     bool // the failure is allowed, not required
	want    string
	codes   []abi.Code // nil for any, where it must fail
	texts   []string
	failing bool
}

// hostileModules returns the corpus by name: the files, and what is generated.
func hostileModules(t testing.TB) map[string]hostile {
	t.Helper()
	all := map[string]hostile{}
	for _, source := range hostileSources(t) {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(source), filepath.Ext(source))
		all[name] = hostile{guest(t, "hostile/"+name, ""), attempts(t, string(text))}
	}
	for name, g := range generated {
		all[name] = hostile{[]byte(g.module()), attempts(t, g.attempts)}
	}
	return all
}

func hostileSources(t testing.TB) []string {
	t.Helper()
	text, err := filepath.Glob(hostileDir + "/*.wat")
	c, cErr := filepath.Glob(hostileDir + "/*.c")
	if err != nil || cErr != nil || len(text) < 40 || len(c) == 0 {
		t.Fatalf("%d and %d sources: %v, %v", len(text), len(c), err, cErr)
	}
	return append(text, c...)
}

var attemptLine = regexp.MustCompile(`(?m)^;;> (\w+)(?:\((.*)\))?((?: \w+(?:=\S+)?)*) -> (?:([!?]) ([\w *|]*?)((?: "[^"]*")*)|(.*))$`)

func attempts(t testing.TB, text string) (as []attempt) {
	t.Helper()
	for _, m := range attemptLine.FindAllStringSubmatch(text, -1) {
		a := attempt{text: strings.TrimPrefix(m[0], ";;> "), task: m[1], may: m[4] == "?", failing: m[4] != "", want: m[7]}
		args, err := abi.ParseJSON([]byte("[" + m[2] + "]"))
		if err != nil {
			t.Fatalf("%s: %v", a.text, err)
		}
		list, _ := args.List()
		for _, v := range list {
			a.args = append(a.args, v)
		}
		for code := range strings.SplitSeq(m[5], "|") {
			for c := abi.Failed; c <= abi.BadCall; c++ {
				if c.String() == code {
					a.codes = append(a.codes, c)
				}
			}
		}
		if a.failing && a.codes == nil && m[5] != "*" {
			t.Fatalf("%s: no codes", a.text)
		}
		for _, q := range regexp.MustCompile(`"[^"]*"`).FindAllString(m[6], -1) {
			a.texts = append(a.texts, q[1:len(q)-1])
		}
		a.policy = graph.Policy{Timeout: 30 * time.Second, Grants: []abi.Grant{}}
		if slices.Contains(a.codes, abi.TimedOut) {
			a.policy.Timeout = endlessTimeout
		}
		for field := range strings.FieldsSeq(m[3]) {
			if err := a.set(field); err != nil {
				t.Fatalf("%s: %v", a.text, err)
			}
		}
		if a.task == "load" {
			a.task = ""
		}
		as = append(as, a)
	}
	if n := strings.Count(text, ";;> "); n != len(as) {
		t.Fatalf("%d of %d attempts are understood: %.200s", len(as), n, text)
	}
	return as
}

// set sets one field of the policy.
func (a *attempt) set(field string) (err error) {
	name, text, _ := strings.Cut(field, "=")
	l := &a.policy.Limits
	numbers := map[string]*int64{"stack": &l.Stack, "logbytes": &l.LogBytes, "loglines": &l.LogLines,
		"result": &l.Result, "table": &l.Table, "hostcalls": &l.HostCalls}
	switch {
	case name == "timeout":
		a.policy.Timeout, err = time.ParseDuration(text)
	case name == "memory":
		a.policy.Memory, err = abi.ParseSize(text)
	case name == "files":
		a.policy.Grants = nil
	case name == "grant":
		a.policy.Grants = make([]abi.Grant, 1)
		a.policy.Grants[0], err = abi.ParseGrant(text)
	case numbers[name] != nil:
		*numbers[name], err = strconv.ParseInt(text, 10, 64)
	default:
		err = fmt.Errorf("unknown field %q", name)
	}
	return err
}

// try makes the attempts of a module, and looks after each how the host is.
func (s hostile) try(t *testing.T, h *host.Host, name string, neighbour graph.Task) {
	m, attempts := s.load(t, h, name)
	if m == nil {
		onEveryWorker(t, h, neighbour, "42", 84, 2)
		return
	}
	good := slices.IndexFunc(attempts, func(a attempt) bool { return a.task == "good" })
	for _, a := range attempts {
		start := time.Now()
		v, err := run(t.Context(), h, m.Task(a.task).With(a.policy), a.args...)
		if took := time.Since(start) - a.policy.Timeout; took > hostileMax {
			t.Errorf("%s: %v after its deadline", a.text, took)
		}
		got := ""
		if err == nil {
			got = jsonOf(t, v)
		}
		a.check(t, got, err)
		onEveryWorker(t, h, neighbour, "42", 84, 2)
		if good >= 0 {
			onEveryWorker(t, h, m.Task("good").With(attempts[good].policy), attempts[good].want)
		}
	}
}

// load loads the module, and returns it with the attempts that are left; or nil, if
// it is one that cannot be loaded.
func (s hostile) load(t *testing.T, h *host.Host, name string) (*host.Module, []attempt) {
	ctx, a, rest := t.Context(), attempt{}, s.attempts
	if len(rest) > 0 && rest[0].task == "" {
		a, rest = rest[0], rest[1:]
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.policy.Timeout)
		defer cancel()
	}
	m, err := h.LoadBytes(ctx, name, s.binary)
	if err == nil && (a.may || !a.failing) {
		return m, rest
	}
	if a.may {
		t.Logf("it is not loaded: %.200s", err)
	}
	a.check(t, "", err)
	return nil, nil
}

// check compares what an attempt came to, JSON or an error, with what it must.
func (a *attempt) check(t testing.TB, got string, err error) {
	t.Helper()
	if err == nil || !a.failing {
		if a.failing || err != nil || got != a.want {
			t.Errorf("%s: got %s, %v", a.text, clip(got), err)
		}
		return
	}
	if a.codes != nil && !slices.Contains(a.codes, codeOf(err)) {
		t.Errorf("%s: got the code %v: %s", a.text, codeOf(err), clip(err.Error()))
	}
	for _, s := range a.texts {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%s: %q is not in %s", a.text, s, clip(err.Error()))
		}
	}
	// What the guest says of itself is its own; the host's text is for a terminal.
	bad := func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }
	if codeOf(err) != abi.Failed && strings.ContainsFunc(err.Error(), bad) || len(err.Error()) > 100_000 {
		t.Errorf("%s: an error of %d bytes that cannot be printed: %.300q", a.text, len(err.Error()), err)
	}
}

// codeOf returns the code of err, or 0.
func codeOf(err error) abi.Code {
	a, ok := errors.AsType[*abi.Error](err)
	if g, isGraph := errors.AsType[*graph.Error](err); isGraph {
		return g.Code()
	}
	if !ok {
		return 0
	}
	return a.Code
}

// onEveryWorker runs a task once on each worker of h, at the same time.
func onEveryWorker(t testing.TB, h *host.Host, task graph.Task, want string, args ...any) {
	t.Helper()
	x := together{Host: h}
	nodes := make([]*graph.Node, h.Pool().Workers())
	for i := range nodes {
		nodes[i] = task(args...)
	}
	x.all.Add(len(nodes))
	vs, err := graph.RunAll(t.Context(), &x, nodes)
	for _, v := range vs {
		if got := jsonOf(t, v); got != want {
			t.Errorf("afterwards a good task is %s, want %s", got, want)
		}
	}
	if err != nil {
		t.Errorf("afterwards a good task fails: %v", err)
	}
}

// A together is a host that begins tasks when each of its workers has one.
type together struct {
	*host.Host
	all sync.WaitGroup
}

func (x *together) Execute(c *graph.Call) (abi.Value, error) {
	x.all.Done()
	x.all.Wait()
	return x.Host.Execute(c)
}

// TestHostileGuests rebuilds the corpus. Other clangs make other bytes, so that one
// counts only where the right one is promised.
func TestHostileGuests(t *testing.T) {
	for _, source := range hostileSources(t) {
		name := strings.TrimSuffix(filepath.Base(source), filepath.Ext(source))
		dir := t.TempDir()
		built, object := filepath.Join(dir, name+".wasm"), filepath.Join(dir, name+".o")
		unless, tools, commands := t.Errorf, "wabt", [][]string{{"wat2wasm", "--debug-names", "--enable-tail-call", "--enable-threads", "--enable-multi-memory", source, "-o", built}}
		if filepath.Ext(source) == ".c" {
			unless, tools, commands = t.Logf, "clang", [][]string{
				{"clang-19", "--target=wasm32-wasi", "-O2", "-std=gnu17", "-c", "-o", object, source},
				{"clang-19", "--target=wasm32-wasi", "-mexec-model=reactor", "-Wl,--strip-debug", "-o", built, object}}
		}
		if strings.Contains(os.Getenv("ENTANGLE_REQUIRE"), tools) {
			unless = t.Errorf
		} else if _, err := exec.LookPath(commands[0][0]); err != nil {
			t.Logf("%s is not rebuilt: %v; it is in the package %s", source, err, tools)
			continue
		}
		var out []byte
		var err error
		for _, c := range commands {
			if err == nil {
				out, err = exec.Command(c[0], c[1:]...).CombinedOutput()
			}
		}
		if err != nil {
			unless("%s: %v\n%s", source, err, out)
			continue
		}
		if b, err := os.ReadFile(built); err != nil || string(b) != string(guest(t, "hostile/"+name, "")) {
			unless("%s/%s.wasm is not what %s makes of its source (%v)", hostileDir, name, strings.Join(commands[0], " "), err)
		}
	}
}
