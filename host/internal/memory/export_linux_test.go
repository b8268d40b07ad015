package memory

import (
	"errors"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mechanisms are the ways of resetting, the best first.
var Mechanisms = []string{"scan", "entries", "drop", "copy"}

// OpenAs is Open on a machine that has nothing better than the mechanism how. It
// returns nil if this machine does not even have that.
func OpenAs(how string) *System {
	y := Open()
	have := true
	switch how {
	case "scan":
		have = y.scan
	case "entries":
		have, y.scan = y.pagemap != nil, false
	case "drop":
		have = y.memfd == nil
		_ = y.Close()
		y.pagemap, y.scan = nil, false
	case "copy":
		y.memfd = errors.New("the test forbids them")
	}
	if !have {
		_ = y.Close()
		return nil
	}
	return y
}

// InFile reports whether s lies in a memory file.
func (s *Snapshot) InFile() bool { return s.file >= 0 }

// Image returns the bytes that s keeps.
func (s *Snapshot) Image() []byte { return s.image }

// PageOut asks the system to swap all of l out; where it has no swap, what is clean goes.
func PageOut(l *Linear) error { return unix.Madvise(l.Bytes(), unix.MADV_PAGEOUT) }

// Huge asks for pages of 2 MiB.
func Huge(l *Linear) error { return unix.Madvise(l.Bytes(), unix.MADV_HUGEPAGE) }

// Touched returns how many pages of l are in real memory, if only as the zero page
// or the file's.
func Touched(l *Linear) int {
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	entries := make([]uint64, len(l.Bytes())/osPage)
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&entries[0])), 8*len(entries))
	if _, err := f.ReadAt(raw, int64(uintptr(l.Base())/osPage*8)); err != nil {
		panic(err)
	}
	n := 0
	for _, e := range entries {
		n += int(e >> 63)
	}
	return n
}

// WithoutDescriptors calls fn while the process can open no more.
func WithoutDescriptors(fn func()) error {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: old.Max}); err != nil {
		return err
	}
	fn()
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
}

// Holds returns what the process holds of the system: memory files, by descriptors
// and mappings, and address space in bytes.
func Holds() (files, mappings int, space uint64, err error) {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, 0, 0, err
	}
	for _, d := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + d.Name()); err == nil && strings.Contains(to, "memfd:entangle") {
			files++
		}
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0, 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, "memfd:entangle") {
			mappings++
		}
		from, to, ok := strings.Cut(strings.Fields(line)[0], "-")
		if ok {
			space += hex(to) - hex(from)
		}
	}
	return files, mappings, space, nil
}

func hex(s string) (n uint64) {
	for _, c := range []byte(s) {
		d := uint64(c - '0')
		if c > '9' {
			d = uint64(c-'a') + 10
		}
		n = n<<4 | d
	}
	return n
}
