package bench

import (
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entangle.example/entangle/host"
)

// BenchmarkKernels compares, for each kernel and engine, the time of the module as
// tasks run with that without checks (checks/op) and with the same C compiled
// natively by clang -O2 (native/op), where there is a clang:
//
//	go test -run '^$' -bench Kernels -benchtime 1x ./cmd/entangle/bench
func BenchmarkKernels(b *testing.B) {
	native := nativeKernels(b)
	for _, e := range host.Engines() {
		if e.Missing != "" {
			continue
		}
		h, err := host.Open(host.Config{}.WithCPUs(1).WithEngine(e.Name).WithoutCache())
		if err != nil {
			b.Fatal(err)
		}
		m, err := h.LoadBytes(b.Context(), "kernels", kernelGuest)
		if err != nil {
			b.Fatal(err)
		}
		checks, natives, n := 0.0, 0.0, 0
		for _, k := range Kernels {
			b.Run(e.Name+"/"+k.Name, func(b *testing.B) {
				for range b.N {
					checked, unchecked, err := m.CompareChecks(b.Context(), k.Name, k.Rounds, 10)
					if err != nil {
						b.Fatal(err)
					}
					over := checked.Seconds() / unchecked.Seconds()
					checks += math.Log(over)
					n++
					b.ReportMetric(float64(checked.Nanoseconds()), "ns/op")
					b.ReportMetric(over, "checks/op")
					if native != "" {
						ratio := checked.Seconds() / nativeTime(b, native, k.Name, k.Rounds).Seconds()
						natives += math.Log(ratio)
						b.ReportMetric(ratio, "native/op")
					}
				}
			})
		}
		if n > 0 {
			fmt.Printf("%s: geometric means: %.3f times without checks, %.3f times native\n", e.Name, math.Exp(checks/float64(n)), math.Exp(natives/float64(n)))
		}
		if err := h.Close(); err != nil {
			b.Error(err)
		}
	}
}

// nativeKernels compiles the kernels for this machine; "" means that there is no clang.
func nativeKernels(b *testing.B) string {
	for _, clang := range []string{"clang-19", "clang"} {
		if _, err := exec.LookPath(clang); err != nil {
			continue
		}
		program := filepath.Join(b.TempDir(), "kernels")
		if out, err := exec.Command(clang, "-O2", "-o", program, "guests/kernels.c").CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		return program
	}
	b.Log("no clang, so nothing to compare with; Debian: apt-get install clang-19")
	return ""
}

// nativeTime returns the shortest of ten runs, as CompareChecks does.
func nativeTime(b *testing.B, program, kernel string, rounds int64) (best time.Duration) {
	for range 10 {
		out, err := exec.Command(program, kernel, fmt.Sprint(rounds)).Output()
		if err != nil {
			b.Fatal(err)
		}
		var ns, result int64
		if _, err := fmt.Fscan(strings.NewReader(string(out)), &ns, &result); err != nil {
			b.Fatal(err)
		}
		if d := time.Duration(ns); best == 0 || d < best {
			best = d
		}
	}
	return best
}
