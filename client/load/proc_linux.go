package load

import (
	"time"

	"golang.org/x/sys/unix"
)

// processClock is the CPU time of a process in nanoseconds, of threads that ended too; false if there is no such process, or the kernel
// does not let others read its clock.
func processClock(pid int) (time.Duration, bool) {
	const bySchedulers = 2 // CPUCLOCK_SCHED: what the scheduler has counted; clock_getcpuclockid(3) makes the same of a pid
	var t unix.Timespec
	if unix.ClockGettime(^int32(pid)<<3|bySchedulers, &t) != nil {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}
