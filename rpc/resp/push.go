package resp

import (
	"sync"
	"sync/atomic"

	"github.com/quorate/quorate/fsm/reply"
)

// push is what the server says to a client unasked: invalidations. Anybody may add to it and never waits; the
// connection's driver sends it.
//
// While commands are executed, messages wait until their replies are sent. Otherwise a client could hear that a key changed,
// then get the reply of a read before the change, and cache that for ever.
type push struct {
	c *conn
	// some is set while buf is not empty.
	some   atomic.Bool
	mu     sync.Mutex
	buf    []byte
	closed bool
}

// add appends one message. It does not block. A client that lets too much pile up is disconnected.
func (p *push) add(write func(w *reply.Writer), limit int64) {
	if over, ok := p.append(write, limit); over {
		p.c.s.stats.outputLimitKills.Add(1)
		p.c.kill()
	} else if ok {
		p.c.by.pushed(p.c)
	}
}

func (p *push) append(write func(w *reply.Writer), limit int64) (over, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false, false
	}
	w := reply.Writer{Buf: p.buf, Proto: 2}
	if p.c.flags.Load()&flagRESP3 != 0 {
		w.Proto = 3
	}
	write(&w)
	p.buf = w.Buf
	if limit > 0 && int64(len(p.buf)) > limit {
		p.buf, p.closed = nil, true
		return true, false
	}
	p.some.Store(true)
	return false, true
}

// take moves the messages to the end of out.
func (p *push) take(out []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.some.Store(false)
	out = append(out, p.buf...)
	if p.buf = p.buf[:0]; cap(p.buf) > maxKeptOut {
		p.buf = nil
	}
	return out
}

// size is how many bytes wait.
func (p *push) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.buf)
}

func (p *push) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed, p.buf = true, nil
}

// takePushed collects messages behind the replies.
func (c *conn) takePushed() {
	if c.push.some.Load() {
		c.openOut()
		c.out = c.push.take(c.out)
	}
}
