// Package wasi is WASI preview 1 for every engine. What a guest has of it, its
// descriptors, arguments and streams, belongs to one call: nothing of one call is
// there in the next.
//
// What a guest passes is never trusted: a pointer is looked at in 64 bits before it is
// used, a path stays beneath the directory that it starts from (a tree sees to that), and
// nothing that a guest asks for makes the host wait but Config.Sleep and the streams.
package wasi

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Module is the name of the module that guests import WASI preview 1 from.
const Module = "wasi_snapshot_preview1"

// A Config is what one call is given. The zero Config gives it nothing: no arguments,
// no variables, no files, an empty standard input, and standard output and error that
// go nowhere.
type Config struct {
	Args   []string // the program's own name first
	Env    []string // NAME=value
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Mounts []Mount
	// Sleep waits for d, or until the call is over and then returns why. nil is
	// time.Sleep.
	Sleep func(d time.Duration) error
	// Stopped returns why the call is over, or nil. It is asked before every
	// operation on files, and between the pieces of a long one.
	Stopped func() error
}

// A Mount is a directory of the host that the guest finds at a path.
type Mount struct {
	Root     *os.Root // what the guest names stays beneath it, whatever links say
	Guest    string   // absolute
	ReadOnly bool
}

// A State is what one call of a guest has of WASI. The zero State is ready for Begin.
// It serves one goroutine, and must not be copied.
type State struct {
	config  Config
	fds     []*descriptor // by number; nil is a number that is free
	streams [3]descriptor
	first   [8]*descriptor // what fds starts with, so that most calls allocate nothing
}

// Begin starts a call: the guest has what c says, and nothing else. The call before it
// must have ended.
func (s *State) Begin(c Config) {
	s.config = c
	s.streams = [3]descriptor{
		{kind: stream, base: rightFDRead | streamRights, reader: c.Stdin},
		{kind: stream, base: rightFDWrite | streamRights, writer: c.Stdout},
		{kind: stream, base: rightFDWrite | streamRights, writer: c.Stderr},
	}
	s.fds = s.first[:0]
	for i := range s.streams {
		s.fds = append(s.fds, &s.streams[i])
	}
	for i := range c.Mounts {
		m := &c.Mounts[i]
		s.fds = append(s.fds, &descriptor{kind: directory, base: dirRights, inheriting: dirRights | fileRights, mount: m, preopened: true, tree: treeOf(m)})
	}
}

// End ends a call: what the guest left open is closed, and nothing of c is kept.
func (s *State) End() error {
	var errs []error
	for i, d := range s.fds {
		if d == nil {
			continue
		}
		s.fds[i] = nil
		if err := d.close(); err != nil {
			errs = append(errs, err)
		}
	}
	*s = State{}
	return errors.Join(errs...)
}

// stopped returns why the call is over, or nil.
func (s *State) stopped() error {
	if s.config.Stopped == nil {
		return nil
	}
	return s.config.Stopped()
}

// sleep waits for d.
func (s *State) sleep(d time.Duration) error {
	if s.config.Sleep == nil {
		time.Sleep(d)
		return nil
	}
	return s.config.Sleep(d)
}

// An Exit ends the call of a guest that called proc_exit.
type Exit struct{ Code uint32 }

func (e *Exit) Error() string { return fmt.Sprintf("exit status %d", e.Code) }
