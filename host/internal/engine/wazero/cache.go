package wazero

// The compilation cache: a directory a module, in which wazero keeps its files
// and we keep a list of their checksums. An entry is made beside its place, sealed
// with the list and renamed, so it is there as a whole or not at all, whatever
// other processes do. Before wazero reads anything, an entry that does not match
// its list is removed, and made again.

import (
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

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
)

const sumsFile = "SHA256SUMS"

// entryName returns the directory of the module id below a cache directory. It is
// another one for each version of the rewriter; versions of the engine share it,
// and displace each other.
func entryName(cache string, id [32]byte) string {
	return filepath.Join(cache, "wazero", fmt.Sprintf("%s-%d", hex.EncodeToString(id[:]), instrument.RewriteVersion))
}

// checkEntry compares what is in dir with its list.
func checkEntry(dir string) error {
	want, err := os.ReadFile(filepath.Join(dir, sumsFile))
	if err != nil {
		return err
	}
	got, err := sums(dir)
	if err == nil && (got == "" || got != string(want)) {
		err = errors.New("its checksums are wrong")
	}
	return err
}

// sums returns a line "checksum  path" for each compiled file, as sha256sum -c reads them.
func sums(dir string) (string, error) {
	var lines []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == sumsFile {
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
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%x  %s\n", h.Sum(nil), filepath.ToSlash(rel)))
		return nil
	})
	slices.Sort(lines)
	return strings.Join(lines, ""), err
}

// newEntry makes an empty directory that will become dir, and removes what
// processes that died have left there.
func newEntry(dir string) (string, error) {
	parent := filepath.Dir(dir)
	engine.SweepCache(parent)
	return os.MkdirTemp(parent, filepath.Base(dir)+".*"+engine.Unfinished)
}

// publish seals the entry fresh and puts it in the place dir.
func publish(fresh, dir string) error {
	list, err := sums(fresh)
	if err == nil && list != "" {
		err = os.WriteFile(filepath.Join(fresh, sumsFile), []byte(list), 0o600)
	}
	if err == nil && list != "" {
		err = os.Rename(fresh, dir)
		if err != nil && checkEntry(dir) == nil {
			err = nil // another process was faster
		} else if err == nil {
			return nil
		}
	}
	engine.RemoveEntry(fresh)
	return err
}
