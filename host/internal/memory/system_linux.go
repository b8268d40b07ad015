package memory

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

const noReserve = unix.MAP_NORESERVE

// A System is what this machine offers for snapshots. Its methods may be called by
// several goroutines.
type System struct {
	pagemap *os.File // nil if it cannot be used
	scan    bool     // it answers PAGEMAP_SCAN
	memfd   error    // why there are no memory files
	faults  int      // a userfaultfd, or -1
	counts  bool     // every fault of a thread is counted
	huge    bool     // anonymous memory is of huge pages where it can be
	buffers sync.Pool
}

// Open finds out what the machine offers.
func Open() *System {
	y := &System{faults: -1, buffers: sync.Pool{New: func() any { return new(scratch) }}}
	fd, err := unix.MemfdCreate("entangle", unix.MFD_CLOEXEC)
	if err != nil {
		y.memfd = fmt.Errorf("memfd_create: %w", err)
		return y
	}
	_ = unix.Close(fd)
	if os.Getpagesize() != osPage {
		y.memfd = fmt.Errorf("pages of %d bytes", os.Getpagesize())
		return y
	}
	if y.pagemap, err = os.Open("/proc/self/pagemap"); err != nil {
		return y
	}
	page := make([]byte, 3*osPage)
	at := (uintptr(unsafe.Pointer(&page[0])) + osPage - 1) &^ (osPage - 1)
	b := y.buffers.Get().(*scratch) // on the heap: the kernel writes to it
	b.room = 1
	_, _, err = y.scanPages(b, at, at+osPage)
	y.buffers.Put(b)
	y.scan = err == nil
	runtime.KeepAlive(page)
	y.openFaults()
	y.counts = countsFaults()
	setting, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	y.huge = err == nil && strings.Contains(string(setting), "[always]")
	return y
}

// Close releases what Open has opened. No snapshot may be open.
func (y *System) Close() error {
	if y.faults >= 0 {
		_ = unix.Close(y.faults) // nothing was written to it
	}
	if y.pagemap != nil {
		return y.pagemap.Close()
	}
	return nil
}

// How says how memories are reset here, and what keeps them from being reset faster.
func (y *System) How() (how string, missing error) {
	switch {
	case y.memfd != nil:
		return "compared with a copy", y.memfd
	case y.pagemap == nil:
		return "dropped and mapped again", errors.New("/proc/self/pagemap cannot be read")
	case !y.scan:
		return "copied back, as /proc/self/pagemap tells", errors.New("no PAGEMAP_SCAN (Linux 6.7)")
	}
	return "copied back, as PAGEMAP_SCAN tells", nil
}

// store keeps content: in a memory file if there are any.
func (s *Snapshot) store(content []byte) error {
	if len(content) == 0 {
		return nil
	}
	if s.system.memfd == nil {
		err := s.storeFile(content)
		if err == nil {
			return nil
		}
		s.free()
		*s = Snapshot{system: s.system, size: s.size, file: -1}
		// Out of descriptors or of room for memory files: a copy does too.
	}
	s.image = append([]byte(nil), content...)
	return nil
}

func (s *Snapshot) storeFile(content []byte) (err error) {
	if s.file, err = unix.MemfdCreate("entangle-snapshot", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING); err != nil {
		s.file = -1
		return err
	}
	if err = unix.Ftruncate(s.file, int64(len(content))); err != nil {
		return err
	}
	err = stretches(content, func(at, end int) error {
		for at < end {
			n, err := unix.Pwrite(s.file, content[at:end], int64(at))
			if err != nil {
				return err
			}
			at += n
		}
		return nil
	})
	if err != nil {
		return err
	}
	// Nothing can fault by being cut off, nor change.
	if _, err = unix.FcntlInt(uintptr(s.file), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE|unix.F_SEAL_SEAL); err != nil {
		return err
	}
	p, err := unix.MmapPtr(s.file, 0, nil, uintptr(len(content)), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	s.image = unsafe.Slice((*byte)(p), len(content))
	return nil
}

// open makes the snapshot one of what is in f.
func (s *Snapshot) open(f *os.File, offset, n int64) (err error) {
	if n == 0 {
		return nil
	}
	if s.system.memfd != nil {
		return s.read(f, offset, n)
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	p, err := unix.MmapPtr(fd, offset, nil, uintptr(n), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		_ = unix.Close(fd)
		return err
	}
	s.file, s.offset = fd, offset
	s.image = unsafe.Slice((*byte)(p), n)
	return nil
}

// show makes the first bytes of a memory those of the snapshot.
func (s *Snapshot) show(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if s.file < 0 {
		err := commit(b)
		if err == nil {
			copy(b, s.image)
		}
		return err
	}
	_, err := unix.MmapPtr(s.file, s.offset, unsafe.Pointer(&b[0]), uintptr(len(b)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED|noReserve)
	return err
}

// smallPages keeps huge pages out of a range: a byte that is written there would be
// 2 MiB to reset.
func (y *System) smallPages(b []byte) {
	const hugePage = 2 << 20
	if y.huge && len(b) >= hugePage {
		// Where it fails, the system has none.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MADV_NOHUGEPAGE)
	}
}

func (s *Snapshot) free() {
	if s.file < 0 {
		return
	}
	if len(s.image) > 0 {
		release(s.image)
	}
	_ = unix.Close(s.file)
}

// Trim gives the memory's own pages back to the system: the next call finds those
// of the snapshot.
func (l *Linear) Trim() error {
	l.private, l.thread = 0, 0
	b := l.Bytes()
	if l.snapshot.file < 0 || len(b) == 0 {
		return nil
	}
	_, _, e := unix.Syscall(unix.SYS_MADVISE, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MADV_DONTNEED)
	if e != 0 {
		return fmt.Errorf("madvise: %w", e)
	}
	return nil
}

// pmScanArg and pageRegion are struct pm_scan_arg and struct page_region of
// linux/fs.h.
type pmScanArg struct {
	size, flags, start, end, walkEnd, vec, vecLen, maxPages       uint64
	categoryInverted, categoryMask, categoryAnyofMask, returnMask uint64
}

type pageRegion struct{ start, end, categories uint64 }

const (
	pagemapScan = 0xc0606610 // _IOWR('f', 16, struct pm_scan_arg)

	pageIsFile    = 1 << 2
	pageIsPresent = 1 << 3
	pageIsSwapped = 1 << 4
	pageIsPFNZero = 1 << 5
)

// scratch is what one scan needs.
type scratch struct {
	arg     pmScanArg
	room    int // how many regions one scan may find: the kernel allocates as many first
	regions [512]pageRegion
	entries []uint64
}

// scanPages finds the pages of [from, to) that are private: there, and neither a
// file's nor the zero page. It returns how many regions it has found and where it
// has stopped.
func (y *System) scanPages(b *scratch, from, to uintptr) (n int, end uintptr, err error) {
	b.arg = pmScanArg{size: uint64(unsafe.Sizeof(b.arg)), start: uint64(from), end: uint64(to),
		vec: uint64(uintptr(unsafe.Pointer(&b.regions[0]))), vecLen: uint64(b.room),
		categoryInverted: pageIsFile | pageIsPFNZero, categoryMask: pageIsFile | pageIsPFNZero,
		categoryAnyofMask: pageIsPresent | pageIsSwapped, returnMask: pageIsFile}
	k, _, e := unix.Syscall(unix.SYS_IOCTL, y.pagemap.Fd(), pagemapScan, uintptr(unsafe.Pointer(&b.arg)))
	if e != 0 {
		return 0, from, e
	}
	return int(k), uintptr(b.arg.walkEnd), nil
}

// readPages is scanPages by reading an entry for each page.
func (y *System) readPages(b *scratch, from, to uintptr) (n int, end uintptr, err error) {
	const present, swapped, file = 1 << 63, 1 << 62, 1 << 61
	if b.entries == nil {
		b.entries = make([]uint64, 4096)
	}
	pages := min(int((to-from)/osPage), len(b.entries))
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&b.entries[0])), pages*8)
	if _, err := y.pagemap.ReadAt(raw, int64(from/osPage*8)); err != nil {
		return 0, from, err
	}
	for i, e := range b.entries[:pages] {
		at := from + uintptr(i)*osPage
		if e&(present|swapped) == 0 || e&file != 0 {
			continue
		}
		if n > 0 && b.regions[n-1].end == uint64(at) {
			b.regions[n-1].end += osPage
			continue
		}
		if n == b.room {
			return n, at, nil
		}
		b.regions[n] = pageRegion{start: uint64(at), end: uint64(at) + osPage}
		n++
	}
	return n, from + uintptr(pages)*osPage, nil
}

// countsFaults finds out whether faults are counted: some systems that look like Linux
// do not.
func countsFaults() bool {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f, err := unix.MemfdCreate("entangle", unix.MFD_CLOEXEC)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(f) }()
	if unix.Ftruncate(f, osPage) != nil {
		return false
	}
	b, err := unix.Mmap(f, 0, osPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Munmap(b) }()
	before := threadFaults()
	read := b[0]
	between := threadFaults()
	b[0] = read + 1
	after := threadFaults()
	return before >= 0 && between > before && after > between
}

// threadFaults returns how many page faults the calling thread has had; -1 if
// the system does not say.
func threadFaults() int64 {
	var r unix.Rusage
	if _, _, e := unix.RawSyscall(unix.SYS_GETRUSAGE, unix.RUSAGE_THREAD, uintptr(unsafe.Pointer(&r)), 0); e != 0 {
		return -1
	}
	return int64(r.Minflt) + int64(r.Majflt)
}

// restore copies the private pages of l back from its snapshot and returns how many
// there are; if they are more than dropAbove, it gives up.
func (y *System) restore(l *Linear) (total int, err error) {
	if y.pagemap == nil {
		return 0, errors.ErrUnsupported
	}
	b := y.buffers.Get().(*scratch)
	defer y.buffers.Put(b)
	const few = 32
	if b.room = few; l.private > few/2 {
		b.room = len(b.regions)
	}
	find := y.readPages
	if y.scan {
		find = y.scanPages
	}
	content, image := l.Bytes(), l.snapshot.image
	if len(content) == 0 {
		return 0, nil
	}
	base := uintptr(unsafe.Pointer(&content[0]))
	for at, end := base, base+uintptr(len(content)); at < end; {
		n, next, err := find(b, at, end)
		if err != nil {
			return 0, err
		}
		for _, r := range b.regions[:n] {
			from, to := uintptr(r.start)-base, uintptr(r.end)-base
			if total += int((to - from) / osPage); total > dropAbove {
				return total, nil
			}
			l.known = append(l.known, pages{uint32(from / osPage), uint32(to / osPage)})
			if y.scan {
				l.snapshot.restorePages(content, from, to)
				continue
			}
			// An entry does not tell the zero page, which was only read.
			k := uintptr(0)
			if from < uintptr(len(image)) {
				k = uintptr(copy(content[from:to], image[from:]))
			}
			for page := from + k; page < to; page += osPage {
				if !isZero(content[page : page+osPage]) {
					clear(content[page : page+osPage])
				}
			}
		}
		at = next
	}
	return total, nil
}
