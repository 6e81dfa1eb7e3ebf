package process

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// EndsWithUs keeps a server from outliving a test that panics or a measurement that is killed, where the system can.
func EndsWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// reserve takes n bytes of a disk for f, from offset on.
func reserve(f *os.File, offset, n int64) error { return unix.Fallocate(int(f.Fd()), 0, offset, n) }
