package consensus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// cluster is a group of replicas on a network in memory, for synctest bubbles.
type cluster struct {
	t    *testing.T
	net  *memnet.Network
	tune func(*Config)
	// mux changes the network's end of each node that is opened; nil leaves it.
	mux   func(*raftnet.Mux)
	nodes []*node
}

// node is one member: its stores survive close and open.
type node struct {
	c      *cluster
	id     string
	logs   *raft.InmemStore
	stable *raft.InmemStore
	snaps  *raft.InmemSnapshotStore
	fsm    *list
	link   *memnet.Node
	tr     *raftnet.Transport
	*Replica
	runs int
}

func newCluster(t *testing.T, n int, tune func(*Config)) *cluster {
	t.Helper()
	return (&cluster{t: t, net: memnet.New(), tune: tune}).start(n)
}

// start opens n nodes, which close with the test.
func (c *cluster) start(n int) *cluster {
	c.t.Helper()
	for i := range n {
		c.add(fmt.Sprintf("n%d", i))
	}
	for _, n := range c.nodes {
		n.open(true)
	}
	c.t.Cleanup(func() {
		for _, n := range c.nodes {
			n.close()
		}
	})
	return c
}

func (c *cluster) add(id string) *node {
	n := &node{c: c, id: id, logs: raft.NewInmemStore(), stable: raft.NewInmemStore(), snaps: raft.NewInmemSnapshotStore(), fsm: &list{}}
	c.nodes = append(c.nodes, n)
	return n
}

func (n *node) config(bootstrap bool) Config {
	cfg := Config{
		Group: 7, Self: n.id, FSM: n.fsm, Transport: n.tr, Logs: n.logs, Stable: n.stable, Snapshots: n.snaps,
		Logger: slog.New(slog.DiscardHandler),
		Fatal:  func(err error) { n.c.t.Errorf("node %s: fatal: %v", n.id, err) },
	}
	if bootstrap {
		cfg.Bootstrap = &raft.Configuration{}
		for _, o := range n.c.nodes {
			cfg.Bootstrap.Servers = append(cfg.Bootstrap.Servers, raft.Server{ID: raft.ServerID(o.id), Address: raft.ServerAddress(o.id)})
		}
	}
	if n.c.tune != nil {
		n.c.tune(&cfg)
	}
	return cfg
}

func (n *node) open(bootstrap bool) {
	n.c.t.Helper()
	n.link = n.c.net.Node(topology.NodeID(n.id))
	cfg := n.config(bootstrap)
	mux := raftnet.NewMux(n.link)
	if n.c.mux != nil {
		n.c.mux(mux)
	}
	var err error
	if n.tr, err = mux.Open(7, raftnet.Options{Lease: cfg.Timing.Lease, HadState: n.runs > 0, HoldVotes: cfg.LostTail, Logger: cfg.Logger}); err != nil {
		n.c.t.Fatal(err)
	}
	n.runs++
	cfg.Transport = n.tr
	if n.Replica, err = Open(cfg); err != nil {
		n.c.t.Fatal(err)
	}
}

func (n *node) close() {
	if n.Replica == nil {
		return
	}
	n.link.Close()
	n.tr.Close()
	if err := n.Replica.Close(); err != nil {
		n.c.t.Error(err)
	}
	n.Replica = nil
}

func (n *node) isolate() { n.c.net.Isolate(topology.NodeID(n.id)) }

func (n *node) propose(s string) error {
	_, err := n.Propose([]byte(s))
	return err
}

// ready waits for a leader other than the given nodes that is ready to serve.
func (c *cluster) ready(not ...*node) *node {
	c.t.Helper()
	var leader *node
	c.await("a ready leader", func() bool {
		for _, n := range c.nodes {
			if n.Replica != nil && !slices.Contains(not, n) && n.Leader().Ready {
				leader = n
				return true
			}
		}
		return false
	})
	return leader
}

func (c *cluster) others(n *node) []*node {
	return slices.DeleteFunc(slices.Clone(c.nodes), func(o *node) bool { return o == n })
}

// await polls in virtual time: it costs no real time, and Raft tells nobody about most of what tests wait for.
func (c *cluster) await(what string, cond func() bool) {
	c.t.Helper()
	for range 60_000 {
		if cond() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	c.t.Fatalf("no %s within a virtual minute", what)
}

// agree waits until all open nodes have applied the same n items.
func (c *cluster) agree(n int) {
	c.t.Helper()
	for _, node := range c.nodes {
		c.await(fmt.Sprintf("agreement of %s on %d items", node.id, n), func() bool {
			return node.Replica == nil || len(node.fsm.items()) == n
		})
		if node.Replica != nil && !slices.Equal(node.fsm.items(), c.nodes[0].fsm.items()) {
			c.t.Fatalf("%s has %q, %s has %q", node.id, node.fsm.items(), c.nodes[0].id, c.nodes[0].fsm.items())
		}
	}
}

// list is a state machine: the list of what was applied.
type list struct {
	mu    sync.Mutex
	state []string
	// before, if set, is called before each apply, without the lock.
	before func(string)
}

func (l *list) Apply(e *raft.Log) any {
	if l.before != nil {
		l.before(string(e.Data))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = append(l.state, string(e.Data))
	return len(l.state)
}

func (l *list) items() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.state)
}

func (l *list) last() string {
	if items := l.items(); len(items) > 0 {
		return items[len(items)-1]
	}
	return ""
}

type image []byte

func (l *list) Snapshot() (raft.FSMSnapshot, error) {
	var b bytes.Buffer
	for _, s := range l.items() {
		fmt.Fprintln(&b, s)
	}
	return image(b.Bytes()), nil
}

func (i image) Persist(s raft.SnapshotSink) error {
	if _, err := s.Write(i); err != nil {
		return errors.Join(err, s.Cancel())
	}
	return s.Close()
}

func (image) Release() {}

func (l *list) Restore(r io.ReadCloser) error {
	b, err := io.ReadAll(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = nil
	for line := range bytes.Lines(b) {
		l.state = append(l.state, string(bytes.TrimSuffix(line, []byte("\n"))))
	}
	return errors.Join(err, r.Close())
}
