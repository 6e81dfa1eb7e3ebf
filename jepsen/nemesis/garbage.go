package nemesis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/sleep"
)

// rubbish is what is no command. Each ends its connection.
func rubbish() string {
	some := []string{
		"*1\r\n$-5\r\n", "*1\r\n$999999999999\r\n", "*1\r\n+OK\r\n", "*x\r\n", "*2147483648\r\n", "*2\r\n$3\r\nGET\r\n:1\r\n", "*1\r\n$4\r\nPINGxx",
		"POST / HTTP/1.1\r\nHost: quorate\r\n\r\n", strings.Repeat("a", 80<<10), "*1\r\n$" + strings.Repeat("9", 100<<10), "SET \"unbalanced\r\n",
	}
	if i := rand.IntN(len(some) + 1); i < len(some) {
		return some[i]
	}
	noise := make([]byte, 200)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	return "*3\r\n" + string(noise)
}

const (
	// refusedInput counts the connections that a node ended because of what they sent.
	refusedInput = "quorate_protocol_errors_total"
	// halves of commands wait at once.
	halvesKept = 200
)

// garbage is sent from connections of their own. What they did not finish must never have happened.
func garbage(ctx context.Context, e *env) (injury, error) {
	var kept []net.Conn
	var traces traces
	before := e.total(ctx, refusedInput)
	halves := 0
	return injury{
		victim: "all",
		act: func(ctx context.Context) {
			for ctx.Err() == nil {
				conn, err := new(net.Dialer).DialContext(ctx, "tcp", e.node().Addr())
				if err != nil {
					sleep.For(ctx, 10*time.Millisecond)
					continue
				}
				_ = conn.SetDeadline(time.Now().Add(time.Second)) // a connection that can't have one ends with the fault
				if e.random(2) == 0 {
					fmt.Fprint(conn, rubbish())
					_, _ = conn.Read(make([]byte, 512)) // the error reply, or nothing
					conn.Close()
					continue
				}
				key := traces.key("half")
				whole := fmt.Sprintf("*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$4\r\nhalf\r\n", len(key), key)
				fmt.Fprint(conn, whole[:1+e.random(len(whole)-1)])
				halves++
				if kept = append(kept, conn); len(kept) > halvesKept {
					kept[0].Close()
					kept = kept[1:]
				}
				sleep.For(ctx, time.Millisecond)
			}
		},
		heal: func() error {
			for _, c := range kept {
				c.Close()
			}
			return nil
		},
		bit: func() string {
			if n := e.total(ctx, refusedInput) - before; n > 0 {
				return fmt.Sprintf("%.0f connections were ended for what they sent, %d commands were left unfinished", n, halves)
			}
			return ""
		},
		after: func(ctx context.Context) error { return traces.none(ctx, e) },
	}, nil
}

// traces are keys that must not exist.
type traces struct {
	mu   sync.Mutex
	keys []string
	n    int
}

// tracesKept bounds how many are looked for.
const tracesKept = 500

// made tells the traces of one fault from those of others.
var made atomic.Int64

func (t *traces) key(kind string) string {
	key := "nemesis:" + kind + ":" + strconv.FormatInt(made.Add(1), 10)
	t.add(key)
	return key
}

func (t *traces) add(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n++; len(t.keys) < tracesKept {
		t.keys = append(t.keys, key)
	} else {
		t.keys[t.n%tracesKept] = key
	}
}

// none wants none of them to be there.
func (t *traces) none(ctx context.Context, e *env) error {
	cl := client.NewCluster(e.cluster.Addrs(), client.Options{Timeout: 2 * time.Second})
	defer cl.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range t.keys {
		v, err := cl.Do(ctx, key, "GET", key)
		if err == nil && !v.Null {
			return fmt.Errorf("%w: %s is there, which nobody was told or asked to write whole", ErrWrong, key)
		}
	}
	return nil
}
