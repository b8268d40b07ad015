package wasi

import "fmt"

// Opened says what the guest has opened, closed or moved since Begin; "" if its
// descriptors are as they were.
func (s *State) Opened() string {
	given := len(s.streams) + len(s.config.Mounts)
	for i, d := range s.fds {
		switch {
		case i < given && d == nil:
			return fmt.Sprintf("descriptor %d closed", i)
		case i < len(s.streams) && d != &s.streams[i], i >= len(s.streams) && i < given && (!d.preopened || d.mount != &s.config.Mounts[i-len(s.streams)]):
			return fmt.Sprintf("descriptor %d renumbered", i)
		case i >= given && d != nil:
			return fmt.Sprintf("descriptor %d open", i)
		}
	}
	return ""
}
