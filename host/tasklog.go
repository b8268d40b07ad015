package host

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"unicode/utf8"

	"entangle.example/entangle/abi"
)

// A taskLog is where one call's log goes: line by line to the host's logger, and
// the last lines into the call's error. As a writer it is the guest's standard
// output and error.
type taskLog struct {
	log     *slog.Logger
	task    string
	limits  *limits
	written int64    // bytes
	lines   int64    // logged
	partial []byte   // a line without its end
	recent  []string // the last lines
	args    [1]string
}

// begin makes l ready for a call.
func (l *taskLog) begin(log *slog.Logger, task string, limits *limits) {
	l.log, l.task, l.limits, l.args[0] = log, task, limits, task
	if l.written > 0 {
		l.written, l.lines, l.partial, l.recent = 0, 0, l.partial[:0], nil
	}
}

const (
	recentLines = 10
	maxLogLine  = 8 << 10 // a longer line is several
)

// Write takes output of the guest. Its error ends the call.
func (l *taskLog) Write(b []byte) (int, error) {
	if err := l.count(len(b)); err != nil {
		return 0, err
	}
	rest, searched := b, 0
	if len(l.partial) > 0 {
		searched = len(l.partial) // there is no end of a line in it
		l.partial = append(l.partial, b...)
		rest = l.partial
	}
	for {
		i := bytes.IndexByte(rest[searched:], '\n')
		if i >= 0 {
			i += searched
		}
		searched = 0
		next := i + 1
		if i < 0 {
			if len(rest) < maxLogLine {
				l.partial = append(l.partial[:0], rest...)
				return len(b), nil
			}
			i = wholeRunes(rest[:maxLogLine])
			next = i
		}
		if err := l.line(slog.LevelInfo, string(rest[:i])); err != nil {
			l.partial = append(l.partial[:0], rest...)
			return 0, err
		}
		rest = rest[next:]
	}
}

// add logs text, which may be several lines.
func (l *taskLog) add(level slog.Level, text []byte) error {
	if err := l.count(len(text)); err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		for len(line) > maxLogLine {
			i := wholeRunes([]byte(line[:maxLogLine]))
			if err := l.line(level, line[:i]); err != nil {
				return err
			}
			line = line[i:]
		}
		if err := l.line(level, line); err != nil {
			return err
		}
	}
	return nil
}

// wholeRunes returns the length of b without a character that is cut at its end.
func wholeRunes(b []byte) int {
	for i := len(b) - 1; i >= len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if utf8.FullRune(b[i:]) {
				break
			}
			return i
		}
	}
	return len(b)
}

func (l *taskLog) count(n int) error {
	if l.written += int64(n); l.written > l.limits.LogBytes {
		return abi.Errorf(abi.LimitHit, "it logged more than %s, the limit of a call", sizeText(uint64(l.limits.LogBytes)))
	}
	return nil
}

func (l *taskLog) line(level slog.Level, s string) error {
	if l.lines++; l.lines > l.limits.LogLines {
		return abi.Errorf(abi.LimitHit, "it logged more than %d lines, the limit of a call", l.limits.LogLines)
	}
	if !utf8.ValidString(s) { // it is much faster than what mends
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	s = strings.TrimSuffix(s, "\r")
	if len(l.recent) == recentLines {
		l.recent = slices.Delete(l.recent, 0, 1)
	}
	l.recent = append(l.recent, s)
	l.log.Log(context.Background(), level, s, "task", l.task)
	return nil
}

// last logs the last line, if it has no end, and returns the last lines.
func (l *taskLog) last() []string {
	if len(l.partial) > 0 {
		_ = l.line(slog.LevelInfo, string(l.partial)) // if it is one too many, the call is over anyway
		l.partial = l.partial[:0]
	}
	return l.recent
}
