package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write golden files anew")

// cli runs a command line in this process.
func cli(t *testing.T, stdin string, args ...string) (out, errs string, status int) {
	t.Helper()
	return cliContext(t.Context(), stdin, args...)
}

func cliContext(ctx context.Context, stdin string, args ...string) (out, errs string, status int) {
	var o, e bytes.Buffer
	status = Main(ctx, args, streams{strings.NewReader(stdin), &o, &e})
	return o.String(), e.String(), status
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

const (
	mathWasm = "../../tasks/math.wasm"
	textWasm = "../../tasks/text.wasm"
)

func TestResults(t *testing.T) {
	fileArg := write(t, "n.json", " 41 ")
	binary := write(t, "b", "\xff\x00")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"3", []string{"run", mathWasm + ":add", "1", "2"}},
		{"-3", []string{"run", mathWasm + ":add", "-1", "-2"}},
		{"3", []string{"run", "--cpus", "1", mathWasm + ":add", "1", "2", "--timeout=10s"}},
		{"42", []string{"run", mathWasm + ":add", "@" + fileArg, "1"}},
		{"8", []string{"run", mathWasm + ":add", "@-", "1"}},
		{"2.5", []string{"run", mathWasm + ":fadd", "1", "1.5"}},
		{`["to","be"]`, []string{"run", textWasm + ":words", "To be"}},
		{`["--timeout"]`, []string{"run", textWasm + ":split", "--", "--timeout", "null"}},
		{"ÄB", []string{"run", "--raw", textWasm + ":upper", "äb"}},
		{"5", []string{"eval", "-m", mathWasm, "add(mult(one(), two()), three())"}},
		{"[0,2,4]", []string{"eval", "-m", mathWasm, "[add(i, i) for i in range(3)]"}},
		{"10", []string{"run", "../../examples/quickstart.star"}},
		{"5", []string{"run", "../../examples/plain/add.wasm", "2", "3"}},
		{`{"$float":"Infinity"}`, []string{"run", mathWasm + ":fdiv", "1", "0"}},
	} {
		out, errs, status := cli(t, "7", c.args...)
		if out != c.want+"\n" || status != 0 || errs != "" {
			t.Errorf("entangle %q: %q, status %d, %s\nwant %s", c.args, out, status, errs, c.want)
		}
	}
	out, _, status := cli(t, "", "run", "../../examples/plain/hello.wasm", "Ada", "--stdin", binary)
	var hello map[string]any
	if err := json.Unmarshal([]byte(out), &hello); err != nil || status != 0 {
		t.Errorf("hello printed %q, status %d", out, status)
	}
}

func TestMistakes(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	elf := write(t, "prog.wasm", "\x7fELF....")
	full, err := os.ReadFile(mathWasm)
	if err != nil {
		t.Fatal(err)
	}
	cut := write(t, "cut.wasm", string(full[:len(full)/2]))
	loop := write(t, "loop.star", "for i in range(1000000000000):\n  pass\n")
	syntax := write(t, "syntax.star", "x = = 1\n")
	recursion := write(t, "recursion.star", "def f():\n  return f()\nf()\n")
	types := write(t, "types.star", fmt.Sprintf("m = module(%q)\nprint(m.add(1, \"x\")())\n", abs(t, mathWasm)))
	denied := write(t, "denied.star", `print(read("/etc/hostname")())`+"\n")
	fails := write(t, "fails.star", fmt.Sprintf("m = module(%q)\nprint(m.add(m.div(1, 0), 1)())\n", abs(t, mathWasm)))
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{2, "requires at least 1 arg", []string{"run"}},
		{2, "unknown command", []string{"fly"}},
		{2, "unknown flag: --fly", []string{"run", "--fly", mathWasm}},
		{2, "neither FILE.wasm:TASK nor FILE.star", []string{"run", "prog"}},
		{2, "no such file", []string{"run", "missing.wasm:add"}},
		{2, "no such file", []string{"run", "missing.star"}},
		{2, "native program", []string{"run", elf + ":add"}},
		{2, "module ends early", []string{"run", cut + ":add", "1", "2"}},
		{2, `has no task "ad"; did you mean add`, []string{"run", mathWasm + ":ad", "1", "2"}},
		{2, "tasks; say which: ", []string{"run", mathWasm}},
		{2, "add(a: int, b: int) -> int takes 2 arguments, got 1", []string{"run", mathWasm + ":add", "1"}},
		{2, `argument 1 (a): want int, got string "x"`, []string{"run", mathWasm + ":add", "x", "1"}},
		{2, "want int, got float 1.5", []string{"run", mathWasm + ":add", "1.5", "1"}},
		{2, "integer 9223372036854775808 is beyond int64", []string{"run", mathWasm + ":add", "9223372036854775808", "1"}},
		{2, "want float, got string", []string{"run", mathWasm + ":fadd", "NaN", "1"}},
		{2, "nests deeper than 64", []string{"run", textWasm + ":count", strings.Repeat("[", 10000) + strings.Repeat("]", 10000)}},
		{2, "want string, got bytes", []string{"run", textWasm + ":upper", "@" + write(t, "bytes", "\xff")}},
		{2, "no such file", []string{"run", mathWasm + ":num", "@missing"}},
		{2, "--memory", []string{"run", "--memory", "lots", mathWasm + ":num", "1"}},
		{2, "--allow", []string{"run", "--allow", "everything", mathWasm + ":num", "1"}},
		{2, "no such file", []string{"run", "--allow", "fs:ro=/no/such", mathWasm + ":num", "1"}},
		{2, "unknown engine", []string{"run", "--engine", "v8", mathWasm + ":num", "1"}},
		{2, "--timeout", []string{"run", "--timeout", "-1s", mathWasm + ":num", "1"}},
		{2, "--cpus", []string{"run", "--cpus", "-1", mathWasm + ":num", "1"}},
		{2, "--graph", []string{"run", "--graph", "x.bmp", mathWasm + ":num", "1"}},
		{2, "--progress", []string{"run", "--progress", "loud", mathWasm + ":num", "1"}},
		{2, "--log-level", []string{"run", "--log-level", "loud", mathWasm + ":num", "1"}},
		{2, "syntax.star:1:5", []string{"run", syntax}},
		{2, "types.star:2:", []string{"run", types}},
		{2, "undefined: ad", []string{"eval", "-m", mathWasm, "ad(1)"}},
		{2, "begins with \"nothing\"", []string{"bench", "nothing"}},
		{1, "called recursively", []string{"run", recursion}},
		{1, "integer divide by zero", []string{"run", mathWasm + ":div", "1", "0"}},
		{1, "add[0] > div", []string{"run", fails}},
		{3, "not granted", []string{"run", denied}},
		{124, "timeout", []string{"run", "--timeout", "200ms", loop}},
	} {
		out, errs, status := cli(t, "", c.args...)
		if status != c.status || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("entangle %.200q: status %d, printed %q and\n%.2000s\nwant status %d and %q", c.args, status, out, errs, c.status, c.want)
		}
	}
}

func abs(t *testing.T, path string) string {
	t.Helper()
	p, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestStoppedTask(t *testing.T) {
	out, errs, status := cli(t, "", "run", "--timeout", "200ms", "bench/guests/bench.wasm:spin", "1000000000000", "1", "2")
	if status != 124 || out != "" || !strings.Contains(errs, "--timeout") {
		t.Errorf("status %d, %q, %s", status, out, errs)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(300*time.Millisecond, func() { cancel(errInterrupted) })
	_, errs, status = cliContext(ctx, "", "run", "bench/guests/bench.wasm:spin", "1000000000000", "1", "2")
	if status != 130 || !strings.Contains(errs, "interrupted") {
		t.Errorf("status %d, %s", status, errs)
	}
}

// The commands' help is part of the contract; go test ./cmd/entangle -update
// writes it anew.
func TestHelp(t *testing.T) {
	for _, c := range []string{"", "run", "eval", "inspect", "cache", "cache ls", "cache clear", "doctor", "bench", "version"} {
		args := append(strings.Fields(c), "--help")
		out, errs, status := cli(t, "", args...)
		if status != 0 || errs != "" {
			t.Errorf("%s --help: status %d, %s", c, status, errs)
		}
		if c != "" && !strings.Contains(out, "Examples:") {
			t.Errorf("%s --help has no example", c)
		}
		golden(t, "help"+strings.ReplaceAll("-"+c, " ", "-")+".txt", out)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test ./cmd/entangle -update):\n%s", name, got)
	}
}

func TestInspect(t *testing.T) {
	out, _, status := cli(t, "", "inspect", mathWasm)
	if status != 0 || !strings.Contains(out, "add(a: int, b: int) -> int") || !strings.Contains(out, "imports  nothing") {
		t.Errorf("status %d:\n%s", status, out)
	}
	out, _, status = cli(t, "", "inspect", "--json", textWasm)
	var info struct {
		Tasks   []struct{ Name, Signature, Doc, Kind string }
		Imports []string
		Memory  struct{ Min, Max uint64 }
	}
	if err := json.Unmarshal([]byte(out), &info); err != nil || status != 0 || len(info.Tasks) < 5 || info.Memory.Min == 0 || len(info.Imports) == 0 || info.Tasks[0].Doc == "" || info.Tasks[0].Kind != "typed" {
		t.Errorf("status %d, %v:\n%s", status, err, out)
	}
}

func TestDoctorAndVersion(t *testing.T) {
	out, _, status := cli(t, "", "doctor", "--json")
	var fs []finding
	if err := json.Unmarshal([]byte(out), &fs); err != nil || status != 0 {
		t.Fatalf("status %d, %v: %s", status, err, out)
	}
	seen := map[string]finding{}
	for _, f := range fs {
		seen[f.Name] = f
		if !f.OK && f.Advice == "" {
			t.Errorf("%s is missing, and nothing says what to do", f.Name)
		}
	}
	if !seen["cpus"].OK || !seen["go"].OK || seen["gpu"].Name == "" {
		t.Errorf("doctor says %s", out)
	}
	t.Setenv("XDG_CACHE_HOME", filepath.Join(write(t, "file", ""), "below"))
	if out, errs, status := cli(t, "", "doctor"); runtime.GOOS == "linux" && (status != 1 || !strings.Contains(out, "XDG_CACHE_HOME") || !strings.Contains(errs, "cache does not work")) {
		t.Errorf("without a cache doctor has status %d: %s", status, errs)
	}
	if out, _, status := cli(t, "", "version"); status != 0 || !strings.HasPrefix(out, "entangle ") || !strings.Contains(out, runtime.Version()) {
		t.Errorf("version printed %q", out)
	}
}

func TestPicturesAndTrace(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"g.json", "g.dot", "g.mmd"} {
		file := filepath.Join(dir, name)
		trace := filepath.Join(dir, name+".trace")
		if _, errs, status := cli(t, "", "eval", "--graph", file, "--trace", trace, "-m", mathWasm, "add(add(num(6), one()), subtract(five(), two()))"); status != 0 {
			t.Fatal(errs)
		}
		b, err := os.ReadFile(file)
		if err != nil || strings.Count(string(b), "add") < 2 || !strings.Contains(string(b), "subtract") {
			t.Errorf("%s: %v\n%s", name, err, b)
		}
		b, err = os.ReadFile(trace)
		var events []map[string]any
		if err == nil {
			err = json.Unmarshal(b, &events)
		}
		tasks := 0
		for _, e := range events {
			if e["ph"] == "X" {
				tasks++
			}
		}
		if err != nil || tasks != 7 {
			t.Errorf("the trace has %d tasks, want 7 (%v)", tasks, err)
		}
	}
}

func TestLogs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	hello := "../../examples/plain/hello.wasm"
	if _, errs, status := cli(t, "", "run", "--log-file", file, "--log-level", "debug", hello, "x"); status != 0 || errs != "" {
		t.Errorf("status %d, %s", status, errs)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

func TestMandelbrot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.png")
	if _, errs, status := cli(t, "", "run", "../../examples/mandelbrot/mandelbrot.star", "--", file, "320", "200"); status != 0 {
		t.Fatalf("status %d, %s", status, errs)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() != 320 || b.Dy() != 200 {
		t.Errorf("the picture is %v", b)
	}
	black, colours := 0, map[[3]uint32]bool{}
	for y := range 200 {
		for x := range 320 {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[[3]uint32{r, g, b}] = true
			if r+g+b == 0 {
				black++
			}
		}
	}
	// The set's area is 1.5065; what of it is in view is black, and much else is not.
	if black < 64000/20 || black > 64000/2 || len(colours) < 500 {
		t.Errorf("%d of 64000 pixels are black, and there are %d colours", black, len(colours))
	}
}

func TestWordcount(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.txt": "the cat and the dog", "b/c.txt": "The end.", "empty": "", "binary": "\x00\x01the"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, errs, status := cli(t, "", "run", "../../examples/wordcount/wordcount.star", "--", dir)
	if status != 0 || !strings.Contains(out, "3") || !strings.Contains(strings.SplitN(out, "\n", 2)[0], "the") {
		t.Errorf("status %d, %s\n%s", status, out, errs)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling")); err != nil {
		t.Skip(err)
	}
	out2, errs, status := cli(t, "", "run", "../../examples/wordcount/wordcount.star", "--", dir)
	if status != 1 || !strings.Contains(errs, "dangling") || !strings.Contains(out2, "the") {
		t.Errorf("with an unreadable file: status %d, %s\n%s", status, out2, errs)
	}
}

// A Go file with no SDK is a module of plain tasks.
func TestPlainGo(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a guest; run without -short")
	}
	wasm := filepath.Join(t.TempDir(), "add_go.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-o", wasm, "../../examples/plain/add.go")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for task, want := range map[string]string{"add": "5\n", "hypot2": "13.0\n"} {
		if out, errs, status := cli(t, "", "run", wasm+":"+task, "2", "3"); out != want || status != 0 {
			t.Errorf("%s(2, 3) is %q, status %d, %s", task, out, status, errs)
		}
	}
}

// TestBinary runs the real program: that a result is all of its standard output,
// that it stops within a second of Ctrl-C, and that nothing is left.
func TestBinary(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program; run without -short")
	}
	bin := filepath.Join(t.TempDir(), "entangle")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if out, err := exec.Command(bin, "run", mathWasm+":add", "1", "2").Output(); err != nil || string(out) != "3\n" {
		t.Errorf("%q, %v", out, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	script := write(t, "spin.star", fmt.Sprintf("m = module(%q)\nrun([m.spin(1000000000000, i, 2) for i in range(8)])\n", abs(t, "bench/guests/bench.wasm")))
	cmd := exec.Command(bin, "run", script)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(700 * time.Millisecond)
	interrupted := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit status %d: %s", code, errs.String())
	}
	if d := time.Since(interrupted); d > 5*time.Second { // a second, on a machine that is not busy
		t.Errorf("it took %v to stop", d)
	}
}

func TestCache(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	count := func(want string, args ...string) {
		t.Helper()
		out, errs, status := cli(t, "", append([]string{"cache"}, args...)...)
		if status != 0 || errs != "" || !strings.Contains(out, want) {
			t.Errorf("cache %v: status %d, %s\n%s\nwant %q", args, status, errs, out, want)
		}
	}
	count("0 entries, 0 B, in ", "ls")
	count("removed 0 entries", "clear")
	if _, errs, status := cli(t, "", "run", mathWasm+":add", "1", "2"); status != 0 {
		t.Fatal(errs)
	}
	count("1 entries", "ls")
	count(`"size":`, "ls", "--json")
	count("removed 0 entries", "clear", "snapshots")
	if _, errs, status := cli(t, "", "cache", "clear", "everything"); status != 2 || !strings.Contains(errs, `invalid argument "everything"`) {
		t.Errorf("status %d, %s", status, errs)
	}
	count("removed 1 entries", "clear", "snapshots", "wasmtime", "wazero")
	count("0 entries", "ls")
}
