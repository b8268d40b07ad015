package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"entangle.example/entangle/graph"
)

// progress shows how far the session's runs are: nothing in the first second,
// then a line on a terminal, or, with --progress plain, a line every few seconds.
// It looks at counters now and then; a run never waits for it.
type progress struct {
	mu   sync.Mutex
	line *mpb.Progress // while there is a line on the terminal
	runs map[*graph.Future]bool
	done int // nodes of runs that are over
	quit chan struct{}
	gone sync.WaitGroup
}

const (
	progressDelay = time.Second
	progressEvery = 100 * time.Millisecond
	plainEvery    = 5 * time.Second
)

func startProgress(w io.Writer, mode string) *progress {
	p := &progress{runs: map[*graph.Future]bool{}, quit: make(chan struct{})}
	show := p.plain
	if mode == "auto" {
		if !isTerminal(w) {
			return p
		}
		show = p.bar
	} else if mode == "none" {
		return p
	}
	p.gone.Add(1)
	go func() {
		defer p.gone.Done()
		select {
		case <-p.quit:
		case <-time.After(progressDelay):
			show(w)
		}
	}()
	return p
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// above returns a writer to w whose output stands above the line on the terminal,
// instead of being overwritten by it.
func (p *progress) above(w io.Writer) io.Writer {
	if !isTerminal(w) {
		return w
	}
	return aboveLine{p, w}
}

type aboveLine struct {
	p *progress
	w io.Writer
}

func (a aboveLine) Write(b []byte) (int, error) {
	a.p.mu.Lock()
	line := a.p.line
	a.p.mu.Unlock()
	if line != nil {
		if n, err := line.Write(b); err == nil {
			return n, nil
		}
	}
	return a.w.Write(b)
}

// watch counts f in.
func (p *progress) watch(f *graph.Future) {
	p.mu.Lock()
	p.runs[f] = true
	p.mu.Unlock()
	f.OnDone(func(f *graph.Future) {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.runs, f)
		ran, _ := f.Progress()
		p.done += ran
	})
}

func (p *progress) counts() (ran, nodes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ran, nodes = p.done, p.done
	for f := range p.runs {
		r, n := f.Progress()
		ran, nodes = ran+r, nodes+n
	}
	return ran, nodes
}

// stop ends the display and takes it off the terminal.
func (p *progress) stop() {
	close(p.quit)
	p.gone.Wait()
}

func (p *progress) bar(w io.Writer) {
	container := mpb.New(mpb.WithOutput(w), mpb.WithWidth(32), mpb.WithRefreshRate(progressEvery))
	p.setLine(container)
	bar := container.AddBar(0, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.CountersNoUnit("%d of %d nodes ")),
		mpb.AppendDecorators(decor.Percentage(), decor.Name(" "), decor.Elapsed(decor.ET_STYLE_GO)))
	t := time.NewTicker(progressEvery)
	defer t.Stop()
	for {
		ran, nodes := p.counts()
		bar.SetTotal(int64(nodes)+1, false) // not done before stop
		bar.SetCurrent(int64(ran))
		select {
		case <-p.quit:
			bar.Abort(true)
			container.Wait()
			p.setLine(nil)
			return
		case <-t.C:
		}
	}
}

func (p *progress) setLine(line *mpb.Progress) {
	p.mu.Lock()
	p.line = line
	p.mu.Unlock()
}

func (p *progress) plain(w io.Writer) {
	start := time.Now().Add(-progressDelay)
	t := time.NewTicker(plainEvery)
	defer t.Stop()
	for {
		ran, nodes := p.counts()
		fmt.Fprintf(w, "%d of %d nodes after %v\n", ran, nodes, time.Since(start).Round(time.Second))
		select {
		case <-p.quit:
			return
		case <-t.C:
		}
	}
}
