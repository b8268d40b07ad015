package enginetest

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"entangle.example/entangle/host/internal/engine"
)

func f32(x float32) uint64 { return uint64(math.Float32bits(x)) }
func f64(x float64) uint64 { return math.Float64bits(x) }
func i32(x int32) uint64   { return uint64(uint32(x)) }
func i64(x int64) uint64   { return uint64(x) }

func testNumbers(t *testing.T, open Open) {
	g := newGuest(t, open)
	for _, c := range []struct {
		export       string
		params, want []uint64
	}{
		{"nothing", nil, nil},
		{"add32", []uint64{i32(-5), i32(2)}, []uint64{i32(-3)}},
		{"add32", []uint64{1<<32 - 1, 1<<32 - 1}, []uint64{1<<32 - 2}},
		{"add64", []uint64{i64(-5), 2}, []uint64{i64(-3)}},
		{"addf32", []uint64{f32(-1.25), f32(1)}, []uint64{f32(-0.25)}},
		{"addf64", []uint64{f64(-1.25), f64(1)}, []uint64{f64(-0.25)}},
		{"many", []uint64{3}, []uint64{math.MaxUint64, i32(-3), f32(0.5)}},
	} {
		got, err := g.call(c.export, len(c.want), c.params...)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s%v = %x, %v; want %x", c.export, c.params, got, err, c.want)
		}
	}
	if fn := g.module.Func("inner"); fn >= 0 {
		t.Errorf("a function that is not exported has number %d", fn)
	}
	fn, stack := g.module.Func("add64"), []uint64{1, 2}
	if n := testing.AllocsPerRun(100, func() { _ = g.Call(fn, stack) }); n != 0 {
		t.Errorf("a call allocates %v times", n)
	}
}

func testTraps(t *testing.T, open Open) {
	g := newGuest(t, open)
	for _, c := range []struct {
		export string
		params []uint64
		reason string
		stack  []string // how it begins
	}{
		{"unreachable", nil, engine.Unreachable, []string{"unreachable"}},
		{"outer", nil, engine.Unreachable, []string{"unreachable", "inner", "outer"}},
		{"divide", []uint64{1, 0}, engine.DivideByZero, []string{"divide"}},
		{"divide", []uint64{1 << 31, i32(-1)}, engine.IntegerOverflow, []string{"divide"}},
		{"truncate", []uint64{f64(1e10)}, engine.IntegerOverflow, []string{"truncate"}},
		{"truncate", []uint64{f64(math.NaN())}, engine.InvalidConversion, []string{"truncate"}},
		{"load", []uint64{65533}, engine.OutOfBoundsMemory, []string{"load"}},
		{"load", []uint64{i32(-4)}, engine.OutOfBoundsMemory, []string{"load"}},
		{"load_far", []uint64{i32(-4)}, engine.OutOfBoundsMemory, nil},
		{"store", []uint64{65536, 1}, engine.OutOfBoundsMemory, nil},
		{"indirect", []uint64{1}, engine.OutOfBoundsTable, []string{"indirect"}},
		{"indirect", []uint64{99}, engine.OutOfBoundsTable, []string{"indirect"}},
		{"indirect_none", []uint64{0}, engine.IndirectCallType, []string{"indirect_none"}},
		{"unaligned", nil, engine.UnalignedAtomic, nil},
	} {
		_, err := g.call(c.export, 1, c.params...)
		trap, ok := err.(*engine.Trap)
		if !ok || trap.Reason != c.reason || trap.Err != nil {
			t.Errorf("%s%v: error %#v, want %s", c.export, c.params, err, c.reason)
			continue
		}
		if len(trap.Stack) < len(c.stack) {
			t.Errorf("%s: stack %q, want %q", c.export, trap.Stack, c.stack)
			continue
		}
		for k, want := range c.stack {
			if got := trap.Stack[k]; got != want && got != "guest."+want {
				t.Errorf("%s: stack %q, want %q", c.export, trap.Stack, c.stack)
			}
		}
		if got := g.one("add32", 1, 2); got != 3 {
			t.Errorf("after %s, 1 + 2 = %d", c.export, got)
		}
	}
}

// A stack that is used up is a trap like any other, and its error does not have a
// name for every frame.
func testOverflow(t *testing.T, open Open) {
	g := newGuest(t, open)
	for range 3 {
		_, err := g.call("deep", 1, 1<<40)
		trap, ok := err.(*engine.Trap)
		if !ok || trap.Reason != engine.StackOverflow {
			t.Fatalf("error %v", err)
		}
		// An engine need not know any.
		if n := len(trap.Stack); n > 100 || n > 0 && !strings.HasSuffix(trap.Stack[0], "deep") {
			t.Errorf("%d frames: %.100q", n, trap.Stack)
		}
		if got := g.one("deep", 1000); got != 1000 {
			t.Errorf("deep(1000) = %d", got)
		}
	}
}

// A module with a tag without parameters, and exports throw, which throws one, and
// catch, which returns 7 when it catches what it has thrown so often.
const thrower = "\x00asm\x01\x00\x00\x00" +
	"\x01\x0d\x03\x60\x00\x00\x60\x00\x01\x7f\x60\x01\x7f\x01\x7f" + // () -> (), () -> i32, i32 -> i32
	"\x03\x03\x02\x00\x02" +
	"\x0d\x03\x01\x00\x00" +
	"\x07\x11\x02\x05throw\x00\x00\x05catch\x00\x01" +
	"\x0a\x23\x02" +
	"\x04\x00\x08\x00\x0b" + // throw 0
	"\x1c\x00" +
	"\x03\x40" + // loop
	"\x02\x40" + // block
	"\x1f\x40\x01\x02\x00" + // try_table (catch_all 0)
	"\x10\x00" + // call throw
	"\x0b" + // end
	"\x00" + // unreachable
	"\x0b" + // end
	"\x20\x00\x41\x01\x6b\x22\x00\x0d\x00" + // br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))
	"\x0b" + // end
	"\x41\x07" +
	"\x0b"

func testExceptions(t *testing.T, open Open) {
	m, r := compile(t, start(t, open, Options()), []byte(thrower), 2)
	in, err := m.Instantiate(engine.Config{Data: &state{}})
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{Instance: in, t: t, module: m, rewritten: r}
	defer func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}()
	for range 3 {
		if got := g.one("catch", 1000); got != 7 {
			t.Errorf("catch returns %d", got)
		}
		_, err = g.call("throw", 0)
		if trap, ok := err.(*engine.Trap); !ok || trap.Reason != engine.UncaughtException {
			t.Errorf("error %v", err)
		}
	}
}

func testHost(t *testing.T, open Open) {
	g := newGuest(t, open)
	if got := g.one("note", i32(-1), i64(-2), f32(3), f64(4)); got != 1<<63|5 {
		t.Errorf("the host's result is %x", got)
	}
	if want := []uint64{i32(-1), i64(-2), f32(3), f64(4)}; !slices.Equal(g.state.noted, want) || g.state.seen != 65536 {
		t.Errorf("the host got %x and %d bytes, want %x", g.state.noted, g.state.seen, want)
	}
	g.one("grow", 1)
	if g.one("note", 0, 0, 0, 0); g.state.seen != 2*65536 {
		t.Errorf("the host got %d bytes of the memory that has grown", g.state.seen)
	}
	for range 2 {
		g.state.err = errors.New("no more")
		_, err := g.call("fail", 0)
		trap, ok := err.(*engine.Trap)
		if !ok || trap.Reason != engine.HostFunctionStopped || trap.Err != g.state.err || !errors.Is(err, g.state.err) {
			t.Errorf("error %#v", err)
		} else if len(trap.Stack) == 0 || !strings.Contains(strings.Join(trap.Stack, " "), "calls_fail") {
			t.Errorf("stack %q", trap.Stack)
		}
		g.state.err = nil
		if _, err := g.call("fail", 0); err != nil {
			t.Errorf("the error has stayed: %v", err)
		}
		if _, err := g.call("unreachable", 0); errors.Unwrap(err) != nil {
			t.Errorf("a trap of the guest's has the cause %v", errors.Unwrap(err))
		}
	}
	fn, stack := g.module.Func("fail"), []uint64{}
	if n := testing.AllocsPerRun(100, func() { _ = g.Call(fn, stack) }); n != 0 {
		t.Errorf("a call of the host allocates %v times", n)
	}
}

func testNested(t *testing.T, open Open) {
	g := newGuest(t, open)
	// again(n) = n + again(n-1), half of the calls the host's.
	if got := g.one("again", 50); got != 50*51/2 {
		t.Errorf("50 + … + 1 = %d", got)
	}
	g.state.err = errors.New("at the bottom")
	_, err := g.call("again", 1, 5)
	if !errors.Is(err, g.state.err) {
		t.Errorf("error %v", err)
	}
	g.state.err = nil
	if got := g.one("again", 3); got != 6 {
		t.Errorf("3 + 2 + 1 = %d", got)
	}
}
