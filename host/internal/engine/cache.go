package engine

// What the caches of compiled modules have in common: a directory that is ours alone,
// for compiled code is run without a question, and entries that are made under another
// name and then renamed, so that each is there as a whole or not at all.

import (
	"crypto/rand"
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
	if err := CheckCache(dir); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return nil
}

// CheckCache reports why others may have written into dir, or that it is not there.
func CheckCache(dir string) error {
	info, err := os.Stat(dir)
	if err == nil {
		err = onlyOurs(info)
	}
	return err
}

// WriteCache makes the file path in a cache, with what write writes to it, or nothing.
// It is there as a whole or not at all, whatever other processes do.
func WriteCache(path string, write func(*os.File) error) (err error) {
	dir := filepath.Dir(path)
	if err := PrepareCache(dir); err != nil {
		return err
	}
	SweepCache(dir)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*"+Unfinished)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	err = write(f)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		// What is no file is damage, and a file cannot take a directory's place.
		if info, e := os.Lstat(path); e == nil && info.IsDir() {
			_ = os.RemoveAll(path)
		}
		err = os.Rename(f.Name(), path)
	}
	return err
}

// usedAfter is how old the time of an entry gets before it is set again.
const usedAfter = time.Hour

// Used notes that an entry was of use: those that were not for longest go first.
func Used(path string) {
	info, err := os.Stat(path)
	if err != nil || time.Since(info.ModTime()) <= usedAfter {
		return
	}
	sealed := Sealed(path, info)
	now := time.Now()
	if os.Chtimes(path, now, now) != nil || !sealed {
		return // the cache cannot be written to
	}
	if info, err := os.Stat(path); err == nil {
		seal(path, info)
	}
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

// RemoveEntry removes what is at path in a cache: at first from its place, at once.
func RemoveEntry(path string) {
	gone := path
	if !strings.HasSuffix(path, Unfinished) {
		gone = fmt.Sprintf("%s.%s%s", path, rand.Text(), Unfinished)
		if os.Rename(path, gone) != nil {
			return
		}
	}
	_ = os.RemoveAll(gone)
	_ = os.Remove(path + SealSuffix)
}
