package host

// What `entangle bench` measures and a program that embeds the host has no other way
// to see.

import (
	"context"
	"crypto/sha256"
	"time"

	"entangle.example/entangle/host/internal/instrument"
	"entangle.example/entangle/host/internal/wasi"
)

// CompareChecks runs an export of m of type (i64) -> i64 on n, as tasks run and
// without the checks that stop them, in turn, so many times each, and returns the
// shortest time of both.
func (m *Module) CompareChecks(ctx context.Context, export string, n int64, rounds int) (checked, unchecked time.Duration, err error) {
	if err := m.host.enter(); err != nil {
		return 0, 0, err
	}
	defer m.host.outside.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k, ok := m.desc.ExportIndex(export, instrument.FuncKind)
	if !ok || m.desc.Exports[k].Type.String() != "(i64) -> i64" {
		_, err := m.Lookup(export)
		return 0, 0, err
	}
	e := m.program().engine
	var best [2]time.Duration
	var programs [2]*program
	for v, check := range []instrument.Check{e.Check(), instrument.Unchecked} {
		// What is kept for one must never be taken for the other.
		p, err := m.compileAs(ctx, e, check, sha256.Sum256(append([]byte{byte(check), 'c'}, m.id[:]...)))
		if err != nil {
			return 0, 0, err
		}
		programs[v] = p
		defer func() {
			if closeErr := p.close(); err == nil {
				err = closeErr
			}
		}()
	}
	l := &m.host.limits
	for range rounds {
		for v, p := range programs {
			i, err := p.base.take(nil, l)
			if err != nil {
				return 0, 0, instantiateError(err)
			}
			if err := i.start(ctx, export, l, &wasi.Config{}, 0); err != nil {
				return 0, 0, i.release(err)
			}
			i.stack[0] = uint64(n)
			begun := time.Now()
			err = i.run(k, 1)
			d := time.Since(begun)
			if err := i.release(err); err != nil {
				return 0, 0, err
			}
			if best[v] == 0 || d < best[v] {
				best[v] = d
			}
		}
	}
	return best[0], best[1], nil
}
