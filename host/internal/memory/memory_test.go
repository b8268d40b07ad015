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
