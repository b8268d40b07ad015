package wasi

import (
	"os"
	"path"
	"strings"
	"time"
)

// A tree is a directory that is open, and what lies beneath it: every path starts at
// one and never leads out, whatever links say and whoever moves what meanwhile. One that
// would is EPERM. A name's directory is opened beneath the tree, and the name in it is
// then for one system call that does not follow it, so that no moment is between a look
// and a deed but where that is said.
//
// Linux has this in one call (tree_linux.go); os.Root has it everywhere (root.go).
type tree interface {
	// stat describes what name names.
	stat(name string, follow bool) (filestat, error)
	// openFile opens a regular file by flags of package os. What is none, if it took
	// the place of one, is EACCES and never waited for.
	openFile(name string, follow bool, flags int) (*os.File, error)
	openTree(name string, follow bool) (tree, error)
	readlink(name string) (string, error)
	setTimes(name string, follow bool, atime, mtime time.Time) error

	// The names of these are not dots, and end in no slash but that of a directory
	// to make.
	mkdir(p place) error
	symlink(target string, p place) error
	link(old place, to tree, new place) error
	rename(old place, to tree, new place) error
	remove(p place, dir bool) error

	self() (*os.File, error)    // the directory, for as long as the tree is open
	entries() (*os.File, error) // the directory from its beginning; the caller closes it
	close() error
}

// A place is a path, cut where a system call would cut it.
type place struct {
	dir, base string // dir is "" or ends in a slash
	slash     bool   // base must be a directory
}

func placeOf(name string) place {
	trimmed := strings.TrimRight(name, "/")
	dir, base := path.Split(trimmed)
	return place{dir, base, len(trimmed) < len(name)}
}

// dots reports whether p's base is one of the two that cannot be made or removed.
func (p place) dots() bool   { return p.base == "." || p.base == ".." }
func (p place) name() string { return p.dir + p.base }

// isDir reports whether there is a directory at p, links not followed.
func isDir(t tree, p place) (bool, error) {
	st, err := t.stat(p.name(), false)
	return err == nil && st.kind == typeDirectory, errnoOf(err)
}
