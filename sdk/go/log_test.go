//go:build !wasip1

package entangle

import (
	"fmt"
	"slices"
	"testing"
)

func TestLog(t *testing.T) {
	var got []string
	previous := hostLog
	hostLog = func(level int32, text string) { got = append(got, fmt.Sprint(level, " ", text)) }
	defer func() { hostLog = previous }()

	Logf(LevelWarn, "%d of %d", 1, 2)
	Log(LevelDebug, "two\nlines")
	if want := []string{"2 1 of 2", "0 two\nlines"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
