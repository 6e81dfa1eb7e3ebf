package ring

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Ring does transfers together. One goroutine uses it at a time.
type Ring struct {
	fd int
	// rings and entries are the memory that the kernel shares: both queues' indexes and the completions; the submissions.
	rings, entries []byte

	submissions    []submission
	sqHead, sqTail *uint32
	completions    []completion
	cqHead, cqTail *uint32
	sqMask, cqMask uint32
	results        []Result
	finished       int
	// buffers are those of the transfers that are prepared: the kernel's address of one keeps nothing from being collected.
	buffers [][]byte
}

// New returns a ring that does up to n transfers at a time. It fails where io_uring does not exist or is too old (EINVAL before
// Linux 5.18), or is forbidden: by the sysctl kernel.io_uring_disabled, or by a container's seccomp profile.
func New(n int) (*Ring, error) {
	p := params{flags: setupSubmitAll}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(n), uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_uring_setup", errno)
	}
	r := &Ring{fd: int(fd), results: make([]Result, 0, n), buffers: make([][]byte, 0, n)}
	if err := r.share(&p); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// share maps the queues.
func (r *Ring) share(p *params) (err error) {
	if p.features&featureSingleMap == 0 {
		return fmt.Errorf("io_uring: features %#x: the kernel is too old", p.features)
	}
	size := max(p.sq.array+4*p.sqEntries, p.cq.cqes+p.cqEntries*uint32(unsafe.Sizeof(completion{})))
	if r.rings, err = r.mmap(offsetRings, int(size)); err != nil {
		return err
	}
	if r.entries, err = r.mmap(offsetEntries, int(p.sqEntries)*int(unsafe.Sizeof(submission{}))); err != nil {
		return err
	}
	r.submissions = unsafe.Slice((*submission)(unsafe.Pointer(&r.entries[0])), p.sqEntries)
	r.completions = unsafe.Slice((*completion)(unsafe.Pointer(&r.rings[p.cq.cqes])), p.cqEntries)
	r.sqHead, r.sqTail, r.sqMask = r.index(p.sq.head), r.index(p.sq.tail), p.sqEntries-1
	r.cqHead, r.cqTail, r.cqMask = r.index(p.cq.head), r.index(p.cq.tail), p.cqEntries-1
	// The queue is one of indexes into the entries. Ours never moves: entry i is at place i.
	for i := range p.sqEntries {
		*r.index(p.sq.array + 4*i) = i
	}
	return nil
}

func (r *Ring) mmap(offset int64, size int) ([]byte, error) {
	m, err := unix.Mmap(r.fd, offset, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	return m, os.NewSyscallError("mmap of an io_uring", err)
}

func (r *Ring) index(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.rings[offset])) }

// Close gives the ring back.
func (r *Ring) Close() error {
	for _, m := range [][]byte{r.rings, r.entries} {
		if m != nil {
			_ = unix.Munmap(m) // ours, so it cannot fail
		}
	}
	return os.NewSyscallError("close an io_uring", unix.Close(r.fd))
}

// Receive prepares to receive into a buffer, which belongs to the ring until Run has returned. Neither Receive nor Send may be
// called more often than the ring has room for, nor with an empty buffer.
func (r *Ring) Receive(fd int, into []byte) { r.prepare(opReceive, fd, into) }

// Send prepares to send a buffer; see Receive.
func (r *Ring) Send(fd int, from []byte) { r.prepare(opSend, fd, from) }

func (r *Ring) prepare(op uint8, fd int, b []byte) {
	at := *r.sqTail + uint32(len(r.buffers))
	r.submissions[at&r.sqMask] = submission{
		op: op, fd: int32(fd), address: uint64(uintptr(unsafe.Pointer(&b[0]))), length: uint32(len(b)),
		// Without waiting: it then ends before the call does, whatever happens. A broken connection is no signal.
		message: unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL, user: uint64(len(r.buffers)),
	}
	r.buffers = append(r.buffers, b)
}

// Run does what was prepared, with one system call as a rule, and returns what became of each transfer, in the order of the
// preparations. They are valid until the next call.
func (r *Ring) Run() []Result {
	n := len(r.buffers)
	r.results = r.results[:n]
	for i := range r.results {
		r.results[i] = NotRun
	}
	r.finished = 0
	first := *r.sqTail
	atomic.StoreUint32(r.sqTail, first+uint32(n))
	// Raw, without telling the scheduler: nothing waits.
	_, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), uintptr(n), 0, 0, 0, 0)
	r.reap()
	// What the kernel did not take, for want of memory, is forgotten.
	taken := int(atomic.LoadUint32(r.sqHead) - first)
	atomic.StoreUint32(r.sqTail, first+uint32(taken))
	for r.finished < taken && (errno == 0 || errno == unix.EINTR) {
		_, _, errno = unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), 0, uintptr(taken-r.finished), enterGetEvents, 0, 0)
		r.reap()
	}
	if r.finished < taken {
		panic(fmt.Sprintf("io_uring_enter: %v, with %d transfers under way", errno, taken-r.finished)) // their buffers are not ours
	}
	clear(r.buffers)
	r.buffers = r.buffers[:0]
	return r.results
}

// reap takes the completions that have come.
func (r *Ring) reap() {
	head, tail := *r.cqHead, atomic.LoadUint32(r.cqTail)
	for ; head != tail; head++ {
		c := &r.completions[head&r.cqMask]
		r.results[c.user] = Result(c.result)
		r.finished++
	}
	atomic.StoreUint32(r.cqHead, head)
}
