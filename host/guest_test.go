package host_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

// ask is app.ask(how, n): "how" says what it does.
var ask = host.Import{Module: "app", Name: "ask", Type: "(i32, i64) -> i64", Call: func(g *host.Guest, stack []uint64) error {
	n := stack[1]
	switch how := stack[0]; how {
	case 0:
		stack[0] = n + 1
	case 1: // asks back
		r, err := g.Call("double", n)
		if err != nil {
			return err
		}
		stack[0] = r[0]
	case 2:
		return errors.New("no answer")
	case 3:
		panic("at the disco")
	case 4: // for ever, each asking the other
		_, err := g.Call("ask", how, n)
		return err
	}
	return nil
}}

func driven(t testing.TB, c host.Config) *host.Module {
	t.Helper()
	return loadGuest(t, open(t, c.WithImports(ask)), "driven", "")
}

// counted calls count in a call of its own.
func counted(t testing.TB, m *host.Module) (n uint64) {
	t.Helper()
	if err := m.Do(t.Context(), func(g *host.Guest) error {
		r, err := g.Call("count")
		if err == nil {
			n = r[0]
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDrivenGuest(t *testing.T) {
	m := driven(t, config().WithoutCache())
	err := m.Do(t.Context(), func(g *host.Guest) error {
		r, err := g.Call("turn", math.MaxUint32, math.MaxUint64, uint64(math.Float32bits(1.5)), math.Float64bits(-2.5))
		if want := []uint64{math.Float64bits(-2.5), uint64(math.Float32bits(1.5)), math.MaxUint64, math.MaxUint32}; err != nil || !slices.Equal(r, want) {
			t.Errorf("turn: %x, %v; want %x", r, err, want)
		}
		if r, err := g.Call("ask", 0, 40); err != nil || r[0] != 42 {
			t.Errorf("ask: %d, %v", r, err)
		}
		if r, err := g.Call("ask", 1, 20); err != nil || r[0] != 41 {
			t.Errorf("ask that asks back: %d, %v", r, err)
		}
		g.Memory()[8] = 4
		if r, err := g.Call("count"); err != nil || r[0] != 5001 {
			t.Errorf("count: %d, %v", r, err)
		}
		if _, err := g.Call("grow"); err != nil || len(g.Memory()) != 5<<16 {
			t.Errorf("%d bytes, %v", len(g.Memory()), err)
		}
		_, err = g.Call("none")
		wantError(t, err, abi.BadCall, `no function "none"`)
		_, err = g.Call("double")
		wantError(t, err, abi.BadCall, "double(i64) -> i64 takes 1 numbers, got 0")
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if n := counted(t, m); n != 1001 {
		t.Errorf("the next call counts %d", n)
	}
}

func TestDrivenGuestFails(t *testing.T) {
	m := driven(t, config().WithoutCache())
	for _, c := range []struct {
		do   func(g *host.Guest) error
		code abi.Code
		text string
	}{
		{func(*host.Guest) error { return errors.New("my own reason") }, abi.Failed, "my own reason"},
		{func(g *host.Guest) error { _, err := g.Call("trap"); return fmt.Errorf("so: %w", err) }, abi.Trapped, "unreachable"},
		{func(g *host.Guest) error { _, err := g.Call("ask", 2, 0); return err }, abi.Trapped, "no answer"},
		{func(g *host.Guest) error { _, err := g.Call("ask", 3, 0); return err }, abi.Failed, "an imported function panicked: at the disco"},
		{func(g *host.Guest) error { _, err := g.Call("ask", 4, 0); return err }, abi.LimitHit, "more than 64 deep"},
	} {
		err := m.Do(t.Context(), c.do)
		wantError(t, err, c.code, c.text)
		if n := counted(t, m); n != 1001 {
			t.Errorf("%s: the next call counts %d", c.text, n)
		}
	}
	func() {
		defer func() {
			if r := recover(); r != "mine" {
				t.Errorf("recovered %v", r)
			}
		}()
		_ = m.Do(t.Context(), func(*host.Guest) error { panic("mine") })
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := m.Do(ctx, func(g *host.Guest) error {
		for {
			if _, err := g.Call("spin", 1<<20); err != nil {
				return err
			}
		}
	})
	wantError(t, err, abi.TimedOut)
	if n := counted(t, m); n != 1001 {
		t.Errorf("the next call counts %d", n)
	}
}

func TestImportsRefused(t *testing.T) {
	fn := func(*host.Guest, []uint64) error { return nil }
	for _, c := range []struct {
		text string
		all  []host.Import
	}{
		{"i32, i64, f32 or f64", []host.Import{{Module: "a", Name: "b", Type: "(i31)", Call: fn}}},
		{"want one such as", []host.Import{{Module: "a", Name: "b", Type: "i32 -> i32", Call: fn}}},
		{"has no function", []host.Import{{Module: "a", Name: "b", Type: "()"}}},
		{"twice", []host.Import{{Module: "a", Name: "b", Type: "()", Call: fn}, {Module: "a", Name: "b", Type: "(i32)", Call: fn}}},
		{"has that module already", []host.Import{{Module: "entangle_v1", Name: "b", Type: "()", Call: fn}}},
		{"has that module already", []host.Import{{Module: "wasi_snapshot_preview1", Name: "b", Type: "()", Call: fn}}},
		{"has that module already", []host.Import{{Module: "entangle:host", Name: "poll", Type: "()", Call: fn}}},
	} {
		if h, err := host.Open(config().WithImports(c.all...)); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%v: %v, want %q", c.all, err, c.text)
			if err == nil {
				h.Close()
			}
		}
	}
	h := open(t, config().WithoutCache())
	_, err := h.LoadBytes(t.Context(), "driven", guest(t, "driven", ""))
	wantError(t, err, abi.BadModule, "app.ask")
}

func TestPrepare(t *testing.T) {
	m := driven(t, config().WithoutCache().WithCPUs(2))
	setups := 0
	p, err := m.Prepare(t.Context(), host.Setup{Run: func(g *host.Guest) error {
		setups++
		for range 3 {
			if _, err := g.Call("count"); err != nil {
				return err
			}
		}
		_, err := g.Call("grow")
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if n := counted(t, p); n != 4004 {
			t.Errorf("prepared, it counts %d", n)
		}
	}
	if n := counted(t, m); n != 1001 {
		t.Errorf("the module itself counts %d", n)
	}
	onEveryWorker(t, p.Host(), p.Task("count"), "4004")
	onEveryWorker(t, p.Host(), m.Task("count"), "1001")
	double := p.Func("double", abi.Signature{Params: []abi.Param{{Name: "n", Type: abi.IntType}}, Result: abi.IntType},
		func(g *host.Guest, args []abi.Value) (abi.Value, error) {
			n, _ := args[0].Int()
			r, err := g.Call("double", uint64(n))
			if err != nil {
				return abi.Value{}, err
			}
			return abi.Int(int64(r[0]) + int64(len(g.Memory())>>16)), nil
		})
	onEveryWorker(t, p.Host(), double, "47", 21)
	count(t, p.Host(), p.Task("count").With(graph.Policy{Actor: "a"}), 4004)
	count(t, p.Host(), p.Task("count").With(graph.Policy{Actor: "a"}), 5005)
	count(t, p.Host(), m.Task("count").With(graph.Policy{Actor: "a"}), 1001)
	if setups != 1 {
		t.Errorf("%d setups", setups)
	}
	if err := p.Warm(t.Context(), 4); err != nil {
		t.Error(err)
	}
	p.Host().Release()
	if n := counted(t, p); n != 4004 || setups != 1 {
		t.Errorf("after a release, it counts %d, after %d setups", n, setups)
	}
}

func TestPrepareRefused(t *testing.T) {
	dir := tree(t)
	h := open(t, config().WithoutCache().WithGrants(grant(t, "fs:ro="+dir+"/a:/a")).WithImports(ask))
	m := loadGuest(t, h, "driven", "")
	nothing := func(*host.Guest) error { return nil }
	_, err := m.Prepare(t.Context(), host.Setup{Run: func(*host.Guest) error { return errors.New("not today") }})
	wantError(t, err, abi.Failed, "preparing driven", "not today")
	_, err = m.Prepare(t.Context(), host.Setup{})
	wantError(t, err, abi.BadCall, "runs nothing")
	_, err = m.Prepare(t.Context(), host.Setup{Run: func(g *host.Guest) error {
		r, err := g.Call("open")
		if err == nil && r[0] != 0 {
			err = fmt.Errorf("errno %d", r[0])
		}
		return err
	}})
	wantError(t, err, abi.BadCall, "it leaves descriptor 4 open")
	_, err = m.Prepare(t.Context(), host.Setup{Run: nothing, Policy: graph.Policy{Grants: []abi.Grant{grant(t, "fs:ro="+dir+"/b:/b")}}})
	wantError(t, err, abi.Denied)
	_, err = m.Prepare(t.Context(), host.Setup{Policy: graph.Policy{Timeout: 5 * time.Millisecond}, Run: func(g *host.Guest) error {
		_, err := g.Call("spin", 1<<40)
		return err
	}})
	wantError(t, err, abi.TimedOut, "5ms")
	p, err := m.Prepare(t.Context(), host.Setup{Run: nothing, Policy: graph.Policy{Grants: []abi.Grant{}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = run(t.Context(), h, p.Task("count").With(graph.Policy{Grants: []abi.Grant{grant(t, "fs:ro="+dir+"/a:/a")}}))
	wantError(t, err, abi.Denied, "prepared with other grants")
	_, err = p.Prepare(t.Context(), host.Setup{Run: nothing})
	wantError(t, err, abi.BadCall, "prepared already")
	_, err = loadGuest(t, h, "tables", "").Prepare(t.Context(), host.Setup{Run: nothing})
	wantError(t, err, abi.BadCall, "table")
}

// TestNoImage has a guest that changes its descriptors when it is initialized: each call
// initializes an instance of its own, whoever makes it.
func TestNoImage(t *testing.T) {
	m := loadGuest(t, open(t, config().WithoutCache().WithCPUs(2)), "closes_start", "")
	for range 2 {
		onEveryWorker(t, m.Host(), m.Task("closed"), "801")
		err := m.Do(t.Context(), func(g *host.Guest) error {
			for n := uint64(801); n < 804; n++ {
				if r, err := g.Call("closed"); err != nil || r[0] != n {
					return fmt.Errorf("%v, %w; want %d", r, err, n)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	wantError(t, m.Warm(t.Context(), 2), abi.BadCall, "anew for each call", "opens or closes files")
}

// TestEnvironments has calls of one module under many grants at once: each sees its own,
// in an instance that was reset.
func TestEnvironments(t *testing.T) {
	dir := t.TempDir()
	const many = 100 // more than are kept
	for k := range many {
		if err := errors.Join(os.Mkdir(filepath.Join(dir, fmt.Sprint(k)), 0o700),
			os.WriteFile(filepath.Join(dir, fmt.Sprint(k), "x"), []byte(fmt.Sprint(k)), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	h := open(t, config().WithoutCache().WithCPUs(2).WithGrants(grant(t, "fs:ro="+dir+":/all")))
	files := load(t, h, "testdata/files.wasm").Task("main")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for k := range many {
				task := files.With(graph.Policy{Grants: []abi.Grant{grant(t, fmt.Sprintf("fs:ro=%s/%d:/d", dir, k))}})
				for range 2 {
					steps(t, h, task, do(fmt.Sprintf(`{"text":"%d"}`, k), "read", "/d/x"), do(`["/d"]`, "roots"))
				}
			}
		})
	}
	wg.Wait()
	steps(t, h, files, do(`["/all"]`, "roots"))
}
