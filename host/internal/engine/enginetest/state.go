package enginetest

import (
	"math"
	"slices"
	"testing"
)

func testMemory(t *testing.T, open Open) {
	g := newGuest(t, open)
	if got := string(g.memory.Bytes()[16:31]); got != "written by Init" {
		t.Errorf("the memory has %q", got)
	}
	g.memory.Bytes()[100] = 42
	if got := g.one("load", 100); got != 42 {
		t.Errorf("the guest loads %d, and the host has stored 42", got)
	}
	for _, c := range []struct{ by, was, size uint64 }{{0, 1, 1}, {2, 1, 3}, {6, math.MaxUint32, 3}, {5, 3, 8}, {1, math.MaxUint32, 8}, {math.MaxUint32, math.MaxUint32, 8}} {
		if got := g.one("grow", c.by); got != c.was || g.one("size") != c.size {
			t.Errorf("growing by %d returns %d and leaves %d pages, want %d and %d", c.by, int32(got), g.one("size"), int32(c.was), c.size)
		}
	}
	if n := len(g.memory.Bytes()); n != 8*65536 {
		t.Errorf("the memory has %d bytes", n)
	}
	last := uint64(8*65536 - 4)
	if _, err := g.call("store", 0, last, 5); err != nil || g.one("load", last) != 5 {
		t.Errorf("the end of what has grown: %v", err)
	}
}

// A memory that is a copy of another's is taken as it is, also when that has grown.
func testSnapshot(t *testing.T, open Open) {
	m, r := compile(t, start(t, open, Options()), Guest, 1)
	for _, pages := range []uint64{1, 3} {
		l := newMemory(t, pages)
		l.Bytes()[16] = 'X'
		g := instantiate(t, m, r, l)
		if got := g.one("size"); got != pages {
			t.Errorf("%d pages, want %d", got, pages)
		}
		if l.Bytes()[16] != 'X' {
			t.Error("the memory was overwritten")
		}
		if got := g.one("load", pages*65536-4); got != 0 {
			t.Errorf("its last bytes are %d", got)
		}
		if _, err := g.call("load", 1, pages*65536); err == nil {
			t.Error("there is memory behind it")
		}
		if got := g.one("grow", 1); got != pages {
			t.Errorf("growing returns %d, want %d", got, pages)
		}
		g.close()
	}
}

func testGlobals(t *testing.T, open Open) {
	g := newGuest(t, open)
	n := len(g.rewritten.Globals)
	want := []uint64{7, i64(-2), f64(1.5)}
	if n != len(want) {
		t.Fatalf("%d globals", n)
	}
	got := make([]uint64, n)
	if g.Globals(got); !slices.Equal(got, want) {
		t.Errorf("globals %x, want %x", got, want)
	}
	for range 3 {
		if got := g.one("count"); got != 8 {
			t.Errorf("count returns %d, want 8", got)
		}
		if g.Globals(got); !slices.Equal(got, []uint64{8, i64(-1), f64(2.5)}) {
			t.Errorf("globals %x after one call", got)
		}
		g.SetGlobals(want)
	}
	set := []uint64{i32(-9), 1 << 40, f64(-0.25)}
	g.SetGlobals(set)
	if g.Globals(got); !slices.Equal(got, set) {
		t.Errorf("globals %x, want %x", got, set)
	}
	if n := testing.AllocsPerRun(100, func() { g.Globals(got); g.SetGlobals(got) }); n != 0 {
		t.Errorf("globals allocate %v times", n)
	}
}

// instantiate lets tables grow by five entries.
func testTables(t *testing.T, open Open) {
	g := newGuest(t, open)
	for _, c := range []struct{ by, want uint64 }{{2, 2}, {4, math.MaxUint32}, {3, 4}, {1, math.MaxUint32}, {0, 7}} {
		if got := g.one("grow_table", c.by); got != c.want {
			t.Errorf("growing the table by %d returns %d, want %d", c.by, int32(got), int32(c.want))
		}
	}
}
