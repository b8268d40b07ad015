package memory_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"entangle.example/entangle/host/internal/memory"
)

// After all is closed the process holds no memory file, no mapping of one, and no
// address space.
func TestNothingStays(t *testing.T) {
	files, mappings, before, err := memory.Holds()
	if err != nil || files != 0 || mappings != 0 {
		t.Fatalf("at first: %d files, %d mappings, %v", files, mappings, err)
	}
	each(t, func(t *testing.T, y *memory.System, how string) {
		content := contentOf(layouts["holes, zero"])
		s, first := snapshotOf(t, y, content)
		all := []*memory.Linear{first}
		for range 30 {
			l := newFrom(t, s)
			l.Bytes()[3]++
			reset(t, l, content)
			all = append(all, l)
		}
		files, mappings, during, err := memory.Holds()
		if err != nil {
			t.Fatal(err)
		}
		if want := how != "copy"; (files == 1) != want || (mappings == len(all)+1) != want {
			t.Errorf("%d memory files, %d mappings of them, with %d memories", files, mappings, len(all))
		}
		if during < before+30*memory.Reservation {
			t.Errorf("the count is wrong: %d bytes of address space with %d memories", during, len(all))
		}
		s.Close()
		for _, l := range all {
			l.Discard()
		}
		files, mappings, after, err := memory.Holds()
		if err != nil || files != 0 || mappings != 0 || after > before+1<<30 {
			t.Errorf("%d files, %d mappings, %d more bytes of address space, %v", files, mappings, int64(after-before), err)
		}
	})
}

// Reading costs no reset, and the tail no memory.
func TestOnlyRead(t *testing.T) {
	each(t, func(t *testing.T, y *memory.System, how string) {
		content := make([]byte, 8<<20)
		content[4<<20-1] = 1
		s, first := snapshotOf(t, y, content)
		defer s.Close()
		first.Discard()
		l := newFrom(t, s)
		defer l.Discard()
		if n := memory.Touched(l); how != "copy" && n > 0 {
			t.Errorf("a new memory has %d pages", n)
		}
		for range 3 {
			if at := differ(l.Bytes(), content); at >= 0 {
				t.Fatalf("it differs at %#x", at)
			}
			reset(t, l, content)
		}
		if l.Resident() > 0 && how == "scan" {
			t.Errorf("%d bytes are private, and it was only read", l.Resident())
		}
	})
}

// Pages that are swapped out, or dropped where nothing was written, and pages of
// 2 MiB are reset as others are.
func TestOddPages(t *testing.T) {
	each(t, func(t *testing.T, y *memory.System, _ string) {
		content := make([]byte, 24<<20) // more than one scan of entries covers
		for at := 0; at < 6<<20; at += 8192 {
			content[at] = 7
		}
		s, l := snapshotOf(t, y, content)
		defer s.Close()
		defer l.Discard()
		for round := range 50 {
			if round == 30 {
				if err := memory.Huge(l); err != nil && !errors.Is(err, syscall.EINVAL) { // it has none
					t.Fatal(err)
				}
			}
			for at := round; at < len(content); at += 1 << 20 {
				l.Bytes()[at] = 99
			}
			if round%2 == 0 {
				if err := memory.PageOut(l); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.Reset(); err != nil {
				t.Fatal(err)
			}
			if round%5 == 0 {
				if at := differ(l.Bytes(), content); at >= 0 {
					t.Fatalf("round %d: it differs at %#x", round, at)
				}
			}
		}
		reset(t, l, content)
	})
}

// Trim gives back what the memory has of its own.
func TestTrim(t *testing.T) {
	each(t, func(t *testing.T, y *memory.System, how string) {
		content := contentOf(layouts["holes, zero"])
		s, l := snapshotOf(t, y, content)
		defer s.Close()
		defer l.Discard()
		for at := 0; at < len(content); at += 4096 {
			l.Bytes()[at]++
		}
		reset(t, l, content)
		if how == "scan" && (memory.Touched(l) != len(content)/4096 || l.Resident() != uint64(len(content))) {
			t.Errorf("changed pages are given back at once: %d left, resident %d", memory.Touched(l), l.Resident())
		}
		if err := l.Trim(); err != nil {
			t.Fatal(err)
		}
		if n := memory.Touched(l); how != "copy" && (n > 0 || l.Resident() > 0) {
			t.Errorf("%d pages are left, resident %d", n, l.Resident())
		}
		if at := differ(l.Bytes(), content); at >= 0 {
			t.Errorf("it differs at %#x", at)
		}
	})
}

// A process that can open no more descriptors keeps snapshots as copies.
func TestDescriptorsExhausted(t *testing.T) {
	each(t, func(t *testing.T, y *memory.System, _ string) {
		content := contentOf(layouts["holes, zero"])
		l := newLinear(t, uint64(len(content)), 64<<20)
		copy(l.Bytes(), content)
		var s *memory.Snapshot
		var err error
		if limits := memory.WithoutDescriptors(func() { s, err = y.Snapshot(l) }); limits != nil {
			t.Fatal(limits)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if s.InFile() || s.Stored() != 5*4096 {
			t.Errorf("in a file: %v; %d bytes stored", s.InFile(), s.Stored())
		}
		other := newFrom(t, s)
		defer other.Discard()
		for _, l := range []*memory.Linear{l, other} {
			clear(l.Bytes())
			l.Bytes()[len(content)-1] = 1
			reset(t, l, content)
			if err := l.Trim(); err != nil {
				t.Error(err)
			}
			if at := differ(l.Bytes(), content); at >= 0 {
				t.Errorf("trimmed, it differs at %#x", at)
			}
		}
		l.Discard()
	})
	var y *memory.System
	if err := memory.WithoutDescriptors(func() { y = memory.Open() }); err != nil {
		t.Fatal(err)
	}
	defer y.Close()
	if how, missing := y.How(); missing == nil || !strings.Contains(missing.Error(), "memfd_create") {
		t.Errorf("opened without descriptors: %q, missing %v", how, missing)
	}
}
