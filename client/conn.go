package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

// Options are what a connection needs to be let in.
type Options struct {
	// Password is sent with AUTH when it is not empty.
	Password string
	// RESP3 makes the connection say HELLO 3.
	RESP3 bool
	// Dial, if set, connects instead of TCP. It must honour ctx.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// Timeout bounds dialing and each command when the context has no earlier deadline; 0 is 5 s.
	Timeout time.Duration
}

func (o Options) timeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return 5 * time.Second
}

func (o Options) dial(ctx context.Context, addr string) (net.Conn, error) {
	if o.Dial != nil {
		return o.Dial(ctx, addr)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", addr)
}

// Conn is one RESP connection. It sends each command once, never retries and never reconnects. It is not for
// concurrent use. After a network error or timeout it is broken: every later call fails with the same error.
type Conn struct {
	addr   string
	opts   Options
	nc     net.Conn
	r      *bufio.Reader
	out    []byte
	broken error
}

// Dial connects to addr (host:port) and authenticates.
func Dial(ctx context.Context, addr string, o Options) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout())
	defer cancel()
	nc, err := o.dial(ctx, addr)
	if err != nil {
		return nil, &NotSentError{Addr: addr, Err: err}
	}
	c := &Conn{addr: addr, opts: o, nc: nc, r: bufio.NewReaderSize(nc, maxLine)}
	if err := c.greet(ctx); err != nil {
		nc.Close()
		return nil, &NotSentError{Addr: addr, Err: err}
	}
	return c, nil
}

func (c *Conn) greet(ctx context.Context) error {
	if c.opts.Password != "" {
		if _, err := c.Do(ctx, "AUTH", c.opts.Password); err != nil {
			return err
		}
	}
	if c.opts.RESP3 {
		_, err := c.Do(ctx, "HELLO", "3")
		return err
	}
	return nil
}

// Addr is the address that Dial was given.
func (c *Conn) Addr() string { return c.addr }

// Close closes the connection.
func (c *Conn) Close() error { return c.nc.Close() }

// gone reports whether the server has closed the connection, as far as this machine has heard. What is sent then is lost.
func (c *Conn) gone() bool {
	sc, ok := c.nc.(syscall.Conn)
	if !ok || c.r.Buffered() > 0 {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	var n int
	var peek error
	// Control, not Read, which would fail at the deadline of the last command.
	err = raw.Control(func(fd uintptr) {
		n, _, peek = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	return err != nil || peek == nil && n == 0 || peek != nil && !errors.Is(peek, syscall.EAGAIN)
}

// Do sends one command and returns its reply. An error reply comes back as *ReplyError. Any other error means that
// no reply arrived; ask OutcomeOf what that says about the command.
func (c *Conn) Do(ctx context.Context, args ...string) (Value, error) {
	replies, err := c.Pipeline(ctx, [][]string{args})
	if err != nil {
		return Value{}, err
	}
	if v := replies[0]; v.Kind == '-' || v.Kind == '!' {
		return v, &ReplyError{Text: v.Str}
	}
	return replies[0], nil
}

// Pipeline sends several commands at once and returns their replies in order; error replies stay values of kind
// '-'. On an error the replies that did arrive come back with it.
func (c *Conn) Pipeline(ctx context.Context, cmds [][]string) ([]Value, error) {
	if c.broken != nil {
		return nil, &NotSentError{Addr: c.addr, Err: c.broken}
	}
	deadline := time.Now().Add(c.opts.timeout())
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := errors.Join(ctx.Err(), c.nc.SetDeadline(deadline)); err != nil {
		return nil, &NotSentError{Addr: c.addr, Err: err}
	}
	stop := context.AfterFunc(ctx, func() { c.nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c.out = c.out[:0]
	for _, args := range cmds {
		c.out = appendCommand(c.out, args)
	}
	if _, err := c.nc.Write(c.out); err != nil {
		return nil, c.fail("send", err)
	}
	replies := make([]Value, 0, len(cmds))
	for len(replies) < len(cmds) {
		v, err := readValue(c.r, 0)
		if err != nil {
			return replies, c.fail("receive", err)
		}
		if v.Kind != '>' {
			replies = append(replies, v)
		}
	}
	return replies, nil
}

func (c *Conn) fail(op string, err error) error {
	c.broken = &NoReplyError{Addr: c.addr, Err: fmt.Errorf("%s: %w", op, err)}
	c.nc.Close()
	return c.broken
}

func appendCommand(b []byte, args []string) []byte {
	b = append(b, '*')
	b = strconv.AppendInt(b, int64(len(args)), 10)
	b = append(b, '\r', '\n')
	for _, a := range args {
		b = append(b, '$')
		b = strconv.AppendInt(b, int64(len(a)), 10)
		b = append(b, '\r', '\n')
		b = append(b, a...)
		b = append(b, '\r', '\n')
	}
	return b
}
