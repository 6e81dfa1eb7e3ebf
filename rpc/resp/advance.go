package resp

import (
	"errors"
	"time"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/rpc/resp/frame"
)

// wait is what a connection waits for.
type wait uint8

const (
	// forInput: everything that came was executed and answered.
	forInput wait = iota
	// forOutput: the client must read first.
	forOutput
	// forGroups: calls are under way.
	forGroups
	// forPause: a pause holds its next command back; its driver is told to resume.
	forPause
	// forWork: work must be called, which may block.
	forWork
	// forNothing: the connection has ended.
	forNothing
)

// advance takes the connection as far as it gets without waiting, and says what it waits for then. Its driver sees to
// that and calls again.
func (c *conn) advance() wait {
	for {
		if c.run.asked {
			switch {
			case c.run.pending.Load() > 0:
				return forGroups
			case !c.run.clean():
				return forWork
			}
			c.finish()
		}
		if c.pendingOut() > maxPendingOut && !c.flush() {
			return forOutput
		}
		if c.heavy == nil {
			c.commands()
		}
		switch {
		case len(c.run.cmds) > 0:
			if !c.begin() {
				return forWork
			}
			continue
		case c.heavy != nil:
			return forWork
		}
		c.takePushed()
		if !c.flush() {
			return forOutput
		}
		if c.paused && !c.closing {
			return forPause
		}
		if c.closing || c.s.isStopping() {
			if c.seat.staged && !c.transmitOut() {
				return forOutput
			}
			return forNothing
		}
		return forInput
	}
}

// commands gathers the commands from the input that can be executed together: up to the first that may block, which goes
// to heavy if nothing is to be done before it, and is looked at again later otherwise.
func (c *conn) commands() {
	cfg := c.s.cfg.Load()
	c.paused = false
	for !c.closing && len(c.run.cmds) < c.most {
		if !c.rest.Over() && !c.readOver() {
			return
		}
		lim := frame.Limits{Bulk: cfg.MaxBulkLen, Unauthenticated: !c.authed}
		n, _, err := c.scan.Next(c.in.bytes(), lim)
		if err != nil {
			c.unreadable(err)
			continue
		}
		if n == 0 {
			c.incomplete(cfg)
			return
		}
		words, err := frame.Args(c.in.bytes()[:n], c.run.words[len(c.run.words):])
		if err != nil {
			c.run.leave(cap(c.run.words))
			c.protocolError(err)
			return
		}
		if len(words) == 0 {
			c.in.skip(n)
			continue
		}
		spec := command.Find(words)
		if c.s.pause.holds(c, spec) {
			c.run.leave(len(words))
			if c.paused = len(c.run.cmds) == 0; c.paused {
				c.checkQueryBuffer(cfg)
			}
			return
		}
		if c.blocks(spec) {
			if len(c.run.cmds) == 0 {
				c.in.skip(n)
				c.run.keep(words)
				c.heavy = words
			} else {
				c.run.leave(len(words))
			}
			return
		}
		c.in.skip(n)
		c.run.keep(words)
		c.command(spec, words)
	}
}

// blocks reports whether a command may have to wait for something else than its reply, or takes its time.
func (c *conn) blocks(spec *command.Spec) bool {
	switch {
	case spec == nil:
		return false
	case spec.ID == command.Exec:
		return c.tx.mixed()
	case c.tx.open && !immediate[spec.ID], spec.Home == command.Keyed, light[spec.ID]:
		return false
	}
	return true
}

// work does what advance could not do without waiting. It may run on another goroutine than the driver's, which leaves
// the connection alone meanwhile.
func (c *conn) work() {
	c.aside = true
	switch {
	case c.heavy != nil:
		words := c.heavy
		c.heavy = nil
		c.command(command.Find(words), words)
		c.execute()
	case c.run.slow:
		c.askReads(0)
		c.run.slow = false
		c.run.done(nil)
	default:
		c.settle()
		c.finish()
	}
	c.aside = false
}

const (
	// maxPendingOut is how many bytes of replies wait while more commands are in the input.
	maxPendingOut = 64 << 10
	// maxKeptOut bounds the buffers for replies that are kept to be used again.
	maxKeptOut = 256 << 10
)

// incomplete looks at a command that has not come whole. Its client is not idle.
func (c *conn) incomplete(cfg *Config) {
	if !c.in.empty() {
		c.active.Store(time.Now().UnixNano())
	}
	c.checkQueryBuffer(cfg)
}

func (c *conn) checkQueryBuffer(cfg *Config) {
	if int64(len(c.in.bytes())) >= cfg.QueryBufferLimit {
		c.protocolError(frame.Error("query buffer limit exceeded (client-query-buffer-limit)"))
	}
}

// unreadable answers a command that the scanner refuses.
func (c *conn) unreadable(err error) {
	var long *frame.TooLong
	if !errors.As(err, &long) {
		c.protocolError(err)
		return
	}
	c.in.skip(long.Head)
	c.rest = long.Rest
	c.run.start()
	c.beginReply()
	c.refuse(nil, "ERR "+long.Error())
	c.endReply(nil)
}

// readOver goes on reading over the command that was refused, and reports whether that is done.
func (c *conn) readOver() bool {
	n, err := c.rest.Next(c.in.bytes())
	if err != nil {
		c.protocolError(err)
		return false
	}
	c.in.skip(n)
	c.active.Store(time.Now().UnixNano())
	return c.rest.Over()
}

// protocolError answers what came before, then the error, and ends the connection: what follows cannot be read.
func (c *conn) protocolError(err error) {
	c.s.stats.protocolErrors.Add(1)
	c.run.start()
	c.run.fail("ERR " + err.Error())
	c.closing = true
}

// fill reads once. No bytes and no errWouldBlock mean that the client has gone.
func (c *conn) fill() (int, error) {
	n, err := c.wire.Read(c.in.room())
	c.filled(n)
	return n, err
}

// filled notes that n bytes came into the inbox's room.
func (c *conn) filled(n int) {
	c.in.filled(n)
	if n > 0 {
		c.s.stats.bytesIn.Add(uint64(n))
		c.qbuf.Store(int64(c.in.w))
	}
}

// waitsForInput reports whether all that a connection needs is input. Its driver may ask, while no work is under way.
func (c *conn) waitsForInput() bool {
	return !c.seat.away && !c.seat.killed && !c.asks() && c.heavy == nil && !c.paused && !c.closing && c.pendingOut() == 0
}
