package wasi

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"testing"
)

func TestErrnoOf(t *testing.T) {
	for err, want := range map[error]errno{
		syscall.EACCES: 2, syscall.EAGAIN: 6, syscall.EBADF: 8, syscall.EBUSY: 10, syscall.EDQUOT: 19, syscall.EEXIST: 20, syscall.EFAULT: 21,
		syscall.EFBIG: 22, syscall.EILSEQ: 25, syscall.EINTR: 27, syscall.EINVAL: 28, syscall.EIO: 29, syscall.EISDIR: 31, syscall.ELOOP: 32,
		syscall.EMFILE: 33, syscall.EMLINK: 34, syscall.ENAMETOOLONG: 37, syscall.ENFILE: 41, syscall.ENODEV: 43, syscall.ENOENT: 44,
		syscall.ENOMEM: 48, syscall.ENOSPC: 51, syscall.ENOSYS: 52, syscall.ENOTDIR: 54, syscall.ENOTEMPTY: 55, syscall.ENOTSUP: 58,
		syscall.ENXIO: 60, syscall.EOVERFLOW: 61, syscall.EPERM: 63, syscall.EPIPE: 64, syscall.EROFS: 69,
		syscall.ESPIPE: 70, syscall.ESTALE: 72, syscall.ETXTBSY: 74, syscall.EXDEV: 75,
		fs.ErrNotExist: enoent, fs.ErrExist: eexist, fs.ErrPermission: eacces, fs.ErrInvalid: einval, fs.ErrClosed: ebadf,
		errors.ErrUnsupported: enotsup, errors.New("something else"): eio, syscall.Errno(4000): eio,
		errors.Join(errors.New("more"), enotcapable): enotcapable,
	} {
		for _, err := range []error{err, &fs.PathError{Op: "open", Path: "f", Err: err}, &os.LinkError{Op: "link", Err: fmt.Errorf("wrapped: %w", err)}} {
			if got := errnoOf(err); got != want {
				t.Errorf("%v is %v, want %d", err, got, want)
			}
		}
	}
	if got := errnoOf(syscall.EOPNOTSUPP); got != enotsup { // not everywhere ENOTSUP
		t.Errorf("EOPNOTSUPP is %v", got)
	}
	if err := errnoOf(nil); err != nil {
		t.Errorf("no error is %v", err)
	}
	if runtime.GOOS == "windows" {
		if got := errnoOf(syscall.Errno(145)); got != enotempty { // ERROR_DIR_NOT_EMPTY
			t.Errorf("a directory that is not empty is %v", got)
		}
	}
}

// A grant that is taken back in the middle of a call is closed, no more.
func TestMountClosed(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Close(); err != nil {
		t.Fatal(err)
	}
	g := begin(t, Config{Mounts: []Mount{{Root: root, Guest: "/"}}})
	g.want(ebadf, "path_open", data, 0, "f", openCreate, readWrite, 0, 0, result)
	g.want(ebadf, "path_rename", data, "f", data, "g")
	g.want(ebadf, "path_filestat_get", data, 0, "f", buffer)
	g.want(ebadf, "fd_filestat_get", data, buffer)
	g.want(ebadf, "fd_filestat_set_times", data, 0, 0, mtimNow)
	g.want(ebadf, "fd_readdir", data, buffer, 64, 0, result)
	g.want(ebadf, "fd_sync", data)
}
