package memory

import "testing"

func TestLinear(t *testing.T) {
	l, err := Reserve(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	a := l.Reallocate(64 << 10)
	a[0] = 7
	b := l.Reallocate(1 << 20)
	if &a[0] != &b[0] || b[0] != 7 || b[1<<20-1] != 0 {
		t.Error("growing moved or changed the memory")
	}
	if l.Reallocate(1<<20+1) != nil || l.Refused() != 1<<20+1 {
		t.Error("it grew beyond its limit")
	}
	l.Free()
	l.Free() // twice is once
	if l, err = Reserve(0); err != nil || l.Reallocate(0) == nil && len(l.Reallocate(0)) != 0 {
		t.Errorf("a memory of nothing: %v", err)
	}
	l.Free()
}

func TestPool(t *testing.T) {
	var p Pool
	reserve := func(limit uint64) *Linear {
		t.Helper()
		l, err := p.Reserve(limit)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	a := reserve(4 << 20)
	first := a.Reallocate(128 << 10)
	for i := range first {
		first[i] = 1
	}
	a.Free()
	a.Free()
	b, c := reserve(4<<20), reserve(4<<20)
	x, y := b.Reallocate(128<<10), c.Reallocate(128<<10)
	if &x[0] != &first[0] || &y[0] == &first[0] {
		t.Error("a memory that was freed twice is given out other than once")
	}
	for i := range x {
		if x[i] != 0 {
			t.Fatalf("byte %d of a kept memory is %d", i, x[i])
		}
	}
	if d := reserve(8 << 20); len(d.Reallocate(8<<20)) != 8<<20 {
		t.Error("a memory of another limit is too small")
	} else {
		d.Free() // too much of it was in use to keep it
	}
	b.Free()
	c.Free()
	if len(p.free) != 2 {
		t.Errorf("%d memories are kept, want 2", len(p.free))
	}
	p.Close()
	e := reserve(4 << 20)
	e.Free()
	if len(p.free) != 0 {
		t.Error("a closed pool kept a memory")
	}
}
