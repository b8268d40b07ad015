package host

// Images on disk: the state that instances begin in, kept for later processes where it
// was slow to make. A file is written beside its place and renamed, so it is there as a
// whole or not at all, whatever other processes do; and what its name and its head do
// not say is this very state is not used.
//
// A file is a head, which ends with its own checksum, and from the next page on the
// content of the memory, with holes where it is zero. Memories map it.

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/host/internal/engine"
	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/wasi"
)

const (
	// slowImage is how long making an image takes before it is worth keeping.
	slowImage = 5 * time.Millisecond

	imageMagic   = "entangle image 1"
	imageFolder  = "snapshots"
	imageSuffix  = ".snapshot"
	imageAlign   = 4096
	maxImageHead = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// An imageHead is the beginning of a file; behind it come the globals.
type imageHead struct {
	Magic   [len(imageMagic)]byte
	Key     [32]byte
	Size    uint64 // of the memory, in bytes
	Content uint64 // bytes that the file has of it
	Sum     uint32 // of those, CRC-32C
	Globals uint32
}

// mayKeep reports whether t's image may be kept on disk: the key of one that was not
// prepared says nothing of grants, nor of what functions of this program have answered.
func (t *template) mayKeep() bool {
	m := t.program.m
	if m.host.cache == "" || m.host.config.noImages || t.program.rewritten.Unsafe != "" {
		return false
	}
	if t.setup != nil {
		return t.setup.Key != ""
	}
	return t.env == "" && !slices.ContainsFunc(m.desc.Imports, func(i instrument.Import) bool {
		return i.Module != abi.ImportModule && i.Module != wasi.Module
	})
}

// imagePath returns the file of t's image, and the key that it must have: of all that
// the image depends on.
func (t *template) imagePath() (path string, key [32]byte) {
	p := t.program
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%x\n%d %s %s %s %d\n%q\n", imageMagic, p.m.id, instrument.RewriteVersion, p.engine.Name(), p.engine.Version(), abi.ImportModule, p.engine.Check(), programName(p.m.name))
	if s := t.setup; s != nil {
		fmt.Fprintf(h, "%q\n%s\n%d\n", s.Key, s.env.key, s.limits.memory)
	}
	h.Sum(key[:0])
	return filepath.Join(p.m.host.cache, imageFolder, hex.EncodeToString(key[:])+imageSuffix), key
}

// load takes the image from disk, if it is there.
func (t *template) load() {
	if !t.mayKeep() {
		return
	}
	h := t.program.m.host
	path, key := t.imagePath()
	im, err := t.readImage(path, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		h.warn("a snapshot in the cache is made anew", fmt.Errorf("%s: %w", path, err))
	case !t.image.CompareAndSwap(nil, im):
		im.close()
	default:
		engine.Used(path)
	}
}

func (t *template) readImage(path string, key [32]byte) (*image, error) {
	if err := engine.CheckCache(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // should a FIFO have taken its place
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no file")
	}
	var head imageHead
	raw := make([]byte, binary.Size(head))
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, err
	}
	if _, err := binary.Decode(raw, binary.LittleEndian, &head); err != nil {
		return nil, err
	}
	globals := t.program.rewritten.Globals
	if string(head.Magic[:]) != imageMagic || head.Key != key || int(head.Globals) != len(globals) {
		return nil, errors.New("it is another's")
	}
	raw = append(raw, make([]byte, 8*len(globals)+4)...)
	if _, err := io.ReadFull(f, raw[binary.Size(head):]); err != nil {
		return nil, err
	}
	end := len(raw) - 4
	if crc32.Checksum(raw[:end], castagnoli) != binary.LittleEndian.Uint32(raw[end:]) {
		return nil, errors.New("its head's checksum is wrong")
	}
	at := alignUp(int64(len(raw)))
	if uint64(info.Size()) != uint64(at)+head.Content {
		return nil, errors.New("it has been cut off")
	}
	im := &image{globals: make([]uint64, len(globals))}
	for k := range globals {
		im.globals[k] = binary.LittleEndian.Uint64(raw[binary.Size(head)+8*k:])
	}
	if len(t.program.m.desc.Memories) == 0 {
		return im, nil
	}
	if im.memory, err = t.program.m.host.system.FromFile(f, at, int64(head.Content), head.Size); err != nil {
		return nil, err
	}
	if engine.Sealed(path, info) {
		return im, nil
	}
	if crc32.Checksum(im.memory.Content(), castagnoli) != head.Sum {
		im.close()
		return nil, errors.New("its checksum is wrong")
	}
	engine.Seal(path, info)
	return im, nil
}

func (im *image) close() {
	if im.memory != nil {
		im.memory.Close()
	}
}

// keep writes im to disk, if it took long to make, behind the call's back.
func (t *template) keep(im *image, took time.Duration) {
	h := t.program.m.host
	if took < slowImage || !t.mayKeep() || h.enter() != nil {
		return
	}
	if im.memory != nil {
		im.memory.Hold()
	}
	go func() {
		defer h.outside.Done()
		defer im.close()
		path, key := t.imagePath()
		if err := writeImage(path, key, im); err != nil {
			h.warn("a snapshot cannot be cached", fmt.Errorf("%s: %w", path, err))
			return
		}
		h.trimCache()
	}()
}

func writeImage(path string, key [32]byte, im *image) (err error) {
	head := imageHead{Key: key, Globals: uint32(len(im.globals))}
	copy(head.Magic[:], imageMagic)
	var content []byte
	if im.memory != nil {
		content = im.memory.Content()
		head.Size, head.Content = im.memory.Size(), uint64(len(content))
	}
	head.Sum = crc32.Checksum(content, castagnoli)
	raw, err := binary.Append(nil, binary.LittleEndian, &head)
	if err != nil {
		return err
	}
	for _, g := range im.globals {
		raw = binary.LittleEndian.AppendUint64(raw, g)
	}
	raw = binary.LittleEndian.AppendUint32(raw, crc32.Checksum(raw, castagnoli))
	return engine.WriteCache(path, func(f *os.File) error {
		if _, err := f.Write(raw); err != nil {
			return err
		}
		if im.memory == nil {
			return nil
		}
		return im.memory.WriteTo(f, alignUp(int64(len(raw))))
	})
}

func alignUp(n int64) int64 { return (n + imageAlign - 1) &^ (imageAlign - 1) }
