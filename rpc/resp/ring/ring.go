package ring

import "errors"

// Result is what became of a transfer.
type Result int32

// WouldBlock: nothing could be transferred at the moment. NotRun: it was not tried.
const (
	WouldBlock Result = -11 // EAGAIN, in io_uring's way
	NotRun     Result = -1 << 31
)

// Bytes returns how many bytes were transferred. False: none, because the other side has closed the connection, the transfer
// failed, would block, or was not run; a system call of one's own tells more.
func (r Result) Bytes() (n int, ok bool) { return max(0, int(r)), r > 0 }

// ErrUnsupported: there is no io_uring on this system.
var ErrUnsupported = errors.New("io_uring is a feature of Linux")
