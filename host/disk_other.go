//go:build !unix

package host

import "io/fs"

// sizeOnDisk returns how many bytes a file takes, holes included.
func sizeOnDisk(info fs.FileInfo) int64 { return info.Size() }
