package wazero

// The compilation cache: a directory a module, in which wazero keeps its files
// and we keep a list of their checksums. Before wazero reads anything, whatever
// does not match the list is removed, so a damaged or half-written entry is
// compiled again. All files are written beside and renamed, so two processes
// that write one entry at once both leave it whole.

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const sumsFile = "SHA256SUMS"

// An entry is the directory of one module.
type entry struct{ dir string }

// openEntry makes dir, or checks what is in it.
func openEntry(dir string) (*entry, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	e := &entry{dir}
	want, err := os.ReadFile(filepath.Join(dir, sumsFile))
	if err == nil {
		got, sumErr := e.sums()
		if sumErr == nil && got == string(want) {
			return e, nil
		}
	}
	return e, e.removeFiles()
}

// sums returns a line "checksum  path" for each compiled file, as sha256sum -c reads them.
func (e *entry) sums() (string, error) {
	var lines []string
	err := filepath.WalkDir(e.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == sumsFile || strings.HasSuffix(path, ".tmp") {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return err
		}
		rel, err := filepath.Rel(e.dir, path)
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%x  %s\n", h.Sum(nil), filepath.ToSlash(rel)))
		return nil
	})
	slices.Sort(lines)
	return strings.Join(lines, ""), err
}

// seal writes the checksums of what is there, if they are not written already.
func (e *entry) seal() error {
	sums, err := e.sums()
	if err != nil {
		return err
	}
	name := filepath.Join(e.dir, sumsFile)
	if old, err := os.ReadFile(name); err == nil && string(old) == sums {
		return nil
	}
	tmp, err := os.CreateTemp(e.dir, sumsFile+".*.tmp")
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(sums)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}

// removeFiles empties the entry, of what a process that died has left too.
func (e *entry) removeFiles() error {
	err := os.RemoveAll(e.dir)
	// Another process may be writing into it; then the directory stays.
	if mkErr := os.MkdirAll(e.dir, 0o700); mkErr != nil {
		return errors.Join(err, mkErr)
	}
	return nil
}

// discard removes the entry.
func (e *entry) discard() { _ = os.RemoveAll(e.dir) }

// randomness is what random_get reads.
type randomness struct{}

func (randomness) Read(b []byte) (int, error) { return rand.Read(b) }

// entryName returns the directory of the module id below a cache directory.
func entryName(cache string, id [32]byte) string {
	return filepath.Join(cache, "wazero", hex.EncodeToString(id[:]))
}
