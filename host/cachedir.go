package host

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"entangle.example/entangle/host/internal/engine"
)

// DefaultCacheSize is how much the cache may hold, in bytes, where the Config does not
// say: some interpreters take 400 MB each.
const DefaultCacheSize = 4 << 30

// A CacheEntry is something that is kept on disk for later processes.
type CacheEntry struct {
	Kind string    `json:"kind"` // the folder: "wasmtime" and "wazero" are compiled modules, "modules" what is known of large ones, "snapshots" states of guests
	Name string    `json:"name"` // in the folder
	Size int64     `json:"size"` // on disk, in bytes
	Used time.Time `json:"used"` // about: to the hour
}

// CacheEntries returns the directory of c's cache, and what there is in it: by kind,
// what was used last first. Without a cache, there is no directory.
func (c Config) CacheEntries() (dir string, entries []CacheEntry, err error) {
	if dir, err = c.cache(); err != nil || dir == "" {
		return "", nil, err
	}
	kinds, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return dir, nil, nil
	}
	for _, kind := range kinds {
		if !kind.IsDir() {
			continue
		}
		all, readErr := os.ReadDir(filepath.Join(dir, kind.Name()))
		err = cmp.Or(err, readErr)
		for _, d := range all {
			info, infoErr := d.Info()
			if infoErr != nil || strings.HasSuffix(d.Name(), engine.Unfinished) || engine.IsSeal(d.Name()) {
				continue // it is gone, or another process is at it
			}
			size := sizeOnDisk(info)
			if d.IsDir() {
				size = folderSize(filepath.Join(dir, kind.Name(), d.Name()))
			}
			entries = append(entries, CacheEntry{kind.Name(), d.Name(), size, info.ModTime()})
		}
	}
	slices.SortFunc(entries, func(a, b CacheEntry) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), b.Used.Compare(a.Used), strings.Compare(a.Name, b.Name))
	})
	return dir, entries, err
}

func folderSize(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error { // what goes meanwhile has no size
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				size += sizeOnDisk(info)
			}
		}
		return nil
	})
	return size
}

// ClearCache removes what is in c's cache, of one kind or, if kind is "", of all, and
// returns what there was. What a process uses at the moment, it goes on using.
func (c Config) ClearCache(kind string) (removed []CacheEntry, err error) {
	dir, all, err := c.CacheEntries()
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if kind != "" && e.Kind != kind {
			continue
		}
		if err := removeCached(dir, e); err != nil {
			return removed, err
		}
		removed = append(removed, e)
	}
	return removed, nil
}

func removeCached(dir string, e CacheEntry) error {
	path := filepath.Join(dir, e.Kind, e.Name)
	engine.RemoveEntry(path)
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s cannot be removed from the cache", path)
	}
	return nil
}

// trimCache removes what was not used for longest, where the cache holds too much.
func (h *Host) trimCache() {
	if h.cache == "" {
		return
	}
	_, all, err := h.config.CacheEntries()
	if err != nil {
		h.warn("the cache cannot be looked at", err)
		return
	}
	held := int64(0)
	for _, e := range all {
		held += e.Size
	}
	slices.SortFunc(all, func(a, b CacheEntry) int { return a.Used.Compare(b.Used) })
	for _, e := range all {
		if held <= cmp.Or(h.config.cacheSize, DefaultCacheSize) {
			return
		}
		if err := removeCached(h.cache, e); err != nil {
			h.warn("the cache holds too much", err)
			continue
		}
		held -= e.Size
	}
}
