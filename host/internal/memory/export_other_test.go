//go:build !linux

package memory

// Mechanisms are the ways of resetting: here there is one.
var Mechanisms = []string{"copy"}

// OpenAs is Open.
func OpenAs(string) *System { return Open() }

// InFile reports whether s lies in a memory file.
func (s *Snapshot) InFile() bool { return false }

// Image returns the bytes that s keeps.
func (s *Snapshot) Image() []byte { return s.image }
