//go:build linux && !race

package peer

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// socket reads and writes a TCP connection with raw system calls, without telling Go's scheduler. They do not block and
// return in a few microseconds; telling it costs a part of that, and if the machine is busy, the scheduler finds the process
// in a system call, takes the processor away from it and keeps looking 50,000 times a second: with three nodes on two
// cores, a twentieth of all CPU time. One goroutine may read and one write at a time. (The race detector must see system calls
// to know what happened before what, so it gets ordinary ones.)
type socket struct {
	raw syscall.RawConn
	in  transfer
	out transfer
}

// transfer is one direction of a socket.
type transfer struct {
	call uintptr
	p    []byte
	n    int
	err  error
	// step is try, bound once.
	step func(fd uintptr) bool
}

// direct is how raw is best read and written: as a socket, if it is a TCP connection itself.
func direct(raw net.Conn) io.ReadWriter {
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		return raw
	}
	rc, err := tcp.SyscallConn()
	if err != nil {
		return raw
	}
	s := &socket{raw: rc, in: transfer{call: syscall.SYS_READ}, out: transfer{call: syscall.SYS_WRITE}}
	s.in.step, s.out.step = s.in.try, s.out.try
	return s
}

// maxTransfer bounds what one raw system call copies, so that it does not hold up a garbage collection.
const maxTransfer = 64 << 10

// try does what can be done at once; false: nothing can, wait until the socket is ready.
func (t *transfer) try(fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall(t.call, fd, uintptr(unsafe.Pointer(&t.p[0])), uintptr(len(t.p)))
		switch errno {
		case 0:
			t.n, t.err = int(n), nil
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			t.n, t.err = 0, os.NewSyscallError("transfer", errno)
			return true
		}
	}
}

// Read implements io.Reader.
func (s *socket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.in.p = p[:min(len(p), maxTransfer)]
	if err := s.raw.Read(s.in.step); err != nil {
		return 0, err
	}
	if s.in.n == 0 && s.in.err == nil {
		return 0, io.EOF
	}
	return s.in.n, s.in.err
}

// Write implements io.Writer.
func (s *socket) Write(p []byte) (done int, err error) {
	for done < len(p) {
		s.out.p = p[done:min(len(p), done+maxTransfer)]
		if err := s.raw.Write(s.out.step); err != nil {
			return done, err
		}
		if s.out.err != nil {
			return done, s.out.err
		}
		done += s.out.n
	}
	return done, nil
}
