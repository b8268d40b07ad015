package host_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/host/internal/wasi"
)

// The programs in testdata/wasi, in three languages, that between them call all of WASI.
var wasiPrograms = []struct {
	name  string
	needs string // in ENTANGLE_REQUIRE
	get   string
	build func(out string) []*exec.Cmd
}{
	{"calls.c", "clang", "the packages clang-19, lld-19, wasi-libc and libclang-rt-19-dev-wasm32 have it", func(out string) []*exec.Cmd {
		return []*exec.Cmd{exec.Command("clang-19", "--target=wasm32-wasi", "-O2", "-c", "-o", out+".o", "testdata/wasi/calls.c"),
			exec.Command("clang-19", "--target=wasm32-wasi", "-Wl,--initial-memory=2097152", "-o", out, out+".o")}
	}},
	{"calls.rs", "rust", "rustup target add wasm32-wasip1, or the packages rustc, libstd-rust-dev-wasm32 and lld-14", func(out string) []*exec.Cmd {
		rustc, target := rustFor()
		return []*exec.Cmd{exec.Command(rustc, "--target", target, "-O", "-o", out, "testdata/wasi/calls.rs")}
	}},
	{"calls.go", "go", "the go command has it", func(out string) []*exec.Cmd {
		c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", out, "./testdata/wasi/go")
		c.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=", "CGO_ENABLED=0")
		return []*exec.Cmd{c}
	}},
}

// rustFor returns a Rust compiler that has WASI, and what it calls that.
func rustFor() (rustc, target string) {
	for _, rustc := range []string{"rustc", "/usr/bin/rustc"} {
		root, err := exec.Command(rustc, "--print", "sysroot").Output()
		if err != nil {
			continue
		}
		for _, target := range []string{"wasm32-wasip1", "wasm32-wasi"} {
			if _, err := os.Stat(filepath.Join(strings.TrimSpace(string(root)), "lib/rustlib", target, "lib")); err == nil {
				return rustc, target
			}
		}
	}
	return "rustc", "wasm32-wasip1"
}

// wasiBuilt and wasiSaid are what has been built and what it has printed, by name: the
// engine that comes second has the same programs, and must have them print the same.
var wasiBuilt, wasiSaid = map[string]string{}, map[string]string{}

// wasiTree makes the directories that testdata/wasi/calls.c describes.
func wasiTree(t testing.TB) (dir string, grants []abi.Grant) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"w/d", "r/d", "o"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"secret": "secret", "w/f": "hello", "w/d/g": "nested", "r/f": "fixed"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"l": "f", "dl": "d", "out": "../secret", "up": "..", "loop": "loop"} {
		if err := os.Symlink(target, filepath.Join(dir, "w", name)); err != nil {
			t.Fatal(err)
		}
	}
	makeFIFO(t, filepath.Join(dir, "w/fifo"))
	t.Setenv("ENTANGLE_CALLS", "1")
	return dir, []abi.Grant{
		{Kind: abi.WriteFiles, Host: filepath.Join(dir, "w"), Guest: "/w"},
		{Kind: abi.ReadFiles, Host: filepath.Join(dir, "r"), Guest: "/r"},
		{Kind: abi.WriteFiles, Host: filepath.Join(dir, "o"), Guest: "/o"},
		{Kind: abi.Variable, Host: "ENTANGLE_CALLS"},
	}
}

// TestWASICalls has programs in C, Rust and Go call all of WASI, again after the reset,
// with the same answers from both engines.
func TestWASICalls(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("the errors of " + runtime.GOOS + " are others")
	}
	if testing.Short() {
		t.Skip("-short builds no guests")
	}
	for _, p := range wasiPrograms {
		t.Run(p.name, func(t *testing.T) {
			binary, ok := wasiBuilt[p.name]
			if !ok {
				binary = buildGuest(t, p.needs, p.get, p.build)
				wasiBuilt[p.name] = binary
			}
			dir, grants := wasiTree(t)
			before := listing(t, dir)
			h := open(t, config().WithoutCache().WithCPUs(1).WithGrants(grants...))
			m, err := h.LoadBytes(t.Context(), "calls", []byte(binary))
			if err != nil {
				t.Fatal(err)
			}
			var said string
			for call := range 3 {
				v, err := run(t.Context(), h, m.Task("main"), "a b", "é")
				if err != nil {
					t.Fatalf("call %d: %v", call, err)
				}
				text, _ := v.Str()
				if call > 0 && text != said {
					t.Errorf("call %d printed\n%s\nthe one before\n%s", call, text, said)
				}
				said = text
			}
			if after := listing(t, dir); !slices.Equal(before, after) {
				t.Errorf("there was %q, there is %q", before, after)
			}
			if first, ok := wasiSaid[p.name]; ok && first != said {
				t.Errorf("with %s it printed\n%s\nwith the other engine\n%s", testEngine, said, first)
			}
			wasiSaid[p.name] = said
			if p.name == "calls.c" {
				wantCoverage(t, said)
				_, err := run(t.Context(), h, m.Task("main"), "exit")
				wantError(t, err, abi.Failed, "exit status 7")
				return
			}
			want, err := os.ReadFile("testdata/wasi/" + p.name + ".txt")
			if err != nil || strings.TrimSuffix(string(want), "\n") != said {
				t.Errorf("it printed\n%s\nwant %v\n%s", said, err, want)
			}
		})
	}
}

// buildGuest returns the module that commands make, or skips the test where they fail.
func buildGuest(t *testing.T, needs, get string, build func(out string) []*exec.Cmd) string {
	t.Helper()
	unless := t.Skipf
	if slices.Contains(strings.Split(os.Getenv("ENTANGLE_REQUIRE"), ","), needs) || needs == "go" {
		unless = t.Fatalf
	}
	out := filepath.Join(t.TempDir(), "guest.wasm")
	for _, c := range build(out) {
		if text, err := c.CombinedOutput(); err != nil {
			unless("%v: %v %s (%s)", c, err, text, get)
		}
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// listing is what lies in a directory, and how much.
func listing(t testing.TB, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			list = append(list, fmt.Sprint(path[len(dir):], info.Mode(), info.Size()))
		} else if err == nil {
			list = append(list, path[len(dir):])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// The errnos of each function that calls.c must have seen, by their numbers in preview 1.
const (
	pathErrnos  = "0 8 21 25 28 32 37 44 54 63" // SUCCESS BADF FAULT ILSEQ INVAL LOOP NAMETOOLONG NOENT NOTDIR PERM
	wasiCovered = `
args_get 0 21
args_sizes_get 0 21
clock_res_get 0 21 28
clock_time_get 0 21 28
environ_get 0 21
environ_sizes_get 0 21
fd_advise 0 8 28 31 70
fd_allocate 0 8 28 31 69 70
fd_close 0 8
fd_datasync 0 8 28
fd_fdstat_get 0 8 21
fd_fdstat_set_flags 0 8 28 58
fd_fdstat_set_rights 0 8 76
fd_filestat_get 0 8 21
fd_filestat_set_size 0 8 22 28 31 69
fd_filestat_set_times 0 8 28 69
fd_pread 0 8 21 28 31 70
fd_prestat_dir_name 0 8 21 37
fd_prestat_get 0 8 21
fd_pwrite 0 8 21 28 31 70
fd_read 0 8 21 28 31
fd_readdir 0 8 21 44 54
fd_renumber 0 8
fd_seek 0 8 21 28 31 70
fd_sync 0 8 28
fd_tell 0 8 21 31 70
fd_write 0 8 21 28 31
path_create_directory ` + pathErrnos + ` 20 69
path_filestat_get ` + pathErrnos + `
path_filestat_set_times ` + pathErrnos + ` 69
path_link ` + pathErrnos + ` 20 69 75
path_open ` + pathErrnos + ` 2 20 31 33 69 76
path_readlink ` + pathErrnos + `
path_remove_directory ` + pathErrnos + ` 55 69
path_rename ` + pathErrnos + ` 10 31 55 69 75
path_symlink ` + pathErrnos + ` 20 69
path_unlink_file ` + pathErrnos + ` 31 69
poll_oneoff 0 21 28
proc_raise 52
random_get 0 21
sched_yield 0
sock_accept 8 57
sock_recv 8 57
sock_send 8 57
sock_shutdown 8 57
`
)

// wantCoverage checks that every function was called, and answered what it can.
func wantCoverage(t *testing.T, said string) {
	t.Helper()
	seen := map[string]bool{}
	for line := range strings.Lines(said) {
		seen[strings.TrimSpace(line)] = true
	}
	named := map[string]bool{"proc_exit": true} // how it ends
	for line := range strings.Lines(strings.TrimSpace(wasiCovered)) {
		name, errnos, _ := strings.Cut(strings.TrimSpace(line), " ")
		named[name] = true
		for _, e := range strings.Fields(errnos) {
			if !seen[name+" "+e] {
				t.Errorf("%s never answered %s", name, e)
			}
			delete(seen, name+" "+e)
		}
	}
	for line := range seen {
		t.Errorf("%q is not among what is to be covered", line)
	}
	for _, f := range wasi.Functions {
		if !named[f.Name] {
			t.Errorf("%s is not covered", f.Name)
		}
	}
}
