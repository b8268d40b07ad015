package sched

import (
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// startMask is the affinity that the process was started with.
var startMask = sync.OnceValues(func() (unix.CPUSet, error) {
	var set unix.CPUSet
	err := unix.SchedGetaffinity(unix.Getpid(), &set)
	return set, err
})

func affinity() ([]int, error) {
	set, err := startMask()
	if err != nil {
		return nil, err
	}
	var cpus []int
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	return cpus, nil
}

// canPin tries on a thread of its own whether the system lets us bind threads.
func canPin(cpu int) error {
	errc := make(chan error)
	go func() {
		runtime.LockOSThread() // and end with the thread
		var set unix.CPUSet
		set.Set(cpu)
		errc <- unix.SchedSetaffinity(0, &set)
	}()
	return <-errc
}

// pinThread binds the calling thread. It cannot fail where canPin succeeded,
// unless the administrator takes the CPU away meanwhile; then the thread runs
// where the system lets it.
func pinThread(cpu int) {
	var set unix.CPUSet
	set.Set(cpu)
	_ = unix.SchedSetaffinity(0, &set)
}

func unpinThread() {
	if set, err := startMask(); err == nil {
		_ = unix.SchedSetaffinity(0, &set)
	}
}
