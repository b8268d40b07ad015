package instrument

import (
	"strconv"
	"strings"
)

// A Check is how a guest that runs looks whether it is to stop.
type Check uint8

const (
	// Countdown counts a global of the module down, and calls the imported function
	// PollModule.PollName at zero: for an engine in which a guest holds up Go's
	// scheduler and garbage collector until it calls the host.
	Countdown Check = iota
	// ControlWord loads the first word of a memory of one page, which the module
	// defines for that behind its own and exports as [Rewritten.Control], and traps
	// (unreachable) if it is not zero: for an engine in which a guest holds up nobody.
	ControlWord
	// Unchecked has no check at all: it is there to be compared with.
	Unchecked
)

// A Rewritten is what Rewrite has made of a module.
type Rewritten struct {
	Binary []byte // nil in one that was recorded, until Code has made it
	Check  Check
	// Init is the export, of type () -> (), that does what instantiating the original
	// did beyond its tables: it copies the active data segments and calls the start
	// function. It is to be called once, first; "" if there is nothing to do.
	Init string
	// Control is the export of the memory of [ControlWord], the last that the module
	// defines; "" otherwise, and in a module that has no functions.
	Control string
	// Globals are the exports of the mutable globals that the code sets.
	Globals []Global
	// Budget is the export of a mutable i32 global: by how many entries the tables
	// may still grow; "" in a module that never grows a table.
	Budget string
	// Unsafe says why an instance cannot be brought back to an earlier state by
	// restoring its memory and Globals; "" if it can.
	Unsafe string

	// Lost says why an engine that catches exceptions as wrong as wazero v1.12 does would
	// run the module wrong, even as it is mended for such an engine; "" if it would not.
	// It is not known for [ControlWord], for which nothing is mended.
	Lost string

	// Result describes the rewritten module, once that was asked for.
	Result *Module

	effects map[string]Effect
	source  func() ([]byte, error) // of one that was recorded

	imported, defined, shift uint32 // functions of the original, and how far they are shifted
	exported                 map[uint32]string
}

// A Global is a mutable global of a module.
type Global struct {
	Name string // of its export
	Type ValType

	index uint32
}

// An Effect is what a call may change.
type Effect uint8

// Effects can be combined. NoEffect is a call that changes nothing.
const (
	NoEffect      Effect = 0
	WritesGlobals Effect = 1 << iota
	WritesMemory
	WritesTables // or drops segments
	CallsHost    // which may change anything
)

// Effect returns what calling the exported function of that name of the original
// may change.
func (r *Rewritten) Effect(export string) Effect { return r.effects[export] }

// FunctionName returns how to call a function of the rewritten module, of which an
// engine says the name. "$N", perhaps behind the module's name, is number N of those
// that have none: it becomes the name of an export, or the number that the function
// had. The second result is false for functions that the original does not have.
func (r *Rewritten) FunctionName(name string) (string, bool) {
	if strings.HasPrefix(name, PollModule+".") {
		return "", false
	}
	at := strings.LastIndexByte(name, '$')
	if at < 0 || at > 0 && name[at-1] != '.' {
		return name, true
	}
	n, err := strconv.ParseUint(name[at+1:], 10, 32)
	if err != nil {
		return name, true
	}
	i := uint32(n)
	if i >= r.imported+r.shift {
		i -= r.shift
	} else if i >= r.imported {
		return "", false
	}
	if i >= r.imported+r.defined {
		return name, false
	}
	if export := r.exported[i]; export != "" {
		return name[:at] + export, true
	}
	return name[:at+1] + strconv.Itoa(int(i)), true
}
