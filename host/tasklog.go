package host

import (
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
	written int      // bytes, of MaxLog
	partial []byte   // a line without its end
	recent  []string // the last lines
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
	l.partial = append(l.partial, b...)
	for {
		i := slices.Index(l.partial, '\n')
		next := i + 1
		if i < 0 {
			if len(l.partial) < maxLogLine {
				return len(b), nil
			}
			i = wholeRunes(l.partial[:maxLogLine])
			next = i
		}
		l.line(slog.LevelInfo, string(l.partial[:i]))
		l.partial = l.partial[next:]
	}
}

// lines logs text, which may be several lines.
func (l *taskLog) lines(level slog.Level, text string) error {
	if err := l.count(len(text)); err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		for len(line) > maxLogLine {
			i := wholeRunes([]byte(line[:maxLogLine]))
			l.line(level, line[:i])
			line = line[i:]
		}
		l.line(level, line)
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
	if l.written += n; l.written > MaxLog {
		return abi.Errorf(abi.LimitHit, "it logged more than %s, the limit of a call", sizeText(MaxLog))
	}
	return nil
}

func (l *taskLog) line(level slog.Level, s string) {
	s = strings.TrimSuffix(strings.ToValidUTF8(s, "\uFFFD"), "\r")
	if len(l.recent) == recentLines {
		l.recent = slices.Delete(l.recent, 0, 1)
	}
	l.recent = append(l.recent, s)
	l.log.Log(context.Background(), level, s, "task", l.task)
}

// flush logs the last line if it has no end.
func (l *taskLog) flush() {
	if len(l.partial) > 0 {
		l.line(slog.LevelInfo, string(l.partial))
		l.partial = nil
	}
}

// last returns the last lines.
func (l *taskLog) last() []string {
	l.flush()
	return l.recent
}
