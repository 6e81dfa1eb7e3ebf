//go:build amd64 || arm64

package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// aio hands one write or sync at a time to the kernel and waits for its end without a thread (io_submit(2), which container
// runtimes allow by default; io_uring they do not).
//
// A goroutine that waits in fdatasync keeps its processor until Go's monitor thread takes that away from it, which needs
// 20 µs and more, and that thread to look 50,000 times a second: with one processor per node, a node does hardly anything
// else while its disk works (7 instead of 150 exchanges per millisecond over a socket), and pays an eighth of its CPU time
// for the looking. So the calls here are made without telling the scheduler, and the goroutine waits for an eventfd, as
// others do for sockets.
type aio struct {
	context uintptr
	event   *os.File
	eventFD uint32
	ready   syscall.RawConn
	// request and reply are where the kernel reads and writes; take is reap, bound once.
	request iocb
	reply   ioEvent
	err     error
	// pending is set from hand until reap has the answer: if it is after wait, nobody knows what is under way.
	pending bool
	take    func(fd uintptr) bool
}

// iocb is the kernel's struct iocb, ioEvent its struct io_event (include/uapi/linux/aio_abi.h).
type iocb struct {
	_              uint64
	_, _           uint32
	opcode         uint16
	_              int16
	fd             uint32
	buf, bytes     uint64
	offset         int64
	_              uint64
	flags, eventFD uint32
}

type ioEvent struct {
	data, request uint64
	result, _     int64
}

const (
	opWrite     = 1 // IOCB_CMD_PWRITE
	opSync      = 2 // IOCB_CMD_FSYNC
	opDataSync  = 3 // IOCB_CMD_FDSYNC
	flagEventFD = 1 // IOCB_FLAG_RESFD
)

// newAIO fails where the kernel has none (ENOSYS), does not let this process have it (EPERM), or has lent all (EAGAIN, see
// /proc/sys/fs/aio-max-nr).
func newAIO() (*aio, error) {
	a := new(aio)
	if _, _, errno := syscall.RawSyscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&a.context)), 0); errno != 0 {
		return nil, os.NewSyscallError("io_setup", errno)
	}
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd", err), a.destroy())
	}
	a.event, a.eventFD = os.NewFile(uintptr(fd), "eventfd"), uint32(fd)
	if a.ready, err = a.event.SyscallConn(); err != nil {
		return nil, errors.Join(err, a.close())
	}
	a.take = a.reap
	return a, nil
}

// submit hands over the write of b, aligned in memory and of whole blocks, to the same of the file. The file is to be open with
// O_DSYNC, for the write to end on the disk: gVisor overlooks RWF_DSYNC. b must not change until wait returns.
func (a *aio) submit(fd uintptr, b []byte, at int64) error {
	a.request = iocb{
		opcode: opWrite, fd: uint32(fd), buf: uint64(uintptr(unsafe.Pointer(&b[0]))), bytes: uint64(len(b)),
		offset: at, flags: flagEventFD, eventFD: a.eventFD,
	}
	return a.hand()
}

// submitSync hands over a sync of a file; opcode is opSync or opDataSync. A thread of the kernel does it.
func (a *aio) submitSync(fd uintptr, opcode uint16) error {
	a.request = iocb{opcode: opcode, fd: uint32(fd), flags: flagEventFD, eventFD: a.eventFD}
	return a.hand()
}

func (a *aio) hand() error {
	request := &a.request
	_, _, errno := syscall.RawSyscall(unix.SYS_IO_SUBMIT, a.context, 1, uintptr(unsafe.Pointer(&request)))
	a.pending = errno == 0
	return os.NewSyscallError("io_submit", errnoOrNil(errno))
}

// wait returns the number of bytes that are on the disk, 0 after a sync. After an error from anything but the disk, the write may still
// be under way: nothing may be written to its buffer, ever.
func (a *aio) wait() (n int, err error) {
	if err := a.ready.Read(a.take); err != nil {
		return 0, fmt.Errorf("wait for the disk: %w", err)
	}
	if a.err != nil {
		return 0, a.err
	}
	if a.reply.result < 0 {
		return 0, os.NewSyscallError(a.name(), syscall.Errno(-a.reply.result))
	}
	return int(a.reply.result), nil
}

func (a *aio) name() string {
	switch a.request.opcode {
	case opSync:
		return "fsync"
	case opDataSync:
		return "fdatasync"
	}
	return "write"
}

// reap takes the answer, or reports that there is none yet.
func (a *aio) reap(fd uintptr) bool {
	var count [8]byte
	if n, _, _ := syscall.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&count)), 8); n != 8 {
		return false
	}
	a.err = nil
	n, _, errno := syscall.RawSyscall6(unix.SYS_IO_GETEVENTS, a.context, 0, 1, uintptr(unsafe.Pointer(&a.reply)), 0, 0)
	if errno != 0 {
		a.err = os.NewSyscallError("io_getevents", errno)
	} else if n != 1 {
		a.err = fmt.Errorf("io_getevents: %w", io.ErrNoProgress)
	} else {
		a.pending = false
	}
	return true
}

// close waits for what is under way.
func (a *aio) close() error { return errors.Join(a.destroy(), a.event.Close()) }

func (a *aio) destroy() error {
	_, _, errno := syscall.Syscall(unix.SYS_IO_DESTROY, a.context, 0, 0)
	return os.NewSyscallError("io_destroy", errnoOrNil(errno))
}

// errnoOrNil is errno as an error; 0 is none.
func errnoOrNil(errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}
