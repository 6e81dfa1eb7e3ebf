package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/fsm/slot"
)

// maxRedirects bounds how often one command follows MOVED or ASK.
const maxRedirects = 5

// Cluster routes commands to the node that owns a key's slot. It follows MOVED and ASK, which promise that the command was not
// applied, and retries nothing else. It is not for concurrent use.
type Cluster struct {
	seeds []string
	opts  Options
	conns map[string]*Conn
	owner [slot.Count]string
	// suspect is the node that last failed to answer, or to serve a slot: it is asked for the map last.
	suspect string
}

// NewCluster makes a client that learns the map from any of seeds (host:port). It connects at first use.
func NewCluster(seeds []string, o Options) *Cluster {
	return &Cluster{seeds: seeds, opts: o, conns: map[string]*Conn{}}
}

// Close closes all connections.
func (c *Cluster) Close() {
	for addr := range c.conns {
		c.drop(addr)
	}
}

// Do sends a command about key to the node that owns it.
func (c *Cluster) Do(ctx context.Context, key string, args ...string) (Value, error) {
	s := slot.Of([]byte(key))
	addr, asking := c.owner[s], false
	if addr == "" {
		if err := c.Refresh(ctx); err != nil {
			return Value{}, &NotSentError{Addr: strings.Join(c.seeds, ","), Err: err}
		}
		addr = c.owner[s]
	}
	for range maxRedirects {
		v, err := c.send(ctx, addr, asking, args)
		var reply *ReplyError
		if !errors.As(err, &reply) {
			if err != nil {
				c.owner[s], c.suspect = "", addr // ask others for the map next time
			}
			return v, err
		}
		to, ok := redirect(reply, addr)
		if !ok {
			if reply.Code() == "CLUSTERDOWN" {
				c.owner[s], c.suspect = "", addr // cut off, perhaps: others may know who serves the slot now
			}
			return v, err
		}
		if asking = reply.Code() == "ASK"; !asking {
			c.owner[s] = to
		}
		addr = to
	}
	return Value{}, &ReplyError{Text: fmt.Sprintf("ERR gave up after %d redirections", maxRedirects)}
}

func (c *Cluster) send(ctx context.Context, addr string, asking bool, args []string) (Value, error) {
	conn, err := c.conn(ctx, addr)
	if err != nil {
		return Value{}, err
	}
	if asking {
		if _, err := conn.Do(ctx, "ASKING"); err != nil {
			return Value{}, &NotSentError{Addr: addr, Err: err}
		}
	}
	v, err := conn.Do(ctx, args...)
	if conn.broken != nil {
		c.drop(addr)
	}
	return v, err
}

func (c *Cluster) conn(ctx context.Context, addr string) (*Conn, error) {
	if conn := c.conns[addr]; conn != nil && !conn.gone() {
		return conn, nil
	}
	c.drop(addr)
	conn, err := Dial(ctx, addr, c.opts)
	if err != nil {
		return nil, err
	}
	c.conns[addr] = conn
	return conn, nil
}

func (c *Cluster) drop(addr string) {
	if conn := c.conns[addr]; conn != nil {
		conn.Close()
		delete(c.conns, addr)
	}
}

// redirect reads "MOVED 3999 127.0.0.1:6381"; an empty host means the host that answered.
func redirect(e *ReplyError, from string) (addr string, ok bool) {
	f := strings.Fields(e.Text)
	if len(f) != 3 || f[0] != "MOVED" && f[0] != "ASK" {
		return "", false
	}
	host, port, err := net.SplitHostPort(f[2])
	if err != nil {
		return "", false
	}
	if host == "" {
		host, _, _ = net.SplitHostPort(from)
	}
	return net.JoinHostPort(host, port), true
}

// Suspect makes a node the last to be asked for the map: it has given reason to think that it is cut off.
func (c *Cluster) Suspect(addr string) { c.suspect = addr }

// Refresh loads the map from the first known node that answers.
func (c *Cluster) Refresh(ctx context.Context) error {
	var errs []error
	for _, addr := range c.known() {
		v, err := c.send(ctx, addr, false, []string{"CLUSTER", "SLOTS"})
		if err == nil {
			err = c.learn(v, addr)
		}
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("load the slot map: %w", errors.Join(errs...))
}

// known lists connected nodes first, then the seeds, and the suspect at the end.
func (c *Cluster) known() []string {
	var out []string
	add := func(addr string) {
		if addr != c.suspect && !slices.Contains(out, addr) {
			out = append(out, addr)
		}
	}
	for addr := range c.conns {
		add(addr)
	}
	for _, addr := range c.seeds {
		add(addr)
	}
	if c.suspect != "" {
		out = append(out, c.suspect)
	}
	return out
}

// learn reads a CLUSTER SLOTS reply: arrays of first, last, [host, port, id, …], replicas….
func (c *Cluster) learn(v Value, from string) error {
	if len(v.Items) == 0 {
		return fmt.Errorf("%s: empty slot map", from)
	}
	for _, r := range v.Items {
		if len(r.Items) < 3 || len(r.Items[2].Items) < 2 {
			return fmt.Errorf("%s: %w: CLUSTER SLOTS entry", from, errProtocol)
		}
		first, last, node := r.Items[0].Int, r.Items[1].Int, r.Items[2].Items
		if first < 0 || last >= slot.Count || first > last {
			return fmt.Errorf("%s: %w: slots %d to %d", from, errProtocol, first, last)
		}
		host := node[0].Str
		if host == "" {
			host, _, _ = net.SplitHostPort(from)
		}
		addr := net.JoinHostPort(host, strconv.FormatInt(node[1].Int, 10))
		for s := first; s <= last; s++ {
			c.owner[s] = addr
		}
	}
	return nil
}

// Owner is the address that this client would send a command about key to; "" before the map is known.
func (c *Cluster) Owner(key string) string { return c.owner[slot.Of([]byte(key))] }
