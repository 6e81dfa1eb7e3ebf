//go:build !linux

package disk

import "os"

// Remove implements FS.
func (d Dir) Remove(name string) error { return os.Remove(d.join(name)) }
