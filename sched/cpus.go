package sched

import (
	"fmt"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// UsableCPUs returns the CPUs that this process may really use: those of its
// affinity mask, and of these no more than the quotas of its control groups pay
// for (rounded up). It has at least one element.
func UsableCPUs() ([]int, error) {
	cpus, err := affinity()
	if err != nil {
		return nil, fmt.Errorf("sched: reading the CPU affinity: %w", err)
	}
	if q := quota("/proc/self/cgroup", "/sys/fs/cgroup"); q < float64(len(cpus)) {
		cpus = cpus[:max(1, int(math.Ceil(q)))]
	}
	return cpus, nil
}

// quota returns how many CPUs the control groups that file lists (as
// /proc/self/cgroup does) may use, as mounted below root; +Inf if any number.
// A limit of an enclosing group counts too. What cannot be read limits nothing.
func quota(file, root string) float64 {
	least := math.Inf(1)
	b, err := os.ReadFile(file)
	if err != nil {
		return least
	}
	for line := range strings.Lines(string(b)) {
		// hierarchy-ID:controller-list:cgroup-path (cgroups(7))
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		read := quotaV2
		base := root
		if f[1] != "" {
			if !strings.Contains(","+f[1]+",", ",cpu,") {
				continue
			}
			read, base = quotaV1, path.Join(root, f[1])
			if _, err := os.Stat(base); err != nil {
				base = path.Join(root, "cpu")
			}
		}
		for group := path.Clean("/" + f[2]); ; group = path.Dir(group) {
			least = min(least, read(path.Join(base, group)))
			if group == "/" {
				break
			}
		}
	}
	return least
}

// quotaV2 reads "max 100000" or "150000 100000".
func quotaV2(dir string) float64 {
	b, err := os.ReadFile(path.Join(dir, "cpu.max"))
	if err != nil {
		return math.Inf(1)
	}
	f := strings.Fields(string(b))
	if len(f) != 2 {
		return math.Inf(1)
	}
	return ratio(f[0], f[1])
}

func quotaV1(dir string) float64 {
	q, err := os.ReadFile(path.Join(dir, "cpu.cfs_quota_us"))
	if err != nil {
		return math.Inf(1)
	}
	p, err := os.ReadFile(path.Join(dir, "cpu.cfs_period_us"))
	if err != nil {
		return math.Inf(1)
	}
	return ratio(strings.TrimSpace(string(q)), strings.TrimSpace(string(p)))
}

// ratio returns quota/period, or +Inf for "max", "-1" and what is no number.
func ratio(quota, period string) float64 {
	q, err1 := strconv.ParseInt(quota, 10, 64)
	p, err2 := strconv.ParseInt(period, 10, 64)
	if err1 != nil || err2 != nil || q <= 0 || p <= 0 {
		return math.Inf(1)
	}
	return float64(q) / float64(p)
}
