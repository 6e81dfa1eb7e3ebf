//go:build !linux || !(amd64 || arm64)

package disk

import "os"

func datasync(f *os.File) error { return f.Sync() }

func dirsync(f *os.File) error { return f.Sync() }
