package sim

import (
	"syscall"
	"time"
)

// quit has a Go process print its goroutines and end.
const quit = syscall.SIGQUIT

// spent is the processor time of this process.
func spent() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
