package host

// Records: what is known of large modules that were loaded before, so that a process
// which finds the compiled module and the snapshot in the cache need not read the module
// itself: reading and rewriting 100 MB takes a second. A file is known by its inode and
// its times, which change whenever it is written to.

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
)

// recordedSize is how large a module is that gets a record, in bytes.
const recordedSize = 1 << 20

const recordFolder = "modules"

// A source is where a module's bytes are.
type source struct {
	id   [32]byte
	path string // "" if they came from the caller

	mu     sync.Mutex
	binary []byte // nil if they have not been read
}

// bytes returns the module.
func (s *source) bytes() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.binary == nil {
		b, err := readModule(s.path)
		if err != nil {
			return nil, err
		}
		if sha256.Sum256(b) != s.id {
			return nil, fmt.Errorf("%s has changed since it was loaded", s.path)
		}
		s.binary = b
	}
	return s.binary, nil
}

// rewrite returns m as it is to be compiled.
func (m *Module) rewrite(check instrument.Check) (*instrument.Rewritten, error) {
	if m.record != nil && m.record.Rewritten.Check == check {
		return m.record.Rewritten, nil
	}
	b, err := m.source.bytes()
	if err != nil {
		return nil, err
	}
	return instrument.Rewrite(b, check)
}

func (h *Host) recordPath(id [32]byte, check instrument.Check) string {
	return filepath.Join(h.cache, recordFolder, fmt.Sprintf("%s-%d-%d", hex.EncodeToString(id[:]), instrument.RewriteVersion, check))
}

// keepRecord keeps what is known of m, if that is worth it.
func (m *Module) keepRecord(r *instrument.Rewritten) {
	h := m.host
	if h.cache == "" || m.desc.Size < recordedSize || m.record != nil {
		return
	}
	result, err := r.Describe()
	if err == nil {
		var b []byte
		if b, err = (&instrument.Record{Module: m.desc, Rewritten: r, Result: result}).Encode(abi.ManifestSection); err == nil {
			b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
			err = engine.WriteCache(h.recordPath(m.id, r.Check), func(f *os.File) error { _, err := f.Write(b); return err })
		}
	}
	if err != nil {
		h.warn("what is known of a module cannot be cached", err)
	}
}

// readRecord returns the record of the module id, or nil.
func (h *Host) readRecord(id [32]byte, check instrument.Check, s *source) *instrument.Record {
	path := h.recordPath(id, check)
	if engine.CheckCache(filepath.Dir(path)) != nil {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	end := len(b) - 4
	if end < 0 || crc32.Checksum(b[:end], castagnoli) != binary.LittleEndian.Uint32(b[end:]) {
		err = errors.New("its checksum is wrong")
	}
	var r *instrument.Record
	if err == nil {
		r, err = instrument.DecodeRecord(b[:end], func() ([]byte, error) {
			b, err := s.bytes()
			if err != nil {
				return nil, err
			}
			r, err := instrument.Rewrite(b, check)
			if err != nil {
				return nil, err
			}
			return r.Binary, nil
		})
	}
	if err != nil {
		h.warn("what is known of a module is found out anew", fmt.Errorf("%s: %w", path, err))
		_ = os.Remove(path)
		return nil
	}
	engine.Used(path)
	return r
}

// filePath returns where it is kept which module a file is.
func (h *Host) filePath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(abs))
	return filepath.Join(h.cache, recordFolder, hex.EncodeToString(sum[:16])+".file"), nil
}

// stampOf returns what changes whenever the file path is written to; "" if the system
// does not tell, or the file is small. A change in the same tick of the clock would not
// show, so there is none for a file that has just been written.
func stampOf(path string) string {
	const settled = 2 * time.Second
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() < recordedSize || time.Since(info.ModTime()) < settled {
		return ""
	}
	return engine.Stamp(info)
}

// recorded returns the module in the file path, not yet loaded, if it is known without
// reading it.
func (h *Host) recorded(path, stamp string) *Module {
	if h.cache == "" || stamp == "" {
		return nil
	}
	at, err := h.filePath(path)
	if err != nil || engine.CheckCache(filepath.Dir(at)) != nil {
		return nil
	}
	b, err := os.ReadFile(at)
	const digits = 2 * sha256.Size
	if err != nil || len(b) < digits || string(b[digits:]) != stamp {
		return nil
	}
	var id [sha256.Size]byte
	if _, err := hex.Decode(id[:], b[:digits]); err != nil {
		return nil
	}
	e, err := h.engineFor(h.engine, h.limits.Stack)
	if err != nil {
		return nil // loading will say so
	}
	s := &source{path: path}
	m := h.newModule(path, id, s)
	if m.record = h.readRecord(id, e.Check(), s); m.record == nil {
		return nil
	}
	engine.Used(at)
	return m
}

// remember notes which module the file path is, if it is still what was read.
func (h *Host) remember(path, stamp string, m *Module) {
	if h.cache == "" || stamp == "" || stampOf(path) != stamp {
		return
	}
	at, err := h.filePath(path)
	if err == nil {
		err = engine.WriteCache(at, func(f *os.File) error {
			_, err := f.WriteString(hex.EncodeToString(m.id[:]) + stamp)
			return err
		})
	}
	if err != nil {
		h.warn("what is known of a module cannot be cached", err)
	}
}
