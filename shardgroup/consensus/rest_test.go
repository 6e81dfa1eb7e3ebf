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

// way is how long messages are on their way, but those to and from one of the followers, for which it is a little more.
const way = 300 * time.Microsecond

// uneven is a cluster of three, one of whose followers has a slightly longer way, so that only one of them is needed.
func uneven(t *testing.T, way time.Duration) (c *cluster, leader *node) {
	c = newCluster(t, 3, nil)
	leader = c.ready()
	farther := topology.NodeID(c.others(leader)[0].id)
	c.net.SetDelay(func(from, to topology.NodeID) time.Duration {
		if from == farther || to == farther {
			return way + way/10
		}
		return way
	})
	return c, leader
}

// busy has entries proposed without a break for that long.
func busy(t *testing.T, l *node, so time.Duration) (entries int) {
	for end := time.Now().Add(so); time.Now().Before(end); entries++ {
		if err := l.propose(fmt.Sprint(entries)); err != nil {
			t.Error(err)
			return entries
		}
	}
	return entries
}

// eachMoment calls f for the moments of a rest.
func eachMoment(f func(since time.Duration)) {
	for since := time.Duration(0); since < longestRest; since += way / 3 {
		f(since)
	}
}

// TestSparedFollowersGetSeveralEntriesAtOnce: one of two followers gets a request for each longestRest, and still has all entries.
func TestSparedFollowersGetSeveralEntriesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := uneven(t, way)
		reads(t, l) // is long ago soon
		l.transport.hasten()()
		time.Sleep(readLately)
		entries, rests := 0, 20
		requests := countAppends(c.net, func() { entries = busy(t, l, time.Duration(rests)*longestRest) })
		if more := requests - entries; more < rests/2 || more > rests {
			t.Errorf("%d requests for %d entries: the follower that is not needed got %d, want one for each of %d rests", requests, entries, more, rests)
		}
		c.agree(entries)
	})
}

// More entries come in a rest than there is room for in a request.
func TestFollowersThatFallBehindAreNotSpared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := uneven(t, longestRest/4/maxAppendEntries)
		last := busy(t, l, 20*longestRest)
		for _, f := range c.others(l) {
			if n := f.Stats().Last; n+4*maxAppendEntries < uint64(last) {
				t.Errorf("%s has %d entries of %d", f.id, n, last)
			}
		}
	})
}

// A rest ends when a commit begins to need the follower: the other one has become slow.
func TestARestEndsWhenTheFollowerIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		longest := time.Duration(0)
		eachMoment(func(since time.Duration) {
			c, l := uneven(t, way)
			busy(t, l, 10*longestRest+since)
			slow := topology.NodeID(c.others(l)[1].id)
			c.net.SetDelay(func(from, to topology.NodeID) time.Duration {
				if from == slow || to == slow {
					return time.Second
				}
				return way
			})
			began := time.Now()
			busy(t, l, 1)
			longest = max(longest, time.Since(began))
		})
		if most := 2*restPiece + 2*way; longest > most || longest < restPiece {
			t.Errorf("a commit that needed a resting follower took up to %v, want %v at most, and more than %v", longest, most, restPiece)
		}
	})
}

// A rest ends when somebody waits for what the follower has: who reads it, or leadership is handed over.
func TestARestEndsWhenSomebodyWaitsForTheFollower(t *testing.T) {
	for name, test := range map[string]struct {
		waits func(t *testing.T, l *node) (index uint64)
		most  time.Duration
	}{
		"a reader": {reads, restPiece},
		"a reader who comes again": {func(t *testing.T, l *node) uint64 {
			reads(t, l)
			time.Sleep(10 * longestRest)
			return reads(t, l)
		}, 4 * way},
		"the hand-over": {func(_ *testing.T, l *node) uint64 { l.transport.hasten(); return l.Applied() }, restPiece},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				longest := time.Duration(0)
				eachMoment(func(since time.Duration) {
					c, l := uneven(t, way)
					ended := make(chan struct{})
					go func() { defer close(ended); busy(t, l, 30*longestRest) }()
					time.Sleep(10*longestRest + since)
					index := test.waits(t, l)
					began := time.Now()
					for _, f := range c.others(l) {
						if err := f.WaitApplied(t.Context(), index); err != nil {
							t.Error(err)
						}
					}
					longest = max(longest, time.Since(began))
					<-ended
				})
				if most := test.most + 2*way; longest > most || longest < test.most {
					t.Errorf("who waited for a resting follower did so for up to %v, want %v at most, and more than %v", longest, most, test.most)
				}
			})
		})
	}
}

func reads(t *testing.T, l *node) (index uint64) {
	index, err := l.ReadIndex(t.Context())
	if err != nil {
		t.Error(err)
	}
	return index
}

// withoutEntries is more than an AppendEntries request without entries takes: version, flags and five small numbers.
const withoutEntries = 16

// countAppends counts the requests with entries meanwhile.
func countAppends(net *memnet.Network, do func()) int {
	var n atomic.Int64
	net.SetTap(func(_ context.Context, m memnet.Message) bool {
		if m.Kind == raftnet.KindAppend && !m.Reply && len(m.Payload) > withoutEntries {
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
