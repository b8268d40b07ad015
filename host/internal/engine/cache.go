package engine

// What the caches of compiled modules have in common: a directory that is ours alone,
// for compiled code is run without a question, and entries that are made under another
// name and then renamed, so that each is there as a whole or not at all.

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Unfinished is how the name of an entry ends that is being made or removed.
const Unfinished = ".tmp"

// abandoned is how old an unfinished entry is whose process has died.
const abandoned = time.Hour

// PrepareCache makes the directory dir, and reports why others may have written into
// it.
func PrepareCache(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err == nil {
		err = onlyOurs(info)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return nil
}

// SweepCache removes what processes that died have left in dir.
func SweepCache(dir string) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, d := range all {
		info, err := d.Info()
		if err == nil && strings.HasSuffix(d.Name(), Unfinished) && time.Since(info.ModTime()) > abandoned {
			_ = os.RemoveAll(filepath.Join(dir, d.Name()))
		}
	}
}
