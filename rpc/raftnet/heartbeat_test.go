package raftnet

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// A heartbeat that is handled beside Raft's main loop raises the term under a leader that is about to append: it
// writes an entry in a term that it does not lead (F2, hashicorp/raft#695).
func writesInForeignTerm(t *testing.T, off Off) (foreign bool) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, off, nil)
		l := c.leader()
		if err := l.apply("ok"); err != nil {
			t.Fatal(err)
		}
		term := l.raft.CurrentTerm()
		synctest.Wait() // the leader's loop is parked
		usurper := c.others(l)[0]
		beat := &raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}, Term: term + 1}
		if err := usurper.tr.AppendEntries(l.id, "", beat, &raft.AppendEntriesResponse{}); err != nil {
			t.Fatal(err)
		}
		err := l.apply("X")
		last, _ := l.mem.LastIndex()
		var entry raft.Log
		if err := l.mem.GetLog(last, &entry); err != nil {
			t.Fatal(err)
		}
		foreign = string(entry.Data) == "X" && entry.Term > term
		if off == (Off{}) && err != raft.ErrNotLeader {
			t.Errorf("the deposed leader answers %v", err)
		}
	})
	return foreign
}

func TestHeartbeatsTakeTheirTurn(t *testing.T) {
	if writesInForeignTerm(t, Off{}) {
		t.Error("a deposed leader wrote an entry in a term that it never led")
	}
	if !writesInForeignTerm(t, Off{SerialHeartbeats: true}) {
		t.Error("with the fast path it doesn't either: this test proves nothing")
	}
}

// slowDisk is a log store that takes its time for entries.
type slowDisk struct {
	*raft.InmemStore
	delay atomic.Int64 // nanoseconds
}

func (s *slowDisk) StoreLogs(logs []*raft.Log) error {
	if logs[0].Type == raft.LogCommand {
		time.Sleep(time.Duration(s.delay.Load()))
	}
	return s.InmemStore.StoreLogs(logs)
}

// With one of three nodes down, a leader depends on its only follower; that the follower's disk takes 3 s for a
// write must not look like its death.
func TestFollowerWithSlowDiskKeepsLeaderAndLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var disks []*slowDisk
		c := newCluster(t, 3, Off{}, func(r *replica, _ *raft.Config, _ *Options) {
			disks = append(disks, &slowDisk{InmemStore: r.mem})
			r.logs = disks[len(disks)-1]
		})
		l := c.leader()
		if err := l.apply("fast"); err != nil {
			t.Fatal(err)
		}
		term := l.raft.CurrentTerm()
		c.others(l)[1].stop()
		for i, r := range c.replicas {
			if r != l {
				disks[i].delay.Store(int64(3 * time.Second))
			}
		}
		time.Sleep(time.Second)
		write := l.raft.Apply([]byte("slow"), time.Second)
		for range 30 {
			time.Sleep(100 * time.Millisecond)
			if until, ok := l.tr.LeaseUntil(term); !ok || !until.After(time.Now()) {
				t.Fatal("the lease has lapsed")
			}
		}
		if err := write.Error(); err != nil || l.raft.CurrentTerm() != term {
			t.Errorf("after the slow write: %v, term %d instead of %d", err, l.raft.CurrentTerm(), term)
		}
		if s := c.others(l)[0].tr.Stats(); s.BusyAcks == 0 {
			t.Errorf("stats %+v: the disk was not slow enough to prove anything", s)
		}
	})
}

// The same while the follower installs a snapshot for longer than busyLimit.
func TestFollowerThatInstallsSnapshotKeepsLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, Off{}, func(_ *replica, cfg *raft.Config, _ *Options) { cfg.TrailingLogs = 1 })
		l := c.leader()
		behind, third := c.others(l)[0], c.others(l)[1]
		behind.stop()
		for range 20 {
			if err := l.apply("x"); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.raft.Snapshot().Error(); err != nil {
			t.Fatal(err)
		}
		restoring := make(chan struct{})
		behind.fsm.restoring = func() {
			close(restoring)
			time.Sleep(2 * busyLimit)
		}
		behind.start()
		<-restoring
		term := l.raft.CurrentTerm()
		third.stop()
		time.Sleep(busyLimit + 10*time.Second)
		if l.raft.State() != raft.Leader || l.raft.CurrentTerm() != term {
			t.Errorf("node %s is %v in term %d, it led term %d", l.id, l.raft.State(), l.raft.CurrentTerm(), term)
		}
		time.Sleep(busyLimit)
		if err := l.apply("after"); err != nil {
			t.Error(err)
		}
		c.await("the write after the snapshot", func() bool { return len(behind.fsm.list()) == 21 })
	})
}

// A follower whose Raft has hung for good does not answer for ever.
func TestHungFollowerFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, Off{}, nil)
		l := c.leader()
		hung := c.others(l)[0]
		hang := make(chan struct{})
		go func() { // occupies Raft's main loop
			answer := make(chan raft.RPCResponse)
			hung.tr.consumer <- raft.RPC{Command: "nonsense", RespChan: answer}
			<-hang
			<-answer
		}()
		defer close(hang)
		time.Sleep(busyLimit / 2)
		if age := ageOf(l, hung.id); age > time.Second {
			t.Errorf("after %v the hung follower was heard of %v ago", busyLimit/2, age)
		}
		time.Sleep(busyLimit)
		if age := ageOf(l, hung.id); age < busyLimit/4 {
			t.Errorf("after %v the hung follower was heard of %v ago", busyLimit*3/2, age)
		}
	})
}

func ageOf(l *replica, id raft.ServerID) time.Duration {
	for _, a := range l.tr.Acks() {
		if a.ID == id {
			return a.Age
		}
	}
	return time.Hour
}

func TestHeldAckOfOldHeartbeatConfirmsNothingNew(t *testing.T) {
	for _, off := range []Off{{}, {SendTimes: true}} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 3, off, nil)
			l := c.leader()
			if err := l.apply("x"); err != nil {
				t.Fatal(err)
			}
			release, held := make(chan struct{}), make(chan struct{}, 100)
			c.net.SetTap(func(ctx context.Context, m memnet.Message) bool {
				if m.To == topology.NodeID(l.id) && m.Reply && m.Kind == KindAppend {
					held <- struct{}{}
					<-release
				}
				return true
			})
			for range 4 { // a heartbeat and a replication to each of the two
				<-held
			}
			c.net.SetTap(nil)
			for _, r := range c.others(l) {
				c.net.Cut(topology.NodeID(l.id), topology.NodeID(r.id))
			}
			time.Sleep(time.Millisecond)
			asked := time.Now()
			time.Sleep(10 * time.Millisecond)
			close(release)
			time.Sleep(50 * time.Millisecond)
			sent, _ := l.tr.QuorumSent(l.raft.CurrentTerm())
			if wrong := !sent.Before(asked); wrong != off.SendTimes {
				t.Errorf("guard off: %v; confirmed for a read that came after every request: %v", off.SendTimes, wrong)
			}
		})
	}
}
