package host_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"entangle.example/entangle/host"
)

// slowly prepares driven in a host with a cache in dir, which takes long enough to be
// worth keeping; it returns how often the setup has run and what was logged.
func slowly(t testing.TB, dir, key string, c host.Config) (setups int, log string) {
	t.Helper()
	var l logs
	h, err := host.Open(c.WithCacheDir(dir).WithLog(l.logger()).WithCPUs(1).WithImports(ask))
	if err != nil {
		t.Fatal(err)
	}
	m, err := loadGuest(t, h, "driven", "").Prepare(t.Context(), host.Setup{Key: key, Run: func(g *host.Guest) error {
		setups++
		time.Sleep(6 * time.Millisecond)
		g.Memory()[1<<16+5] = 7 // in a page of its own
		_, err := g.Call("count")
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Do(t.Context(), func(g *host.Guest) error {
		r, err := g.Call("count")
		if err == nil && (r[0] != 2002 || g.Memory()[1<<16+5] != 7 || len(g.Memory()) != 2<<16) {
			t.Errorf("it counts %d, and has %d in %d bytes", r[0], g.Memory()[1<<16+5], len(g.Memory()))
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if v, err := run(t.Context(), h, m.Task("count")); err != nil || jsonOf(t, v) != "2002" {
		t.Errorf("count is %v, %v", v, err)
	}
	if err := h.Close(); err != nil { // waits for what is being kept
		t.Error(err)
	}
	return setups, l.String()
}

// snapshots returns what of them there is in a cache.
func snapshots(t testing.TB, dir string) (all []string) {
	t.Helper()
	for path := range files(t, dir) {
		if strings.HasPrefix(path, filepath.Join(dir, "snapshots")) {
			all = append(all, path)
		}
	}
	return all
}

func TestSnapshotsKept(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name   string
		key    string
		config host.Config
		setups int
		kept   int
	}{
		{"turned off", "a", config().WithoutSnapshots(), 1, 0},
		{"without a key", "", config(), 1, 0},
		{"first", "a", config(), 1, 1},
		{"again", "a", config(), 0, 1},
		{"with another key", "b", config(), 1, 2},
		{"with another limit", "a", config().WithMemory(64 << 20), 1, 3},
		{"turned off again", "a", config().WithoutSnapshots(), 1, 3},
		{"and again", "b", config(), 0, 3},
	} {
		setups, log := slowly(t, dir, c.key, c.config)
		if all := snapshots(t, dir); setups != c.setups || len(all) != c.kept || log != "" {
			t.Errorf("%s: %d setups, want %d; kept %v, want %d; log %s", c.name, setups, c.setups, all, c.kept, log)
		}
	}
}

// TestSlowInitialization has an ordinary module of which initializing takes long.
func TestSlowInitialization(t *testing.T) {
	dir := t.TempDir()
	for k := range 2 {
		var l logs
		h, err := host.Open(config().WithCacheDir(dir).WithLog(l.logger()).WithCPUs(1))
		if err != nil {
			t.Fatal(err)
		}
		v, err := run(t.Context(), h, loadGuest(t, h, "slow_start", "").Task("started"))
		if err != nil || jsonOf(t, v) != "50000000" {
			t.Errorf("%v, %v", v, err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if all := snapshots(t, dir); len(all) != 1 || l.String() != "" {
			t.Errorf("host %d: kept %v; log %s", k, all, l.String())
		}
	}
}

// What functions of a program have answered is for no other.
func TestOwnImportsAreNotKept(t *testing.T) {
	dir := t.TempDir()
	for n := range uint64(2) {
		answer := ask
		answer.Call = func(_ *host.Guest, stack []uint64) error { stack[0] = 40 + n; return nil }
		h, err := host.Open(config().WithCacheDir(dir).WithCPUs(1).WithImports(answer))
		if err != nil {
			t.Fatal(err)
		}
		v, err := run(t.Context(), h, loadGuest(t, h, "asks_start", "").Task("answer"))
		if want := fmt.Sprint(40 + n); err != nil || jsonOf(t, v) != want {
			t.Errorf("%v, %v; want %s", v, err, want)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSnapshotsDamaged damages a kept snapshot at every place that could matter.
func TestSnapshotsDamaged(t *testing.T) {
	pristine := t.TempDir()
	slowly(t, pristine, "a", config())
	file := snapshots(t, pristine)[0]
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rel, _ := filepath.Rel(pristine, file)
	damages := map[string]func(path string) error{
		"empty": func(path string) error { return os.Truncate(path, 0) },
		"short": func(path string) error { return os.Truncate(path, 40) },
		"cut":   func(path string) error { return os.Truncate(path, int64(len(whole)-4096)) },
		"more": func(path string) error {
			return os.WriteFile(path, append(slices.Clone(whole), make([]byte, 4096)...), 0o600)
		},
		"a folder": func(path string) error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		},
	}
	for _, at := range []int{0, 16, 48, 56, 64, 68, 72, 80, 4096, 4104, len(whole) - 4096 + 5, len(whole) - 1} {
		damages[fmt.Sprintf("byte %d", at)] = func(path string) error {
			b := slices.Clone(whole)
			b[at] ^= 0x10
			return os.WriteFile(path, b, 0o600)
		}
	}
	for name, damage := range damages {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(pristine)); err != nil {
			t.Fatal(err)
		}
		if err := damage(filepath.Join(dir, rel)); err != nil {
			t.Fatal(err)
		}
		setups, log := slowly(t, dir, "a", config())
		if setups != 1 || strings.Count(log, "made anew") != 1 {
			t.Errorf("%s: %d setups; log %s", name, setups, log)
		}
		if setups, log := slowly(t, dir, "a", config()); setups != 0 || log != "" {
			t.Errorf("%s, and then again: %d setups; log %s", name, setups, log)
		}
	}
	folder := filepath.Dir(file)
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if setups, log := slowly(t, pristine, "a", config()); setups != 1 || !strings.Contains(log, "others may write there") {
		t.Errorf("everyone's: %d setups; log %s", setups, log)
	}
}

// TestSnapshotsShared has several processes keep the same one at once, and some killed
// while they do.
func TestSnapshotsShared(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Go(func() {
			c := exec.Command(self, "-test.run=^TestSnapshotsProcess$", "-test.count=1")
			c.Env = append(os.Environ(), "ENTANGLE_TEST_SNAPSHOTS="+dir, "ENTANGLE_TEST_ENGINE="+testEngine)
			if k%2 == 1 {
				if err := c.Start(); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Duration(k) * 30 * time.Millisecond)
				_ = c.Process.Kill()
				_ = c.Wait()
				return
			}
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	if setups, log := slowly(t, dir, "a", config()); setups != 0 || log != "" {
		t.Errorf("%d setups; log %s", setups, log)
	}
}

// TestSnapshotsProcess is what a process of TestSnapshotsShared does.
func TestSnapshotsProcess(t *testing.T) {
	if dir := os.Getenv("ENTANGLE_TEST_SNAPSHOTS"); dir != "" {
		for range 3 {
			if _, log := slowly(t, dir, "a", config()); log != "" {
				t.Error(log)
			}
		}
	}
}

func TestCacheListed(t *testing.T) {
	dir := t.TempDir()
	c := config().WithCacheDir(filepath.Join(dir, "cache"))
	if _, all, err := c.CacheEntries(); err != nil || all != nil {
		t.Errorf("there is %v, %v", all, err)
	}
	slowly(t, filepath.Join(dir, "cache"), "a", config())
	slowly(t, filepath.Join(dir, "cache"), "b", config())
	_, all, err := c.CacheEntries()
	if err != nil || len(all) != 3 {
		t.Fatalf("there is %v, %v", all, err)
	}
	for _, e := range all {
		if e.Size < 4096 || time.Since(e.Used) > time.Hour || e.Kind != testEngine && e.Kind != "snapshots" {
			t.Errorf("there is %+v", e)
		}
	}
	old := snapshots(t, dir+"/cache")[0]
	// What others keep beside it is neither listed nor removed.
	others := []string{"other/" + strings.Repeat("0", 64), "snapshots/notes", "snapshots/" + strings.Repeat("g", 64), "wazero/src/main.go"}
	for k, name := range others {
		others[k] = filepath.Join(dir, "cache", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(others[k]), 0o700), os.WriteFile(others[k], []byte("mine"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if _, again, err := c.CacheEntries(); err != nil || !slices.Equal(again, all) {
		t.Errorf("beside what others keep there is %v, %v", again, err)
	}
	// Too much: the one goes that was not used for longest.
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-time.Hour/2)); err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	for _, e := range all {
		size += e.Size
	}
	slowly(t, filepath.Join(dir, "cache"), "c", config().WithCacheSize(size))
	if left := snapshots(t, dir+"/cache"); len(left) != 2+2 || slices.Contains(left, old) {
		t.Errorf("left are %v", left)
	}
	if gone, err := c.ClearCache("snapshots"); err != nil || len(gone) != 2 || len(snapshots(t, dir+"/cache")) != 2 {
		t.Errorf("cleared %v, %v", gone, err)
	}
	if gone, err := c.ClearCache(""); err != nil || len(gone) != 1 || len(files(t, dir)) != len(others) {
		t.Errorf("cleared %v, %v; left %v", gone, err, files(t, dir))
	}
}
