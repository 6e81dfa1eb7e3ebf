package resp

import (
	"sync"

	"github.com/quorate/quorate/fsm/reply"
)

// push is what the server says to a client unasked: invalidations. Anybody may add to it and never waits; a
// goroutine of its own, started at the first message, writes it.
//
// While the connection's goroutine executes commands, messages wait until their replies are sent. Otherwise a client
// could hear that a key changed, then get the reply of a read before the change, and cache that for ever.
type push struct {
	c    *conn
	mu   sync.Mutex
	buf  []byte
	held bool
	// started: the writing goroutine exists and waits on ready.
	started, closed bool
	ready           *sync.Cond
}

func (p *push) init(c *conn) {
	p.c = c
	p.ready = sync.NewCond(&p.mu)
}

// hold keeps messages back; release lets them go.
func (p *push) hold() {
	p.mu.Lock()
	p.held = true
	p.mu.Unlock()
}

func (p *push) release() {
	p.mu.Lock()
	p.held = false
	if len(p.buf) > 0 {
		p.ready.Signal()
	}
	p.mu.Unlock()
}

// add appends one message. It does not block. A client that lets too much pile up is disconnected.
func (p *push) add(write func(w *reply.Writer), limit int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	if !p.started {
		p.started = true
		p.c.s.wg.Go(p.run)
	}
	w := reply.Writer{Buf: p.buf, Proto: 2}
	if p.c.flags.Load()&flagRESP3 != 0 {
		w.Proto = 3
	}
	write(&w)
	p.buf = w.Buf
	if int64(len(p.buf)) > limit {
		p.c.s.stats.outputLimitKills.Add(1)
		p.buf, p.closed = nil, true
		p.c.kill()
	}
	p.ready.Signal()
}

// run writes messages until close.
func (p *push) run() {
	var spare []byte
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		for !p.closed && (p.held || len(p.buf) == 0) {
			p.ready.Wait()
		}
		if p.closed {
			return
		}
		out := p.buf
		p.buf = spare[:0]
		// Free, because the only other writer writes while it holds the messages back, and cannot begin to before the
		// lock is given up. Its next reply then goes behind these messages, which is harmless.
		p.c.wmu.Lock()
		p.mu.Unlock()
		n, err := p.c.nc.Write(out)
		p.c.wmu.Unlock()
		p.c.s.stats.bytesOut.Add(uint64(n))
		if err != nil {
			p.c.kill()
		}
		if spare = out; cap(spare) > maxKeptOut {
			spare = nil
		}
		p.mu.Lock()
	}
}

// size is how many bytes wait.
func (p *push) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.buf)
}

func (p *push) close() {
	p.mu.Lock()
	p.closed = true
	p.ready.Broadcast()
	p.mu.Unlock()
}
