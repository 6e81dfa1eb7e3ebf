package resp

import (
	"net"
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

// wire carries a connection's bytes. Where it would block, a loop's wire returns errWouldBlock and what was done so far.
type wire interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
}

// driver runs a connection: a loop, or a goroutine of its own. Its methods may be called by any goroutine.
type driver interface {
	// arrived says that the last reply of the calls under way is there.
	arrived(c *conn)
	// pushed says that there are messages for the client.
	pushed(c *conn)
	// resume says that c's next command may not be held back by a pause any more.
	resume(c *conn)
	// kill ends the connection whatever it is doing.
	kill(c *conn)
}

// conn is one client. Unless said otherwise its fields belong to whoever drives it. Those that every command touches come first, in few
// cache lines: of ten thousand connections they are rarely in the processor's caches.
type conn struct {
	s *Server
	// loop, if one drives the connection, hands calls to their groups together with those of other connections.
	loop *loop
	// run is lent by the loop while there is something to do.
	run  *run
	wire wire
	in   inbox
	scan frame.Scanner
	// rest of a command that was refused for its length.
	rest frame.Rest
	// out collects replies until the input is used up; out[:sent] are with the client. Its array is lent by the loop.
	out  []byte
	sent int
	seat seat
	// heavy are the words of the command that is executed next, alone, because it may block; see work.
	heavy [][]byte
	// ownArgs are those of the run's first command, if the connection executes it.
	ownArgs [][]byte
	// most is how many commands the next run may have, by what the ones before answered. 1 ≤ most ≤ maxRun.
	most int
	// nudge is the topology change that the client knows of.
	nudge uint64
	// paused: a pause holds the next command back, which is still in the input.
	paused bool
	// aside is set while work runs, which may be on another goroutine: replies are only collected then.
	aside    bool
	authed   bool
	readonly bool
	// noTouch: what the client reads counts as unused (CLIENT NO-TOUCH).
	noTouch bool
	// closing ends the connection once its replies are sent.
	closing bool
	// subscribed is set if there are any channels.
	subscribed bool
	proto      int8
	reply      replyMode
	// Read by CLIENT LIST from other goroutines.
	active  atomic.Int64
	lastCmd atomic.Pointer[command.Spec]
	qbuf    atomic.Int64
	track   trackState
	tx      tx

	by     driver
	push   push
	id     int64
	remote string
	// localAddr is our end of the connection; local is set for clients on this machine.
	localAddr string
	local     bool
	born      time.Time
	// channels that the client subscribed to.
	channels [][]byte
	// told is when the client was last told MOVED, be it to this node, or the map.
	told time.Time

	// Read by CLIENT LIST from other goroutines.
	flags atomic.Uint32
	owed  atomic.Int64
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
}

// newConn describes a client's connection; who admits it sets by and wire.
func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, born: time.Now(), proto: 2, most: firstRun, local: isLocal(nc.RemoteAddr())}
	c.remote, c.localAddr = nc.RemoteAddr().String(), nc.LocalAddr().String()
	c.authed = s.cfg.Load().RequirePass == ""
	c.nudge = s.nudges.Load()
	c.push.c = c
	c.active.Store(c.born.UnixNano())
	c.publish()
	return c
}

// isLocal reports whether the client at a is on this machine.
func isLocal(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	// Else a Unix socket, or a pipe of a test.
	return !ok || tcp.IP.IsLoopback()
}

// gone releases what the server keeps of a connection that has ended.
func (c *conn) gone() {
	c.stopTracking()
	c.s.conns.remove(c)
	c.s.pause.forget(c)
	c.push.close()
	c.owe(0)
}

// kill ends the connection from another goroutine.
func (c *conn) kill() { c.by.kill(c) }

// patience is how long a client may be idle, 0 for ever. Subscribers are idle by nature.
func (c *conn) patience() time.Duration {
	if c.subscribed {
		return 0
	}
	return c.s.cfg.Load().Timeout
}

// outstayed reports whether a connection that waits for input has waited too long.
func (c *conn) outstayed(now time.Time) bool {
	if until, draining := c.drains(); draining && now.After(until) {
		return true
	}
	patience := c.patience()
	return patience > 0 && now.Sub(time.Unix(0, c.active.Load())) > patience
}

// waitsInVain reports whether the connection need not wait any more for input, or for its client to read.
func (c *conn) waitsInVain(now time.Time, stopping bool) bool {
	if c.pendingOut() > 0 {
		return c.stuck(now)
	}
	return !c.seat.readable && (stopping || c.outstayed(now))
}
