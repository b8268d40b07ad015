package host_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"entangle.example/entangle/host"
)

// use loads a module with a cache in dir, calls a task of it, and returns what was
// logged.
func use(t testing.TB, dir string) string {
	t.Helper()
	var log logs
	h, err := host.Open(config().WithCacheDir(dir).WithLog(log.logger()).WithCPUs(1))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	v, err := run(t.Context(), h, loadGuest(t, h, "stop", "").Task("fib"), 10)
	if err != nil || jsonOf(t, v) != "55" {
		t.Errorf("fib(10) is %v, %v", v, err)
	}
	return log.String()
}

// files returns the files below dir, with what tells whether they were written again.
func files(t testing.TB, dir string) map[string]time.Time {
	t.Helper()
	all := map[string]time.Time{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		all[path] = info.ModTime()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// entryFiles is how many files the entry of a module has.
func entryFiles() int {
	if testEngine == "wazero" {
		return 2 // the code, and its checksum
	}
	return 1
}

func TestCacheReused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "cache")
	use(t, dir)
	before := files(t, dir)
	if len(before) != entryFiles() {
		t.Errorf("files %v", before)
	}
	if log := use(t, dir); log != "" {
		t.Errorf("log %s", log)
	}
	if after := files(t, dir); !maps.Equal(before, after) {
		t.Errorf("files before: %v; after: %v", before, after)
	}
}

// TestCacheDamaged damages each file of an entry in several ways.
func TestCacheDamaged(t *testing.T) {
	pristine := t.TempDir()
	use(t, pristine)
	flip := func(at func(n int) int) func(path string, b []byte) error {
		return func(path string, b []byte) error {
			b[at(len(b))] ^= 0x40
			return os.WriteFile(path, b, 0o600)
		}
	}
	cut := func(to func(n int) int) func(path string, b []byte) error {
		return func(path string, b []byte) error { return os.WriteFile(path, b[:to(len(b))], 0o600) }
	}
	for name, damage := range map[string]func(path string, b []byte) error{
		"gone":         func(path string, _ []byte) error { return os.Remove(path) },
		"empty":        cut(func(int) int { return 0 }),
		"cut":          cut(func(n int) int { return n / 2 }),
		"one less":     cut(func(n int) int { return n - 1 }),
		"first byte":   flip(func(int) int { return 0 }),
		"middle byte":  flip(func(n int) int { return n / 2 }),
		"last byte":    flip(func(n int) int { return n - 1 }),
		"more":         func(path string, b []byte) error { return os.WriteFile(path, append(b, 0), 0o600) },
		"a directory":  func(path string, _ []byte) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"a stray file": func(path string, _ []byte) error { return os.WriteFile(path+".stray", nil, 0o600) },
	} {
		if name == "a stray file" && testEngine != "wazero" {
			continue // it belongs to no entry
		}
		for file := range files(t, pristine) {
			t.Run(name+"/"+filepath.Base(file)[:10], func(t *testing.T) {
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(pristine)); err != nil {
					t.Fatal(err)
				}
				rel, _ := filepath.Rel(pristine, file)
				path := filepath.Join(dir, rel)
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				damaged := files(t, dir)
				if err := damage(path, b); err != nil {
					t.Fatal(err)
				}
				use(t, dir)
				rebuilt := files(t, dir)
				if len(rebuilt) != entryFiles() || maps.Equal(damaged, rebuilt) {
					t.Errorf("files %v", rebuilt)
				}
				use(t, dir)
				if again := files(t, dir); !maps.Equal(rebuilt, again) {
					t.Errorf("built again: %v", again)
				}
			})
		}
	}
}

// What a process left that died while it wrote an entry goes, but not at once: it
// might be at work.
func TestCacheSwept(t *testing.T) {
	dir := t.TempDir()
	parent := filepath.Join(dir, testEngine)
	old, young := filepath.Join(parent, "old.1.tmp"), filepath.Join(parent, "young.2.tmp")
	for _, entry := range []string{old, young} {
		code := entry // of wasmtime
		if testEngine == "wazero" {
			code = filepath.Join(entry, "code")
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(code), 0o700), os.WriteFile(code, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(parent, 0o700), os.Chtimes(old, time.Time{}, time.Now().Add(-24*time.Hour))); err != nil {
		t.Fatal(err)
	}
	use(t, dir)
	if _, err := os.Stat(old); err == nil {
		t.Error("the old one is still there")
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("the young one is gone")
	}
}

// TestCacheUseless has caches that cannot be used; then a warning says so, and all
// works.
func TestCacheUseless(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(open, testEngine), 0o700), os.Chmod(filepath.Join(open, testEngine), 0o777)); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"a file": file, "below a file": filepath.Join(file, "cache"), "not to be made": "/proc/entangle", "everyone's": open} {
		if log := use(t, dir); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "cannot be cached") {
			t.Errorf("%s: log %q", name, log)
		}
	}
}

// TestCacheShared has several hosts, then several processes, fill a cache at once.
func TestCacheShared(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() { use(t, dir) })
	}
	wg.Wait()
	if all := files(t, dir); len(all) != entryFiles() {
		t.Errorf("hosts left %v", all)
	}

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for range 4 {
		wg.Go(func() {
			c := exec.Command(self, "-test.run=^TestCacheProcess$", "-test.count=1")
			c.Env = append(os.Environ(), "ENTANGLE_TEST_CACHE="+dir, "ENTANGLE_TEST_ENGINE="+testEngine)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	before := files(t, dir)
	if log := use(t, dir); log != "" || len(before) != entryFiles() || !maps.Equal(before, files(t, dir)) {
		t.Errorf("processes left %v; log %s", before, log)
	}
}

// TestCacheProcess is what a process of TestCacheShared does.
func TestCacheProcess(t *testing.T) {
	dir := os.Getenv("ENTANGLE_TEST_CACHE")
	if dir == "" {
		return
	}
	for range 5 {
		use(t, dir)
	}
}
