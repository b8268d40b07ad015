package wasi

import (
	"errors"
	"os"
	"time"
)

// A rooted tree is one over os.Root.
type rooted struct {
	root  *os.Root
	given bool     // root is a Mount's
	dir   *os.File // once something needed it
}

func (r *rooted) stat(name string, follow bool) (filestat, error) {
	look := r.root.Lstat
	if follow {
		look = r.root.Stat
	}
	info, err := look(name)
	if err != nil {
		return filestat{}, err
	}
	return filestatOf(info), nil
}

func (r *rooted) openFile(name string, _ bool, flags int) (*os.File, error) {
	f, err := r.root.OpenFile(name, flags|nonBlock, 0o666)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = eacces
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (r *rooted) openTree(name string, _ bool) (tree, error) {
	// With "/." the name can only be opened as a directory: a FIFO that took its place
	// would make the host wait.
	root, err := r.root.OpenRoot(name + "/.")
	if err != nil {
		return nil, err
	}
	return &rooted{root: root}, nil
}

func (r *rooted) readlink(name string) (string, error) { return r.root.Readlink(name) }

func (r *rooted) setTimes(name string, follow bool, atime, mtime time.Time) error {
	if p := placeOf(name); !follow && !p.slash && !p.dots() {
		return r.setTimesAt(p, atime, mtime)
	}
	return r.root.Chtimes(name, atime, mtime)
}

func (r *rooted) mkdir(p place) error                  { return r.root.Mkdir(p.name(), 0o777) }
func (r *rooted) symlink(target string, p place) error { return r.root.Symlink(target, p.name()) }

func (r *rooted) self() (_ *os.File, err error) {
	if r.dir == nil {
		r.dir, err = r.entries()
	}
	return r.dir, err
}

func (r *rooted) entries() (*os.File, error) { return r.root.OpenFile(".", os.O_RDONLY|nonBlock, 0) }

func (r *rooted) close() error {
	var errs [2]error
	if r.dir != nil {
		errs[0] = r.dir.Close()
	}
	if !r.given {
		errs[1] = r.root.Close()
	}
	return errors.Join(errs[:]...)
}
