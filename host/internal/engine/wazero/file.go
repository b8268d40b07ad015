package wazero

import (
	"io"
	"io/fs"
	"os"

	experimental "github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/experimental/sysfs"
)

// A file is wazero's own view of a file that a guest has open, and what that
// leaves out.
type file struct {
	experimental.File
	f        *os.File
	instance *instance
	appended bool
}

// open lets wazero wrap f, which stays f.
func (i *instance) open(f *os.File, appended bool) (experimental.File, experimental.Errno) {
	base, e := (&sysfs.AdaptFS{FS: &opened{f: f}}).OpenFile(".", 0, 0)
	if e != 0 {
		_ = f.Close()
		return nil, e
	}
	o := &file{base, f, i, appended}
	i.files[o] = true
	return o, 0
}

// opened is a file system in which every name is one open file. wazero opens it
// again to begin a directory anew, and closes what it had.
type opened struct {
	f     *os.File
	again bool
}

func (o *opened) Open(string) (fs.File, error) {
	if o.again {
		if _, err := o.f.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
	}
	o.again = true
	return keptOpen{o.f}, nil
}

// keptOpen is a file that is closed by someone else.
type keptOpen struct{ *os.File }

func (keptOpen) Close() error { return nil }

func (f *file) Close() experimental.Errno {
	delete(f.instance.files, f)
	return max(f.File.Close(), errno(f.f.Close()))
}

// stopped answers EINTR once the call is over: one fd_write may list millions of
// buffers, and nobody looks at the deadline between them.
func (f *file) stopped() experimental.Errno {
	if f.instance.ctx.Err() != nil {
		return experimental.EINTR
	}
	return 0
}

func (f *file) Read(b []byte) (int, experimental.Errno) {
	if e := f.stopped(); e != 0 {
		return 0, e
	}
	return f.File.Read(b)
}

func (f *file) Pread(b []byte, off int64) (int, experimental.Errno) {
	if e := f.stopped(); e != 0 {
		return 0, e
	}
	return f.File.Pread(b, off)
}

func (f *file) Write(b []byte) (int, experimental.Errno) {
	if e := f.stopped(); e != 0 {
		return 0, e
	}
	return f.File.Write(b)
}

func (f *file) Pwrite(b []byte, off int64) (int, experimental.Errno) {
	if e := f.stopped(); e != 0 {
		return 0, e
	}
	return f.File.Pwrite(b, off)
}

func (f *file) IsAppend() bool                         { return f.appended }
func (f *file) Truncate(size int64) experimental.Errno { return errno(f.f.Truncate(size)) }
func (f *file) Sync() experimental.Errno               { return errno(f.f.Sync()) }
func (f *file) Datasync() experimental.Errno           { return errno(f.f.Sync()) }
