package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// allocate reserves the blocks at once, so that they are contiguous and a full disk shows here. Not every file system
// can: where it returns false, only writing them does.
func allocate(f *os.File, size int64) (bool, error) {
	err := retry(func() error { return unix.Fallocate(int(f.Fd()), 0, 0, size) })
	if errors.Is(err, unix.EOPNOTSUPP) {
		return false, nil
	}
	return err == nil, err
}

// retry repeats a call that a signal interrupted before it did anything; Go's own preemption sends such signals.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
