package raftnet

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/rpc/peer"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// slowNoop is a log store that waits for gate (if any) before it stores a new leader's first entry: a slow disk.
type slowNoop struct {
	*raft.InmemStore
	gate atomic.Pointer[chan struct{}]
}

func (s *slowNoop) StoreLogs(logs []*raft.Log) error {
	if gate := s.gate.Load(); gate != nil && logs[0].Type == raft.LogNoop {
		<-*gate
	}
	return s.InmemStore.StoreLogs(logs)
}

// A deposed leader (n0) with an entry that nobody else has must not apply it when the new leader (n1) sends a commit
// index that it has read later than the last index (F1). Here that happens because n1's disk stalls on its first
// entry, while its replicator for n0 sleeps between two attempts with the old last index in hand.
func diverges(t *testing.T, off Off) (lost bool) {
	synctest.Test(t, func(t *testing.T) {
		timeouts := map[raft.ServerID]time.Duration{"n0": 500 * time.Millisecond, "n1": 2500 * time.Millisecond, "n2": 2 * time.Second}
		disks := map[raft.ServerID]*slowNoop{}
		c := newCluster(t, 3, off, func(r *replica, cfg *raft.Config, _ *Options) {
			cfg.HeartbeatTimeout, cfg.ElectionTimeout = timeouts[r.id], timeouts[r.id]
			disks[r.id] = &slowNoop{InmemStore: r.mem}
			r.logs = disks[r.id]
		})
		a, b := c.replicas[0], c.replicas[1]
		quiet := func(m memnet.Message) bool { return m.From != "n2" || m.Reply || m.Kind == KindAppend } // n2 never campaigns
		c.net.SetTap(func(_ context.Context, m memnet.Message) bool { return quiet(m) })
		if l := c.leader(); l != a {
			t.Fatalf("%s leads first, not %s", l.id, a.id)
		}
		if err := a.apply("kept"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)

		gate := make(chan struct{})
		disks[b.id].gate.Store(&gate)
		var attempts atomic.Int32
		c.net.SetTap(func(_ context.Context, m memnet.Message) bool {
			if m.From == "n1" && m.To == "n0" && m.Kind == KindAppend && !m.Reply {
				if req, err := decodeAppend([]byte(m.From), m.Payload); err == nil && !isHeartbeat(req) {
					attempts.Add(1)
				}
			}
			return m.From != "n0" && m.To != "n0" && quiet(m)
		})
		a.apply("LOST")
		if l := c.leader(a); l != b {
			t.Fatalf("%s leads next, not %s", l.id, b.id)
		}
		c.await("7 lost attempts", func() bool { return attempts.Load() == 7 })
		// The 7th fails after its timeout; within 100 ms a new round begins, which sleeps for 320 ms first.
		time.Sleep(appendTimeout + 200*time.Millisecond)
		c.net.SetTap(nil)
		close(gate)
		if err := b.raft.Apply([]byte("after"), 10*time.Second).Error(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		lost = slices.Contains(a.fsm.list(), "LOST")
		if !lost && !slices.Equal(a.fsm.list(), b.fsm.list()) {
			t.Errorf("n0 applied %q, n1 %q", a.fsm.list(), b.fsm.list())
		}
	})
	return lost
}

func TestClampKeepsReplicasEqual(t *testing.T) {
	for range 3 {
		if diverges(t, Off{}) {
			t.Fatal("a deposed leader applied an entry that was never committed")
		}
	}
	if !diverges(t, Off{Clamp: true}) {
		t.Error("without the clamp the replicas agree too: this test proves nothing")
	}
}

func TestRequestsAreCutAndClamped(t *testing.T) {
	var got *raft.AppendEntriesRequest
	tr := open(t, &scripted{call: func(_ peer.Kind, frame []byte) ([]byte, error) {
		var err error
		got, err = decodeAppend([]byte("me"), frame)
		return appendAck(nil, &ack{}), err
	}}, Options{})
	big := make([]byte, maxAppendBytes/2)
	req := raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 10, PrevLogTerm: 2, LeaderCommitIndex: 14}
	for i := range uint64(4) {
		req.Entries = append(req.Entries, &raft.Log{Index: 11 + i, Term: 3, Data: big})
	}
	if err := tr.AppendEntries("b", "b", &req, &raft.AppendEntriesResponse{}); err != nil {
		t.Fatal(err)
	}
	if len(got.Entries) != 2 || got.LeaderCommitIndex != 12 {
		t.Errorf("%d entries and commit index %d went out, want 2 and 12", len(got.Entries), got.LeaderCommitIndex)
	}
	if len(req.Entries) != 2 {
		t.Errorf("raft would count %d entries as replicated, 2 were sent", len(req.Entries))
	}
	if s := tr.Stats(); s.Clamped != 1 {
		t.Errorf("stats %+v", s)
	}
}
