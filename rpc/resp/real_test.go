package resp

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
	"github.com/quorate/quorate/shardgroup"
	"github.com/quorate/quorate/shardgroup/consensus"
)

// newRealWorld serves one real shard group with one voter, this node.
func newRealWorld(t *testing.T) *world {
	self := string(nodeID("a"))
	transport, err := raftnet.NewMux(memnet.New().Node(topology.NodeID(self))).Open(1, raftnet.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	store := raft.NewInmemStore()
	g, err := shardgroup.Open(shardgroup.Config{
		ID: 1, Self: self, Logger: slog.New(slog.DiscardHandler),
		Genesis: fsm.Genesis{Group: 1, HashSeed: 1, Slots: []slot.Range{{First: 0, Last: slot.Count - 1}}},
		Consensus: consensus.Config{
			Logs: store, Stable: store, Snapshots: raft.NewInmemSnapshotStore(), Transport: transport,
			Bootstrap: &raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(self), Address: raft.ServerAddress(self)}}},
		},
		Fatal: func(err error) { t.Errorf("fatal: %v", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	w := newWorld(t, 1)
	g.SetObserver(w.srv.Observer())
	w.locked(func() { w.real = g })
	w.srv.TopologyChanged()
	for changed := g.Changed(); !g.Leader().Ready; changed = g.Changed() {
		<-changed
	}
	return w
}

// TestRealGroup holds the conversations that need nothing but one group against a real one.
func TestRealGroup(t *testing.T) {
	w := newRealWorld(t)
	a, b := w.dial(t), w.dial(t)
	a.expect("+OK\r\n", "SET", "a", "1")
	a.expect("$1\r\n1\r\n", "GET", "a")
	a.expect("+OK\r\n", "WATCH", "a")
	b.expect(":2\r\n", "INCR", "a")
	a.expect("+OK\r\n", "MULTI")
	a.expect("+QUEUED\r\n", "SET", "a", "9")
	a.expect("*-1\r\n", "EXEC")
	a.send(array("MULTI") + array("INCR", "a") + array("PING") + array("GET", "a") + array("EXEC"))
	if got := a.read() + a.read() + a.read() + a.read() + a.read(); got != "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n:3\r\n+PONG\r\n$1\r\n3\r\n" {
		t.Errorf("got %q", got)
	}
	b.do("HELLO", "3")
	b.expect("+OK\r\n", "CLIENT", "TRACKING", "ON", "BCAST")
	a.expect(":1\r\n", "PEXPIRE", "a", "30")
	want := ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n"
	if got := b.read(); got != want {
		t.Errorf("after a write: %q", got)
	}
	if got := b.read(); got != want {
		t.Errorf("after expiry: %q", got)
	}
	b.expect("_\r\n", "GET", "a")
	a.expect("+OK\r\n", "SET", "x", "1")
	a.expect(":1\r\n", "DBSIZE")
	a.expect("*2\r\n$1\r\n0\r\n*1\r\n$1\r\nx\r\n", "SCAN", "0")
	a.expect("+OK\r\n", "FLUSHALL")
	a.expect(":0\r\n", "DBSIZE")
}

// TestNoLoop: a client with NOLOOP hears of every write but its own, alone and in a transaction, in both modes.
func TestNoLoop(t *testing.T) {
	told := func(key string) string { return ">2\r\n$10\r\ninvalidate\r\n" + array(key) }
	for _, mode := range []string{"default", "BCAST"} {
		t.Run(mode, func(t *testing.T) {
			w := newRealWorld(t)
			a, b := w.dial(t), w.dial(t)
			on := []string{"CLIENT", "TRACKING", "ON", "NOLOOP"}
			if mode == "BCAST" {
				on = append(on, mode)
			}
			a.do("HELLO", "3")
			a.expect("+OK\r\n", on...)
			// hears also writes another key behind what it does: word of k would come before that of the other.
			hears := func(do func(), want ...string) {
				t.Helper()
				a.expect("_\r\n", "GET", "other")
				do()
				b.expect("+OK\r\n", "SET", "other", "1")
				for _, key := range append(want, "other") {
					if got := a.read(); got != told(key) {
						t.Errorf("got %q, want word of %s", got, key)
					}
				}
				b.expect(":1\r\n", "DEL", "other")
				if mode == "BCAST" {
					a.read()
				}
			}
			a.expect("_\r\n", "GET", "k")
			hears(func() { a.expect("+OK\r\n", "SET", "k", "1") })
			hears(func() {
				a.expect("+OK\r\n", "MULTI")
				a.expect("+QUEUED\r\n", "INCR", "k")
				a.expect("*1\r\n:2\r\n", "EXEC")
			})
			hears(func() { b.expect("+OK\r\n", "SET", "k", "3") }, "k")
			a.expect("$1\r\n3\r\n", "GET", "k")
			a.expect(":1\r\n", "PEXPIRE", "k", "30")
			if got := a.read(); got != told("k") {
				t.Errorf("after expiry, which nobody does: %q", got)
			}
			a.expect("_\r\n", "GET", "k")
			if mode == "BCAST" {
				return
			}
			a.expect("+OK\r\n", "CLIENT", "TRACKING", "ON")
			a.send(array("SET", "k", "4"))
			if x, y := a.read(), a.read(); x+y != "+OK\r\n"+told("k") && x+y != told("k")+"+OK\r\n" {
				t.Errorf("without NOLOOP: %q, %q", x, y)
			}
		})
	}
}

// TestRealGroupCounts: many pipelining clients on few keys; every increment is answered once and counted once, and each
// client sees its own grow.
func TestRealGroupCounts(t *testing.T) {
	const clients, rounds, pipeline, keys = 8, 20, 25, 5
	w := newRealWorld(t)
	var wg sync.WaitGroup
	for range clients {
		c := w.dial(t)
		wg.Go(func() {
			last := make([]int64, keys)
			for range rounds {
				var b strings.Builder
				for i := range pipeline {
					b.WriteString(array("INCR", fmt.Sprint("n", i%keys)))
				}
				c.send(b.String())
				for i := range pipeline {
					n, ok := integer([]byte(c.read()))
					if !ok || n <= last[i%keys] {
						t.Errorf("key %d went from %d to %d", i%keys, last[i%keys], n)
					}
					last[i%keys] = n
				}
			}
		})
	}
	wg.Wait()
	c := w.dial(t)
	for k := range keys {
		want := fmt.Sprint(clients * rounds * pipeline / keys)
		c.expect(fmt.Sprintf("$%d\r\n%s\r\n", len(want), want), "GET", fmt.Sprint("n", k))
	}
}
