package peer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// chunkSize is how much of a stream one checksum covers.
const chunkSize = 128 << 10

// Stream sends exactly size bytes of body over a connection of its own and returns the handler's answer; errors are
// those of Call. The receiver's pace holds body back. It fails when body, the network or the receiver's process stand
// still for CallTimeout; the receiver's handler may take as long as it likes. body is not read after the return.
func (n *Node) Stream(ctx context.Context, to topology.NodeID, kind Kind, group slot.GroupID, header []byte, size int64, body io.Reader) ([]byte, error) {
	if !n.enter() {
		return nil, fmt.Errorf("stream to node %s: %w: %w", to, ErrNotSent, ErrClosed)
	}
	defer n.running.Done()
	if size < 0 || size > n.o.MaxStream || len(header) > n.o.MaxFrame-8 {
		return nil, fmt.Errorf("stream to node %s: %w: %d bytes after a header of %d are over the limit", to, ErrNotSent, size, len(header))
	}
	raw, err := n.dialStream(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("stream to node %s: %w: %w", to, ErrNotSent, err)
	}
	c := n.newConn(raw, to)
	defer n.drop(raw)
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()

	a := streamAnswer{done: make(chan struct{})}
	go a.await(c)
	open := append(binary.BigEndian.AppendUint64(nil, uint64(size)), header...)
	if err := c.writeStream(&frame{op: opStream, kind: kind, group: group, payload: open}, size, body, a.done); err != nil {
		raw.Close()
		<-a.done
		return nil, fmt.Errorf("stream to node %s: %w: %w", to, ErrNoAnswer, errors.Join(err, ctx.Err()))
	}
	<-a.done
	if a.err != nil && ctx.Err() != nil {
		a.err = fmt.Errorf("stream to node %s: %w: %w", to, ErrNoAnswer, ctx.Err())
	}
	return a.reply, a.err
}

// streamAnswer is what a stream's receiver says; to be read once done is closed.
type streamAnswer struct {
	done  chan struct{}
	reply []byte
	err   error
}

// await waits for the answer while the receiver says that it is alive.
func (a *streamAnswer) await(c *conn) {
	defer close(a.done)
	for {
		var f frame
		if a.err = c.next(c.n.o.MaxFrame, &f); a.err != nil {
			a.err = c.failed(ErrNoAnswer, a.err)
			return
		}
		if f.op != opAlive {
			a.reply, a.err = c.answer(f.op, c.in.keep(f.payload))
			return
		}
		c.moved()
	}
}

// dialStream tries the node's other address, if it has one, before it gives up.
func (n *Node) dialStream(ctx context.Context, to topology.NodeID) (raw net.Conn, err error) {
	for attempt := range 2 {
		if raw, _, err = n.dialBook(ctx, to, attempt, modeStream); err == nil {
			return raw, nil
		}
	}
	return nil, err
}

// writeStream sends all of a stream, or a part if the answer comes before the end.
func (c *conn) writeStream(open *frame, size int64, body io.Reader, answered <-chan struct{}) error {
	c.moved()
	if _, err := c.raw.Write(appendFrame(nil, open)); err != nil {
		return err
	}
	chunk, out := make([]byte, chunkSize), make([]byte, 0, chunkSize+overhead+4)
	f := frame{op: opData}
	for size > 0 {
		select {
		case <-answered:
			return nil
		default:
		}
		k, err := io.ReadFull(body, chunk[:min(size, chunkSize)])
		if err != nil {
			return fmt.Errorf("the stream's source is shorter than announced: %w", err)
		}
		f.payload = chunk[:k]
		c.moved()
		out = appendFrame(out[:0], &f)
		if _, err := c.raw.Write(out); err != nil {
			return err
		}
		c.n.stats.streamBytesOut.Add(uint64(k))
		f.id++
		size -= int64(k)
	}
	return nil
}

// moved renews the deadline of a stream's connection: something has happened on it.
func (c *conn) moved() { c.raw.SetDeadline(time.Now().Add(c.n.o.CallTimeout)) }

// serveStream runs an accepted connection in stream mode: one stream.
func (n *Node) serveStream(c *conn) {
	c.moved()
	var f frame
	if err := c.next(n.o.MaxFrame, &f); err != nil || f.op != opStream || len(f.payload) < 8 {
		n.o.Logger.Warn("peer: stream refused: it does not start with its header", "node", c.peer, "err", err)
		return
	}
	size, header := int64(binary.BigEndian.Uint64(f.payload)), c.in.keep(f.payload)[8:]
	reply := frame{op: opRefused, kind: f.kind, group: f.group}
	h := n.streams[f.kind]
	body := &streamBody{c: c, left: size}
	switch {
	case h == nil:
		reply.payload = fmt.Appendf(nil, "there is no handler for streams of kind %d here", f.kind)
	case size < 0 || size > n.o.MaxStream:
		reply.payload = fmt.Appendf(nil, "a stream of %d bytes is over the limit of %d", size, n.o.MaxStream)
	default:
		n.runStream(c, h, &f, header, body, &reply)
	}
	c.moved()
	if _, err := c.raw.Write(appendFrame(nil, &reply)); err == nil && body.err == nil {
		// Closing with unread bytes would reset the connection and might take the reply with it.
		io.Copy(io.Discard, body)
	}
}

// runStream runs the handler, and tells the sender that this process is alive as long as it runs.
func (n *Node) runStream(c *conn, h StreamHandler, f *frame, header []byte, body *streamBody, reply *frame) {
	ctx, cancel := context.WithCancel(n.ctx)
	defer cancel()
	done := make(chan struct{})
	alive := make(chan struct{})
	go func() {
		defer close(alive)
		tick := time.NewTicker(n.o.CallTimeout / 4)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				c.raw.SetWriteDeadline(time.Now().Add(n.o.CallTimeout))
				if _, err := c.raw.Write(appendFrame(nil, &frame{op: opAlive})); err != nil {
					cancel()
				}
			}
		}
	}()
	payload, err := h(ctx, c.peer, f.group, header, body.left, body)
	close(done)
	<-alive
	switch {
	case err != nil:
		reply.op, reply.payload = opError, []byte(err.Error())
	case len(payload) > n.o.MaxFrame:
		reply.op, reply.payload = opError, fmt.Appendf(nil, "the reply of %d bytes is over the limit of %d", len(payload), n.o.MaxFrame)
	default:
		reply.op, reply.payload = opReply, payload
	}
}

// streamBody is a stream's contents at the receiver: io.EOF comes after exactly the announced size.
type streamBody struct {
	c     *conn
	left  int64
	chunk []byte
	next  uint64
	err   error
}

func (b *streamBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(b.chunk) == 0 {
		if b.left == 0 {
			return 0, io.EOF
		}
		if b.err = b.fill(); b.err != nil {
			return 0, b.err
		}
	}
	k := copy(p, b.chunk)
	b.chunk = b.chunk[k:]
	return k, nil
}

func (b *streamBody) fill() error {
	b.c.raw.SetReadDeadline(time.Now().Add(b.c.n.o.CallTimeout))
	var f frame
	if err := b.c.next(chunkSize, &f); err != nil {
		return fmt.Errorf("stream from node %s broke with %d bytes to come: %w", b.c.peer, b.left, cutShort(err))
	}
	if f.op != opData || f.id != b.next || len(f.payload) == 0 || int64(len(f.payload)) > b.left {
		return fmt.Errorf("stream from node %s: chunk %d is not what must come", b.c.peer, b.next)
	}
	b.c.n.stats.streamBytesIn.Add(uint64(len(f.payload)))
	b.chunk, b.left = f.payload, b.left-int64(len(f.payload))
	b.next++
	return nil
}
