// These tests hold the layout that RATIONALE.md argues for: which package may
// import which, whose types may show in an API, which folders there are. They
// read the sources instead of asking the go command, which sees one operating
// system at a time, so a file for Windows is held to the table on Linux too.
package entangle_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "entangle.example/entangle"

// A floor says what one package may import of this module. Paths are relative to
// the module; "x/..." is x and all below it, "x/*" what is directly in x.
type floor struct {
	pkg   string
	may   []string // what its sources import
	tests []string // what its tests import besides
	why   string
}

// House is the import table, from the bottom up. The first line that matches a
// package holds for it, and a package with no line is an error: decide where it
// belongs first.
var house = []floor{
	{pkg: "abi",
		why: "the contract: it knows nobody, so that everybody may know it"},

	{pkg: "sched",
		why: "CPUs and workers: it does not know what a task is"},
	{pkg: "graph", may: []string{"abi", "sched"}, tests: []string{"graph/shapes"},
		why: "readiness: no engine, no place"},
	{pkg: "graph/shapes", may: []string{"graph"},
		why: "graphs to measure with, built as a user would"},
	{pkg: "gpu", may: []string{"abi", "sched"},
		why: "devices and kernels: they serve a host, and do not know it"},

	{pkg: "host/internal/instrument",
		why: "bytes in, bytes out"},
	{pkg: "host/internal/instrument/generate",
		why: "bytes in, bytes out: random modules to test with"},
	{pkg: "host/internal/memory",
		why: "mappings: they do not know what lies in them"},
	{pkg: "host/internal/wasi", may: []string{"host/internal/instrument"},
		why: "one WASI for all engines, so it can know none"},
	{pkg: "host/internal/engine", may: []string{"host/internal/instrument", "host/internal/memory"},
		why: "the seam: it describes modules and names the WASI they see, and compiles nothing"},
	{pkg: "host/internal/engine/spectest", may: []string{"host/internal/engine", "host/internal/instrument"},
		why: "the official test suite, for the tests of every engine: it knows none"},
	{pkg: "host/internal/engine/*", may: []string{"host/internal/engine", "host/internal/instrument", "host/internal/memory", "host/internal/wasi"}, tests: []string{"host/internal/engine/enginetest", "host/internal/engine/spectest", "host/internal/instrument/generate"},
		why: "an engine behind the seam; it does not know the other one"},
	{pkg: "host", may: []string{"abi", "graph", "sched", "host/internal/..."}, tests: []string{"graph/shapes"},
		why: "modules and instances: no CLI, no transport, no script"},

	{pkg: "host/flow", may: []string{"abi", "graph", "host", "sched"}, tests: []string{"graph/shapes"},
		why: "scripts become graphs; who runs them is the caller's business"},

	{pkg: "cmd/entangle/bench/guests/*", may: []string{"sdk/go"},
		why: "guests, as a user writes them"},
	{pkg: "cmd/entangle/...", may: []string{"abi", "graph/...", "sched", "gpu", "host", "host/flow", "cmd/entangle/..."},
		why: "the top: flags and printing"},

	{pkg: "sdk/go", may: []string{"abi"},
		why: "a guest: it shares the contract with the host, and no code"},
	{pkg: "sdk/go/*", may: []string{"sdk/go"},
		why: "for guests"},
	{pkg: "sdk/*", tests: []string{"abi"},
		why: "other languages; the tests read the contract's vectors"},
	{pkg: "tasks/*", may: []string{"sdk/go"}, tests: []string{"abi"},
		why: "guests, as a user writes them"},
	{pkg: "examples/...", may: []string{"abi", "graph", "sched", "host", "host/flow", "sdk/go"},
		why: "what a user writes, with what a user may import"},
	{pkg: ".", tests: []string{"abi", "graph", "sched", "host", "host/flow"},
		why: "nothing lives at the root but this test"},
}

// A guest list says where a module that is not ours may be imported.
type guestList struct {
	mod   string
	may   []string
	tests []string
}

var thirdParty = []guestList{
	{mod: "github.com/tetratelabs/wazero", may: []string{"host/internal/engine/wazero"}, tests: []string{"sdk/*", "tasks/*"}},
	{mod: "github.com/bytecodealliance/wasmtime-go", may: []string{"host/internal/engine/wasmtime"}},
	{mod: "github.com/fxamacker/cbor", tests: []string{"abi"}}, // a second opinion on our own codec
	{mod: "go.starlark.net", may: []string{"host/flow"}},
	{mod: "github.com/spf13/cobra", may: []string{"cmd/entangle"}},
	{mod: "github.com/spf13/pflag", may: []string{"cmd/entangle"}},
	{mod: "github.com/vbauerster/mpb", may: []string{"cmd/entangle"}},
	{mod: "golang.org/x/term", may: []string{"cmd/entangle"}},
	{mod: "golang.org/x/sys", may: []string{"sched", "host/internal/...", "cmd/entangle"}},
}

func TestImports(t *testing.T) {
	seen := make(map[string]bool)
	for _, f := range sources(t) {
		if line(f.pkg) == nil {
			if !seen[f.pkg] {
				t.Errorf("package %s is not in the import table of house_test.go: decide on which floor it lives and add a line", f.pkg)
			}
			seen[f.pkg] = true
			continue
		}
		seen[f.pkg] = true
		for _, imp := range f.imports() {
			if why := refuse(f.pkg, imp.path, f.test); why != "" {
				t.Errorf("%s: %s", f.fset.Position(imp.pos), why)
			}
		}
	}
	for _, p := range []string{"abi", "sched", "graph", "host", "host/internal/engine", "cmd/entangle", "sdk/go"} {
		if !seen[p] {
			t.Errorf("no file of package %s was looked at", p)
		}
	}
}

// The table must refuse what it is there to refuse.
func TestImportsRefused(t *testing.T) {
	if f := line("util"); f != nil {
		t.Errorf("package util has the line of %s", f.pkg)
	}
	for _, c := range []struct {
		pkg, imp string
		test     bool
		ok       bool
	}{
		{"graph", module + "/abi", false, true},
		{"graph", module + "/host", false, false},
		{"graph", module + "/host", true, false},
		{"graph", module + "/graph/shapes", false, false},
		{"graph", module + "/graph/shapes", true, true},
		{"abi", module + "/sched", false, false},
		{"gpu", module + "/host", false, false},
		{"host", module + "/host/internal/engine/wazero", false, true},
		{"host", module + "/host/flow", false, false},
		{"host", "github.com/tetratelabs/wazero/api", false, false},
		{"host/internal/engine/wazero", "github.com/tetratelabs/wazero/api", false, true},
		{"host/internal/engine/wazero", module + "/host/internal/engine/wasmtime", false, false},
		{"host/flow", module + "/cmd/entangle", true, false},
		{"tasks/counts", module + "/abi", false, false},
		{"sdk/go", "github.com/tetratelabs/wazero", false, false},
		{"sdk/go", "github.com/tetratelabs/wazero", true, true},
		{"sdk/go", "encoding/json", false, true},
		{"graph", "example.com/new/thing", false, false},
	} {
		if line(c.pkg) == nil {
			t.Fatalf("no line for %s", c.pkg)
		}
		if why := refuse(c.pkg, c.imp, c.test); (why == "") != c.ok {
			t.Errorf("%s imports %s (test %v): allowed is %v, want %v: %s", c.pkg, c.imp, c.test, why == "", c.ok, why)
		}
	}
}

// Line returns the line of the table that holds for a package, or nil.
func line(pkg string) *floor {
	i := slices.IndexFunc(house, func(f floor) bool { return match(f.pkg, pkg) })
	if i < 0 {
		return nil
	}
	return &house[i]
}

// Refuse says why pkg, which has a line, or a test of it, may not import what imp names, or "".
func refuse(pkg, imp string, test bool) string {
	if standard(imp) {
		return ""
	}
	if rel, ours := strings.CutPrefix(imp, module+"/"); ours {
		f := line(pkg)
		if anyMatch(f.may, rel) || test && (rel == pkg || anyMatch(f.tests, rel)) {
			return ""
		}
		return fmt.Sprintf("%s may not import %s (%s)", pkg, rel, f.why)
	}
	j := slices.IndexFunc(thirdParty, func(g guestList) bool { return imp == g.mod || strings.HasPrefix(imp, g.mod+"/") })
	if j < 0 {
		return fmt.Sprintf("%s is a new dependency: say in RATIONALE.md why, and in house_test.go where", imp)
	}
	if g := thirdParty[j]; !anyMatch(g.may, pkg) && (!test || !anyMatch(g.tests, pkg)) {
		return fmt.Sprintf("%s may not import %s, which is for %s", pkg, imp, strings.Join(append(g.may, g.tests...), ", "))
	}
	return ""
}

func anyMatch(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, pkg) })
}

func match(pattern, pkg string) bool {
	if p, deep := strings.CutSuffix(pattern, "/..."); deep {
		return pkg == p || strings.HasPrefix(pkg, p+"/")
	}
	ok, err := path.Match(pattern, pkg)
	return ok && err == nil
}

// Standard reports whether an import path is of the standard library, whose first
// elements have no dot.
func standard(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".")
}

// A type of an engine or of a library in an exported signature would tie every
// user to it; one of host/internal could not even be named.
func TestExportedSignatures(t *testing.T) {
	looked := 0
	for _, f := range sources(t) {
		if f.test || f.ast.Name.Name == "main" || strings.Contains(f.pkg, "internal") {
			continue
		}
		looked++
		for _, l := range leaks(f) {
			t.Error(l)
		}
	}
	if looked == 0 {
		t.Error("no file was looked at")
	}
}

func TestLeaksFound(t *testing.T) {
	const src = `package host

import (
	"context"
	"github.com/tetratelabs/wazero"
	wapi "github.com/tetratelabs/wazero/api"
	"go.starlark.net/starlark"
	"github.com/vbauerster/mpb/v8"
	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/abi"
)

var Runtime = wazero.NewRuntime(nil)       // leak
var Value starlark.Value                   // leak
type Alias = wapi.Module                   // leak
type Host struct {
	Bar    *mpb.Bar                        // leak
	engine engine.Engine
	wapi.Memory                            // leak
}
type Seam interface{ F() []wapi.Function } // leak
func Open(ctx context.Context, c ...wazero.RuntimeConfig) error { return nil } // leak
func (h *Host) Engine() engine.Engine { return nil } // leak
func (h *Host) Call(v abi.Value) { _ = wazero.NewRuntime(nil) }
func (h *Host) engineOf() engine.Engine { return nil }
func open(c wazero.RuntimeConfig) {}
type wrapped struct{ Module wapi.Module }
func (w wrapped) Inner() wapi.Module { return nil }
func Of[T wapi.Module](t T) {}             // leak
`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "leak.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []int
	for i, text := range strings.Split(src, "\n") {
		if strings.Contains(text, "// leak") {
			want = append(want, i+1)
		}
	}
	for _, l := range leaks(source{pkg: "host", fset: fset, ast: file}) {
		n, _ := strconv.Atoi(strings.Split(l, ":")[1])
		got = append(got, n)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("leaks on lines %v, want %v", got, want)
	}
}

// Leaks lists the foreign types in what a file exports, one line each. Types that
// are not exported are not looked into: who gets one as a result sees no package
// name in the signature, and the import table bounds what can be inside.
func leaks(f source) []string {
	foreign := make(map[string]string)
	for _, imp := range f.imports() {
		if !standard(imp.path) && !strings.HasPrefix(imp.path, module+"/") || strings.Contains(imp.path, "/internal/") {
			foreign[imp.name] = imp.path
		}
	}
	var found []string
	look := func(what string, n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BlockStmt:
				return false
			case *ast.StructType:
				n.Fields.List = slices.DeleteFunc(n.Fields.List, hidden)
			case *ast.InterfaceType:
				n.Methods.List = slices.DeleteFunc(n.Methods.List, hidden)
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && foreign[x.Name] != "" {
					found = append(found, fmt.Sprintf("%s: %s.%s shows %s.%s, a type of %s", f.fset.Position(n.Pos()), path.Base(f.pkg), what, x.Name, n.Sel.Name, foreign[x.Name]))
				}
			}
			return true
		})
	}
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type))) {
				look(d.Name.Name, d.Type)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() {
						look(s.Name.Name, s)
					}
				case *ast.ValueSpec:
					// Without a type, the value decides it.
					for _, n := range s.Names {
						if n.IsExported() {
							look(n.Name, s)
							break
						}
					}
				}
			}
		}
	}
	return found
}

// Hidden reports whether a field or method is not exported. An embedded type that
// is exported is a field of that name.
func hidden(f *ast.Field) bool {
	if len(f.Names) == 0 {
		return false
	}
	return !slices.ContainsFunc(f.Names, (*ast.Ident).IsExported)
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

func TestTopLevelFolders(t *testing.T) {
	want := []string{"abi", "cmd", "examples", "gpu", "graph", "host", "sched", "sdk", "tasks"}
	for _, d := range folders(t) {
		if !slices.Contains(want, d) && !strings.HasPrefix(d, ".") {
			t.Errorf("folder %s: the top-level folders are %s", d, strings.Join(want, ", "))
		}
	}
}

// Folders lists those that git knows, since a user's own may lie beside them; a
// tree that did not come from git has no such.
func folders(t *testing.T) []string {
	var names []string
	if out, err := exec.Command("git", "ls-files").Output(); err == nil && len(out) > 0 {
		for name := range strings.Lines(string(out)) {
			if dir, _, nested := strings.Cut(name, "/"); nested && !slices.Contains(names, dir) {
				names = append(names, dir)
			}
		}
		return names
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// What a newcomer sees of the two main packages fits a screen.
func TestDocFitsAScreen(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("go doc needs the go command: put Go's bin folder into PATH")
	}
	const screen = 60
	for _, pkg := range []string{"./host", "./graph"} {
		out, err := exec.Command("go", "doc", pkg).CombinedOutput()
		if err != nil {
			t.Errorf("go doc %s: %v\n%s", pkg, err, out)
			continue
		}
		if n := strings.Count(string(out), "\n"); n > screen {
			t.Errorf("go doc %s prints %d lines, and a screen has %d: shorten the package comment or export less", pkg, n, screen)
		}
	}
}

type source struct {
	pkg  string // the folder, relative to the root
	test bool
	fset *token.FileSet
	ast  *ast.File
}

type imported struct {
	name, path string
	pos        token.Pos
}

func (f source) imports() []imported {
	var list []imported
	for _, s := range f.ast.Imports {
		p, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			continue // the parser has refused it
		}
		name := path.Base(p)
		if v, ok := strings.CutPrefix(name, "v"); ok && strings.Trim(v, "0123456789") == "" {
			name = path.Base(path.Dir(p))
		}
		if s.Name != nil {
			name = s.Name.Name
		}
		list = append(list, imported{name, p, s.Pos()})
	}
	return list
}

// Sources parses every Go file of the module, whatever it is built for.
func sources(t *testing.T) []source {
	t.Helper()
	var list []source
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			// As the go command has it.
			if base := d.Name(); name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		list = append(list, source{
			pkg:  filepath.ToSlash(filepath.Dir(name)),
			test: strings.HasSuffix(name, "_test.go"),
			fset: fset,
			ast:  file,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
