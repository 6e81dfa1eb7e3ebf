package resp

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// thread drives one connection on a goroutine of its own: where there are no loops, and for what is no socket (a simulated network).
// Its reads and writes wait. During a pause it reads on, to learn whether the client is still there.
type thread struct {
	c  *conn
	nc net.Conn

	// write orders the writes of the connection's goroutine and of the one that sends pushed messages.
	write sync.Mutex
	// held keeps pushed messages back while commands are executed.
	mu             sync.Mutex
	held, pushing  bool
	ended          bool
	released       *sync.Cond
	pushedMessages sync.WaitGroup
}

func newThread(c *conn, nc net.Conn) *thread {
	t := &thread{c: c, nc: nc}
	t.released = sync.NewCond(&t.mu)
	c.by, c.wire, c.run = t, t, newRun(c)
	return t
}

// Read implements wire. It ends when the client has gone, has outstayed, or the server stops; with errWouldBlock when a pause ends.
func (t *thread) Read(p []byte) (int, error) {
	for {
		n, err := t.nc.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if t.c.paused {
			if t.nc.SetReadDeadline(time.Time{}) != nil {
				return 0, err
			}
			return 0, errWouldBlock
		}
		// look ended the read. The server may stop between the first glance and the new deadline.
		if t.c.s.isStopping() || t.c.outstayed(time.Now()) || t.nc.SetReadDeadline(time.Time{}) != nil || t.c.s.isStopping() {
			return 0, err
		}
	}
}

// Write implements wire. It ends when the client has taken nothing for as long as it might be idle when the write began.
func (t *thread) Write(p []byte) (int, error) {
	t.write.Lock()
	defer t.write.Unlock()
	t.c.owe(len(p))
	defer t.c.owe(0)
	patience := t.c.patience()
	if patience == 0 {
		return t.nc.Write(p)
	}
	defer t.nc.SetWriteDeadline(time.Time{})
	for sent := 0; ; {
		if err := t.nc.SetWriteDeadline(time.Now().Add(patience)); err != nil {
			return sent, err
		}
		n, err := t.nc.Write(p[sent:])
		if sent += n; n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return sent, err
		}
		t.c.owe(len(p) - sent)
	}
}

// run serves until the client or the server ends the connection.
func (t *thread) run() {
	defer t.end()
	c := t.c
	for {
		t.hold(true)
		switch c.advance() {
		case forInput, forPause:
			t.hold(false)
			if n, err := c.fill(); n == 0 && !errors.Is(err, errWouldBlock) {
				return
			}
		case forGroups:
			c.run.await()
		case forWork:
			c.work()
		case forNothing:
			return
		case forOutput: // only where Write would block
		}
	}
}

func (t *thread) end() {
	t.c.gone()
	t.nc.Close()
	t.mu.Lock()
	t.ended = true
	t.released.Broadcast()
	t.mu.Unlock()
	t.pushedMessages.Wait()
	t.c.s.threads.remove(t)
}

func (t *thread) hold(on bool) {
	t.mu.Lock()
	t.held = on
	if !on && t.c.push.some.Load() {
		t.released.Signal()
	}
	t.mu.Unlock()
}

// pushed implements driver: the first message starts the goroutine that sends them.
func (t *thread) pushed(*conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.pushing && !t.ended {
		t.pushing = true
		t.pushedMessages.Go(t.sendPushed)
	}
	t.released.Signal()
}

func (t *thread) sendPushed() {
	var out []byte
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		for !t.ended && (t.held || !t.c.push.some.Load()) {
			t.released.Wait()
		}
		if t.ended {
			return
		}
		out = t.c.push.take(out[:0])
		// Free, because the only other writer writes while it holds the messages back, and cannot begin to before the
		// lock is given up. Its next reply then goes behind these messages, which is harmless.
		t.write.Lock()
		t.mu.Unlock()
		n, err := t.nc.Write(out)
		t.write.Unlock()
		t.c.s.stats.bytesOut.Add(uint64(n))
		if err != nil {
			t.nc.Close()
		}
		t.mu.Lock()
	}
}

// arrived implements driver.
func (t *thread) arrived(c *conn) { c.run.signal() }

// resume implements driver.
func (t *thread) resume(*conn) { t.look() }

// kill implements driver.
func (t *thread) kill(*conn) { t.nc.Close() }

// look lets a read that waits see whether it should still.
func (t *thread) look() { _ = t.nc.SetReadDeadline(time.Unix(1, 0)) }

// threads are the connections that have a goroutine of their own.
type threads struct {
	mu  sync.Mutex
	all map[*thread]struct{}
}

func (ts *threads) add(t *thread) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.all == nil {
		ts.all = map[*thread]struct{}{}
	}
	ts.all[t] = struct{}{}
}

func (ts *threads) remove(t *thread) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.all, t)
}

func (ts *threads) look() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for t := range ts.all {
		t.look()
	}
}
