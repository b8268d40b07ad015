// Package entangleslog is a handler for log/slog that writes to the log of the
// call that runs:
//
//	slog.SetDefault(slog.New(entangleslog.NewHandler(nil)))
//
// It is a package of its own because a module that links log/slog is 200 KB
// larger than one that does not.
package entangleslog

import (
	"bytes"
	"context"
	"log/slog"
	"sync"

	"entangle.example/entangle/sdk/go"
)

// NewHandler returns a handler that writes what is at least of the given level;
// nil means all.
//
// A record is one line: the message, and its attributes as slog's TextHandler
// writes them. The host adds the time.
func NewHandler(least slog.Leveler) slog.Handler { return newHandler(least, entangle.Log) }

func newHandler(least slog.Leveler, write func(entangle.Level, string)) slog.Handler {
	if least == nil {
		least = slog.LevelDebug
	}
	h := &handler{line: &line{}, write: write}
	h.attrs = slog.NewTextHandler(&h.line.buf, &slog.HandlerOptions{Level: least, ReplaceAttr: dropBuiltin})
	return h
}

// dropBuiltin leaves out what the host knows or what stands before the attributes.
func dropBuiltin(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
		return slog.Attr{}
	}
	return a
}

type handler struct {
	attrs slog.Handler // writes the attributes to line
	line  *line        // shared by the handlers that were derived from one
	write func(entangle.Level, string)
}

type line struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (h *handler) Enabled(ctx context.Context, l slog.Level) bool { return h.attrs.Enabled(ctx, l) }

func (h *handler) WithAttrs(as []slog.Attr) slog.Handler {
	return &handler{h.attrs.WithAttrs(as), h.line, h.write}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.attrs.WithGroup(name), h.line, h.write}
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	h.line.mu.Lock()
	defer h.line.mu.Unlock()
	h.line.buf.Reset()
	if err := h.attrs.Handle(ctx, r); err != nil {
		return err
	}
	text := r.Message
	if attrs := bytes.TrimSpace(h.line.buf.Bytes()); len(attrs) > 0 {
		text += " " + string(attrs)
	}
	h.write(levelOf(r.Level), text)
	return nil
}

func levelOf(l slog.Level) entangle.Level {
	switch {
	case l < slog.LevelInfo:
		return entangle.LevelDebug
	case l < slog.LevelWarn:
		return entangle.LevelInfo
	case l < slog.LevelError:
		return entangle.LevelWarn
	}
	return entangle.LevelError
}
