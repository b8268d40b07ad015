package instrument

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

func TestScratch(t *testing.T) {
	os.MkdirAll("/tmp/w/out", 0o755)
	var files []string
	for _, g := range []string{"../../testdata/*.wasm", "../../../tasks/*.wasm", "../../../examples/*/*.wasm", "../../../cmd/entangle/bench/guests/*.wasm"} {
		f, _ := filepath.Glob(g)
		files = append(files, f...)
	}
	for _, f := range files {
		b, _ := os.ReadFile(f)
		for _, c := range []Check{Countdown, ControlWord} {
			r, err := Rewrite(b, c)
			if err != nil {
				t.Errorf("%s: %v", f, err)
				continue
			}
			os.WriteFile(fmt.Sprintf("/tmp/w/out/%d-%s", c, filepath.Base(f)), r.Binary, 0o644)
			fmt.Println(filepath.Base(f), c, len(b), len(r.Binary), r.Init, r.Control, len(r.Globals), r.Budget, "unsafe:", r.Unsafe, r.effects)
		}
	}
}
func TestPython(t *testing.T) {
	b, err := os.ReadFile(os.Getenv("PYWASM"))
	if err != nil {
		t.Skip(err)
	}
	for range 2 {
		for _, c := range []Check{Countdown, ControlWord} {
			t0 := time.Now()
			m, err := scan(b)
			t1 := time.Now()
			if err != nil {
				t.Fatal(err)
			}
			a := m.analyze()
			t2 := time.Now()
			_ = a
			var ms runtime.MemStats
			runtime.ReadMemStats(&ms)
			n := 0
			for _, e := range a.entry {
				if e {
					n++
				}
			}
			kinds := map[editKind]int{}
			for _, e := range m.edits {
				kinds[e.kind]++
			}
			fmt.Println("scan", t1.Sub(t0), "analyze", t2.Sub(t1), "edits", len(m.edits), kinds, "entry", n, "of", len(m.functions), "unsafe", m.unsafe, "heap MiB", ms.HeapAlloc>>20)
			t0 = time.Now()
			r, err := Rewrite(b, c)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Println("whole", time.Since(t0), len(r.Binary), len(r.Globals), r.Unsafe)
			os.WriteFile(fmt.Sprintf("/tmp/w/out/%d-python.wasm", c), r.Binary, 0o644)
		}
	}
}
