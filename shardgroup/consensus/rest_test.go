package consensus

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

func TestOnlyFollowersThatAreNotNeededAreSpared(t *testing.T) {
	for name, test := range map[string]struct {
		voters  []raft.ServerID
		matched map[raft.ServerID]uint64
		spared  bool
	}{
		"the other follower of three has it":     {[]raft.ServerID{"l", "f", "a"}, map[raft.ServerID]uint64{"a": 9}, true},
		"the other follower of three is behind":  {[]raft.ServerID{"l", "f", "a"}, map[raft.ServerID]uint64{"a": 8}, false},
		"two others of five have it":             {[]raft.ServerID{"l", "f", "a", "b", "c"}, map[raft.ServerID]uint64{"a": 9, "b": 10}, true},
		"one other of five has it":               {[]raft.ServerID{"l", "f", "a", "b", "c"}, map[raft.ServerID]uint64{"a": 9, "b": 8}, false},
		"of two everybody is needed":             {[]raft.ServerID{"l", "f"}, map[raft.ServerID]uint64{"f": 9}, false},
		"one who has it does not vote":           {[]raft.ServerID{"l", "f", "a"}, map[raft.ServerID]uint64{"n": 9}, false},
		"a leader that was removed counts not":   {[]raft.ServerID{"f", "a", "b"}, map[raft.ServerID]uint64{"a": 9, "b": 9}, false},
		"a learner is never needed":              {[]raft.ServerID{"l"}, nil, true},
		"nobody knows the configuration":         {nil, nil, false},
		"its own acknowledgement does not count": {[]raft.ServerID{"l", "f", "a"}, map[raft.ServerID]uint64{"f": 9}, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := &limited{self: "l", fsm: &machine{logs: &logStore{members: &members{}}}, peers: map[raft.ServerID]peerState{}}
			l.fsm.logs.members.vote.Store(&test.voters)
			for id, m := range test.matched {
				l.peers[id] = peerState{matched: m}
			}
			if got := l.spared("f", 9); got != test.spared {
				t.Errorf("spared: %v", got)
			}
		})
	}
}

// TestSparedFollowersGetSeveralEntriesAtOnce: three replicas, one with a slightly longer way. It gets fewer requests than there are
// entries, and still has all of them.
func TestSparedFollowersGetSeveralEntriesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		l := c.ready()
		far := c.others(l)[0]
		c.net.SetDelay(func(from, to topology.NodeID) time.Duration {
			if from == topology.NodeID(far.id) || to == topology.NodeID(far.id) {
				return 110 * time.Microsecond
			}
			return 100 * time.Microsecond
		})
		const entries = 200
		requests := countAppends(c.net, l, far, func() {
			for i := range entries {
				if err := l.propose(fmt.Sprint(i)); err != nil {
					t.Fatal(err)
				}
			}
		})
		if requests > entries/2 {
			t.Errorf("%d requests for %d entries", requests, entries)
		}
		c.agree(entries)
	})
}

// withoutEntries is more than an AppendEntries request without entries takes: version, flags and five small numbers.
const withoutEntries = 16

// countAppends counts the requests with entries that go from l to f meanwhile.
func countAppends(net *memnet.Network, l, f *node, do func()) int {
	var n atomic.Int64
	net.SetTap(func(_ context.Context, m memnet.Message) bool {
		from, to := m.From == topology.NodeID(l.id), m.To == topology.NodeID(f.id)
		if from && to && m.Kind == raftnet.KindAppend && !m.Reply && len(m.Payload) > withoutEntries {
			n.Add(1)
		}
		return true
	})
	do()
	net.SetTap(nil)
	return int(n.Load())
}

// Of two followers that acknowledge an entry at the same moment, one is needed.
func TestSimultaneousAcknowledgementsCommitAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		l := c.ready()
		const way = 5 * time.Millisecond
		c.net.SetDelay(func(topology.NodeID, topology.NodeID) time.Duration { return way })
		time.Sleep(time.Second)
		for i := range 2000 {
			time.Sleep(40 * time.Millisecond) // both are back from their rest, and not asked for anything else yet
			began := time.Now()
			if err := l.propose(fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took != 2*way {
				t.Errorf("write %d took %v, want %v", i, took, 2*way)
			}
		}
	})
}

// Raft's leadership transfer asks for replication again without a pause while raft shuts down: a refusal must take time.
func TestAnEndingInstanceTakesTimeToRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limited{self: "l", fsm: &machine{}, peers: map[raft.ServerID]peerState{}}
		l.down.Store(true)
		began := time.Now()
		err := l.AppendEntries("f", "f", &raft.AppendEntriesRequest{}, &raft.AppendEntriesResponse{})
		if err != raft.ErrRaftShutdown || time.Since(began) < refusal {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
