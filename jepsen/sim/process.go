package sim

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// quit has a Go process print its goroutines and end.
const quit = syscall.SIGQUIT

// spent is this process's processor time, and the most memory that it has had, in bytes.
func spent() (cpu time.Duration, memory int64) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), u.Maxrss << 10
}

// openNull takes a trace that nobody reads. It is written all the same, to a file of the same kind as standard output: whoever
// writes needs a larger stack, and what the runtime does to enlarge it draws random numbers.
func openNull() (*os.File, error) {
	fd, err := syscall.Open(os.DevNull, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	return os.NewFile(uintptr(fd), os.DevNull), nil
}
