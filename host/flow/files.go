package flow

// What scripts do with files: glob, walk and write at once; read and read_parts as
// nodes, so that what is read is in memory only while the graph needs it.
//
// Those two keep their worker while they read (graph.Call.Block is not for them):
// so at most as many files are in memory as there are workers, however many nodes
// read some.

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"go.starlark.net/starlark"

	"entangle.example/entangle/abi"
	"entangle.example/entangle/graph"
)

// MaxRead is the most that one node reads, in bytes.
const MaxRead = 1 << 30

// sniffed is how much of a file is looked at to tell text from other data.
const sniffed = 8 << 10

// fileTasks are the tasks that read.
type fileTasks struct{ read, parts *graph.Def }

func newFileTasks(a *access) fileTasks {
	read := &graph.Def{Name: "read", Doc: "Reads a file, or size bytes of it from offset.", Op: readOp{a},
		Sig: abi.Signature{Result: abi.BytesType, Params: []abi.Param{{Name: "path", Type: abi.Any},
			{Name: "offset", Type: abi.IntType}, {Name: "size", Type: abi.IntType.Nullable()}}}}
	parts := &graph.Def{Name: "read_parts", Doc: "Reads parts of files.", Op: partsOp{a},
		Sig: abi.Signature{Result: abi.ListOf(abi.MapType), Variadic: true, Params: []abi.Param{{Name: "parts", Type: abi.ListType}}}}
	return fileTasks{read, parts}
}

// pathValue returns a path, which may be any bytes, as a value.
func pathValue(p string) abi.Value {
	if utf8.ValidString(p) {
		return abi.String(p)
	}
	return abi.Bytes([]byte(p))
}

func pathOf(v abi.Value) string {
	if s, ok := v.Str(); ok {
		return s
	}
	b, _ := v.Bytes()
	return string(b)
}

// A readTask is read(path, offset=0, size=None). What is not granted is refused
// when it is called.
type readTask struct{ task }

func (r *readTask) CallInternal(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var path string
	var offset int64
	var size starlark.Value = starlark.None
	if err := starlark.UnpackArgs("read", args, kwargs, "path", &path, "offset?", &offset, "size?", &size); err != nil {
		return nil, err
	}
	if _, err := r.s.access.find("read", path); err != nil {
		return nil, err
	}
	pos := r.s.position()
	n, err := r.s.argument(pos, size)
	if err != nil {
		return nil, r.argumentError(2, err)
	}
	return &node{r.s, r.def.Apply(pos, []graph.Arg{value(pathValue(path)), value(abi.Int(offset)), n})}, nil
}

type readOp struct{ access *access }

func (r readOp) Call(c *graph.Call) (abi.Value, error) {
	offset, _ := c.Args[1].Int()
	size, limited := c.Args[2].Int()
	if !limited {
		size = -1
	} else if size < 0 {
		return abi.Value{}, abi.Errorf(abi.BadCall, "size is %d, want 0 or more", size)
	}
	if offset < 0 {
		return abi.Value{}, abi.Errorf(abi.BadCall, "offset is %d, want 0 or more", offset)
	}
	b, err := r.access.read(pathOf(c.Args[0]), offset, size)
	return abi.Bytes(b), err
}

// read returns up to size bytes of a file from offset; all, if size is negative.
func (a *access) read(path string, offset, size int64) ([]byte, error) {
	p, err := a.find("read", path)
	if err != nil {
		return nil, err
	}
	f, info, err := p.file()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	left := max(0, info.Size()-offset)
	if size < 0 || size > left {
		size = left
	}
	if size > MaxRead {
		return nil, abi.Errorf(abi.LimitHit, "%s: %d bytes are too many to read at once: at most %d; give offset and size", utf8Path(path), size, MaxRead)
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, offset)
	if err != nil && err != io.EOF {
		return nil, p.failed(err)
	}
	return b[:n], nil
}

// A file is what walk found: with error set, what it could not look into.
type file struct {
	path string
	size int64
	text bool
	err  string
}

func (f *file) String() string        { return "<file " + f.path + ">" }
func (f *file) Type() string          { return "file" }
func (f *file) Freeze()               {}
func (f *file) Truth() starlark.Bool  { return true }
func (f *file) Hash() (uint32, error) { return starlark.String(f.path).Hash() }
func (f *file) AttrNames() []string   { return []string{"error", "path", "size", "text"} }

func (f *file) Attr(name string) (starlark.Value, error) {
	switch name {
	case "path":
		return starlark.String(f.path), nil
	case "size":
		return starlark.MakeInt64(f.size), nil
	case "text":
		return starlark.Bool(f.text), nil
	case "error":
		if f.err == "" {
			return starlark.None, nil
		}
		return starlark.String(f.err), nil
	}
	return nil, nil
}

var _ starlark.HasAttrs = (*file)(nil)

// walk is walk(dir): the regular files below dir, each opened once to see whether
// it can be read and is text. Links to files are followed, links to directories
// are not.
func (s *script) walk(name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var dir string
	if err := starlark.UnpackArgs(name, args, kwargs, "dir", &dir); err != nil {
		return nil, err
	}
	top, err := s.access.find(name, dir)
	if err != nil {
		return nil, err
	}
	info, err := top.stat()
	if err != nil {
		return nil, err
	}
	buf := make([]byte, sniffed)
	if !info.IsDir() {
		return starlark.NewList([]starlark.Value{look(top, buf)}), nil
	}
	root, err := top.grant.directory()
	if err != nil {
		return nil, top.failed(err)
	}
	var found []starlark.Value
	err = fs.WalkDir(root.FS(), filepath.ToSlash(top.name), func(name string, d fs.DirEntry, err error) error {
		if s.ctx.Err() != nil {
			return ended(s.ctx)
		}
		p := top.below(filepath.FromSlash(name))
		switch {
		case err != nil:
			found = append(found, &file{path: p.path, err: messageOf(p, err)})
		case d.Type().IsRegular():
			found = append(found, look(p, buf))
		case d.Type()&fs.ModeSymlink != 0:
			info, err := p.stat()
			if err != nil {
				found = append(found, &file{path: p.path, err: messageOf(p, err)})
			} else if info.Mode().IsRegular() {
				found = append(found, look(p, buf))
			}
		}
		return nil
	})
	return starlark.NewList(found), err
}

// messageOf returns what is wrong with p, without its path.
func messageOf(p place, err error) string {
	return strings.TrimPrefix(p.failed(err).Error(), utf8Path(p.path)+": ")
}

// look describes a regular file.
func look(p place, buf []byte) *file {
	f, info, err := p.file()
	if err != nil {
		return &file{path: p.path, err: messageOf(p, err)}
	}
	defer f.Close()
	n, err := io.ReadFull(f, buf)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return &file{path: p.path, size: info.Size(), err: messageOf(p, err)}
	}
	return &file{path: p.path, size: info.Size(), text: bytes.IndexByte(buf[:n], 0) < 0}
}

// readParts is read_parts([(file, offset, size), …]) with files of walk. The
// node's result is a list of {"data": bytes, "first": bool, "last": bool}, where
// first and last say whether the part begins and ends its file; or of
// {"error": string} where that could not be read as walk found it.
func (s *script) readParts(name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var list starlark.Value
	if err := starlark.UnpackArgs(name, args, kwargs, "parts", &list); err != nil {
		return nil, err
	}
	parts, ok := list.(starlark.Indexable)
	if !ok {
		return nil, badScript("%s: want a list of (file, offset, size), got a %s", name, list.Type())
	}
	in := make([]graph.Arg, parts.Len())
	for i := range in {
		t, ok := parts.Index(i).(starlark.Tuple)
		if !ok || len(t) != 3 {
			return nil, badScript("%s: part %d: want (file, offset, size), got %s", name, i, shorten(parts.Index(i).String()))
		}
		f, ok := t[0].(*file)
		if !ok {
			return nil, badScript("%s: part %d: want a file of walk, got a %s", name, i, t[0].Type())
		}
		var offset, size int64
		if err := errors.Join(starlark.AsInt(t[1], &offset), starlark.AsInt(t[2], &size)); err != nil {
			return nil, badScript("%s: part %d: %w", name, i, err)
		}
		if offset < 0 || size < 0 || size > f.size || offset > f.size-size {
			return nil, badScript("%s: part %d: %s has %d bytes, not %d from %d on", name, i, f.path, f.size, size, offset)
		}
		in[i] = value(abi.List(pathValue(f.path), abi.Int(offset), abi.Int(size), abi.Int(f.size)))
	}
	return &node{s, s.files.parts.Apply(s.position(), in)}, nil
}

type partsOp struct{ access *access }

func (r partsOp) Call(c *graph.Call) (abi.Value, error) {
	out := make([]abi.Value, len(c.Args))
	for i, a := range c.Args {
		if err := c.Ctx.Err(); err != nil {
			return abi.Value{}, abi.Errorf(abi.Cancelled, "cancelled: %w", err)
		}
		part, _ := a.List()
		offset, _ := part[1].Int()
		size, _ := part[2].Int()
		whole, _ := part[3].Int()
		path := pathOf(part[0])
		b, err := r.access.read(path, offset, size)
		if err == nil && int64(len(b)) < size {
			err = abi.Errorf(abi.Failed, "%s: has become shorter while it was read", utf8Path(path))
		}
		var es []abi.Entry
		if err != nil {
			es = []abi.Entry{{Key: "error", Value: abi.String(utf8Path(err.Error()))}}
		} else {
			es = []abi.Entry{{Key: "data", Value: abi.Bytes(b)}, {Key: "first", Value: abi.Bool(offset == 0)},
				{Key: "last", Value: abi.Bool(offset+size == whole)}}
		}
		if out[i], err = abi.Map(es...); err != nil {
			return abi.Value{}, err
		}
	}
	return abi.List(out...), nil
}

// write is write(path, data).
func (s *script) write(name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var file string
	var data starlark.Value
	if err := starlark.UnpackArgs(name, args, kwargs, "path", &file, "data", &data); err != nil {
		return nil, err
	}
	var text string
	switch x := data.(type) {
	case starlark.String:
		text = string(x)
	case starlark.Bytes:
		text = string(x)
	case *node:
		return nil, x.unrun("write")
	default:
		return nil, badScript("write: want a string or bytes, got a %s", data.Type())
	}
	p, err := s.access.find(name, file)
	if err != nil {
		return nil, err
	}
	if err := p.replace(unsafe.Slice(unsafe.StringData(text), len(text))); err != nil {
		return nil, err
	}
	return starlark.None, nil
}

// glob is glob(pattern): the paths that match, sorted. "*", "?" and "[…]" match
// within a name, "**" any number of directories. As in a shell, only a pattern that
// says so matches a name that begins with a dot; links to directories are not
// followed by "**".
func (s *script) glob(name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var pattern string
	if err := starlark.UnpackArgs(name, args, kwargs, "pattern", &pattern); err != nil {
		return nil, err
	}
	parts := strings.Split(filepath.ToSlash(pattern), "/")
	fixed := slices.IndexFunc(parts, func(p string) bool { return strings.ContainsAny(p, `*?[\`) })
	if fixed < 0 {
		fixed = len(parts)
	}
	for _, p := range parts[fixed:] {
		if _, err := path.Match(p, ""); err != nil || p == ".." {
			return nil, badScript("glob(%q): %q is no pattern for a name", pattern, p)
		}
	}
	dir := strings.Join(parts[:fixed], "/")
	if fixed == 1 && dir == "" {
		dir = "/"
	}
	top := dir
	if dir == "" {
		top = "."
	}
	p, err := s.access.find(name, filepath.FromSlash(top))
	if err != nil {
		return nil, err
	}
	g := globber{s: s, found: map[string]bool{}}
	if fixed == len(parts) {
		if _, err := p.stat(); err == nil {
			g.found[dir] = true
		}
	} else if p.grant.dir {
		root, err := p.grant.directory()
		if err != nil {
			return nil, p.failed(err)
		}
		g.fsys = root.FS()
		g.match(filepath.ToSlash(p.name), dir, slices.DeleteFunc(parts[fixed:], func(p string) bool { return p == "" || p == "." }))
	}
	if s.ctx.Err() != nil {
		return nil, ended(s.ctx)
	}
	paths := make([]string, 0, len(g.found))
	for p := range g.found {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	return stringList(paths), nil
}

type globber struct {
	s     *script
	fsys  fs.FS
	found map[string]bool
}

// match adds what matches parts in the directory that the root knows as name and
// the script as shown.
func (g *globber) match(name, shown string, parts []string) {
	if len(parts) == 0 {
		g.found[shown] = true
		return
	}
	entries, err := fs.ReadDir(g.fsys, name)
	if err != nil || g.s.ctx.Err() != nil {
		return // as a shell does: what cannot be listed matches nothing
	}
	deep := parts[0] == "**"
	if deep && len(parts) > 1 {
		g.match(name, shown, parts[1:])
	}
	for _, e := range entries {
		hidden := strings.HasPrefix(e.Name(), ".")
		sub, subShown := path.Join(name, e.Name()), join(shown, e.Name())
		if deep {
			if hidden {
				continue
			}
			if len(parts) == 1 {
				g.found[subShown] = true
			}
			if e.IsDir() {
				g.match(sub, subShown, parts)
			}
			continue
		}
		if ok, _ := path.Match(parts[0], e.Name()); !ok || hidden && !strings.HasPrefix(parts[0], ".") {
			continue
		}
		if len(parts) == 1 {
			g.found[subShown] = true
		} else if e.IsDir() || e.Type()&fs.ModeSymlink != 0 {
			g.match(sub, subShown, parts[1:])
		}
	}
}

func join(dir, name string) string {
	if dir == "" || strings.HasSuffix(dir, "/") {
		return dir + name
	}
	return dir + "/" + name
}
