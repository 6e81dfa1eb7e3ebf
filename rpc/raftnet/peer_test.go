package raftnet

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/peer"
)

// tcpReplica is a member of a group whose link is a real peer.Node.
type tcpReplica struct {
	node *peer.Node
	tr   *Transport
	raft *raft.Raft
	fsm  *recorder
}

func startTCP(t *testing.T, count int) []*tcpReplica {
	var rs []*tcpReplica
	var cfg raft.Configuration
	for i := range count {
		n, err := peer.Listen("127.0.0.1:0", peer.Options{
			Self: topology.NodeID(fmt.Sprint("n", i)), Secret: "s", Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			r.node.SetAddr(n.Self(), n.Addr())
			n.SetAddr(r.node.Self(), r.node.Addr())
		}
		rs = append(rs, &tcpReplica{node: n, fsm: &recorder{}})
		cfg.Servers = append(cfg.Servers, raft.Server{ID: raft.ServerID(n.Self()), Address: raft.ServerAddress(n.Self())})
	}
	for _, r := range rs {
		r.start(t, cfg)
	}
	return rs
}

func (r *tcpReplica) start(t *testing.T, members raft.Configuration) {
	m := NewMux(r.node)
	r.node.Serve()
	var err error
	if r.tr, err = m.Open(1, Options{}); err != nil {
		t.Fatal(err)
	}
	var voters []raft.ServerID
	for _, s := range members.Servers {
		voters = append(voters, s.ID)
	}
	r.tr.SetVoters(voters)
	cfg := raft.DefaultConfig()
	cfg.LocalID = raft.ServerID(r.node.Self())
	cfg.Logger = hclog.NewNullLogger()
	cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = testHeartbeat, testHeartbeat, testHeartbeat
	cfg.TrailingLogs = 1
	store, snaps := raft.NewInmemStore(), raft.NewInmemSnapshotStore()
	if err := raft.BootstrapCluster(cfg, store, store, snaps, r.tr, members); err != nil {
		t.Fatal(err)
	}
	if r.raft, err = raft.NewRaft(cfg, r.fsm, store, store, snaps, r.tr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop(t) })
}

func (r *tcpReplica) stop(t *testing.T) {
	if r.raft == nil {
		return
	}
	r.node.Close()
	if err := r.raft.Shutdown().Error(); err != nil {
		t.Error(err)
	}
	r.raft = nil
}

func awaitTCP(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s within 30 s", what)
		}
	}
}

func leaderTCP(t *testing.T, rs []*tcpReplica) (leader *tcpReplica) {
	t.Helper()
	awaitTCP(t, "leader with a lease", func() bool {
		i := slices.IndexFunc(rs, func(r *tcpReplica) bool { return r.raft != nil && r.raft.State() == raft.Leader })
		if i < 0 {
			return false
		}
		leader = rs[i]
		until, ok := leader.tr.LeaseUntil(leader.raft.CurrentTerm())
		return ok && time.Now().Before(until)
	})
	return leader
}

// Elections, writes, a transfer, a snapshot and the death of a leader over real connections.
func TestGroupOverRealConnections(t *testing.T) {
	rs := startTCP(t, 3)
	l := leaderTCP(t, rs)
	write := func(s string) {
		t.Helper()
		if err := l.raft.Apply([]byte(s), 10*time.Second).Error(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 {
		write(fmt.Sprint(i))
	}
	old, term := l, l.raft.CurrentTerm()
	if err := l.raft.LeadershipTransfer().Error(); err != nil {
		t.Fatal(err)
	}
	if _, ok := old.tr.LeaseUntil(term); ok {
		t.Error("the lease outlived the transfer")
	}
	awaitTCP(t, "step-down", func() bool { return old.raft.State() != raft.Leader })
	l = leaderTCP(t, rs)
	write("after the transfer")
	l.stop(t)
	l = leaderTCP(t, rs)
	write("after the death")
	if err := l.raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		if r.raft != nil {
			awaitTCP(t, "agreement", func() bool { return len(r.fsm.list()) == 52 })
		}
	}
}

// A replica that is added late gets the state as a stream.
func TestSnapshotOverRealConnections(t *testing.T) {
	rs := startTCP(t, 1)
	l := leaderTCP(t, rs)
	big := make([]byte, 1<<20)
	for range 5 {
		if err := l.raft.Apply(big, 10*time.Second).Error(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	late := &tcpReplica{fsm: &recorder{}}
	var err error
	if late.node, err = peer.Listen("127.0.0.1:0", peer.Options{Self: "late", Secret: "s", Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	l.node.SetAddr("late", late.node.Addr())
	late.start(t, raft.Configuration{Servers: []raft.Server{{ID: "late", Suffrage: raft.Nonvoter, Address: "late"}, {ID: "n0", Address: "n0"}}})
	if err := l.raft.AddNonvoter("late", "late", 0, 10*time.Second).Error(); err != nil {
		t.Fatal(err)
	}
	awaitTCP(t, "snapshot", func() bool { return len(late.fsm.list()) == 5 })
	if s := late.node.Stats(); s.StreamBytesIn < 5<<20 {
		t.Errorf("stats %+v: it came another way", s)
	}
}
