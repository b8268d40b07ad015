//go:build !linux

package wasi

import "os"

func statFile(f *os.File) (filestat, error) {
	info, err := f.Stat()
	if err != nil {
		return filestat{}, err
	}
	return filestatOf(info), nil
}
