package host_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"entangle.example/entangle/abi"
)

// A wasiSpec is what a program of the public WASI test suite is given, and what must
// come of it: its .json, or nothing and a success.
type wasiSpec struct {
	Args   []string          `json:"args"`
	Env    map[string]string `json:"env"`
	Dirs   []string          `json:"dirs"` // beside the program, each at its own name
	Root   string            `json:"root"` // beside the program, at "/"
	Exit   int               `json:"exit_code"`
	Stdout *string           `json:"stdout"`
}

// TestWASISuite runs every program of the public WASI test suite that has been built.
func TestWASISuite(t *testing.T) {
	dir := os.Getenv("ENTANGLE_WASI_TESTSUITE")
	if dir == "" {
		t.Skip("ENTANGLE_WASI_TESTSUITE names no folder of built programs; testdata/wasi/build-testsuite.sh makes one of a checkout of WebAssembly/wasi-testsuite")
	}
	ran := map[string]int{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".wasm" || strings.Contains(path, "/target/") {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		ran[filepath.Dir(name)]++
		t.Run(strings.TrimSuffix(name, ".wasm"), func(t *testing.T) { runWASISuite(t, path) })
		return nil
	})
	if err != nil || len(ran) == 0 {
		t.Fatalf("%d programs in %s: %v", len(ran), dir, err)
	}
	t.Logf("programs by folder: %v", ran)
}

func runWASISuite(t *testing.T, path string) {
	var spec wasiSpec
	text, err := os.ReadFile(strings.TrimSuffix(path, ".wasm") + ".json")
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields() // what is not understood is not passed
		err = d.Decode(&spec)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	// Of its directories, each program has its own.
	var grants []abi.Grant
	lend := func(name, guest string) {
		own := filepath.Join(t.TempDir(), "own")
		if err := os.CopyFS(own, os.DirFS(filepath.Join(filepath.Dir(path), name))); err != nil {
			t.Fatal(err)
		}
		grants = append(grants, abi.Grant{Kind: abi.WriteFiles, Host: own, Guest: guest})
	}
	for _, name := range spec.Dirs {
		lend(name, name)
	}
	if spec.Root != "" {
		lend(spec.Root, "/")
	}
	for name, value := range spec.Env {
		t.Setenv(name, value)
		grants = append(grants, abi.Grant{Kind: abi.Variable, Host: name})
	}
	var args []any
	for _, a := range spec.Args {
		args = append(args, a)
	}
	h := open(t, config().WithoutCache().WithGrants(grants...))
	v, err := run(t.Context(), h, load(t, h, path).Task("main"), args...)
	if spec.Exit != 0 {
		wantError(t, err, abi.Failed, "exit status "+strconv.Itoa(spec.Exit))
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if spec.Stdout == nil {
		return
	}
	if got, ok := v.Str(); !ok || got != strings.TrimSuffix(*spec.Stdout, "\n") {
		t.Errorf("it printed %v, want %q", v, *spec.Stdout)
	}
}
