package bench

// WASI, measured by a guest that calls it itself; and with files, beside the same loop in
// Go, in one directory.

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

//go:embed guests/wasi.wasm
var wasiGuest []byte

// composeWASI composes a call of the guest, of which nothing may fail.
func composeWASI(ctx context.Context, h *host.Host, task string, n int) (*graph.Node, error) {
	m, err := h.LoadBytes(ctx, "wasi", wasiGuest)
	if err != nil {
		return nil, err
	}
	node := m.Task(task)(n)
	vs, err := graph.RunAll(ctx, h, []*graph.Node{node})
	if err != nil {
		return nil, err
	}
	if failed, _ := vs[0].Int(); failed != 0 {
		return nil, fmt.Errorf("%d of %d calls of WASI failed", failed, n)
	}
	return node, nil
}

// wasiCall measures one call of a function of WASI that does not fail, in nanoseconds.
func wasiCall(task string) func(context.Context, *host.Host) (float64, error) {
	return func(ctx context.Context, h *host.Host) (float64, error) {
		const many = 10_000 // which by lines of 100 bytes is within the limit of a log
		var ns [2]float64
		for i, n := range []int{0, many} {
			node, err := composeWASI(ctx, h, task, n)
			if err != nil {
				return 0, err
			}
			if ns[i], err = perCall(ctx, h, node); err != nil {
				return 0, err
			}
		}
		return (ns[1] - ns[0]) / many, nil
	}
}

const (
	blockSize = 64 << 10
	bigBlocks = 1 << 30 / blockSize
	newFiles  = 10_000
)

// beside measures how many times as long as loop a guest takes for n rounds of the same,
// in a new directory that prepare fills.
func beside(ctx context.Context, c host.Config, task string, n int, prepare, loop func(dir string) error) (v float64, err error) {
	dir, err := os.MkdirTemp("", "entangle-bench-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	h, err := host.Open(c.WithCPUs(1).WithGrants(abi.Grant{Kind: abi.WriteFiles, Host: dir, Guest: "/bench"}))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	if err := prepare(dir); err != nil {
		return 0, err
	}
	node, err := composeWASI(ctx, h, task, n)
	if err != nil {
		return 0, err
	}
	var ratios []float64
	for range rounds {
		guest, err := timeCalls(ctx, h, node, 1)
		if err != nil {
			return 0, err
		}
		begun := time.Now()
		if err := loop(dir); err != nil {
			return 0, err
		}
		ratios = append(ratios, guest.Seconds()/time.Since(begun).Seconds())
	}
	return median(ratios), nil
}

// wasiRead has a guest read a file of 1 GiB.
func wasiRead(ctx context.Context, c host.Config) (float64, error) {
	block := bytes.Repeat([]byte("entangle"), blockSize/8)
	return beside(ctx, c, "reads", bigBlocks, func(dir string) error {
		f, err := os.Create(filepath.Join(dir, "big"))
		if err != nil {
			return err
		}
		for range bigBlocks {
			if _, err := f.Write(block); err != nil {
				return errors.Join(err, f.Close())
			}
		}
		return f.Close()
	}, func(dir string) error {
		f, err := os.Open(filepath.Join(dir, "big"))
		if err != nil {
			return err
		}
		for range bigBlocks {
			if n, err := f.Read(block); n != blockSize {
				return errors.Join(io.ErrUnexpectedEOF, err, f.Close())
			}
		}
		return f.Close()
	})
}

// wasiFiles has a guest make, write, close and remove files.
func wasiFiles(ctx context.Context, c host.Config) (float64, error) {
	return beside(ctx, c, "files", newFiles, func(string) error { return nil }, func(dir string) error {
		name, line := filepath.Join(dir, "new"), make([]byte, 100)
		for range newFiles {
			f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
			if err != nil {
				return err
			}
			_, err = f.Write(line)
			if err = errors.Join(err, f.Close(), os.Remove(name)); err != nil {
				return err
			}
		}
		return nil
	})
}
