package peer

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/shardgroup/stall"
)

const (
	// readBuffer holds many small frames per read call.
	readBuffer = 64 << 10
	// keepBuffer is the largest write buffer that is kept for reuse.
	keepBuffer = 1 << 20
	// writeTimeout is for how long the other side may take nothing of a writeSize before the connection is given up.
	writeTimeout = 5 * time.Second
	writeSize    = 64 << 10
	// silence is how long a call must have waited in vain, without anything else coming either or a write going on, for the
	// connection to be given up: after a partition, a new connection works at once, but TCP may wait a minute to send again
	// on an old one.
	silence = 500 * time.Millisecond
)

var errQueueFull = errors.New("the connection's queue is full")

// conn is an established connection. Calls go one way on it, from the side that dialled.
type conn struct {
	n   *Node
	raw net.Conn
	// wire is how raw is read and written.
	wire io.ReadWriter
	peer topology.NodeID
	in   *inbox

	// Frames are appended to pending; whoever finds writing false writes them out, and hands over to the writer
	// goroutine if more has come meanwhile. So a lone call wakes no goroutine and many share a system call.
	wmu     sync.Mutex
	pending []byte
	spare   []byte
	writing bool
	werr    error
	wake    chan struct{}
	// stall ends the connection when a write stands still. One goroutine writes at a time.
	stall *stall.Watch

	// calls are those of this node that wait for a reply.
	calls callTable
	// running are the requests of the other side that are being served here.
	running, runningBytes atomic.Int64

	// lost is closed when the connection is; why says why.
	lost chan struct{}
	once sync.Once
	why  error
}

func (n *Node) newConn(raw net.Conn, peer topology.NodeID) *conn {
	wire := direct(raw)
	c := &conn{
		n: n, raw: raw, wire: wire, peer: peer, in: newInbox(wire, readBuffer),
		wake: make(chan struct{}, 1), lost: make(chan struct{}),
	}
	c.stall = stall.New(writeTimeout, func() { c.fail(fmt.Errorf("the other side has taken nothing for %v", writeTimeout)) })
	c.calls.init(c)
	return c
}

// send queues a frame and makes sure that it is written.
func (c *conn) send(f *frame) error {
	c.wmu.Lock()
	switch {
	case c.werr != nil:
		defer c.wmu.Unlock()
		return c.werr
	case len(c.pending) > 0 && len(c.pending)+len(f.payload) > c.n.o.MaxFrame:
		defer c.wmu.Unlock()
		return errQueueFull
	}
	c.pending = appendFrame(c.pending, f)
	if c.writing {
		c.wmu.Unlock()
		return nil
	}
	c.writing = true
	c.wmu.Unlock()
	// Whoever is ready to send as well gets to do so first: with 16 callers this makes 8 frames per write of 1.1,
	// and halves the CPU time per call. With one caller it costs nothing that can be measured.
	runtime.Gosched()
	if c.flush() {
		c.wake <- struct{}{}
	}
	return nil
}

// flush writes out what is pending and says whether there is more, in which case the duty to write stays taken.
func (c *conn) flush() (more bool) {
	c.wmu.Lock()
	buf := c.pending
	c.pending, c.spare = c.spare[:0], nil
	c.wmu.Unlock()

	err := c.write(buf)
	c.n.stats.flushes.Add(1)
	c.n.stats.bytesOut.Add(uint64(len(buf)))
	if err != nil {
		c.fail(fmt.Errorf("write: %w", err))
	}

	c.wmu.Lock()
	defer c.wmu.Unlock()
	if cap(buf) <= keepBuffer {
		c.spare = buf
	}
	if err != nil || c.werr != nil || len(c.pending) == 0 {
		c.writing = false
		return false
	}
	return true
}

// write writes all of buf, which may take its time as long as it moves.
func (c *conn) write(buf []byte) error {
	for len(buf) > 0 {
		c.stall.Start()
		k, err := c.wire.Write(buf[:min(len(buf), writeSize)])
		c.stall.Done()
		if err != nil {
			return err
		}
		buf = buf[k:]
	}
	return nil
}

// moves reports whether a write is under way, some of which the other side has taken within the last d: a write of much on a slow
// network.
func (c *conn) moves(d time.Duration) bool {
	since, writing := c.stall.Since()
	return writing && since < d
}

// runWriter takes over when a writer finds that more has come.
func (c *conn) runWriter() {
	for {
		select {
		case <-c.wake:
			for c.flush() {
			}
		case <-c.lost:
			return
		}
	}
}

// fail gives the connection up; only the first reason counts.
func (c *conn) fail(why error) {
	c.once.Do(func() {
		if c.n.ctx.Err() != nil {
			why = ErrClosed
		}
		c.why = why
		c.raw.Close()
		c.wmu.Lock()
		c.werr = why
		c.wmu.Unlock()
		close(c.lost)
		c.calls.abandon()
	})
}

func (c *conn) alive() bool {
	select {
	case <-c.lost:
		return false
	default:
		return true
	}
}

// next reads a frame from the connection, which is of no use after an error.
func (c *conn) next(limit int, f *frame) error {
	err := c.in.next(limit, f)
	if err != nil {
		c.damaged(err)
	}
	return err
}

// damaged counts what the network has altered. TCP's own checksum is 16 bits: now and then it does not notice.
func (c *conn) damaged(err error) {
	if errors.Is(err, errDamaged) {
		c.n.stats.damaged.Add(1)
		c.n.o.Logger.Warn("peer: the connection is given up", "node", c.peer, "err", err)
	}
}

// runReplies reads the replies to this node's calls until the connection is lost.
func (c *conn) runReplies() {
	var f frame
	for {
		if err := c.next(c.n.o.MaxFrame, &f); err != nil {
			c.fail(fmt.Errorf("read: %w", err))
			return
		}
		c.n.stats.bytesIn.Add(uint64(len(f.payload) + overhead + 4))
		c.calls.deliver(&f)
	}
}
