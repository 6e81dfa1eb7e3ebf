package nemesis

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/sleep"
)

const (
	// Readers ask for many large values and fetch none.
	backlogReaders = 50
	backlogAsks    = 200
	backlogValue   = 256 << 10
	// sentBytes counts what a node has sent to clients.
	sentBytes = "quorate_client_bytes_sent_total"
)

// backlog leaves replies with the server: fifty clients ask for 2.5 GB. It may hold what one reply has for each.
func backlog(ctx context.Context, e *env) (injury, error) {
	victims, err := leader(ctx, e)
	if err != nil {
		return injury{}, err
	}
	n := victims[0]
	key, err := e.keyAt(ctx, n.Addr())
	if err != nil {
		return injury{}, fmt.Errorf("%w: %w", errNotNow, err)
	}
	var conns []net.Conn
	in := injury{victim: n.Name(), heal: func() error {
		for _, c := range conns {
			c.Close()
		}
		return nil
	}}
	g := newGauges(ctx, e, 0)
	before, err := n.Metrics(ctx)
	if err != nil {
		return in, fmt.Errorf("%w: %w", errNotNow, err)
	}
	ask := strings.Repeat(fmt.Sprintf("*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", len(key), key), backlogAsks)
	for range backlogReaders {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", n.Addr())
		if err != nil {
			continue // it shows in what is owed
		}
		conns = append(conns, conn)
		_ = conn.(*net.TCPConn).SetReadBuffer(16 << 10) // a larger one makes the test weaker, not wrong
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = conn.Write([]byte(ask))
	}
	in.act = func(ctx context.Context) {
		for ctx.Err() == nil {
			g.read(context.WithoutCancel(ctx))
			sleep.For(ctx, 100*time.Millisecond)
		}
	}
	asked := float64(len(conns)) * backlogAsks * backlogValue
	in.bit = func() string {
		after, err := n.Metrics(ctx)
		sent := after[sentBytes] - before[sentBytes]
		if err != nil || len(conns) < backlogReaders/2 || sent > asked/2 {
			return ""
		}
		return fmt.Sprintf("%d clients asked for %.0f MB and were sent %.0f MB", len(conns), asked/1e6, sent/1e6)
	}
	in.memory = g.peak
	return in, nil
}

// keyAt writes a large value to a key that the node owns.
func (e *env) keyAt(ctx context.Context, addr string) (string, error) {
	cl := client.NewCluster(e.cluster.Addrs(), client.Options{Timeout: 2 * time.Second})
	defer cl.Close()
	if err := cl.Refresh(ctx); err != nil {
		return "", err
	}
	for i := range slot.Count {
		if key := "nemesis:large:" + strconv.Itoa(i); cl.Owner(key) == addr {
			_, err := cl.Do(ctx, key, "SET", key, strings.Repeat("x", backlogValue))
			return key, err
		}
	}
	return "", fmt.Errorf("%s owns no slot", addr)
}
