package disk

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// removeBytes are given back at a time, which takes the kernel a third of a millisecond.
	removeBytes = 1 << 20
	// removeSteps bounds how long all of it takes: half a second and what the kernel needs.
	removeSteps = 500
	removePause = time.Millisecond
)

// Remove implements FS. It gives a large file's blocks back in pieces: unlink(2) takes 21 ms for 64 MiB, and for up to 10 ms
// of that a program with one processor stands still (see aio).
func (d Dir) Remove(name string) error {
	f, err := os.OpenFile(d.join(name), os.O_WRONLY, 0)
	if err != nil {
		return os.Remove(d.join(name))
	}
	if err := os.Remove(d.join(name)); err != nil {
		return errors.Join(err, f.Close())
	}
	if ordered(f) && alone(f) {
		shrink(f, func() { time.Sleep(removePause) })
	}
	return f.Close()
}

// ordered reports whether f's file system is one that keeps metadata in order: after a power cut there may be the file as it was,
// or none, but not one that has its name and lacks its end.
func ordered(f *os.File) bool {
	var fs unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &fs) != nil {
		return false
	}
	return fs.Type == unix.EXT4_SUPER_MAGIC || fs.Type == unix.XFS_SUPER_MAGIC || fs.Type == unix.TMPFS_MAGIC
}

// alone reports whether nobody else has f open: whoever does reads on. The kernel gives a lease for writing under that condition.
func alone(f *os.File) bool {
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		return false
	}
	_, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
	return err == nil
}

// shrink cuts f off from its end on until a piece is left. Where that fails, closing the file gives all of it back.
func shrink(f *os.File, pause func()) {
	info, err := f.Stat()
	if err != nil {
		return
	}
	step := max(removeBytes, info.Size()/removeSteps)
	for size := info.Size() - step; size > 0 && f.Truncate(size) == nil; size -= step {
		pause()
	}
}
