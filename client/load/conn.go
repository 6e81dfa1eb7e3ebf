package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/quorate/quorate/client"
)

const (
	// ioTimeout ends a connection whose server does not answer.
	ioTimeout = 10 * time.Second
	// waitTimeout is how long WAIT waits for replicas, in milliseconds.
	waitTimeout = "5000"
)

// conn speaks Redis protocol. Replies are skimmed, not parsed into values, so that the generator does not measure itself.
type conn struct {
	nc  net.Conn
	r   *bufio.Reader
	out []byte
	// refusal is the first error reply.
	refusal string
}

func dialConn(ctx context.Context, addr, password string) (*conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &conn{nc: nc, r: bufio.NewReaderSize(nc, 16<<10)}
	if password == "" {
		return c, nil
	}
	c.command("AUTH", []byte(password))
	if err = c.send(); err == nil {
		_, err = c.receive(1, 0)
	}
	if err == nil && c.refusal != "" {
		err = errors.New(c.refusal)
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

// command appends a command to what is sent next.
func (c *conn) command(verb string, args ...[]byte) {
	c.out = append(c.out, '*')
	c.out = strconv.AppendInt(c.out, int64(len(args)+1), 10)
	c.out = append(c.out, "\r\n$"...)
	c.out = strconv.AppendInt(c.out, int64(len(verb)), 10)
	c.out = append(append(append(c.out, "\r\n"...), verb...), "\r\n"...)
	for _, a := range args {
		c.out = append(c.out, '$')
		c.out = strconv.AppendInt(c.out, int64(len(a)), 10)
		c.out = append(append(append(c.out, "\r\n"...), a...), "\r\n"...)
	}
}

func (c *conn) wait(replicas int) {
	c.command("WAIT", strconv.AppendInt(nil, int64(replicas), 10), []byte(waitTimeout))
}

// send sends what was composed.
func (c *conn) send() error {
	c.nc.SetDeadline(time.Now().Add(ioTimeout))
	_, err := c.nc.Write(c.out)
	return err
}

// receive skims n replies, and WAIT's if replicas is positive: with fewer replicas, no write of the pipeline is what was asked for.
func (c *conn) receive(n, replicas int) (seen, error) {
	var s seen
	for range n {
		if err := c.skim(&s); err != nil {
			return s, err
		}
	}
	if replicas == 0 {
		return s, nil
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return s, err
	}
	if got, err := strconv.Atoi(string(bytes.TrimSpace(line[1:]))); line[0] != ':' || err != nil || got < replicas {
		s.refused, s.waited = s.refused+s.written, s.waited+s.written
		c.note(fmt.Sprintf("WAIT %d %s: %s", replicas, waitTimeout, bytes.TrimSpace(line)))
	}
	return s, nil
}

// skim reads one simple, error, integer or bulk reply.
func (c *conn) skim(s *seen) error {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	switch line[0] {
	case '+':
		s.written++
		return nil
	case ':':
		return nil
	case '_':
		s.misses++
		return nil
	case '-':
		c.refused(s, string(bytes.TrimSpace(line[1:])))
		return nil
	case '$':
		size, err := strconv.Atoi(string(bytes.TrimSpace(line[1:])))
		if err != nil || size < 0 {
			s.misses++
			return err
		}
		_, err = c.r.Discard(size + 2)
		return err
	default:
		return fmt.Errorf("unexpected reply %q", line)
	}
}

func (c *conn) refused(s *seen, text string) {
	s.refused++
	switch (&client.ReplyError{Text: text}).Code() {
	case "MOVED":
		s.redirects++
	case "UNCERTAIN", "CLUSTERDOWN":
		s.waited++
	}
	c.note(text)
}

func (c *conn) note(text string) {
	if c.refusal == "" {
		c.refusal = text
	}
}
