package fabric

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// resend is the least time after which a stream sends again what was lost, and the most by which that is put off.
const resend = 200 * time.Millisecond

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
	shut     bool
	deadline time.Time
	changed  chan struct{}
}

// segment arrives at a time, all of it.
type segment struct {
	at   time.Time
	data []byte
}

func newStream(n *Net, from, to Host) *stream {
	return &stream{net: n, from: from, to: to, changed: make(chan struct{})}
}

// edit changes the stream and wakes the reader. f returns an error for the writer.
func (s *stream) edit(f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := f()
	close(s.changed)
	s.changed = make(chan struct{})
	return err
}

// arrival is when something that is sent now arrives: never before what was sent before it.
func (s *stream) arrival() time.Time {
	f := s.net.draw(s.from, s.to, Clients)
	if f.lost {
		f.delay = 2*f.delay + resend
	}
	at := time.Now().Add(f.delay)
	if n := len(s.queue); n > 0 && s.queue[n-1].at.After(at) {
		at = s.queue[n-1].at
	}
	return at
}

func (s *stream) write(b []byte) (int, error) {
	return len(b), s.edit(func() error {
		if s.end != nil {
			return net.ErrClosed
		}
		if !s.shut {
			s.queue = append(s.queue, segment{s.arrival(), append([]byte(nil), b...)})
		}
		return nil
	})
}

// finish ends the stream: the reader gets err after what is on its way, or at once.
func (s *stream) finish(err error, atOnce bool) {
	_ = s.edit(func() error {
		if s.end == nil || atOnce {
			s.end, s.endAt = err, s.arrival()
		}
		if atOnce {
			s.queue, s.endAt = nil, time.Time{}
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
	if s.queue[0].data = s.queue[0].data[n:]; len(s.queue[0].data) == 0 {
		s.queue = s.queue[1:]
	}
	return n, 0, nil, nil
}

// stuck reports whether the link carries nothing now. What a link loses is sent again some time after it works again.
func (s *stream) stuck() bool {
	if s.net.blocked(s.from, s.to, Clients, Hold) != nil {
		return true
	}
	if s.net.blocked(s.from, s.to, Clients, Lose) == nil {
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

// Write implements net.Conn. It never blocks.
func (c *Conn) Write(b []byte) (int, error) { return c.out.write(b) }

// Close implements net.Conn.
func (c *Conn) Close() error {
	_ = c.in.edit(func() error { c.in.shut, c.in.queue = true, nil; return nil })
	c.out.finish(io.EOF, false)
	c.net.forget(c)
	return nil
}

// reset ends the connection as the end of this end's process does. The other end hears of it by and by, or, if the machine
// itself has died, only when it asks for something after told.
func (c *Conn) reset(told bool) {
	_ = c.in.edit(func() error { c.in.shut, c.in.queue = true, nil; return nil })
	if told {
		c.out.finish(syscall.ECONNRESET, false)
	}
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

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

// SetWriteDeadline implements net.Conn; writes do not block.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

var _ net.Conn = (*Conn)(nil)
