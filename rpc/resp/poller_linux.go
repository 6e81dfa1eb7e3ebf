package resp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller says which sockets have something to read or room to write, edge-triggered: once per change.
//
// Its epoll descriptor is itself watched by the Go runtime's poller. So a loop that waits is an ordinary parked goroutine:
// no thread sits in epoll_wait with a P that others could use.
type poller struct {
	file   *os.File
	raw    syscall.RawConn
	epoll  int
	events [256]unix.EpollEvent
	n      int
	look   func(uintptr) bool
}

// event is about one socket. ended: the client sends nothing more, or has gone.
type event struct {
	fd              int
	readable, ended bool
}

func newPoller() (*poller, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	// The runtime takes only non-blocking descriptors into its poller.
	if err := unix.SetNonblock(ep, true); err != nil {
		return nil, fmt.Errorf("set epoll descriptor non-blocking: %w", err)
	}
	p := &poller{file: os.NewFile(uintptr(ep), "epoll"), epoll: ep}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		return nil, fmt.Errorf("poll epoll descriptor: %w", err)
	}
	if err := p.file.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("poll epoll descriptor: %w", err)
	}
	p.look = func(uintptr) bool {
		p.fetch()
		return p.n > 0
	}
	return p, nil
}

func (p *poller) add(fd int) error {
	events := uint32(unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET)
	err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
	if err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// fetch asks the kernel without waiting.
func (p *poller) fetch() {
	p.n = 0
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), 0, 0, 0)
	if errno == 0 {
		p.n = int(n)
	}
}

// wait appends the sockets that something has happened to. If park is set and there are none, it waits until there are, or
// wake is called.
func (p *poller) wait(into []event, park bool) []event {
	if !park {
		p.fetch()
	} else if err := p.raw.Read(p.look); errors.Is(err, os.ErrDeadlineExceeded) {
		p.n = 0
		p.until(time.Time{})
	} else if err != nil {
		panic(fmt.Sprintf("wait for client connections: %v", err)) // the descriptor is ours and open
	}
	for _, e := range p.events[:p.n] {
		ended := e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
		into = append(into, event{int(e.Fd), ended || e.Events&unix.EPOLLIN != 0, ended})
	}
	return into
}

// wake makes wait return, or the next one that may park; not after close. It is a deadline that has passed, which costs no system
// call: the runtime makes the goroutine run. An eventfd had to be written, and to be found by two pollers.
func (p *poller) wake() { p.until(time.Unix(1, 0)) }

func (p *poller) until(deadline time.Time) {
	if err := p.file.SetReadDeadline(deadline); err != nil {
		panic(fmt.Sprintf("wake who waits for client connections: %v", err)) // newPoller has seen that it can be done
	}
}

func (p *poller) close() { p.file.Close() }

// takeSocket takes nc's socket away from the runtime's poller, which would be told of every byte that arrives. nc is
// closed then.
func takeSocket(nc net.Conn) (fd int, ok bool) {
	conn, ok := nc.(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, false
	}
	controlled := raw.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	if controlled != nil || err != nil {
		return 0, false
	}
	nc.Close()
	return fd, true
}

// socket is a non-blocking socket. Its system calls are raw, without telling the scheduler: they return at once, and telling
// it costs as much as a small read.
type socket int

func (s socket) Read(p []byte) (int, error) { return s.transfer(unix.SYS_READ, p) }

// maxWrite bounds what one raw system call copies, so that it does not hold up a garbage collection.
const maxWrite = 64 << 10

func (s socket) Write(p []byte) (done int, err error) {
	for done < len(p) && err == nil {
		var n int
		n, err = s.transfer(unix.SYS_WRITE, p[done:min(len(p), done+maxWrite)])
		done += n
	}
	return done, err
}

func (s socket) transfer(call uintptr, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, _, errno := unix.RawSyscall(call, uintptr(s), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, errWouldBlock
		default:
			return 0, errno
		}
	}
}

// shutdown ends the conversation; the client sees the end at once.
func (s socket) shutdown() { _ = unix.Shutdown(int(s), unix.SHUT_RDWR) }

func (s socket) close() { unix.Close(int(s)) }
