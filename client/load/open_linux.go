package load

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// punctual is an open loop on one thread that waits in the kernel. With a goroutine and a timer per connection, the generator
// itself was late: timers of an idle Go program are up to a millisecond late, and goroutines wait for each other's
// processors; Redis, asked 10,000 times a second, seemed to have a p99 of 10 to 20 ms.
type punctual struct {
	s     *shared
	epoll int
	// byFD are the connections, idle those that wait for their time, earliest first.
	byFD  map[int32]*flight
	idle  flights
	still *still
}

// flight is a connection of an open loop and the pipeline that is under way on it.
type flight struct {
	w   *worker
	fd  int
	due time.Time
	// underWay is set from when a pipeline is sent to its last reply.
	underWay bool
	// waited is false if the last reply came after due.
	waited bool
	// since is when the first of the pipelines was due that had to wait for each other up to this one.
	since time.Time
	in    []byte
	// gets and wait are the pipeline's.
	gets, wait int
}

// openLoop runs workers until ctx ends. False: they have to run by themselves, as they do not speak RESP.
func (s *shared) openLoop(ctx context.Context, workers []*worker) (bool, error) {
	if s.plan.Open != nil {
		return false, nil
	}
	p := &punctual{s: s, byFD: map[int32]*flight{}}
	var err error
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return false, fmt.Errorf("epoll_create1: %w", err)
	}
	defer unix.Close(p.epoll)
	start := time.Now()
	for _, w := range workers {
		fd, err := p.adopt(w)
		if err != nil {
			return false, fmt.Errorf("open loop: %w", err)
		}
		defer unix.Close(fd)
		f := &flight{w: w, fd: fd, due: start.Add(time.Duration(w.rnd.Int64N(int64(s.plan.gap()) + 1))), waited: true}
		f.since = f.due
		p.byFD[int32(fd)] = f
		p.idle = append(p.idle, f)
	}
	heap.Init(&p.idle)
	p.still = watchStill(s.rec)
	defer p.still.end()
	p.run(ctx)
	for _, f := range p.byFD {
		s.rec.overdue(f.w.id, f.due, p.undisturbed(f))
	}
	return true, nil
}

// adopt gives the descriptor of a copy of w's socket, which is non-blocking as Go made it.
func (p *punctual) adopt(w *worker) (fd int, err error) {
	sc, ok := w.conn.nc.(syscall.Conn)
	if !ok {
		return 0, errors.New("an open loop needs sockets")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, err
	}
	controlled := raw.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(controlled, err); err != nil {
		return 0, err
	}
	if err = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
		unix.Close(fd)
	}
	return fd, err
}

func (p *punctual) run(ctx context.Context) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// The kernel may otherwise wake a thread 50 µs late, to wake several at once.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(time.Microsecond), 0, 0, 0)
	defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) }() // the default again
	var events [64]unix.EpollEvent
	for ctx.Err() == nil && len(p.byFD) > 0 {
		p.sendDue()
		for _, e := range events[:p.wait(events[:])] {
			p.receive(p.byFD[e.Fd])
		}
	}
}

// longestWait is how soon the end of the context is noticed.
const longestWait = 20 * time.Millisecond

// wait returns how many events there are before the next pipeline is due.
func (p *punctual) wait(events []unix.EpollEvent) int {
	d := longestWait
	if len(p.idle) > 0 {
		d = min(d, max(0, time.Until(p.idle[0].due)))
	}
	ts := unix.NsecToTimespec(int64(d))
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.epoll), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	if errno == unix.ENOSYS || errno == unix.EPERM {
		// Linux before 5.11: look again and again, as its epoll_wait counts in milliseconds.
		several, err := unix.EpollWait(p.epoll, events, 0)
		if err != nil {
			return 0
		}
		return several
	}
	if errno != 0 {
		return 0
	}
	return int(n)
}

func (p *punctual) sendDue() {
	for now := time.Now(); len(p.idle) > 0 && !p.idle[0].due.After(now); {
		f := heap.Pop(&p.idle).(*flight)
		if p.byFD[int32(f.fd)] == nil {
			continue // lost while it waited for its time
		}
		f.underWay = true
		if f.waited {
			p.s.rec.sent(time.Since(f.due))
		}
		f.gets = f.w.compose()
		f.wait = f.w.appendWait(f.gets)
		n, err := unix.Write(f.fd, f.w.conn.out)
		if err == nil && n < len(f.w.conn.out) {
			err = errors.New("the pipeline is larger than the socket's buffer; shorten it or run a closed loop")
		}
		if err != nil {
			p.lose(f, err)
		}
	}
}

// receive reads what came, and ends the pipeline if that was all.
func (p *punctual) receive(f *flight) {
	if f == nil {
		return
	}
	room := len(f.in)
	f.in = append(f.in, make([]byte, 16<<10)...)
	n, err := unix.Read(f.fd, f.in[room:])
	f.in = f.in[:room+max(n, 0)]
	switch {
	case errors.Is(err, unix.EAGAIN):
		return
	case err == nil && n == 0:
		err = errors.New("the server has closed the connection")
	case err == nil && !f.underWay:
		err = errUnasked
	}
	if err != nil {
		p.lose(f, err)
		return
	}
	replies := p.s.plan.Pipeline
	if f.wait > 0 {
		replies++
	}
	if !hasReplies(f.in, replies) {
		return
	}
	in := bytes.NewReader(f.in)
	f.w.conn.r.Reset(in)
	saw, err := f.w.receive(p.s.plan.Pipeline, f.gets, f.wait)
	if err == nil && f.w.conn.r.Buffered()+in.Len() > 0 {
		err = errUnasked
	}
	if err != nil {
		p.lose(f, err)
		return
	}
	now := time.Now()
	if !p.s.rec.record(0, p.s.plan.Pipeline, now.Sub(f.due), saw) && p.s.rec.over() {
		return // too late: it counts as overdue
	}
	if saw.timed() && p.undisturbed(f) {
		p.s.rec.undisturbed(now.Sub(f.due))
	}
	f.in, f.underWay = f.in[:0], false
	f.due = f.due.Add(p.s.plan.gap())
	f.waited = now.Before(f.due)
	if f.waited {
		f.since = f.due
	}
	heap.Push(&p.idle, f)
}

// undisturbed reports whether it is known that no processor stood still while f's pipeline was under way.
func (p *punctual) undisturbed(f *flight) bool {
	return p.still.watching() && !p.still.happened(f.since)
}

// errUnasked ends a connection whose replies can't be told apart any more.
var errUnasked = errors.New("the server sent more replies than it was asked for")

func (p *punctual) lose(f *flight, err error) {
	p.s.rec.broke(fmt.Sprintf("%s: %v", f.w.addr, err))
	p.s.rec.overdue(f.w.id, f.due, false)
	delete(p.byFD, int32(f.fd))
	_ = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_DEL, f.fd, nil) // it is not looked at any more in any case
}

// hasReplies reports whether b holds n replies, none of which is an array.
func hasReplies(b []byte, n int) bool {
	for ; n > 0; n-- {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			return false
		}
		line := b[:end+1]
		b = b[end+1:]
		if line[0] != '$' {
			continue
		}
		size, err := strconv.Atoi(string(bytes.TrimSpace(line[1:])))
		if err != nil || size < 0 {
			continue // a null, or nonsense for the reader to refuse
		}
		if len(b)-len("\r\n") < size {
			return false
		}
		b = b[size+len("\r\n"):]
	}
	return true
}

// flights is a heap by due.
type flights []*flight

func (h flights) Len() int           { return len(h) }
func (h flights) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h flights) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *flights) Push(x any)        { *h = append(*h, x.(*flight)) }

// Pop takes the last one, which heap.Pop has put there.
func (h *flights) Pop() any {
	last := len(*h) - 1
	f := (*h)[last]
	*h = (*h)[:last]
	return f
}
