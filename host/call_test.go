package host_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

func TestPlain(t *testing.T) {
	h := open(t, config().WithoutCache())
	m := loadGuest(t, h, "plain", "")
	for _, c := range []struct {
		task string
		args []any
		want string
	}{
		{"i32", []any{math.MinInt32}, "-2147483648"},
		{"i32", []any{math.MaxInt32}, "2147483647"},
		{"i32", []any{math.MaxUint32}, "-1"}, // a result is read as signed
		{"i64", []any{math.MinInt64}, "-9223372036854775808"},
		{"i64", []any{math.MaxInt64}, "9223372036854775807"},
		{"f32", []any{0.1}, "0.10000000149011612"},
		{"f32", []any{1e300}, `{"$float":"Infinity"}`},
		{"f64", []any{0.1}, "0.1"},
		{"f64", []any{3}, "3.0"},
		{"f64", []any{math.NaN()}, `{"$float":"NaN"}`},
		{"f64", []any{math.Inf(-1)}, `{"$float":"-Infinity"}`},
		{"f64", []any{math.Copysign(0, -1)}, "-0.0"},
		{"none", nil, "null"},
		{"several", []any{7, 2.5}, "[7,-2.5,-1]"},
		{"divide", []any{7, -2}, "-3"},
	} {
		v, err := run(t.Context(), h, m.Task(c.task), c.args...)
		if err != nil {
			t.Errorf("%s%v: %v", c.task, c.args, err)
		} else if got := jsonOf(t, v); got != c.want {
			t.Errorf("%s%v is %s, want %s", c.task, c.args, got, c.want)
		}
	}
}

func TestPlainErrors(t *testing.T) {
	h := open(t, config().WithoutCache())
	m := loadGuest(t, h, "plain", "")
	any1 := graph.Func("any", func() any { return "text" })
	for _, c := range []struct {
		node *graph.Node
		code abi.Code
		want string
	}{
		{m.Task("i32")(), abi.BadCall, "i32(a: int32) -> int32 takes 1 argument, got 0"},
		{m.Task("i32")(1, 2), abi.BadCall, "takes 1 argument, got 2"},
		{m.Task("i32")(math.MaxUint32 + 1), abi.BadCall, "argument 1 (a): "},
		{m.Task("i32")("1"), abi.BadCall, "argument 1 (a): "},
		{m.Task("i64")(1.5), abi.BadCall, "argument 1 (a): "},
		{m.Task("divide")(1, any1()), abi.BadCall, "argument 2 (b): "}, // found when it is there
		{m.Task("divide")(1, m.Task("f64")(1)), abi.BadCall, "argument 2 (b): want int, got float from f64"},
		{m.Task("divide")(1, 0), abi.Trapped, "integer divide by zero"},
		{m.Task("divide")(math.MinInt64, -1), abi.Trapped, "integer overflow"},
		{m.Task("vector")(), abi.BadCall, `no task "vector"`},
		{m.Task("_hidden")(), abi.BadCall, `no task "_hidden"`},
	} {
		_, err := graph.RunAll(t.Context(), h, []*graph.Node{c.node})
		wantError(t, err, c.code, c.want)
	}
	_, err := run(t.Context(), h, m.Task("trap"))
	e := wantError(t, err, abi.Trapped, "host_test.go:", "unreachable")
	if len(e.Stack) < 3 || !strings.HasPrefix(e.Stack[0], "inner") || !strings.HasPrefix(e.Stack[1], "middle") {
		t.Errorf("stack %q", e.Stack)
	}
}

// Names of functions are the guest's, and go to a terminal.
func TestTrapNames(t *testing.T) {
	h := open(t, config().WithoutCache())
	b := function("\x00") + section(0, named("name"), "\x01", leb(7+2), "\x01\x00", named("a\x1b[2Jb"))
	m, err := h.LoadBytes(t.Context(), "names", []byte(b))
	if err != nil {
		t.Fatal(err)
	}
	_, err = run(t.Context(), h, m.Task("f"))
	if e := wantError(t, err, abi.Trapped); !slices.Contains(e.Stack, `a\x1b[2Jb`) {
		t.Errorf("stack %q", e.Stack)
	}
}

func TestTyped(t *testing.T) {
	h := open(t, config()) // counts.wasm takes seconds to compile
	text, counts := load(t, h, "../tasks/text.wasm"), load(t, h, "../tasks/counts.wasm")
	count := func(s string) *graph.Node {
		part := map[string]any{"data": []byte(s), "first": true, "last": true}
		return text.Task("count")([]any{part})
	}
	// C counts, Go merges.
	v, err := run(t.Context(), h, counts.Task("finish"), counts.Task("merge")(graph.List(count("b a B"), count("a, a."))))
	if err != nil {
		t.Fatal(err)
	}
	if got := jsonOf(t, v); !strings.Contains(got, `"counts":{"a":3,"b":2}`) || !strings.Contains(got, `"words":5`) {
		t.Errorf("counted %s", got)
	}

	// Values of every kind go through a guest as they are.
	echo := loadGuest(t, h, "typed", "task echo(a: any...) -> list\n").Task("echo")
	args := []any{nil, true, -1, math.MaxInt64, 2.5, math.Inf(1), "naïve\x00", []byte{0, 255}, []any{1, []any{}}, map[string]any{"a": 1}}
	if v, err = run(t.Context(), h, echo, args...); err != nil {
		t.Fatal(err)
	}
	want := `[null,true,-1,9223372036854775807,2.5,{"$float":"Infinity"},"naïve\u0000",{"$bytes":"AP8="},[1,[]],{"a":1}]`
	if got := jsonOf(t, v); got != want {
		t.Errorf("echo is %s, want %s", got, want)
	}
}

func TestCommand(t *testing.T) {
	h := open(t, config().WithoutCache())
	hello := load(t, h, "../examples/plain/hello.wasm").Task("main")
	for _, c := range []struct {
		args []any
		want string
	}{
		{nil, `{"args":[],"stdin":0}`},
		{[]any{"a b", "", "-x"}, `{"args":["a b","","-x"],"stdin":0}`},
		{[]any{1, 2.5, nil, true}, `{"args":["1","2.5","null","true"],"stdin":0}`},
		{[]any{[]any{1, "a"}, map[string]any{"k": 1}}, `{"args":["[1,\"a\"]","{\"k\":1}"],"stdin":0}`},
		{[]any{[]byte("abc"), "x", []byte("de")}, `{"args":["x"],"stdin":5}`},
		{[]any{make([]byte, 1<<20)}, `{"args":[],"stdin":1048576}`},
	} {
		v, err := run(t.Context(), h, hello, c.args...)
		if err != nil {
			t.Errorf("%v: %v", c.args, err)
		} else if got := jsonOf(t, v); got != c.want {
			t.Errorf("%v is %s, want %s", c.args, got, c.want)
		}
	}
	_, err := run(t.Context(), h, hello, "a\x00b")
	wantError(t, err, abi.BadCall, "argument 1 (args): an argument of a program cannot hold a NUL")
}

// What a command prints is JSON, else a string, else bytes.
func TestCommandOutput(t *testing.T) {
	dir := t.TempDir()
	h := open(t, config().WithoutCache().WithGrants(abi.Grant{Kind: abi.WriteFiles, Host: dir, Guest: "/"}))
	files := load(t, h, "testdata/files.wasm").Task("main")
	for _, c := range []struct {
		target string // of a link, which the command prints in quotes
		want   abi.Value
	}{
		{"a b", abi.String("a b")},
		{"a\nb", abi.String("\"a\nb\"")}, // no JSON
		{"\xff", abi.Bytes([]byte("\"\xff\"\n"))},
	} {
		link := filepath.Join(dir, "link")
		if err := errors.Join(os.RemoveAll(link), os.Symlink(c.target, link)); err != nil {
			t.Fatal(err)
		}
		v, err := run(t.Context(), h, files, "readlink", "/link")
		if err != nil || jsonOf(t, v) != jsonOf(t, c.want) {
			t.Errorf("%q is %v, %v; want %v", c.target, v, err, c.want)
		}
	}
}

func TestCommandFails(t *testing.T) {
	var log logs
	h := open(t, config().WithoutCache().WithLog(log.logger()))
	files := load(t, h, "testdata/files.wasm").Task("main")
	_, err := run(t.Context(), h, files, "stderr", 12, 7)
	e := wantError(t, err, abi.Failed, "exit status 7: line 3\nline 4\n", "line 12")
	if len(e.Log) != 10 || e.Log[9] != "line 12" {
		t.Errorf("log %q", e.Log)
	}
	if !strings.Contains(log.String(), `level=INFO msg="line 1" task=main`) {
		t.Errorf("log %s", log.String())
	}
	if v, err := run(t.Context(), h, files, "stderr", 1, 0); err != nil || jsonOf(t, v) != `""` {
		t.Errorf("a command that succeeds: %v", err)
	}
	_, err = run(t.Context(), h, files, "dance")
	wantError(t, err, abi.Failed, "exit status 2: unknown verb dance")
}

func TestFail(t *testing.T) {
	var log logs
	h := open(t, config().WithoutCache().WithLog(log.logger()))
	m := loadGuest(t, h, "typed", `task fail_text()
task fail_pointer() -> int
task fail_long()
task fail_trap()
task init_status() -> int
task log_level() -> int
task log_pointer() -> int
task log_text() -> int
task print() -> int
task exit()
task stdin() -> int
`)
	for _, c := range []struct {
		task string
		want string // JSON
	}{
		{"fail_pointer", "1"}, // nothing was done
		{"init_status", "2"},  // no call to fail
		{"log_level", "2"},
		{"log_pointer", "1"},
		{"log_text", "0"},
		{"print", "0"},
		{"stdin", "0"}, // empty, not missing
	} {
		v, err := run(t.Context(), h, m.Task(c.task))
		if err != nil {
			t.Errorf("%s: %v", c.task, err)
		} else if got := jsonOf(t, v); got != c.want {
			t.Errorf("%s is %s, want %s", c.task, got, c.want)
		}
	}
	for _, want := range []string{`level=WARN msg="bad�" task=log_text`, `level=INFO msg=bad task=print`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log %s: want %s", log.String(), want)
		}
	}
	_, err := run(t.Context(), h, m.Task("fail_text"))
	wantError(t, err, abi.Failed, "fail_text: bad\uFFFD")
	_, err = run(t.Context(), h, m.Task("fail_trap"))
	if e := wantError(t, err, abi.Failed, "fail_trap: bad"); len(e.Stack) == 0 {
		t.Error("the trap after it left no stack")
	}
	_, err = run(t.Context(), h, m.Task("fail_long"))
	e := wantError(t, err, abi.Failed)
	if len(e.Message) != host.MaxFailure || e.Message[:2] != "3a" {
		t.Errorf("message of %d bytes: %.10q", len(e.Message), e.Message)
	}
	_, err = run(t.Context(), h, m.Task("exit"))
	wantError(t, err, abi.Trapped, "exit: the guest called exit(3)")
}

// TestProtocol has typed tasks that break the rules.
func TestProtocol(t *testing.T) {
	h := open(t, config().WithoutCache())
	m := loadGuest(t, h, "typed", `task outside() -> any
task huge() -> any
task wrap() -> any
task broken() -> any
task trailing() -> any
task other() -> string
task nothing() -> string
task echo(a: bytes) -> any
`)
	for _, c := range []struct{ task, want string }{
		{"outside", "the result is 2 bytes at 0x3ffff, which is outside the memory of 262144 bytes"},
		{"huge", "the result is 4294967295 bytes at 0x0"},
		{"wrap", "the result is 17 bytes at 0xffffffff"},
		{"broken", "the result is no value: "},
		{"trailing", "the result is no value: "},
		{"other", "the result is not what the manifest declares: "},
		{"nothing", "the result is not what the manifest declares: "},
	} {
		_, err := run(t.Context(), h, m.Task(c.task))
		wantError(t, err, abi.Protocol, c.want)
	}
	for n, c := range map[int]struct {
		code abi.Code
		want string
	}{
		1: {abi.LimitHit, "has no memory for arguments of 3 bytes"},
		2: {abi.Protocol, "entangle_alloc returned 0xfffffff8 for 4 bytes, which is outside the memory"},
		3: {abi.Protocol, "entangle_alloc returned 0x404, which is not aligned to 8"},
		5: {abi.Trapped, "unreachable"},
	} {
		_, err := run(t.Context(), h, m.Task("echo"), make([]byte, n))
		wantError(t, err, c.code, c.want)
	}
	if _, err := run(t.Context(), h, m.Task("echo"), make([]byte, 300_000)); err == nil {
		t.Error("arguments beyond the memory")
	}
}

// Nothing that a call leaves behind reaches another.
func TestIsolation(t *testing.T) {
	h := open(t, config().WithoutCache().WithCPUs(1))
	next := loadGuest(t, h, "state", "").Task("next")
	for i := range 20 {
		if v, err := run(t.Context(), h, next); err != nil || jsonOf(t, v) != "1" {
			t.Fatalf("call %d finds %v, %v; want 1", i, v, err)
		}
	}
}

func TestNoMemory(t *testing.T) {
	h := open(t, config().WithoutCache())
	m := loadGuest(t, h, "nomemory", "")
	if v, err := run(t.Context(), h, m.Task("log")); err != nil || jsonOf(t, v) != "1" {
		t.Errorf("log without a memory is %v, %v; want 1", v, err)
	}
	const fault = "21" // of WASI
	if v, err := run(t.Context(), h, m.Task("random")); err != nil || jsonOf(t, v) != fault {
		t.Errorf("random_get without a memory is %v, %v; want %s", v, err, fault)
	}
}
