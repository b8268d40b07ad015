package memory_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"entangle.example/entangle/host/internal/memory"
)

// A model is a memory and the bytes that it must have.
type model struct {
	l    *memory.Linear
	want []byte
}

// TestModel does at random what guests do to several memories of one snapshot:
// write, read, grow, be reset, be trimmed.
func TestModel(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	each(t, func(t *testing.T, y *memory.System, _ string) {
		r := rand.New(rand.NewPCG(1, 2))
		// A file part with data and holes, and as much behind it.
		layout := make([]byte, 160)
		for i := range 80 {
			layout[i] = byte(r.IntN(3))
		}
		layout[79] = 1
		content := contentOf(layout)
		s, first := snapshotOf(t, y, content)
		defer s.Close()
		models := []*model{{first, bytes.Clone(content)}}
		for range 3 {
			models = append(models, &model{newFrom(t, s), bytes.Clone(content)})
		}
		for round := range rounds {
			m := models[r.IntN(len(models))]
			for range r.IntN(8) {
				m.step(t, r)
			}
			if r.IntN(4) == 0 { // not always: looking at a page makes it present
				m.check(t, round)
			}
			switch n := r.IntN(100); {
			case n == 0:
				if b := m.l.Reallocate(uint64(len(m.want)) + page); b == nil {
					t.Fatal("it does not grow")
				}
				m.want = append(m.want, make([]byte, page)...)
				m.step(t, r)
			case n < 5:
				if err := m.l.Trim(); err != nil {
					t.Fatal(err)
				}
				fallthrough // where the copy is all there is, Trim changes nothing
			default:
				if m.l.Grew() {
					m.l.Discard()
					m.l = newFrom(t, s)
				} else if err := m.l.Reset(); err != nil {
					t.Fatal(err)
				}
				m.want = append(m.want[:0], content...)
			}
			if r.IntN(4) == 0 {
				m.check(t, round)
			}
		}
		for _, m := range models {
			m.check(t, rounds)
			m.l.Discard()
		}
		if at := differ(s.Image(), content[:s.Stored()]); at >= 0 {
			t.Errorf("the snapshot changed at %#x", at)
		}
	})
}

// step reads or writes a few bytes, or many.
func (m *model) step(t *testing.T, r *rand.Rand) {
	t.Helper()
	at := r.IntN(len(m.want))
	n := min(1+r.IntN(16), len(m.want)-at)
	if r.IntN(10) == 0 {
		n = min(1+r.IntN(100_000), len(m.want)-at)
	}
	switch b := m.l.Bytes()[at : at+n]; r.IntN(3) {
	case 0:
		if !bytes.Equal(b, m.want[at:at+n]) {
			t.Fatalf("what is at %#x is not what was written", at)
		}
	case 1:
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		copy(m.want[at:], b)
	case 2: // zeros are changes too
		clear(b)
		clear(m.want[at : at+n])
	}
}

func (m *model) check(t *testing.T, round int) {
	t.Helper()
	if at := differ(m.l.Bytes(), m.want); at >= 0 {
		t.Fatalf("round %d: byte %#x of %#x is not what it must be", round, at, len(m.want))
	}
}

// More changes than are copied back: all of 12 MiB, then every second page, which
// makes more regions than one scan reports.
func TestManyChanges(t *testing.T) {
	each(t, func(t *testing.T, y *memory.System, how string) {
		content := bytes.Repeat([]byte{1, 2, 3, 0}, 6<<20/4)
		content = append(content, make([]byte, 6<<20)...)
		s, l := snapshotOf(t, y, content)
		defer s.Close()
		defer l.Discard()
		for _, every := range []int{1, 2, 3, 5, 100} {
			for at := 0; at < len(content); at += every * 4096 {
				l.Bytes()[at+77] = 99
			}
			reset(t, l, content)
			if l.Resident() > 4<<20 {
				t.Errorf("every page of %d changed: it keeps %d bytes", every, l.Resident())
			}
		}
		if how == "scan" && l.Resident() == 0 {
			t.Error("of every hundredth page, nothing was kept to be written again without a fault")
		}
	})
}

// A call that once changed much does not cost its successors for ever.
func TestStale(t *testing.T) {
	each(t, func(t *testing.T, y *memory.System, how string) {
		content := make([]byte, 4<<20)
		content[3<<20] = 1
		s, l := snapshotOf(t, y, content)
		defer s.Close()
		defer l.Discard()
		for at := 0; at < 500*4096; at += 4096 {
			l.Bytes()[at] = 1
		}
		reset(t, l, content)
		for range 200 {
			l.Bytes()[5] = 1
			if err := l.Reset(); err != nil {
				t.Fatal(err)
			}
		}
		if l.Resident() > 4*4096 {
			t.Errorf("%d bytes are private after calls that change one page", l.Resident())
		}
		if at := differ(l.Bytes(), content); at >= 0 {
			t.Errorf("it differs at %#x", at)
		}
	})
}

// The sizes of BenchmarkReset: a small C module, a Go one, a large one.
var sizes = []int{128 << 10, 3 << 20, 40 << 20}

// BenchmarkReset changes pages and resets: about half of them in the file.
func BenchmarkReset(b *testing.B) {
	for _, how := range memory.Mechanisms {
		for _, size := range sizes {
			for _, dirty := range []int{0, 3, 30, 200} {
				if dirty*4096 > size {
					continue
				}
				b.Run(fmt.Sprintf("%s/%dKiB/%d", how, size>>10, dirty), func(b *testing.B) {
					_, l := benchmarkSnapshot(b, how, size)
					for b.Loop() {
						for k := range dirty {
							l.Bytes()[k*(size/dirty)]++
						}
						if err := l.Reset(); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for _, how := range memory.Mechanisms {
		for _, size := range sizes {
			b.Run(fmt.Sprintf("%s/%dKiB", how, size>>10), func(b *testing.B) {
				s, _ := benchmarkSnapshot(b, how, size)
				for b.Loop() {
					l := newFrom(b, s)
					l.Bytes()[0]++
					l.Discard()
				}
			})
		}
	}
}

// benchmarkSnapshot returns one of which half is not zero.
func benchmarkSnapshot(b *testing.B, how string, size int) (*memory.Snapshot, *memory.Linear) {
	y := memory.OpenAs(how)
	if y == nil {
		b.Skip("this system does not have it")
	}
	s, l := snapshotOf(b, y, append(bytes.Repeat([]byte{5}, size/2), make([]byte, size/2)...))
	b.Cleanup(func() {
		l.Discard()
		s.Close()
		_ = y.Close()
	})
	return s, l
}
