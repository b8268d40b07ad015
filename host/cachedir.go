package host

import (
	"cmp"
	"encoding/hex"
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

// CacheKinds are the kinds of what is in a cache, each in a folder of that name: modules
// compiled by either engine, what is known of large modules, and states of guests.
var CacheKinds = [...]string{"wasmtime", "wazero", recordFolder, imageFolder}

// A CacheEntry is something that is kept on disk for later processes.
type CacheEntry struct {
	Kind string    `json:"kind"` // one of CacheKinds
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
	var errs []error
	for _, kind := range CacheKinds {
		all, readErr := os.ReadDir(filepath.Join(dir, kind))
		if readErr != nil && !errors.Is(readErr, fs.ErrNotExist) {
			errs = append(errs, readErr)
		}
		for _, d := range all {
			info, infoErr := d.Info()
			if infoErr != nil || !isEntry(d.Name()) {
				continue // it is gone, or is not ours
			}
			size := sizeOnDisk(info)
			if d.IsDir() {
				size = folderSize(filepath.Join(dir, kind, d.Name()))
			}
			entries = append(entries, CacheEntry{kind, d.Name(), size, info.ModTime()})
		}
	}
	slices.SortFunc(entries, func(a, b CacheEntry) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), b.Used.Compare(a.Used), strings.Compare(a.Name, b.Name))
	})
	return dir, entries, errors.Join(errs...)
}

// isEntry reports whether a file of such a name is a whole entry: they begin with a hash.
// The cache may be in a folder in which others keep things too, and entries are removed.
func isEntry(name string) bool {
	const digits = 32
	if len(name) < digits || strings.HasSuffix(name, engine.Unfinished) || engine.IsSeal(name) {
		return false
	}
	_, err := hex.DecodeString(name[:digits])
	return err == nil
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
