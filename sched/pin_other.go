//go:build !linux

package sched

import (
	"errors"
	"runtime"
)

// affinity numbers the CPUs that the Go runtime found.
func affinity() ([]int, error) {
	cpus := make([]int, runtime.NumCPU())
	for i := range cpus {
		cpus[i] = i
	}
	return cpus, nil
}

func canPin(int) error { return errors.New("binding threads to CPUs needs Linux") }
func pinThread(int)    {}
func unpinThread()     {}
