package shardgroup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
	"github.com/quorate/quorate/shardgroup/consensus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs a test in a synctest bubble.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// cluster is the replicas of one group on a network in memory.
type cluster struct {
	t     *testing.T
	net   *memnet.Network
	tune  func(*node, *Config)
	nodes []*node
}

type node struct {
	c      *cluster
	id     string
	logs   *raft.InmemStore
	stable *raft.InmemStore
	snaps  *raft.InmemSnapshotStore
	link   *memnet.Node
	tr     *raftnet.Transport
	*Group
	runs int
	// skew is added to the wall clock.
	skew time.Duration
	// live and away are what other nodes' groups see of this one.
	live atomic.Pointer[Group]
	away atomic.Bool
}

const testGroup = 7

func newCluster(t *testing.T, tune func(*node, *Config)) *cluster {
	t.Helper()
	return newClusterOf(t, 3, tune)
}

func newClusterOf(t *testing.T, size int, tune func(*node, *Config)) *cluster {
	t.Helper()
	c := &cluster{t: t, net: memnet.New(), tune: tune}
	for i := range size {
		c.nodes = append(c.nodes, &node{c: c, id: fmt.Sprintf("n%d", i),
			logs: raft.NewInmemStore(), stable: raft.NewInmemStore(), snaps: raft.NewInmemSnapshotStore()})
	}
	for _, n := range c.nodes {
		n.open()
	}
	t.Cleanup(func() {
		for _, n := range c.nodes {
			n.close()
		}
	})
	return c
}

func (n *node) open() {
	n.c.t.Helper()
	cfg := Config{
		ID: testGroup, Self: n.id, Peers: (*peers)(n.c), Logger: slog.New(slog.DiscardHandler),
		Genesis: fsm.Genesis{Group: testGroup, HashSeed: 11, Slots: []slot.Range{{First: 0, Last: 12181}, {First: 12183, Last: 16383}}},
		Clock:   func() int64 { return time.Now().Add(n.skew).UnixMilli() },
		Fatal:   func(err error) { n.c.t.Errorf("node %s: fatal: %v", n.id, err) },
	}
	cfg.Consensus = consensus.Config{Logs: n.logs, Stable: n.stable, Snapshots: n.snaps, Bootstrap: &raft.Configuration{}}
	for _, o := range n.c.nodes {
		cfg.Consensus.Bootstrap.Servers = append(cfg.Consensus.Bootstrap.Servers,
			raft.Server{ID: raft.ServerID(o.id), Address: raft.ServerAddress(o.id)})
	}
	if n.c.tune != nil {
		n.c.tune(n, &cfg)
	}
	n.link = n.c.net.Node(topology.NodeID(n.id))
	var err error
	opts := raftnet.Options{HadState: n.runs > 0, HoldVotes: cfg.Consensus.LostTail, Logger: cfg.Logger}
	if n.tr, err = raftnet.NewMux(n.link).Open(testGroup, opts); err != nil {
		n.c.t.Fatal(err)
	}
	n.runs++
	cfg.Consensus.Transport = n.tr
	if n.Group, err = Open(cfg); err != nil {
		n.c.t.Fatal(err)
	}
	n.live.Store(n.Group)
}

func (n *node) close() {
	if n.Group == nil {
		return
	}
	n.live.Store(nil)
	n.link.Close()
	n.tr.Close()
	if err := n.Group.Close(); err != nil {
		n.c.t.Error(err)
	}
	n.Group = nil
}

func (n *node) isolate() {
	n.away.Store(true)
	n.c.net.Isolate(topology.NodeID(n.id))
}

func (c *cluster) heal() {
	for _, n := range c.nodes {
		n.away.Store(false)
	}
	c.net.HealAll()
}

// leader waits for a leader that is ready and none of the given nodes.
func (c *cluster) leader(not ...*node) *node {
	c.t.Helper()
	var found *node
	c.await("a leader", func() bool {
		for _, n := range c.nodes {
			if n.Group != nil && !slices.Contains(not, n) && n.Leader().Ready {
				found = n
				return true
			}
		}
		return false
	})
	return found
}

func (c *cluster) others(n *node) []*node {
	return slices.DeleteFunc(slices.Clone(c.nodes), func(o *node) bool { return o == n })
}

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

// sameDigests compares the states of all replicas at one index.
func (c *cluster) sameDigests() {
	c.t.Helper()
	var index uint64
	c.await("a mark", func() bool {
		var err error
		index, err = c.leader().Mark()
		return err == nil
	})
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	var want fsm.Digest
	for i, n := range c.nodes {
		got, err := n.Digest(ctx, index)
		if err != nil {
			c.t.Fatalf("node %s: %v", n.id, err)
		}
		if i == 0 {
			want = got
		} else if got != want {
			c.t.Errorf("at entry %d node %s has digest %v, node %s %v", index, n.id, got, c.nodes[0].id, want)
		}
	}
}

// peers carries the groups' questions to each other.
type peers cluster

var errAway = errors.New("no answer")

func (p *peers) reach(id string) (*Group, error) {
	for _, n := range p.nodes {
		if g := n.live.Load(); n.id == id && g != nil && !n.away.Load() {
			return g, nil
		}
	}
	return nil, errAway
}

func (p *peers) ReadIndex(ctx context.Context, id string, _ slot.GroupID, fresh bool) (uint64, error) {
	n, err := p.reach(id)
	if err != nil {
		return 0, err
	}
	return n.ReadIndex(ctx, fresh)
}

func (p *peers) Standing(_ context.Context, id string, _ slot.GroupID) (Standing, error) {
	n, err := p.reach(id)
	if err != nil {
		return Standing{}, err
	}
	return n.Standing(), nil
}

// op parses a command line.
func op(line string) entry.Op {
	words := strings.Fields(line)
	spec := command.Lookup([]byte(words[0]))
	if spec == nil {
		panic("no command " + words[0])
	}
	o := entry.Op{Cmd: spec.ID}
	for _, w := range words[1:] {
		o.Args = append(o.Args, []byte(w))
	}
	return o
}

// calling makes a call of command lines; reads ride along.
func calling(lines ...string) *Call {
	c := &Call{}
	for _, l := range lines {
		o := op(l)
		c.Ops = append(c.Ops, o)
		c.Reads = append(c.Reads, !command.ByID(o.Cmd).Has(command.Write))
	}
	return c
}

// submit waits for a call's end.
func (n *node) submit(lines ...string) *Call {
	c := calling(lines...)
	n.do(c)
	return c
}

func (n *node) do(c *Call) {
	var once sync.Once
	done := make(chan struct{})
	c.Done = func(*Call) {
		first := false
		once.Do(func() { first = true; close(done) })
		if !first {
			n.c.t.Error("Done was called twice")
		}
	}
	n.Submit(c)
	<-done
}

func (n *node) read(lines ...string) *Call {
	c := calling(lines...)
	n.Read(c)
	return c
}

// replies shows a call's replies on one line, or its error.
func (c *Call) replies() string {
	if c.Err != nil {
		return c.Err.Error()
	}
	return string(bytes.ReplaceAll(c.Out.Buf, []byte("\r\n"), []byte(" ")))
}

func (c *Call) want(t *testing.T, replies string) {
	t.Helper()
	if got := c.replies(); got != replies {
		t.Errorf("replies %q, want %q", got, replies)
	}
}
