package abi

import "fmt"

// A Code says why a task gave no result. Codes cross every boundary (guest,
// process, network) as their String.
type Code uint8

// The codes, in the order in which abi/README.md defines them.
const (
	Failed    Code = iota + 1 // the task itself said so
	Trapped                   // the guest trapped, or ended as a task must not
	TimedOut                  // the task's time was over
	Cancelled                 // the run was cancelled before or while it ran
	Denied                    // it asked for what it was not granted
	LimitHit                  // memory, output, result, stack, … went over a limit
	Protocol                  // the guest broke the rules of abi/README.md
	BadModule                 // the module cannot be loaded
	BadCall                   // the call itself is wrong: unknown task, arity, types
)

var codeNames = [...]string{Failed: "failed", Trapped: "trapped", TimedOut: "timed out", Cancelled: "cancelled",
	Denied: "denied", LimitHit: "limit", Protocol: "protocol", BadModule: "bad module", BadCall: "bad call"}

// String returns c's name.
func (c Code) String() string {
	if c >= Failed && int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code(%d)", uint8(c))
}

// An Error is why a task gave no result.
type Error struct {
	Code    Code
	Message string
	Stack   []string // the guest's own, innermost first, where it is known
	Log     []string // the last lines that the task logged
	Cause   error    // what the host itself met, where that is the reason
}

// Errorf returns an Error with a formatted message; an error among args that %w
// names becomes its cause.
func Errorf(c Code, format string, args ...any) *Error {
	e := fmt.Errorf(format, args...)
	out := &Error{Code: c, Message: e.Error()}
	if u, ok := e.(interface{ Unwrap() error }); ok {
		out.Cause = u.Unwrap()
	}
	return out
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Cause }

// A Status is what an import answers to a guest; 0 is success.
type Status uint32

// The statuses of imports.
const (
	StatusOK      Status = 0
	StatusPointer Status = 1 // a range is not within the memory
	StatusInvalid Status = 2 // an argument has no meaning
	StatusLimit   Status = 3 // a limit was reached; what was asked was not done
	StatusDenied  Status = 4 // not granted
)

// Log levels of [ImportLog].
const (
	LogDebug = 0
	LogInfo  = 1
	LogWarn  = 2
	LogError = 3
)
