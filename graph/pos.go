package graph

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"
)

// A Pos is where a node was composed: a line of Go code or of a script. It is
// two words, and looked up only when somebody prints it.
type Pos struct {
	file *byte // the name of a script; nil for Go code
	n    uint64
	// For a script n is file length<<52 | line<<24 | column; for Go, a program counter.
}

// At returns the position of line and column (from 1; 0 if unknown) of a script.
func At(file string, line, col int) Pos {
	file = file[max(0, len(file)-maxFileName):]
	if file == "" {
		file = "?"
	}
	return Pos{unsafe.StringData(file), uint64(len(file))<<52 | uint64(line)&(1<<28-1)<<24 | uint64(col)&(1<<24-1)}
}

const maxFileName = 1<<12 - 1

// callerPos returns the position of the caller, skip frames up from the caller
// of callerPos.
func callerPos(skip int) Pos {
	var pcs [1]uintptr
	runtime.Callers(skip+1, pcs[:])
	return Pos{n: uint64(pcs[0])}
}

// String returns "file:line", and ":column" where that is known.
func (p Pos) String() string {
	if p.file != nil {
		file := unsafe.String(p.file, int(p.n>>52))
		line, col := p.n>>24&(1<<28-1), p.n&(1<<24-1)
		if col == 0 {
			return fmt.Sprintf("%s:%d", file, line)
		}
		return fmt.Sprintf("%s:%d:%d", file, line, col)
	}
	if p.n == 0 {
		return "?"
	}
	f, _ := runtime.CallersFrames([]uintptr{uintptr(p.n)}).Next()
	if f.File == "" {
		return "?"
	}
	dir, base := filepath.Split(f.File)
	return fmt.Sprintf("%s:%d", filepath.Join(filepath.Base(strings.TrimSuffix(dir, "/")), base), f.Line)
}
