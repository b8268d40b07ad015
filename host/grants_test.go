package host_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

func grant(t testing.TB, s string) abi.Grant {
	t.Helper()
	g, err := abi.ParseGrant(s)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// tree makes directories a (with x and sub/y) and b, and a secret beside them.
func tree(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range map[string]string{"a/x": "ex", "a/sub/y": "why", "b/z": "zed", "secret": "secret"} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A step is what the guest files does, and what comes of it: JSON, or the end of an
// error.
type step struct {
	args []any
	want string
	code abi.Code // 0 if want is JSON
}

func do(want string, args ...any) step   { return step{args, want, 0} }
func fail(want string, args ...any) step { return step{args, want, abi.Failed} }

func steps(t *testing.T, h *host.Host, files graph.Task, all ...step) {
	t.Helper()
	for _, s := range all {
		v, err := run(t.Context(), h, files, s.args...)
		if s.code != 0 {
			if err == nil {
				t.Errorf("%v is %s, want %s", s.args, jsonOf(t, v), s.want)
				continue
			}
			wantError(t, err, s.code, s.want)
			continue
		}
		if err != nil {
			t.Errorf("%v: %v", s.args, err)
		} else if got := jsonOf(t, v); got != s.want {
			t.Errorf("%v is %s, want %s", s.args, got, s.want)
		}
	}
}

const (
	noCapability = "exit status 1: "
	notFound     = "exit status 1: No such file or directory"
	readOnly     = "exit status 1: Read-only file system"
	notPermitted = "exit status 1: Operation not permitted"
)

func TestNothingGranted(t *testing.T) {
	t.Setenv("ENTANGLE_TEST", "x")
	h := open(t, config().WithoutCache())
	steps(t, h, load(t, h, "testdata/files.wasm").Task("main"),
		do("[]", "env"),
		do("[]", "roots"),
		fail(noCapability, "read", "/etc/passwd"),
		fail(noCapability, "read", "host_test.go"),
		fail(noCapability, "list", "."),
		fail(noCapability, "write", "/tmp/entangle-was-here", "x"),
	)
}

func TestGrants(t *testing.T) {
	t.Setenv("ENTANGLE_TEST", "x=y")
	t.Setenv("ENTANGLE_OTHER", "other")
	dir := tree(t)
	h := open(t, config().WithoutCache().WithGrants(
		grant(t, "fs:ro="+dir+"/a:/ro"), grant(t, "fs:rw="+dir+"/b:/data/rw"), grant(t, "fs:ro="+dir+"/a/sub"),
		grant(t, "env=ENTANGLE_TEST"), grant(t, "env=ENTANGLE_UNSET"), grant(t, "env=ENTANGLE_TEST")))
	sub := filepath.Join(dir, "a/sub")
	steps(t, h, load(t, h, "testdata/files.wasm").Task("main"),
		do(`["ENTANGLE_TEST=x=y"]`, "env"),
		do(`["/ro","/data/rw","`+sub+`"]`, "roots"),
		do(`{"text":"ex"}`, "read", "/ro/x"),
		do(`{"text":"why"}`, "read", sub+"/y"),
		do("3", "stat", "/ro/sub/y"),
		do(`["y"]`, "list", "/ro/sub"),
		fail(readOnly, "write", "/ro/x", "changed"),
		fail(readOnly, "write", "/ro/new", "new"),
		fail(readOnly, "append", "/ro/x", "more"),
		fail(readOnly, "mkdir", "/ro/new"),
		fail(readOnly, "remove", "/ro/x"),
		fail(readOnly, "rename", "/ro/x", "/ro/w"),
		fail(readOnly, "link", "x", "/ro/l"),
		fail(readOnly, "hard", "/ro/x", "/ro/h"),
		do("[false,false]", "times", "/ro/x"),
		fail(noCapability, "hard", "/ro/x", "/data/rw/h"),
		fail(noCapability, "rename", "/ro/x", "/data/rw/x"),
		fail(notFound, "read", "/ro/none"),

		do("true", "write", "/data/rw/n", "new"),
		do("true", "append", "/data/rw/n", "er"),
		do(`{"text":"newer"}`, "read", "/data/rw/n"),
		do("true", "mkdir", "/data/rw/d"),
		do("true", "rename", "/data/rw/n", "/data/rw/d/m"),
		do("5", "stat", "/data/rw/d/m"),
		fail("Directory not empty", "remove", "/data/rw/d"),
		do("true", "hard", "/data/rw/z", "/data/rw/h"),
		do("true", "remove", "/data/rw/h"),
		do("true", "remove", "/data/rw/d/m"),
		do("true", "remove", "/data/rw/d"),
		do(`["z"]`, "list", "/data/rw"),
	)
	if b, err := os.ReadFile(filepath.Join(dir, "a/x")); string(b) != "ex" {
		t.Errorf("the read-only file is %q, %v", b, err)
	}
}

// TestEscapes tries to get out of a directory.
func TestEscapes(t *testing.T) {
	dir := tree(t)
	for link, target := range map[string]string{"b/abs": filepath.Join(dir, "secret"), "b/rel": "../secret", "b/up": "..", "b/in": "z", "b/chain": "up/secret", "b/self": "self"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	h := open(t, config().WithoutCache().WithGrants(grant(t, "fs:rw="+dir+"/b:/w")))
	secret := filepath.Join(dir, "secret")
	all := []step{
		do(`{"text":"zed"}`, "read", "/w/in"), // a link within is fine
		do("true", "mkdir", "/w/d"),
		do("true", "link", "../../secret", "/w/d/made"),
		fail(noCapability, "link", secret, "/w/made"),
		fail(noCapability, "rename", "/w/z", "/w/../stolen"),
		fail(noCapability, "rename", "/w/up/secret", "/w/stolen"),
		fail(noCapability, "hard", "/w/up/secret", "/w/stolen"),
		fail(noCapability, "hard", "/w/../secret", "/w/stolen"),
	}
	for _, p := range []string{secret, "/w/../secret", "/w/d/../../secret", "/w/../../../../../.." + secret, "/w/abs", "/w/rel", "/w/up/secret",
		"/w/chain", "/w/self", "/w/d/made", "/w/z/../../secret", "/w/made/secret"} {
		all = append(all, fail(noCapability, "read", p), fail(noCapability, "write", p, "broken"))
	}
	all = append(all,
		fail(noCapability, "list", "/w/up"),
		fail(noCapability, "mkdir", "/w/up/new"),
		fail(noCapability, "remove", "/w/up/secret"),
		// The link that was made one level deeper now leads elsewhere, but not out.
		do("true", "rename", "/w/d", "/w/e"),
		fail(noCapability, "read", "/w/e/made"),
		do("true", "rename", "/w/e/made", "/w/made"),
		fail(noCapability, "read", "/w/made"),
		do("true", "remove", "/w/made"),
	)
	steps(t, h, load(t, h, "testdata/files.wasm").Task("main"), all...)
	if b, err := os.ReadFile(secret); string(b) != "secret" {
		t.Errorf("the secret is %q, %v", b, err)
	}
	var names []string
	found, err := os.ReadDir(dir)
	for _, d := range found {
		names = append(names, d.Name())
	}
	if want := []string{"a", "b", "secret"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("outside there are %q, %v; want %q", names, err, want)
	}
}

// TestPolicy gives tasks less than the host has, and never more.
func TestPolicy(t *testing.T) {
	t.Setenv("ENTANGLE_TEST", "x")
	dir := tree(t)
	if err := os.Symlink(dir, filepath.Join(dir, "a/out")); err != nil {
		t.Fatal(err)
	}
	h := open(t, config().WithoutCache().WithGrants(grant(t, "fs:ro="+dir+"/a:/in"), grant(t, "fs:rw="+dir+"/b"), grant(t, "env=ENTANGLE_TEST")))
	files := load(t, h, "testdata/files.wasm").Task("main")
	with := func(grants ...string) graph.Task {
		gs := []abi.Grant{}
		for _, g := range grants {
			gs = append(gs, grant(t, g))
		}
		return files.With(graph.Policy{Grants: gs})
	}
	a, b := dir+"/a", dir+"/b"
	steps(t, h, with(), do("[]", "roots"), do("[]", "env"))
	steps(t, h, with("env=ENTANGLE_TEST"), do("[]", "roots"), do(`["ENTANGLE_TEST=x"]`, "env"))
	steps(t, h, with("fs:ro="+a), do(`["/in"]`, "roots"), do("[]", "env"), do(`{"text":"ex"}`, "read", "/in/x"))
	steps(t, h, with("fs:ro="+a+"/sub"), do(`["/in/sub"]`, "roots"), do(`{"text":"why"}`, "read", "/in/sub/y"))
	steps(t, h, with("fs:ro="+a+"/sub:/here"), do(`["/here"]`, "roots"), do(`{"text":"why"}`, "read", "/here/y"), fail(noCapability, "read", "/here/../x"))
	steps(t, h, with("fs:ro="+b), do(`{"text":"zed"}`, "read", b+"/z"), fail(readOnly, "write", b+"/z", "changed"))
	steps(t, h, with("fs:rw="+b+":/w"), do("true", "write", "/w/z", "changed"))

	for _, g := range []string{"fs:rw=" + a, "fs:rw=" + a + "/sub", "fs:ro=" + dir, "fs:ro=" + a + "/../..", "fs:ro=/", "fs:ro=" + a + "x", "env=HOME"} {
		_, err := run(t.Context(), h, with(g), "roots")
		wantError(t, err, abi.Denied, "the task asks for "+g+", which its host does not grant; allow it with --allow "+g)
	}
	for _, g := range []string{"fs:ro=" + a + "/none", "fs:ro=" + a + "/out", "fs:ro=" + a + "/out/b"} {
		_, err := run(t.Context(), h, with("env=ENTANGLE_TEST", "fs:ro="+a, g), "roots")
		wantError(t, err, abi.Denied, "grant "+g+": ")
	}
}

// A guest's open files are closed with it, and it cannot have them all.
func TestOpenFiles(t *testing.T) {
	dir := tree(t)
	h := open(t, config().WithoutCache().WithGrants(grant(t, "fs:ro="+dir+":/d")))
	files := load(t, h, "testdata/files.wasm").Task("main")
	steps(t, h, files, do("100", "open", "/d/secret", 100), do("255", "open", "/d/secret", 10000)) // one is the directory
}
