package sched

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// checkBound reports whether the calling thread may run on w's CPU alone.
func checkBound(w *Worker) error {
	if on, _ := w.Pool().Pinned(); !on {
		return nil
	}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return err
	}
	if set.Count() != 1 || !set.IsSet(w.CPU()) {
		return fmt.Errorf("worker %d runs with %d CPUs allowed, want CPU %d alone", w.ID(), set.Count(), w.CPU())
	}
	return nil
}

func TestWorkersAreBound(t *testing.T) {
	p := newPool(t, 0)
	if on, err := p.Pinned(); !on {
		t.Skipf("this system does not let threads be bound: %v", err)
	}
	for range 50 {
		p.Submit(do(func(w *Worker) {
			if err := checkBound(w); err != nil {
				t.Error(err)
			}
		}))
	}
	p.Close()
	// The goroutines of others are not bound by it.
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	if usable, err := affinity(); err != nil || set.Count() != len(usable) {
		t.Errorf("this thread may use %d CPUs, want %d (%v)", set.Count(), len(usable), err)
	}
}
