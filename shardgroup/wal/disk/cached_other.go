//go:build !linux || !(amd64 || arm64)

package disk

// Cached is d for a log that is synced now and then only. It differs only on Linux.
func (d Dir) Cached() FS { return d }
