package stable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// DirLock keeps a data folder to one process. The kernel drops it when the process ends, however it ends.
type DirLock struct{ file *os.File }

const lockName = "LOCK"

// LockDir locks the folder, making it if need be. If another process has it, the error names that process.
func LockDir(dir string) (*DirLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(lockError(dir, path, err), f.Close())
	}
	if err := writeOwner(f); err != nil {
		return nil, errors.Join(fmt.Errorf("data folder: %w", err), f.Close())
	}
	return &DirLock{f}, nil
}

func lockError(dir, path string, err error) error {
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("lock data folder %s: %w", dir, err)
	}
	owner := "another process"
	if b, err := os.ReadFile(path); err == nil && len(b) > 0 {
		owner = "process " + strings.TrimSpace(string(b))
	}
	return fmt.Errorf("data folder %s is in use by %s: stop that node, or give this one a folder of its own", dir, owner)
}

func writeOwner(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+" ("+filepath.Base(os.Args[0])+")\n"), 0)
	return err
}

// Unlock lets the next process in.
func (l *DirLock) Unlock() error { return l.file.Close() }
