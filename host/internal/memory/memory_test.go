package memory_test

import (
	"bytes"
	"testing"

	"entangle.example/entangle/host/internal/memory"
)

const page = memory.PageSize

// newLinear returns a memory of so many bytes that can grow to limit.
func newLinear(t testing.TB, size, limit uint64) *memory.Linear {
	t.Helper()
	l, err := memory.New(limit, memory.Reservation)
	if err != nil {
		t.Fatal(err)
	}
	if l.Reallocate(size) == nil {
		t.Fatalf("no memory of %d bytes", size)
	}
	return l
}

func TestLinear(t *testing.T) {
	l := newLinear(t, 0, 3*page)
	defer l.Free()
	if len(l.Bytes()) != 0 || l.Base() == nil || l.Refused() != 0 || l.Grew() {
		t.Errorf("a new one has %d bytes at %v, refused %d, grew %v", len(l.Bytes()), l.Base(), l.Refused(), l.Grew())
	}
	base := l.Base()
	for _, size := range []uint64{0, page, page, 3 * page} {
		b := l.Reallocate(size)
		if uint64(len(b)) != size || len(l.Bytes()) != len(b) || l.Base() != base {
			t.Fatalf("growing to %d bytes gives %d", size, len(b))
		}
		if !bytes.Equal(b[:], make([]byte, size)) {
			t.Fatal("new bytes are not zero")
		}
	}
	b := l.Bytes()
	b[0], b[len(b)-1] = 1, 2
	if got := l.Reallocate(page); len(got) != 3*page || got[0] != 1 || got[3*page-1] != 2 {
		t.Error("asking for less changed something")
	}
	if l.Reallocate(4*page) != nil || l.Refused() != 4*page || len(l.Bytes()) != 3*page {
		t.Errorf("more than the limit: %d bytes, refused %d", len(l.Bytes()), l.Refused())
	}
	l.SetLimit(4 * page)
	if l.Refused() != 0 || len(l.Reallocate(4*page)) != 4*page {
		t.Error("a higher limit does not help")
	}
	l.SetLimit(page)
	if len(l.Bytes()) != 4*page || len(l.Reallocate(4*page)) != 4*page {
		t.Error("a lower limit takes what there is")
	}
	if l.Reallocate(5*page) != nil || l.Refused() != 5*page {
		t.Error("a lower limit does not hold")
	}
	if l.Grew() {
		t.Error("it has no snapshot that it could differ from")
	}
	l.Free()
	l.Free() // of what is freed already is allowed
	if l.Reserved() != 0 || len(l.Bytes()) != 0 {
		t.Error("freed, and there is something")
	}
}

// Most that a limit can be is what is reserved, whatever is asked for.
func TestLimitBounded(t *testing.T) {
	l := newLinear(t, page, page)
	defer l.Free()
	l.SetLimit(1 << 62)
	if l.Reallocate(l.Reserved()+page) != nil {
		t.Error("it grew beyond what is reserved")
	}
	if b := l.Reallocate(min(l.Reserved(), 1<<30)); b == nil {
		t.Error("it did not grow within what is reserved")
	} else {
		b[len(b)-1] = 1 // touching the last is no fault
	}
}

// each runs fn with every mechanism of this machine.
func each(t *testing.T, fn func(t *testing.T, y *memory.System, how string)) {
	for _, how := range memory.Mechanisms {
		t.Run(how, func(t *testing.T) {
			y := memory.OpenAs(how)
			if y == nil {
				t.Skipf("this system does not have it; %q needs a Linux that does", how)
			}
			defer func() {
				if err := y.Close(); err != nil {
					t.Error(err)
				}
			}()
			fn(t, y, how)
		})
	}
}

// snapshotOf returns a snapshot of a memory with that content, and the memory.
func snapshotOf(t testing.TB, y *memory.System, content []byte) (*memory.Snapshot, *memory.Linear) {
	t.Helper()
	l := newLinear(t, uint64(len(content)), 64<<20)
	copy(l.Bytes(), content)
	s, err := y.Snapshot(l)
	if err != nil {
		t.Fatal(err)
	}
	return s, l
}

func newFrom(t testing.TB, s *memory.Snapshot) *memory.Linear {
	t.Helper()
	l, err := s.New(64<<20, memory.Reservation)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// reset resets l and compares it with what it must be.
func reset(t testing.TB, l *memory.Linear, want []byte) {
	t.Helper()
	if err := l.Reset(); err != nil {
		t.Fatal(err)
	}
	if at := differ(l.Bytes(), want); at >= 0 {
		t.Fatalf("after a reset, byte %#x of %#x differs", at, len(want))
	}
}

func differ(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// layouts are contents: of each 4 KiB, 0 is a zero one.
var layouts = map[string][]byte{
	"nothing":       {},
	"all zero":      make([]byte, 32),
	"full":          bytes.Repeat([]byte{7}, 16),
	"trailing zero": append(bytes.Repeat([]byte{7}, 3), make([]byte, 29)...),
	"holes":         {0, 0, 1, 0, 2, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 4},
	"first hole":    append(make([]byte, 15), 9),
	"holes, zero":   append([]byte{0, 1, 0, 0, 2}, make([]byte, 27)...),
}

// contentOf returns the bytes of a layout. Of a page that is not zero only some
// byte is not, so that the search for zero pages has to find it.
func contentOf(layout []byte) []byte {
	const small = 4096
	b := make([]byte, small*len(layout))
	for i, v := range layout {
		if v != 0 {
			b[small*i+(i*1021)%small] = v
		}
	}
	return b
}

func TestSnapshot(t *testing.T) {
	each(t, func(t *testing.T, y *memory.System, how string) {
		for name, layout := range layouts {
			t.Run(name, func(t *testing.T) {
				content := contentOf(layout)
				s, first := snapshotOf(t, y, content)
				defer s.Close()
				defer first.Discard()
				stored := len(bytes.TrimRight(layout, "\x00")) * 4096
				if s.Size() != uint64(len(content)) || s.Stored() != uint64(stored) {
					t.Errorf("size %d, stored %d; want %d, %d", s.Size(), s.Stored(), len(content), stored)
				}
				if want := how != "copy" && stored > 0; s.InFile() != want {
					t.Errorf("in a file: %v, want %v", s.InFile(), want)
				}
				if at := differ(first.Bytes(), content); at >= 0 {
					t.Errorf("the memory that it was taken of differs at %#x", at)
				}
				kept := bytes.Clone(s.Image())
				all := []*memory.Linear{first}
				for range 20 {
					l := newFrom(t, s)
					defer l.Discard()
					if at := differ(l.Bytes(), content); at >= 0 {
						t.Fatalf("a new one differs at %#x", at)
					}
					all = append(all, l)
				}
				// Each writes its own number everywhere, while the others have theirs.
				for i, l := range all {
					for k := range l.Bytes() {
						l.Bytes()[k] = byte(i) + 100
					}
				}
				for i, l := range all {
					if n := bytes.Count(l.Bytes(), []byte{byte(i) + 100}); n != len(content) {
						t.Fatalf("memory %d has %d of %d bytes that it wrote", i, n, len(content))
					}
				}
				if !bytes.Equal(s.Image(), kept) || !bytes.Equal(s.Image(), content[:stored]) {
					t.Error("the snapshot changed")
				}
				late := newFrom(t, s)
				defer late.Discard()
				if at := differ(late.Bytes(), content); at >= 0 {
					t.Errorf("one made afterwards differs at %#x", at)
				}
				for _, l := range all {
					reset(t, l, content)
				}
			})
		}
	})
}

// A memory that is larger than its snapshot is no longer made from it.
func TestGrew(t *testing.T) {
	each(t, func(t *testing.T, y *memory.System, _ string) {
		content := contentOf(layouts["holes, zero"])
		s, l := snapshotOf(t, y, content)
		defer s.Close()
		defer l.Discard()
		if l.Grew() {
			t.Error("it grew before it did")
		}
		b := l.Reallocate(s.Size() + page)
		if b == nil || !l.Grew() {
			t.Fatal("it did not grow")
		}
		if !bytes.Equal(b[:s.Size()], content) || !bytes.Equal(b[s.Size():], make([]byte, page)) {
			t.Error("growing changed what it has, or new bytes are not zero")
		}
		if l, err := s.New(page, memory.Reservation); err != nil || len(l.Bytes()) != len(content) || l.Reallocate(s.Size()+page) != nil {
			t.Error("with a limit below the snapshot's size it has another size, or grows")
		} else {
			l.Discard()
		}
	})
}

// What was made from a snapshot may outlive it, and the other way round.
func TestDiscard(t *testing.T) {
	each(t, func(t *testing.T, y *memory.System, _ string) {
		content := contentOf(layouts["holes"])
		for _, last := range []string{"snapshot", "first", "second"} {
			s, first := snapshotOf(t, y, content)
			second := newFrom(t, s)
			second.Bytes()[1] = 1
			for _, one := range []string{"snapshot", "first", "second"} {
				if one == last {
					continue
				}
				map[string]func(){"snapshot": s.Close, "first": first.Discard, "second": second.Discard}[one]()
			}
			switch last {
			case "snapshot":
				l := newFrom(t, s)
				reset(t, l, content)
				l.Discard()
				s.Close()
			case "first":
				first.Bytes()[9] = 1
				reset(t, first, content)
				first.Discard()
				first.Discard() // a second time is allowed, and no other user's
			case "second":
				reset(t, second, content)
				second.Discard()
			}
		}
	})
}

func TestHow(t *testing.T) {
	each(t, func(t *testing.T, y *memory.System, mechanism string) {
		how, missing := y.How()
		want := map[string]string{"scan": "PAGEMAP_SCAN", "entries": "/proc/self/pagemap", "drop": "dropped", "copy": "compared with a copy"}[mechanism]
		if !bytes.Contains([]byte(how), []byte(want)) || (missing == nil) != (mechanism == "scan") {
			t.Errorf("%q, missing %v", how, missing)
		}
	})
}
