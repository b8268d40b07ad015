package host_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"entangle.example/entangle/host"
)

// loadAlone loads a file in a host of its own, runs a task of it, and says whether the
// file was read and what was logged.
func loadAlone(t *testing.T, file, dir string) (read bool, log string) {
	t.Helper()
	var l logs
	h, err := host.Open(config().WithCacheDir(dir).WithLog(l.logger()).WithCPUs(1))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	m, err := h.Load(t.Context(), file)
	if err != nil {
		return true, err.Error()
	}
	if tasks := m.Info().Tasks; len(tasks) != 3 || tasks[0].Name != "merge" {
		t.Errorf("tasks %v", tasks)
	}
	v, err := run(t.Context(), h, m.Task("top"), map[string]any{"a": 1, "b": 2}, 1)
	if err != nil || jsonOf(t, v) != `[["b",2]]` {
		t.Errorf("%v, %v", v, err)
	}
	return m.WasRead(), l.String()
}

func TestRecords(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("nothing tells for sure here that a file was not written to")
	}
	counts, err := os.ReadFile("../tasks/counts.wasm")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "counts.wasm")
	put := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		hour := time.Now().Add(-time.Hour)
		if err := os.Chtimes(file, hour, hour); err != nil {
			t.Fatal(err)
		}
	}
	needed := testEngine == "wazero" // its cache does not hold all of a module
	put(counts)
	for k, want := range []bool{true, needed, needed} {
		if read, log := loadAlone(t, file, dir); read != want || strings.Contains(log, "WARN") {
			t.Errorf("load %d: read %v, want %v; log %s", k, read, want, log)
		}
	}
	// Another module of the same size and time.
	put(bytes.Replace(counts, []byte("\x00asm"), []byte("\x00ASM"), 1))
	if _, log := loadAlone(t, file, dir); !strings.Contains(log, "not a WebAssembly module") {
		t.Errorf("what was replaced is loaded: %s", log)
	}
	put(counts)
	if read, log := loadAlone(t, file, dir); !read || strings.Contains(log, "WARN") {
		t.Errorf("put back: read %v; log %s", read, log)
	}
	// Just written: a change in the same tick would not show.
	if err := os.WriteFile(file, counts, 0o600); err != nil {
		t.Fatal(err)
	}
	if read, _ := loadAlone(t, file, dir); !read {
		t.Error("a file that was just written is not read")
	}
	put(counts)
	loadAlone(t, file, dir)
	if needed {
		return // what is kept is read and checked in the same way
	}
	records, err := filepath.Glob(filepath.Join(dir, "modules", "*"))
	if err != nil || len(records) != 2 {
		t.Fatalf("records %v, %v", records, err)
	}
	for _, record := range records {
		whole, err := os.ReadFile(record)
		if err != nil {
			t.Fatal(err)
		}
		for k, b := range [][]byte{nil, whole[:len(whole)/2], append(bytes.Clone(whole), 0), append([]byte{whole[0] ^ 1}, whole[1:]...)} {
			if err := os.WriteFile(record, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if read, log := loadAlone(t, file, dir); !read || strings.Count(log, "WARN") > 1 {
				t.Errorf("%s damaged in way %d: read %v; log %s", record, k, read, log)
			}
			if read, log := loadAlone(t, file, dir); read || strings.Contains(log, "WARN") {
				t.Errorf("%s mended: read %v; log %s", record, read, log)
			}
		}
	}
}
