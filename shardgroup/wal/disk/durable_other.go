//go:build !linux || !(amd64 || arm64)

package disk

import "errors"

// Durable is d for a log that has every write on the disk before it goes on. It differs only on Linux.
func (d Dir) Durable(cached func(why error)) FS {
	cached(errors.ErrUnsupported)
	return d
}
