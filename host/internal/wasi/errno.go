package wasi

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
)

// An errno is what a function answers a guest, by its number in preview 1. As an error,
// it is never wrapped, and never leaves the package.
type errno uint16

const (
	eacces       errno = 2
	eagain       errno = 6
	ebadf        errno = 8
	ebusy        errno = 10
	edquot       errno = 19
	eexist       errno = 20
	efault       errno = 21
	efbig        errno = 22
	eilseq       errno = 25
	eintr        errno = 27
	einval       errno = 28
	eio          errno = 29
	eisdir       errno = 31
	eloop        errno = 32
	emfile       errno = 33
	emlink       errno = 34
	enametoolong errno = 37
	enfile       errno = 41
	enodev       errno = 43
	enoent       errno = 44
	enomem       errno = 48
	enospc       errno = 51
	enosys       errno = 52
	enotdir      errno = 54
	enotempty    errno = 55
	enotsock     errno = 57
	enotsup      errno = 58
	enxio        errno = 60
	eoverflow    errno = 61
	eperm        errno = 63
	epipe        errno = 64
	erofs        errno = 69
	espipe       errno = 70
	estale       errno = 72
	etxtbsy      errno = 74
	exdev        errno = 75
	enotcapable  errno = 76
)

func (e errno) Error() string { return fmt.Sprintf("errno %d", uint16(e)) }

// errnoOf returns what a guest is told of an error of the operating system, or nil.
func errnoOf(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[errno](err); ok {
		return e
	}
	// Before the kinds of package fs: ENOTEMPTY is an ErrExist.
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		if e := errnoOfSystem(number); e != 0 {
			return e
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return enoent
	case errors.Is(err, fs.ErrExist):
		return eexist
	case errors.Is(err, fs.ErrPermission):
		return eacces
	case errors.Is(err, fs.ErrInvalid):
		return einval
	case errors.Is(err, fs.ErrClosed):
		return ebadf
	case errors.Is(err, errors.ErrUnsupported):
		return enotsup
	case strings.HasSuffix(err.Error(), "path escapes from parent"): // os has no value for it
		return eperm
	}
	return eio
}

// errnoOfSystem returns 0 for a number that only has a kind of package fs, if any.
func errnoOfSystem(number syscall.Errno) errno {
	switch number {
	case syscall.EACCES:
		return eacces
	case syscall.EAGAIN:
		return eagain
	case syscall.EBADF:
		return ebadf
	case syscall.EBUSY:
		return ebusy
	case syscall.EDQUOT:
		return edquot
	case syscall.EEXIST:
		return eexist
	case syscall.EFAULT:
		return efault
	case syscall.EFBIG:
		return efbig
	case syscall.EILSEQ:
		return eilseq
	case syscall.EINTR:
		return eintr
	case syscall.EINVAL:
		return einval
	case syscall.EISDIR:
		return eisdir
	case syscall.ELOOP:
		return eloop
	case syscall.EMFILE:
		return emfile
	case syscall.EMLINK:
		return emlink
	case syscall.ENAMETOOLONG:
		return enametoolong
	case syscall.ENFILE:
		return enfile
	case syscall.ENODEV:
		return enodev
	case syscall.ENOENT:
		return enoent
	case syscall.ENOMEM:
		return enomem
	case syscall.ENOSPC:
		return enospc
	case syscall.ENOSYS:
		return enosys
	case syscall.ENOTDIR:
		return enotdir
	case syscall.ENOTEMPTY:
		return enotempty
	case syscall.ENOTSUP:
		return enotsup
	case syscall.ENXIO:
		return enxio
	case syscall.EOVERFLOW:
		return eoverflow
	case syscall.EPERM:
		return eperm
	case syscall.EPIPE:
		return epipe
	case syscall.EROFS:
		return erofs
	case syscall.ESPIPE:
		return espipe
	case syscall.ESTALE:
		return estale
	case syscall.ETXTBSY:
		return etxtbsy
	case syscall.EXDEV:
		return exdev
	}
	if number == syscall.EOPNOTSUPP { // on Linux the same number as ENOTSUP
		return enotsup
	}
	return errnoOfWindows(number)
}
