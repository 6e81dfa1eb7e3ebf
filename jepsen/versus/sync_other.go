//go:build !linux

package versus

import "os"

func dataSync(f *os.File) error { return f.Sync() }
