package host_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/host"
)

func TestLoadFiles(t *testing.T) {
	h := open(t, config().WithoutCache())
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "missing.wasm"), "no such file"},
		{dir, "is a directory"},
		{os.DevNull, "no regular file"},
		{self, "native program"},
		{file("empty.wasm", ""), "it is empty"},
		{file("text.wat", "(module)"), "WebAssembly text"},
		{file("script.sh", "#!/bin/sh\n"), `begins with "#!/b"`},
		{file("magic.wasm", "\x00asm"), "ends after 4 bytes"},
		{file("component.wasm", "\x00asm\x0d\x00\x01\x00"), "component"},
	} {
		_, err := h.Load(t.Context(), c.path)
		wantError(t, err, abi.BadModule, c.want, c.path)
	}
	if _, err := h.Load(t.Context(), filepath.Join(dir, "missing.wasm")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v does not wrap ErrNotExist", err)
	}
}

func TestLoadErrors(t *testing.T) {
	h := open(t, config().WithoutCache())
	plain, typed := string(guest(t, "plain", "")), string(guest(t, "typed", ""))
	manifest := func(module, text string) string { return module + section(0, named("entangle"), text) }
	for name, c := range map[string]struct{ binary, want string }{
		"unknown module":     {importing("env", "gettimeofday", "\x00\x00"), "env.gettimeofday (func); there are those of wasi_snapshot_preview1 and, from entangle_v1, log and fail"},
		"unknown of ours":    {importing("entangle_v1", "fly", "\x00\x00"), "entangle_v1.fly (func)"},
		"unknown of WASI":    {importing("wasi_snapshot_preview1", "nonsense", "\x00\x00"), "wasi_snapshot_preview1.nonsense (func)"},
		"old WASI":           {importing("wasi_unstable", "fd_write", "\x00\x00"), "wasi_unstable.fd_write (func)"},
		"type of ours":       {importing("entangle_v1", "fail", "\x00\x00"), "it imports entangle_v1.fail as (), want (i32, i32) -> i32"},
		"type of WASI":       {importing("wasi_snapshot_preview1", "proc_exit", "\x00\x01"), "wasi_snapshot_preview1.proc_exit as (i32) -> i32, want (i32)"},
		"memory":             {importing("env", "memory", "\x02\x00\x01"), "env.memory (memory)"},
		"table":              {importing("env", "table", "\x01\x70\x00\x01"), "env.table (table)"},
		"global":             {importing("env", "global", "\x03\x7f\x00"), "env.global (global)"},
		"global of ours":     {importing("entangle_v1", "log", "\x03\x7f\x00"), "entangle_v1.log (global)"},
		"escapes":            {importing("env", "\x1b[2J\n", "\x00\x00"), `env.\x1b[2J\n (func)`},
		"many":               {header + section(1, "\x01\x60\x00\x00") + section(2, leb(1000), strings.Repeat("\x01e\x01f\x00\x00", 1000)), "and 988 more"},
		"64-bit memory":      {header + section(5, "\x01\x04\x01"), "64-bit memory"},
		"shared memory":      {header + section(5, "\x01\x03\x01\x02"), "shared between threads"},
		"two memories":       {header + section(5, "\x02\x00\x01\x00\x01"), "2 memories"},
		"huge table":         {header + section(4, "\x01\x70\x00"+leb(1<<22)), "table of 4194304 entries"},
		"huge locals":        {withLocals("\x01"+leb(1<<31)+"\x7f", ""), "2147483648 locals"},
		"huge function":      {function(strings.Repeat("\x01", 8_000_000)), "function 0 has 8000002 bytes"},
		"invalid code":       {function("\x6a"), "function"},
		"unknown code":       {function("\xff"), "function"},
		"old exceptions":     {function("\x06\x40\x19\x0b"), "unknown instruction 0x6"},
		"exports twice":      {exporting(2, func(int) string { return "f" }), `export "f" is there twice`},
		"type of _start":     {taking("_start"), "_start has the type (i32), want ()"},
		"type of initialize": {taking("_initialize"), "_initialize has the type (i32), want ()"},
		"manifest grammar":   {manifest(plain, "task (\n"), "manifest, line 1"},
		"manifest UTF-8":     {manifest(plain, "module # \xff\n"), "not valid UTF-8"},
		"manifest size":      {manifest(plain, strings.Repeat("\n", 1<<20+1)), "manifest of 1048577 bytes"},
		"manifest grant":     {manifest(plain, "grant fs:all=/\n"), `unknown kind "fs:all"`},
		"manifest export":    {manifest(plain, "plain add(a: int) -> int\n"), "task add: the manifest declares it, and the module does not export it"},
		"manifest plain":     {manifest(plain, "plain divide(a: int, b: float) -> int\n"), "task divide: the manifest says plain (a: int, b: float) -> int, and its export has the type (i64, i64) -> i64"},
		"manifest vector":    {manifest(plain, "plain vector()\n"), "task vector: the manifest says plain"},
		"manifest memory":    {manifest(plain, "task divide(a: int)\n"), `does not export its memory as "memory"`},
		"manifest typed":     {manifest(typed, "task entangle_alloc(a: int)\n"), "has the type (i32) -> i32, want (i32, i32) -> i64"},
		"manifest call":      {manifest(typed, "task unknown(a: int)\n"), "exports neither it nor entangle_call(i32, i32, i32) -> i64"},
		"manifest twice":     {manifest(typed, "task echo(a: int)\ntask echo(a: int)\n"), "declared twice"},
		"manifest function":  {exporting(1, func(int) string { return "entangle_manifest" }), "entangle_manifest has the type (), want () -> i64"},
		"manifest pointer":   {string(guest(t, "manifest_outside", "")), "entangle_manifest returned no text"},
		"manifest's memory":  {string(guest(t, "manifest_memory", "")), "begins with 512 MiB of memory, and the limit is 256 MiB"},
		"command with tasks": {manifest(string(guest(t, "flood", "")), "plain f()\n"), "build it as a reactor"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := h.LoadBytes(t.Context(), "name.wasm", []byte(c.binary))
			wantError(t, err, abi.BadModule, "name.wasm: ", c.want)
			if m != nil {
				t.Error("it is loaded all the same")
			}
		})
	}
}

// TestLoadTruncated cuts modules at every byte; what is left is refused, or it is
// whole without the sections that are cut off.
func TestLoadTruncated(t *testing.T) {
	h := open(t, config().WithoutCache())
	for _, name := range []string{"plain", "stop"} {
		b := guest(t, name, "")
		for n := range b {
			if _, err := h.LoadBytes(t.Context(), "cut", b[:n]); err != nil {
				wantError(t, err, abi.BadModule, "cut: ")
			}
		}
	}
}

func TestLoadTwice(t *testing.T) {
	h := open(t, config().WithoutCache())
	b := guest(t, "plain", "")
	var all [8]*host.Module
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i], _ = h.LoadBytes(t.Context(), fmt.Sprint("copy ", i), b) })
	}
	wg.Wait()
	for _, m := range all {
		if m == nil || m != all[0] {
			t.Errorf("the same bytes are several modules: %v", all)
		}
	}
	if other := loadGuest(t, h, "plain", "module # another\n"); other == all[0] {
		t.Error("other bytes are the same module")
	}
}

func TestLoadStrange(t *testing.T) {
	h := open(t, config().WithoutCache())
	m, err := h.LoadBytes(t.Context(), "nothing", []byte(header))
	if err != nil || len(m.Tasks()) != 0 {
		t.Errorf("a module of nothing: %v", err)
	}
	_, err = m.Lookup("f")
	wantError(t, err, abi.BadCall, "nothing has no tasks")

	const many = 100_000
	m, err = h.LoadBytes(t.Context(), "many", []byte(exporting(many, func(i int) string { return fmt.Sprint("e", i) })))
	if err != nil || len(m.Tasks()) != many {
		t.Fatalf("a module of many exports: %v", err)
	}
	if _, err := run(t.Context(), h, m.Task("e99999")); err != nil {
		t.Error(err)
	}
	_, err = m.Lookup("")
	wantError(t, err, abi.BadCall, "say which: e0, e1,", "and 99988 more")
}

// TestCompileStops has the compiler work on what takes it far too long; the time
// it takes grows with the square of n. What it has begun it ends by itself.
func TestCompileStops(t *testing.T) {
	var log logs
	h := open(t, host.Config{}.WithEngine("wazero").WithoutCache().WithLog(log.logger())) // whose compiler it takes longer
	const n = 16_000
	wide := function("\x02\x40\x41\x00\x0e" + leb(2*n) + strings.Repeat("\x00", 2*n+1) + "\x0b")
	const functions, deep = 100, 480
	body := "\x00" + strings.Repeat("\x03\x40", deep) + strings.Repeat("\x0b", deep) + "\x0b"
	nested := header + section(1, "\x01\x60\x00\x00") + section(3, leb(functions), strings.Repeat("\x00", functions)) +
		section(10, leb(functions), strings.Repeat(leb(len(body))+body, functions))

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	within(t, time.Second, "a wide br_table", func() {
		_, err := h.LoadBytes(ctx, "wide", []byte(wide))
		wantError(t, err, abi.TimedOut, "wide: ")
	})

	// After a second, the host says what it is doing.
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for ctx.Err() == nil && !strings.Contains(log.String(), "compiling") {
			time.Sleep(10 * time.Millisecond)
		}
		stop()
	}()
	within(t, 3*time.Second, "nested loops", func() {
		_, err := h.LoadBytes(ctx, "nested", []byte(nested))
		wantError(t, err, abi.Cancelled, "nested: cancelled")
	})
	if got := log.String(); strings.Count(got, "compiling") != 1 || !strings.Contains(got, `level=INFO msg="compiling nested (141.1 KiB) with wazero, since 1s"`) {
		t.Errorf("log %s", got)
	}
	m, err := h.LoadBytes(t.Context(), "locals", []byte(withLocals("\x01"+leb(50_000)+"\x7e", "\x20\x00\x21\x01")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), h, m.Task("f")); err != nil {
		t.Error(err)
	}
}

func TestLoadStops(t *testing.T) {
	h := open(t, config().WithoutCache())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := h.LoadBytes(ctx, "spin", guest(t, "manifest_spin", ""))
	wantError(t, err, abi.TimedOut, "spin: ")

	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = h.LoadBytes(ctx, "spin", guest(t, "manifest_spin", ""))
	wantError(t, err, abi.Cancelled, "spin: cancelled")
}

func TestInfo(t *testing.T) {
	h := open(t, config().WithoutCache())
	m := loadGuest(t, h, "typed", "module # Breaks\x1b the rules.\ngrant fs:ro=/data\ntask echo(a: int...) -> list timeout=2s # Returns them.\n")
	info := m.Info()
	if info.Doc != `Breaks\x1b the rules.` || info.Memory.Min != 4<<16 || info.Memory.Max != 4<<30 || info.Engine != testEngine ||
		len(info.SHA256) != 64 || info.Name != "typed" || len(info.Imports) != 7 || info.Imports[0] != "entangle_v1.log(i32, i32, i32) -> i32" {
		t.Errorf("%+v", info)
	}
	if want := (host.TaskInfo{Name: "echo", Signature: "(a: int...) -> list", Doc: "Returns them.", Kind: "typed"}); info.Tasks[0] != want {
		t.Errorf("%+v", info.Tasks)
	}
	if p := m.Tasks()[0].Policy; p.Timeout != 2*time.Second {
		t.Errorf("policy %+v", p)
	}
	kinds := map[string]string{}
	for _, name := range []string{"plain", "files"} {
		for _, task := range loadGuest(t, h, name, "").Info().Tasks {
			kinds[task.Name] = task.Kind + task.Signature
		}
	}
	want := map[string]string{"i32": "plain(a: int32) -> int32", "i64": "plain(a: int) -> int", "f32": "plain(a: float32) -> float32",
		"f64": "plain(a: float) -> float", "none": "plain()", "several": "plain(a: int32, b: float) -> list",
		"divide": "plain(a: int, b: int) -> int", "trap": "plain()", "main": "command(args: any...) -> any"}
	for name, w := range want {
		if kinds[name] != w {
			t.Errorf("%s is %q, want %q", name, kinds[name], w)
		}
	}
	if len(kinds) != len(want) {
		t.Errorf("tasks %v", kinds)
	}
}

func TestLookup(t *testing.T) {
	h := open(t, config().WithoutCache())
	m := load(t, h, "../tasks/math.wasm")
	for _, c := range []struct{ name, want string }{
		{"ad", `has no task "ad"; did you mean add`},
		{"ADD", "did you mean add"},
		{"substract", "did you mean subtract"},
		{"quaternion", `has no task "quaternion"; it has `},
		{"", "tasks; say which: "},
		{"\x1b[2J", `has no task "\x1b[2J"`},
	} {
		_, err := m.Lookup(c.name)
		wantError(t, err, abi.BadCall, c.want)
		_, err = run(t.Context(), h, m.Task(c.name), 1, 2)
		wantError(t, err, abi.BadCall, "host_test.go:", c.want)
	}
	if d, err := loadGuest(t, h, "files", "").Lookup(""); err != nil || d.Name != "main" {
		t.Errorf("the only task: %v", err)
	}
}

// FuzzLoad checks that no bytes make a host panic, and that it says of all that
// they are a bad module.
func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.wasm")
	for _, file := range append(files, "../examples/plain/add.wasm") {
		if b, err := os.ReadFile(file); err == nil && len(b) < 4<<10 {
			f.Add(b)
		}
	}
	f.Add([]byte(exporting(3, func(i int) string { return fmt.Sprint(i) })))
	h := open(f, config().WithoutCache().WithCPUs(1))
	f.Fuzz(func(t *testing.T, binary []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := h.LoadBytes(ctx, "fuzz", binary)
		if a, ok := errors.AsType[*abi.Error](err); err != nil && (!ok || a.Code != abi.BadModule && a.Code != abi.TimedOut) {
			t.Errorf("error %v", err)
		}
		h.Forget()
	})
}
