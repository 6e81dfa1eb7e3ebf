package raftnet

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// cluster is a group of real Raft replicas on a network in memory.
type cluster struct {
	t   *testing.T
	net *memnet.Network
	off Off
	// tune changes the configuration or the options of a replica before it starts.
	tune     func(r *replica, c *raft.Config, o *Options)
	replicas []*replica
}

// replica is one member: its disk survives stop and start.
type replica struct {
	c     *cluster
	id    raft.ServerID
	logs  raft.LogStore
	mem   *raft.InmemStore
	snaps raft.SnapshotStore
	fsm   *recorder

	link *memnet.Node
	tr   *Transport
	raft *raft.Raft
	runs int
}

const testHeartbeat = 500 * time.Millisecond

func newCluster(t *testing.T, n int, off Off, tune func(*replica, *raft.Config, *Options)) *cluster {
	c := &cluster{t: t, net: memnet.New(), off: off, tune: tune}
	for i := range n {
		mem := raft.NewInmemStore()
		c.replicas = append(c.replicas, &replica{
			c: c, id: raft.ServerID(fmt.Sprintf("n%d", i)), mem: mem, logs: mem,
			snaps: raft.NewInmemSnapshotStore(), fsm: &recorder{},
		})
	}
	for _, r := range c.replicas {
		r.start()
	}
	t.Cleanup(c.stop)
	return c
}

func (c *cluster) configuration() (cfg raft.Configuration) {
	for _, r := range c.replicas {
		cfg.Servers = append(cfg.Servers, raft.Server{ID: r.id, Address: raft.ServerAddress(r.id)})
	}
	return cfg
}

func (c *cluster) ids() (ids []raft.ServerID) {
	for _, r := range c.replicas {
		ids = append(ids, r.id)
	}
	return ids
}

func (c *cluster) stop() {
	for _, r := range c.replicas {
		if r.raft != nil {
			r.stop()
		}
	}
}

// leader waits for a leader other than the ones given.
func (c *cluster) leader(not ...*replica) *replica {
	c.t.Helper()
	var leader *replica
	c.await("a leader", func() bool {
		for _, r := range c.replicas {
			if r.raft != nil && r.raft.State() == raft.Leader && !slices.Contains(not, r) {
				leader = r
				return true
			}
		}
		return false
	})
	return leader
}

// await polls, because Raft tells nobody about most of what a test waits for; in a bubble it costs no real time.
func (c *cluster) await(what string, cond func() bool) {
	c.t.Helper()
	for range 60_000 {
		if cond() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	c.t.Fatalf("no %s within a minute", what)
}

func (c *cluster) others(r *replica) []*replica {
	return slices.DeleteFunc(slices.Clone(c.replicas), func(o *replica) bool { return o == r })
}

func (r *replica) start() {
	cfg := raft.DefaultConfig()
	cfg.LocalID = r.id
	cfg.Logger = hclog.NewNullLogger()
	cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = testHeartbeat, testHeartbeat, testHeartbeat
	cfg.NoLegacyTelemetry = true
	o := Options{HadState: r.runs > 0}
	if r.c.tune != nil {
		r.c.tune(r, cfg, &o)
	}
	r.runs++
	r.link = r.c.net.Node(topology.NodeID(r.id))
	mux := NewMux(r.link)
	mux.off = r.c.off
	var err error
	if r.tr, err = mux.Open(7, o); err != nil {
		r.c.t.Fatal(err)
	}
	r.tr.SetVoters(r.c.ids())
	r.tr.SetLastEntry(r.lastEntry)
	if r.runs == 1 {
		if err := raft.BootstrapCluster(cfg, r.logs, r.mem, r.snaps, r.tr, r.c.configuration()); err != nil {
			r.c.t.Fatal(err)
		}
	}
	if r.raft, err = raft.NewRaft(cfg, r.fsm, r.logs, r.mem, r.snaps, r.tr); err != nil {
		r.c.t.Fatal(err)
	}
}

// lastEntry is that of the log; no test here empties it.
func (r *replica) lastEntry() (term, index uint64, known bool) {
	var e raft.Log
	last, _ := r.logs.LastIndex()
	if r.logs.GetLog(last, &e) != nil {
		return 0, 0, false
	}
	return e.Term, e.Index, true
}

func (r *replica) stop() {
	r.link.Close()
	r.tr.Close()
	if err := r.raft.Shutdown().Error(); err != nil {
		r.c.t.Error(err)
	}
	r.raft = nil
}

func (r *replica) apply(data string) error {
	return r.raft.Apply([]byte(data), time.Second).Error()
}

// recorder is a state machine that is the list of what was applied.
type recorder struct {
	mu      sync.Mutex
	applied []string
	// restoring, if set, is called while a snapshot is restored.
	restoring func()
}

func (m *recorder) Apply(l *raft.Log) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applied = append(m.applied, string(l.Data))
	return len(m.applied)
}

func (m *recorder) list() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.applied)
}

type image []byte

func (m *recorder) Snapshot() (raft.FSMSnapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b bytes.Buffer
	for _, s := range m.applied {
		fmt.Fprintln(&b, s)
	}
	return image(b.Bytes()), nil
}

func (i image) Persist(s raft.SnapshotSink) error {
	if _, err := s.Write(i); err != nil {
		return s.Cancel()
	}
	return s.Close()
}

func (image) Release() {}

func (m *recorder) Restore(r io.ReadCloser) error {
	defer r.Close()
	if m.restoring != nil {
		m.restoring()
	}
	b, err := io.ReadAll(r)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applied = nil
	for l := range bytes.Lines(b) {
		m.applied = append(m.applied, string(bytes.TrimSuffix(l, []byte("\n"))))
	}
	return err
}

func TestReplicasAgreeThroughLeaderChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, Off{}, nil)
		for i := range 5 {
			l := c.leader()
			if err := l.apply(fmt.Sprint("write ", i)); err != nil {
				t.Fatal(err)
			}
			c.net.Isolate(topology.NodeID(l.id))
			c.leader(l)
			c.net.HealAll()
			c.await("step-down of the old leader", func() bool { return l.raft.State() != raft.Leader })
		}
		if err := c.leader().raft.Barrier(time.Second).Error(); err != nil {
			t.Fatal(err)
		}
		for _, r := range c.replicas {
			c.await("agreement of "+string(r.id), func() bool { return len(r.fsm.list()) == 5 })
		}
	})
}

func TestSnapshotReachesFollowerThatIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, Off{}, func(_ *replica, cfg *raft.Config, _ *Options) { cfg.TrailingLogs = 1 })
		l := c.leader()
		behind := c.others(l)[0]
		c.net.Isolate(topology.NodeID(behind.id))
		for i := range 20 {
			if err := l.apply(fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.raft.Snapshot().Error(); err != nil {
			t.Fatal(err)
		}
		c.net.HealAll()
		c.await("catching up", func() bool { return len(behind.fsm.list()) == 20 })
	})
}
