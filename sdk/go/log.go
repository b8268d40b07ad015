package entangle

import (
	"fmt"

	"entangle.example/entangle/abi"
)

// A Level says how much a log line matters.
type Level int32

// The levels of log lines.
const (
	LevelDebug Level = abi.LogDebug
	LevelInfo  Level = abi.LogInfo
	LevelWarn  Level = abi.LogWarn
	LevelError Level = abi.LogError
)

// Log writes text to the log of the call, which carries the task's name. Each
// line of text is a log line.
func Log(level Level, text string) { hostLog(int32(level), text) }

// Logf writes a formatted text to the log of the call.
func Logf(level Level, format string, args ...any) { Log(level, fmt.Sprintf(format, args...)) }
