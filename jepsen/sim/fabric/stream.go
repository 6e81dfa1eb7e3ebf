package fabric

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// resend is the least time after which a stream sends again what was lost, and the most by which that is put off.
const resend = 200 * time.Millisecond

// window is how many bytes a stream takes that its reader has not read: then writers wait.
const window = 64 << 10

// stream is one direction of a connection: what one end has written and the other has not read.
type stream struct {
	net      *Net
	from, to Host

	mu    sync.Mutex
	queue []segment
	// end is what the reader gets after the last segment, at endAt; nil while the writer may write.
	end   error
	endAt time.Time
	// shut says that the reader has closed its end.
	shut bool
	// unread are the bytes in the queue. deadline is the reader's, due the writer's.
	unread        int
	deadline, due time.Time
	changed       chan struct{}
}

// segment arrives at a time, all of it.
type segment struct {
	at   time.Time
	data []byte
}

func newStream(n *Net, from, to Host) *stream {
	return &stream{net: n, from: from, to: to, changed: make(chan struct{})}
}

func (s *stream) passage() passage { return passage{from: s.from, to: s.to, class: Clients} }

// edit changes the stream and wakes who waits for it. f returns an error for the writer.
func (s *stream) edit(f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.wake()
	return f()
}

// wake needs mu.
func (s *stream) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// arrival is when something that is sent now arrives: never before what was sent before it.
func (s *stream) arrival() (time.Time, fate) {
	f := s.net.draw(s.passage())
	if f.lost {
		f.delay = 2*f.delay + resend
	}
	at := time.Now().Add(f.delay)
	if n := len(s.queue); n > 0 && s.queue[n-1].at.After(at) {
		at = s.queue[n-1].at
	}
	return at, f
}

// write waits for room. broken says that b was cut short, and that the connection must end.
func (s *stream) write(b []byte) (n int, broken bool, err error) {
	if err := s.room(); err != nil {
		return 0, false, err
	}
	err = s.edit(func() error {
		switch {
		case s.end != nil:
			return net.ErrClosed
		case !s.shut:
			broken = s.send(b)
		}
		return nil
	})
	return len(b), broken, err
}

// room returns when less than window is unread, or nobody will read any more.
func (s *stream) room() error {
	for {
		s.mu.Lock()
		full, due, changed := s.unread >= window && s.end == nil && !s.shut, s.due, s.changed
		s.mu.Unlock()
		switch {
		case !full:
			return nil
		case due.IsZero():
			s.pause(0, changed)
		case time.Now().Before(due):
			s.pause(time.Until(due), changed)
		default:
			return os.ErrDeadlineExceeded
		}
	}
}

// send puts b, or what is left of it, on its way.
func (s *stream) send(b []byte) (broken bool) {
	at, f := s.arrival()
	if f.broken {
		b = b[:f.where.next()%uint64(len(b)+1)]
	}
	if len(b) > 0 {
		s.queue = append(s.queue, segment{at, append([]byte(nil), b...)})
		s.unread += len(b)
	}
	return f.broken
}

// close is the reader's: what is there is nobody's any more.
func (s *stream) close() {
	_ = s.edit(func() error { s.shut, s.queue, s.unread = true, nil, 0; return nil })
}

// finish ends the stream: the reader gets err after what is on its way, or at once.
func (s *stream) finish(err error, atOnce bool) {
	_ = s.edit(func() error {
		if s.end == nil || atOnce {
			s.end = err
			s.endAt, _ = s.arrival()
		}
		if atOnce {
			s.queue, s.unread, s.endAt = nil, 0, time.Time{}
		}
		return nil
	})
}

// read waits for the next segment.
func (s *stream) read(b []byte) (int, error) {
	for {
		n, wait, changed, err := s.take(b)
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		s.pause(wait, changed)
	}
}

// pause waits until the stream or the network's rules have changed, or for as long as given (0: for ever).
func (s *stream) pause(wait time.Duration, changed <-chan struct{}) {
	s.net.mu.Lock()
	rules := s.net.changed
	s.net.mu.Unlock()
	var timeout <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-changed:
	case <-rules:
	case <-timeout:
	}
}

// take reads what has arrived, or says how long there will be nothing.
func (s *stream) take(b []byte) (n int, wait time.Duration, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	next := s.endAt
	if len(s.queue) > 0 {
		next = s.queue[0].at
	}
	switch {
	case s.shut:
		return 0, 0, nil, net.ErrClosed
	case !s.deadline.IsZero() && !now.Before(s.deadline):
		return 0, 0, nil, os.ErrDeadlineExceeded
	case len(s.queue) == 0 && s.end == nil, s.stuck():
		return 0, s.until(now, time.Time{}), s.changed, nil
	case now.Before(next):
		return 0, s.until(now, next), s.changed, nil
	case len(s.queue) == 0:
		return 0, 0, nil, s.end
	}
	n = copy(b, s.queue[0].data)
	if s.unread -= n; s.unread < window && s.unread+n >= window {
		s.wake()
	}
	if s.queue[0].data = s.queue[0].data[n:]; len(s.queue[0].data) == 0 {
		s.queue = s.queue[1:]
	}
	return n, 0, nil, nil
}

// stuck reports whether the link carries nothing now. What a link loses is sent again some time after it works again.
func (s *stream) stuck() bool {
	if s.net.blocked(s.passage(), Hold) != nil {
		return true
	}
	if s.net.blocked(s.passage(), Lose) == nil {
		return false
	}
	again := time.Now().Add(resend)
	if len(s.queue) > 0 && s.queue[0].at.Before(again) {
		s.queue[0].at = again
	}
	return true
}

// until is the time to the earlier of next and the deadline; 0 if there is neither.
func (s *stream) until(now, next time.Time) time.Duration {
	if next.IsZero() || !s.deadline.IsZero() && s.deadline.Before(next) {
		next = s.deadline
	}
	if next.IsZero() {
		return 0
	}
	return next.Sub(now)
}

// Conn is one end of a connection.
type Conn struct {
	in, out       *stream
	local, remote net.Addr
	// host is the machine that this end is on, far the other.
	host, far Host
	net       *Net
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) { return c.in.read(b) }

// Write implements net.Conn. It waits while the other end has too much to read.
func (c *Conn) Write(b []byte) (int, error) {
	n, broken, err := c.out.write(b)
	if broken {
		c.net.snapped()
		c.net.forget(c)
		c.reset(true)
		return n, syscall.ECONNRESET
	}
	return n, err
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.in.close()
	c.out.finish(io.EOF, false)
	c.net.forget(c)
	return nil
}

// reset ends the connection as the end of this end's process does. The other end hears of it by and by, or, if the machine
// itself has died, only when it asks for something after told.
func (c *Conn) reset(told bool) {
	c.in.close()
	if told {
		c.out.finish(syscall.ECONNRESET, false)
	}
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.in.edit(func() error {
		if c.in.shut {
			return net.ErrClosed
		}
		c.in.deadline = t
		return nil
	})
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.out.edit(func() error { c.out.due = t; return nil })
}

var _ net.Conn = (*Conn)(nil)
