//go:build cgo && (linux || darwin) && (amd64 || arm64)

package wasmtime

// The compilation cache: a file a module, which is wasmtime's own with its SHA-256
// behind it. A file is written beside its place and renamed, so it is there as a
// whole or not at all, whatever other processes do. wasmtime maps it and runs what
// it finds: so the directory must be ours alone, and nothing is mapped whose
// checksum has not been looked at first.

// #include <stdlib.h>
// #include "native.h"
import "C"

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
)

// entry returns the file of the module id below a cache directory. It is another
// one for each version of the rewriter and of the engine.
func entry(cache string, id [32]byte) string {
	return filepath.Join(cache, "wasmtime", fmt.Sprintf("%s-%d-%s.cwasm", hex.EncodeToString(id[:]), instrument.RewriteVersion, version))
}

// load takes the compiled module from the cache, or compiles it and puts it there.
func (e *wasmtimeEngine) load(r *instrument.Rewritten, id [32]byte) (*C.wasmtime_module_t, error) {
	if e.opts.Cache == "" {
		return e.translate(r)
	}
	path := entry(e.opts.Cache, id)
	if err := engine.PrepareCache(filepath.Dir(path)); err != nil {
		e.opts.Warn("the compiled module cannot be cached", err)
		return e.translate(r)
	}
	m, err := e.open(path)
	if err == nil {
		engine.Used(path)
		return m, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		e.opts.Warn("a compiled module in the cache is made anew", fmt.Errorf("%s: %w", path, err))
	}
	if m, err = e.translate(r); err != nil {
		return nil, err
	}
	if err := save(m, path); err != nil {
		e.opts.Warn("the compiled module cannot be cached", err)
	}
	return m, nil
}

// open maps the compiled module in the file path, if its checksum is right.
func (e *wasmtimeEngine) open(path string) (m *C.wasmtime_module_t, err error) {
	if err := check(path); err != nil {
		return nil, err
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	err = takeError(C.wasmtime_module_deserialize_file(e.native, name, &m))
	return m, err
}

func check(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // should a FIFO have taken its place
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size() - sha256.Size
	if !info.Mode().IsRegular() || size < 0 {
		return errors.New("it is not a compiled module")
	}
	if engine.Sealed(path, info) {
		return nil
	}
	h := sha256.New()
	if _, err := io.CopyN(h, f, size); err != nil {
		return err
	}
	var want [sha256.Size]byte
	if _, err := io.ReadFull(f, want[:]); err != nil {
		return err
	}
	if want != [sha256.Size]byte(h.Sum(nil)) {
		return errors.New("its checksum is wrong")
	}
	engine.Seal(path, info)
	return nil
}

// save puts m into the file path.
func save(m *C.wasmtime_module_t, path string) error {
	var v C.wasm_byte_vec_t
	if err := takeError(C.wasmtime_module_serialize(m, &v)); err != nil {
		return err
	}
	defer C.wasm_byte_vec_delete(&v)
	code := unsafe.Slice((*byte)(v.data), v.size)
	sum := sha256.Sum256(code)
	return engine.WriteCache(path, func(f *os.File) error {
		if _, err := f.Write(code); err != nil {
			return err
		}
		_, err := f.Write(sum[:])
		return err
	})
}
