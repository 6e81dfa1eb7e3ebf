package resp

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/rpc/resp/frame"
)

// replyMode is what CLIENT REPLY chose.
type replyMode uint8

const (
	replyOn replyMode = iota
	replyOff
	// replySkipNext hides the next command's reply, replySkip that of the current one.
	replySkipNext
	replySkip
)

// conn is one client. Unless said otherwise its fields belong to its goroutine (serve).
type conn struct {
	s      *Server
	nc     net.Conn
	id     int64
	remote string
	// localAddr is our end of the connection.
	localAddr string
	born      time.Time

	in   inbox
	scan frame.Scanner
	// words holds the arguments of the run's commands.
	words [][]byte
	run   run
	// out collects replies until the input is used up.
	out []byte

	proto    int8
	authed   bool
	readonly bool
	reply    replyMode
	// closing ends the connection once its replies are sent.
	closing bool
	tx      tx
	track   trackState
	// channels that the client subscribed to; subscribed is set if there are any.
	channels   [][]byte
	subscribed bool
	// ownArgs are those of the run's first command, if the connection executes it.
	ownArgs [][]byte
	// nudge is the topology change that the client knows of; nudged is when it was last told.
	nudge  uint64
	nudged time.Time
	// told is when the client was last told MOVED.
	told time.Time

	push push
	// wmu orders writes of the connection's goroutine and of its pusher.
	wmu sync.Mutex

	// Read by CLIENT LIST from other goroutines.
	active  atomic.Int64
	lastCmd atomic.Pointer[command.Spec]
	flags   atomic.Uint32
	qbuf    atomic.Int64
	// queued is how many commands MULTI has queued, -1 outside.
	queued   atomic.Int32
	subs     atomic.Int32
	redirect atomic.Int64
	label    label
}

// label is what the client says about itself.
type label struct {
	mu              sync.Mutex
	name            string
	libName, libVer string
	noEvict         bool
	noTouch         bool
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, nc: nc, born: time.Now(), proto: 2}
	c.remote, c.localAddr = nc.RemoteAddr().String(), nc.LocalAddr().String()
	c.authed = s.cfg.Load().RequirePass == ""
	c.nudge = s.nudges.Load()
	c.run.init(c)
	c.push.init(c)
	c.active.Store(time.Now().UnixNano())
	c.publish()
	return c
}

// local reports whether the client is on this machine.
func (c *conn) local() bool {
	switch a := c.nc.RemoteAddr().(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	// Pipes of tests, in this process.
	return true
}

// serve reads, executes and answers until the client or the server ends the connection.
func (c *conn) serve() {
	defer c.end()
	for {
		c.push.hold()
		c.commands()
		c.execute()
		c.flush()
		c.push.release()
		if c.closing || c.s.isStopping() || !c.fill() {
			return
		}
	}
}

func (c *conn) end() {
	c.stopTracking()
	c.s.conns.remove(c)
	c.push.close()
	c.nc.Close()
}

// commands takes every complete command from the input.
func (c *conn) commands() {
	for !c.closing {
		cfg := c.s.cfg.Load()
		lim := frame.Limits{Bulk: cfg.MaxBulkLen, Unauthenticated: !c.authed}
		n, _, err := c.scan.Next(c.in.bytes(), lim)
		if err != nil {
			c.protocolError(err)
			return
		}
		if n == 0 {
			c.checkQueryBuffer(cfg)
			return
		}
		words, err := frame.Args(c.in.bytes()[:n], c.words[len(c.words):])
		if err != nil {
			c.protocolError(err)
			return
		}
		c.in.skip(n)
		if len(words) == 0 {
			continue
		}
		c.keepWords(words)
		c.command(words)
		if len(c.run.cmds) >= maxRun {
			c.execute()
			c.flushIfLarge()
		}
	}
}

// keepWords notes that words were appended to the arena. Where it was too small, they are in an array of their own, and
// a larger arena begins; the commands before still hold the old one.
func (c *conn) keepWords(words [][]byte) {
	if len(c.words)+len(words) <= cap(c.words) {
		c.words = c.words[:len(c.words)+len(words)]
		return
	}
	c.words = make([][]byte, 0, max(firstWords, 2*cap(c.words), 2*len(words)))
}

// firstWords is the arguments' arena of a connection that does not pipeline.
const firstWords = 32

func (c *conn) checkQueryBuffer(cfg *Config) {
	if int64(len(c.in.bytes())) >= cfg.QueryBufferLimit {
		c.protocolError(frame.Error("query buffer limit exceeded (client-query-buffer-limit)"))
	}
}

// protocolError answers what came before, then the error, and ends the connection: what follows cannot be read.
func (c *conn) protocolError(err error) {
	c.s.stats.protocolErrors.Add(1)
	c.run.fail("ERR " + err.Error())
	c.closing = true
}

// fill waits for more input; false ends the connection.
func (c *conn) fill() bool {
	if c.words = c.words[:0]; cap(c.words) > maxKeptWords {
		c.words = nil
	}
	if c.expires() && !c.setDeadline(time.Now().Add(c.s.cfg.Load().Timeout)) {
		return false
	}
	until, draining := c.drains()
	if draining && !c.setDeadline(until) {
		return false
	}
	n, err := c.in.fill(c.nc)
	if errors.Is(err, os.ErrDeadlineExceeded) && !draining && !c.expires() {
		// The deadline is from before the timeout was switched off or the client subscribed, or the server began to drain.
		return c.setDeadline(time.Time{}) && c.fill()
	}
	c.s.stats.bytesIn.Add(uint64(n))
	c.qbuf.Store(int64(c.in.w))
	return n > 0
}

// expires reports whether an idle client is disconnected. Subscribers are idle by nature.
func (c *conn) expires() bool { return c.s.cfg.Load().Timeout > 0 && !c.subscribed }

// setDeadline is for reads; false if the connection is gone or the server stops, which uses the deadline too.
func (c *conn) setDeadline(at time.Time) bool {
	return c.nc.SetReadDeadline(at) == nil && !c.s.isStopping()
}

// maxKeptWords bounds the arguments' arena of an idle connection.
const maxKeptWords = 4096

// endReads ends a read that waits for input.
func (c *conn) endReads() { _ = c.nc.SetReadDeadline(time.Unix(1, 0)) }

// maxPendingOut is how many bytes of replies wait while more commands are in the input.
const maxPendingOut = 64 << 10

func (c *conn) flushIfLarge() {
	if len(c.out) > maxPendingOut {
		c.flush()
	}
}

func (c *conn) flush() {
	if len(c.out) > 0 {
		c.write(c.out)
	}
	if c.out = c.out[:0]; cap(c.out) > maxKeptOut {
		c.out = nil
	}
}

// maxKeptOut bounds the reply buffers that an idle connection keeps.
const maxKeptOut = 256 << 10

// write sends b. A client that does not read holds up this goroutine and nobody else.
func (c *conn) write(b []byte) {
	c.wmu.Lock()
	n, err := c.nc.Write(b)
	c.wmu.Unlock()
	c.s.stats.bytesOut.Add(uint64(n))
	if err != nil {
		c.closing = true
	}
}

// kill ends the connection from another goroutine.
func (c *conn) kill() { c.nc.Close() }
