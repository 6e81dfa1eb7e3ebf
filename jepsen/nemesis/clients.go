package nemesis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/sleep"
)

func clientFaults() []Fault {
	bad := func(name, about string, inject func(context.Context, *env) (injury, error)) Fault {
		return Fault{Name: name, Family: "client", About: about, Needs: Needs{Quorate: true}, inject: inject}
	}
	return []Fault{
		bad("crowd", "thousands of connections to a group's leader, which come and go", crowd),
		bad("garbage", "connections that send what is no command, and halves of commands", garbage),
		bad("astray", "clients that send pipelines and transactions to wrong nodes and leave in the middle", astray),
		bad("backlog", "clients that ask for far more than they fetch", backlog),
	}
}

const (
	// crowdSize is what Redis allows by default, less what others need.
	crowdSize = 9900
	// dialling is how many connections are made at once, crowding bounds the time for all.
	dialling = 16
	crowding = 20 * time.Second
	// openConns counts a node's client connections.
	openConns = "quorate_clients"
)

// roomFor is how many connections this process may make: half of what the system lets it have open, as another cluster may be hurt
// beside this one.
func roomFor(most int) int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 100
	}
	half := uint64(l.Cur) / 2 // signed on FreeBSD
	return int(min(uint64(most), half-min(half, 300)))
}

// crowd opens connections to one node and uses each once; then some of them go and others come.
func crowd(ctx context.Context, e *env) (injury, error) {
	victims, err := leader(ctx, e)
	if err != nil {
		return injury{}, err
	}
	n := victims[0]
	conns := make([]*client.Conn, roomFor(crowdSize))
	in := injury{victim: n.Name(), heal: func() error { closeConns(conns); return nil }}
	join := func(ctx context.Context, i int) bool {
		conn, err := client.Dial(ctx, n.Addr(), client.Options{Timeout: 2 * time.Second})
		if err != nil {
			return false
		}
		if _, err = conn.Do(ctx, "PING"); err != nil {
			conn.Close()
			return false
		}
		conns[i] = conn
		return true
	}
	filling, cancel := context.WithTimeout(ctx, crowding)
	defer cancel()
	var opened, changed atomic.Int64
	var all sync.WaitGroup
	for d := range dialling {
		all.Go(func() {
			for i := d; i < len(conns) && filling.Err() == nil; i += dialling {
				if join(filling, i) {
					opened.Add(1)
				}
			}
		})
	}
	all.Wait()
	m, _ := n.Metrics(ctx) // a node that does not tell has no crowd
	held := m[openConns]
	in.act = func(ctx context.Context) {
		for ctx.Err() == nil {
			i := e.random(len(conns))
			closeConns(conns[i : i+1])
			if join(ctx, i) {
				changed.Add(1)
			} else {
				sleep.For(ctx, 10*time.Millisecond)
			}
		}
	}
	in.bit = func() string {
		if opened.Load() == 0 || held < float64(opened.Load()) {
			return ""
		}
		return fmt.Sprintf("the node had %.0f connections, %d came and went", held, changed.Load())
	}
	return in, nil
}

func closeConns(conns []*client.Conn) {
	for i, c := range conns {
		if c != nil {
			c.Close()
			conns[i] = nil
		}
	}
}

// strays work at once.
const strays = 6

// astray sends everything to nodes at random. A node that says MOVED has done nothing, and neither has a transaction without EXEC.
func astray(_ context.Context, e *env) (injury, error) {
	var traces traces
	var moved, left atomic.Int64
	return injury{
		victim: "all",
		act: func(ctx context.Context) {
			var all sync.WaitGroup
			for range strays {
				all.Go(func() {
					for ctx.Err() == nil {
						conn, err := client.Dial(ctx, e.node().Addr(), client.Options{Timeout: time.Second})
						if err != nil {
							sleep.For(ctx, 10*time.Millisecond)
							continue
						}
						e.stray(ctx, conn, &traces, &moved, &left)
						conn.Close()
					}
				})
			}
			all.Wait()
		},
		bit: func() string {
			if moved.Load() == 0 || left.Load() == 0 {
				return ""
			}
			return fmt.Sprintf("%d commands were sent to wrong nodes, %d transactions left in the middle", moved.Load(), left.Load())
		},
		after: func(ctx context.Context) error { return traces.none(ctx, e) },
	}, nil
}

// stray sends a pipeline of writes of many slots, each to be done only if it is told so, then begins a transaction and goes.
func (e *env) stray(ctx context.Context, conn *client.Conn, t *traces, moved, left *atomic.Int64) {
	var cmds [][]string
	for range 10 {
		cmds = append(cmds, []string{"SET", "nemesis:stray:" + strconv.FormatInt(made.Add(1), 10), "1", "EX", "60"})
	}
	replies, err := conn.Pipeline(ctx, cmds)
	for i, r := range replies {
		if r.Kind == '-' && strings.HasPrefix(r.Str, "MOVED ") {
			t.add(cmds[i][1])
			moved.Add(1)
		}
	}
	if err != nil {
		return
	}
	key := t.key("left")
	if _, err := conn.Pipeline(ctx, [][]string{{"WATCH", key}, {"MULTI"}, {"SET", key, "1"}, {"INCR", key}}); err == nil {
		left.Add(1)
	}
}
