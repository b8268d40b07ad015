package abi

import (
	"fmt"
	"path"
	"strings"
)

// A Grant is one thing that a task is allowed. Nothing is allowed by default.
type Grant struct {
	Kind GrantKind
	// Host is the directory of the host, or the name of the variable.
	Host string
	// Guest is the absolute path at which the guest finds the directory.
	Guest string
}

// A GrantKind says what a grant allows.
type GrantKind uint8

// The kinds of grants.
const (
	ReadFiles  GrantKind = iota + 1 // fs:ro=DIR[:GUEST]: read a directory
	WriteFiles                      // fs:rw=DIR[:GUEST]: and write it
	Variable                        // env=NAME: an environment variable of the host
)

// ParseGrant reads a grant as the command line and manifests write it. A guest
// path defaults to the host's, made absolute by the host that grants it.
func ParseGrant(s string) (Grant, error) {
	kind, arg, ok := strings.Cut(s, "=")
	if !ok || arg == "" {
		return Grant{}, fmt.Errorf("grant %q: want fs:ro=DIR[:GUEST], fs:rw=DIR[:GUEST] or env=NAME", clip(s))
	}
	switch kind {
	case "env":
		if strings.ContainsAny(arg, "=\x00") {
			return Grant{}, fmt.Errorf("grant %q: %q is no name of a variable", clip(s), clip(arg))
		}
		return Grant{Kind: Variable, Host: arg}, nil
	case "fs:ro", "fs:rw":
		g := Grant{Kind: ReadFiles}
		if kind == "fs:rw" {
			g.Kind = WriteFiles
		}
		// The guest's path begins with "/", which tells it from a colon in a name.
		g.Host = arg
		if i := strings.LastIndex(arg, ":/"); i > 0 && !strings.HasPrefix(arg[i:], `:\`) && i != 1 {
			g.Host, g.Guest = arg[:i], path.Clean(arg[i+1:])
		}
		if strings.ContainsRune(arg, 0) {
			return Grant{}, fmt.Errorf("grant %q holds a NUL", clip(s))
		}
		return g, nil
	}
	return Grant{}, fmt.Errorf("grant %q: unknown kind %q: want fs:ro, fs:rw or env", clip(s), clip(kind))
}

// String returns g as ParseGrant reads it.
func (g Grant) String() string {
	switch g.Kind {
	case Variable:
		return "env=" + g.Host
	case ReadFiles, WriteFiles:
		s := "fs:ro=" + g.Host
		if g.Kind == WriteFiles {
			s = "fs:rw=" + g.Host
		}
		if g.Guest != "" && g.Guest != g.Host {
			s += ":" + g.Guest
		}
		return s
	}
	return "no grant"
}
