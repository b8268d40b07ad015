package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"entangle.example/entangle/graph"
)

// A tracer collects what ran when and where, for the Trace Event Format of
// Chrome and Perfetto: one row per worker.
type tracer struct {
	start time.Time
	mu    sync.Mutex
	spans []traceSpan
	cpus  map[int]int // worker to CPU
}

type traceSpan struct {
	node   *graph.Node
	id     int
	worker int
	began  time.Time
	ended  time.Time
	err    error
}

func newTracer() *tracer { return &tracer{start: time.Now(), cpus: map[int]int{}} }

func (t *tracer) observe(e graph.Event) {
	if e.Kind != graph.Finished && e.Kind != graph.Failed {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spans = append(t.spans, traceSpan{e.Node, e.ID, e.Worker, e.Began, e.Time, e.Err})
	t.cpus[e.Worker] = e.CPU
}

func (t *tracer) write(file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("--trace: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	w.WriteString("[\n")
	for worker, cpu := range t.cpus {
		if err := enc.Encode(map[string]any{"ph": "M", "name": "thread_name", "pid": 1, "tid": worker, "args": map[string]any{"name": fmt.Sprintf("worker %d on CPU %d", worker, cpu)}}); err != nil {
			return err
		}
		w.WriteString(",")
	}
	for _, s := range t.spans {
		args := map[string]any{"node": s.id, "composed": s.node.Pos().String()}
		if s.err != nil {
			args["error"] = s.err.Error()
		}
		if err := enc.Encode(map[string]any{"ph": "X", "name": s.node.Def().Name, "cat": "task", "pid": 1, "tid": s.worker,
			"ts": micros(s.began.Sub(t.start)), "dur": micros(s.ended.Sub(s.began)), "args": args}); err != nil {
			return err
		}
		w.WriteString(",")
	}
	enc.Encode(map[string]any{"ph": "M", "name": "process_name", "pid": 1, "args": map[string]any{"name": "entangle"}})
	w.WriteString("]\n")
	return w.Flush()
}

// writeGraph writes a picture of the graph below roots, as file's ending says.
func writeGraph(file string, roots []*graph.Node) error {
	text, err := graph.Picture(strings.TrimPrefix(filepath.Ext(file), "."), roots...)
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	if err != nil {
		return fmt.Errorf("--graph: %w", err)
	}
	return nil
}
