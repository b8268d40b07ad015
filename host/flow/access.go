package flow

// What a script may see of the file system. A path is granted if the user named
// it, or a directory above it. What is below a directory is only ever opened
// through an os.Root of that directory, so neither ".." nor a symbolic link nor a
// rename in the middle leads out of it.
//
// Workers that read files and the script use an access at the same time.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"entangle.example/entangle/abi"
)

type access struct {
	grants []*grant
}

// A grant is one path that the user named.
type grant struct {
	path string // absolute
	dir  bool

	open sync.Once
	root *os.Root // of a directory, once open has run
	err  error
}

func newAccess(paths []string) *access {
	a := &access{}
	for _, p := range paths {
		if p == "" || strings.ContainsRune(p, 0) {
			continue
		}
		abs, err := filepath.Abs(p)
		if err != nil {
			continue
		}
		info, err := os.Stat(abs)
		switch {
		case err == nil && info.IsDir():
			a.grants = append(a.grants, &grant{path: abs, dir: true})
		case err == nil:
			a.grants = append(a.grants, &grant{path: abs})
		default:
			if parent, err := os.Stat(filepath.Dir(abs)); err == nil && parent.IsDir() {
				a.grants = append(a.grants, &grant{path: abs})
			}
		}
	}
	return a
}

func (a *access) close() {
	for _, g := range a.grants {
		g.open.Do(func() { g.err = fs.ErrClosed })
		if g.root != nil {
			g.root.Close()
		}
	}
}

// A place is a path that may be used.
type place struct {
	grant *grant
	path  string // as the script wrote it
	name  string // within the grant's directory; "." if it is the grant itself
}

// find returns the place of path, by the nearest grant above it.
func (a *access) find(what, path string) (place, error) {
	best := place{path: path}
	abs, err := filepath.Abs(path)
	if err == nil && path != "" && !strings.ContainsRune(path, 0) {
		for _, g := range a.grants {
			name, err := filepath.Rel(g.path, abs)
			if err != nil || !filepath.IsLocal(name) || !g.dir && name != "." {
				continue
			}
			if best.grant == nil || len(g.path) > len(best.grant.path) {
				best.grant, best.name = g, name
			}
		}
	}
	if best.grant == nil {
		return place{}, abi.Errorf(abi.Denied, "%s(%q): not granted; name the path as an argument of the script", what, path)
	}
	return best, nil
}

// directory returns the root of g, a directory.
func (g *grant) directory() (*os.Root, error) {
	g.open.Do(func() { g.root, g.err = os.OpenRoot(g.path) })
	return g.root, g.err
}

// errIrregular says of a file that reading it might wait, or never end.
var errIrregular = errors.New("no regular file")

// file opens p, a regular file, for reading. It never waits.
func (p place) file() (*os.File, fs.FileInfo, error) {
	info, err := p.stat()
	if err != nil {
		return nil, nil, err
	}
	if err := regular(info); err != nil {
		return nil, nil, p.failed(err)
	}
	f, err := p.openAny()
	if err != nil {
		return nil, nil, p.failed(err)
	}
	if info, err = f.Stat(); err == nil {
		err = regular(info)
	}
	if err != nil {
		f.Close()
		return nil, nil, p.failed(err)
	}
	return f, info, nil
}

func regular(info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return errors.New("is a directory")
	case !info.Mode().IsRegular():
		return errIrregular
	}
	return nil
}

// stat describes p, or what it links to.
func (p place) stat() (fs.FileInfo, error) {
	if !p.grant.dir {
		info, err := os.Stat(p.grant.path)
		return info, p.failed(err)
	}
	root, err := p.grant.directory()
	if err != nil {
		return nil, p.failed(err)
	}
	info, err := root.Stat(p.name)
	if name, ok := p.detour(err); ok {
		info, err = root.Stat(name)
	}
	return info, p.failed(err)
}

func (p place) openAny() (*os.File, error) {
	if !p.grant.dir {
		return os.OpenFile(p.grant.path, os.O_RDONLY|nonBlock, 0)
	}
	root, err := p.grant.directory()
	if err != nil {
		return nil, err
	}
	f, err := root.OpenFile(p.name, os.O_RDONLY|nonBlock, 0)
	if name, ok := p.detour(err); ok {
		return root.OpenFile(name, os.O_RDONLY|nonBlock, 0)
	}
	return f, err
}

// detour returns the name of a file that an os.Root refuses because the links on
// the way to it are absolute or lead out of the directory, though they lead into
// it again. That the name still is that file, the root sees to.
func (p place) detour(err error) (name string, ok bool) {
	if !escapes(err) {
		return "", false
	}
	dir, err := filepath.EvalSymlinks(p.grant.path)
	if err != nil {
		return "", false
	}
	target, err := filepath.EvalSymlinks(filepath.Join(p.grant.path, p.name))
	if err != nil {
		return "", false
	}
	name, err = filepath.Rel(dir, target)
	return name, err == nil && filepath.IsLocal(name)
}

// escapes reports whether err is what an os.Root says of a path that leads out of
// it; package os has no name for that error.
func escapes(err error) bool {
	e, ok := errors.AsType[*fs.PathError](err)
	return ok && e.Err.Error() == "path escapes from parent"
}

// failed makes err, if there is one, an error that is about p.
func (p place) failed(err error) error {
	if err == nil {
		return nil
	}
	if a, ok := errors.AsType[*abi.Error](err); ok {
		return a
	}
	if escapes(err) {
		return abi.Errorf(abi.Denied, "%s: leads out of %s, which is what was granted", utf8Path(p.path), utf8Path(p.grant.path))
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return abi.Errorf(abi.Failed, "%s: %w", utf8Path(p.path), err)
}

// below returns the place with that name in p's grant.
func (p place) below(name string) place {
	sub, _ := filepath.Rel(p.name, name)
	return place{p.grant, filepath.Join(p.path, sub), name}
}

// utf8Path returns a path as it can be part of a message.
func utf8Path(path string) string { return strings.ToValidUTF8(path, "\ufffd") }

// replace writes data to p, which the user named as a file: whole or not at all.
func (p place) replace(data []byte) (err error) {
	if p.grant.dir {
		return abi.Errorf(abi.Denied, "write(%q): not granted; name this very file as an argument of the script", p.path)
	}
	path := p.grant.path
	mode := fs.FileMode(0o666)
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // as a shell does: the file that the link means
		info, err := os.Stat(path)
		if err == nil {
			err = regular(info)
		}
		if err != nil {
			return p.failed(err)
		}
		mode = info.Mode().Perm()
	}
	tmp, err := createBeside(path, mode)
	if err != nil {
		return p.failed(err)
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
			err = p.failed(err)
		}
	}()
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// createBeside creates a file in the directory of path, hidden and with a name of
// its own. Unlike that of os.CreateTemp, its mode is the one that the user's umask
// leaves.
func createBeside(path string, mode fs.FileMode) (*os.File, error) {
	dir, base := filepath.Split(path)
	for i := 0; ; i++ {
		name := filepath.Join(dir, fmt.Sprintf(".%s.%d.%d", base, os.Getpid(), i))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if !errors.Is(err, fs.ErrExist) || i > 1000 {
			return f, err
		}
	}
}
