//go:build !unix

package wazero

import "io/fs"

const nonBlock = 0

// onlyOurs reports nothing here: the user's cache directory is the user's own.
func onlyOurs(fs.FileInfo) error { return nil }
