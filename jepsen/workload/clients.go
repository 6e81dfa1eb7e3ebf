package workload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"net"
	"strings"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/history"
)

// staleStep is a client that never learns the map: it asks a random node each time and goes where that sends it.
func staleStep(s *session, key string) {
	var op history.Op
	var cmd []string
	if s.chance(50) {
		op, cmd = s.begin("get", key), []string{"GET", key}
	} else {
		v := s.unique()
		op, cmd = s.begin("set", key, v), []string{"SET", key, v}
	}
	v, err := s.wander(cmd)
	s.end(op, texts(v), err)
}

// hops bounds how often a client is sent elsewhere: nodes that disagree for a moment may send it round.
const hops = 5

// wander sends a command to a random node and follows MOVED and ASK, both of which promise that nothing was done.
func (s *session) wander(cmd []string) (v client.Value, err error) {
	addr, asking := s.opts.Seeds[s.rng.IntN(len(s.opts.Seeds))], false
	for range hops {
		conn, err := s.connect(addr)
		if err != nil {
			return v, err
		}
		if asking {
			if _, err := conn.Do(s.ctx, "ASKING"); err != nil {
				s.unpin(addr)
				return v, &client.NotSentError{Addr: addr, Err: err}
			}
		}
		v, err = conn.Do(s.ctx, cmd...)
		var reply *client.ReplyError
		if err == nil || !errors.As(err, &reply) {
			if err != nil {
				s.unpin(addr)
			}
			return v, err
		}
		f := strings.Fields(reply.Text)
		if len(f) != 3 || f[0] != "MOVED" && f[0] != "ASK" {
			return v, err
		}
		addr, asking = f[2], f[0] == "ASK"
	}
	return v, &client.ReplyError{Text: fmt.Sprintf("ERR gave up after %d redirections", hops)}
}

// A lazy reader's replies are much more than its receive buffer takes, so that the server must hold what it does not fetch.
const (
	lazyValue = 64 << 10
	lazyReads = 16
	lazyDelay = 300 * time.Millisecond
	lazyRoom  = 64 << 10
)

// lazyConn is a connection whose owner is slow to read what comes.
type lazyConn struct {
	net.Conn
	asked bool
}

func (c *lazyConn) Write(p []byte) (int, error) {
	c.asked = true
	return c.Conn.Write(p)
}

func (c *lazyConn) Read(p []byte) (int, error) {
	if c.asked {
		c.asked = false
		time.Sleep(lazyDelay)
	}
	return c.Conn.Read(p)
}

func (o Options) dialLazy(ctx context.Context, addr string) (conn net.Conn, err error) {
	if o.Dial != nil {
		conn, err = o.Dial(ctx, addr)
	} else {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(lazyRoom) // a larger one makes the test weaker, not wrong
	}
	return &lazyConn{Conn: conn}, nil
}

// lazyStep writes a large value like everybody, or sends many reads of it at once and then does not fetch the replies for a
// while.
func lazyStep(s *session, key string) {
	if s.chance(60) {
		s.setPadded(key, cmp.Or(s.opts.Largest, lazyValue))
		return
	}
	if s.chance(50) {
		s.getPadded(key)
		return
	}
	owner, err := s.pin(key)
	op := s.begin("get", key)
	if err != nil {
		s.end(op, nil, err)
		return
	}
	conn, err := client.Dial(s.ctx, owner.Addr(), client.Options{Timeout: s.opts.Timeout, Dial: s.opts.dialLazy})
	if err != nil {
		s.end(op, nil, err)
		return
	}
	defer conn.Close()
	cmds := make([][]string, lazyReads)
	for i := range cmds {
		cmds[i] = []string{"GET", key}
	}
	op.Call = s.opts.History.Now()
	replies, err := conn.Pipeline(s.ctx, cmds)
	for i := range lazyReads {
		switch {
		case i >= len(replies):
			s.end(op, nil, err)
			return // the others are as lost, and were reads
		case replies[i].Kind == '-':
			s.end(op, nil, &client.ReplyError{Text: replies[i].Str})
		default:
			s.end(op, unpadded(texts(replies[i])), nil)
		}
	}
}

// bigValue is the largest value, and 1 KiB the smallest.
const bigValue = 1 << 20

func bigStep(s *session, key string) {
	if s.chance(60) {
		s.getPadded(key)
		return
	}
	s.setPadded(key, 1<<10<<s.rng.IntN(bits.Len(uint(cmp.Or(s.opts.Largest, bigValue)>>10))))
}

func paddedFinal(s *session, key string) {
	op := s.begin("final", key)
	v, err := s.cluster.Do(s.ctx, key, "GET", key)
	s.end(op, unpadded(texts(v)), err)
}

func (s *session) getPadded(key string) {
	op := s.begin("get", key)
	v, err := s.cluster.Do(s.ctx, key, "GET", key)
	s.end(op, unpadded(texts(v)), err)
}

func (s *session) setPadded(key string, size int) {
	v := s.unique()
	s.do(s.begin("set", key, v), "SET", key, padded(v, size))
}

// padded makes a value long: its own text again and again, and its length at the end.
func padded(v string, size int) string {
	body := v + ":" + strings.Repeat(v+",", size/(len(v)+1))
	return fmt.Sprintf("%s:%d", body, len(body))
}

// unpadded takes padding off again. A value that is not what padded made stays as it is, and is nobody's.
func unpadded(reply []*string) []*string {
	for i, r := range reply {
		if r == nil {
			continue
		}
		v, rest, _ := strings.Cut(*r, ":")
		body, length, _ := strings.Cut(rest, ":")
		if *r == fmt.Sprintf("%s:%s:%d", v, body, len(v)+1+len(body)) && body == strings.Repeat(v+",", len(body)/(len(v)+1)) && length != "" {
			reply[i] = &v
		} else {
			damaged := fmt.Sprintf("a damaged value of %d bytes that begins with %.40q", len(*r), *r)
			reply[i] = &damaged
		}
	}
	return reply
}
