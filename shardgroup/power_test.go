package shardgroup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm/slot"
)

func TestPowerCutOfOneReplica(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var cut atomic.Bool
		var recorded atomic.Int32
		var n *node
		opened := make(chan struct{})
		c := newCluster(t, func(_ *node, cfg *Config) {
			cfg.Consensus.LostTail = cut.Load()
			cfg.Recovered = func() error {
				<-opened
				if recorded.Add(1); !n.VotesHeld() {
					t.Error("the replica votes before it is on record that it has caught up")
				}
				return nil
			}
		})
		l := c.leader()
		l.submit("SET k v").want(t, "+OK ")
		n = c.others(l)[0]
		n.close()
		cut.Store(true)
		n.open()
		close(opened)
		if !n.VotesHeld() {
			t.Fatal("votes are not held after a power cut")
		}
		c.await("release of the votes", func() bool { return !n.VotesHeld() })
		if n.Replica().Applied() == 0 {
			t.Error("the votes were released before anything was caught up with")
		}
		if recorded.Load() != 1 {
			t.Errorf("its recovery was recorded %d times", recorded.Load())
		}
	})
}

// asking counts how often the leader is asked for a fresh entry.
type asking struct {
	Peers
	fresh atomic.Int32
}

func (a *asking) ReadIndex(ctx context.Context, node string, group slot.GroupID, fresh bool) (uint64, error) {
	if fresh {
		a.fresh.Add(1)
	}
	return a.Peers.ReadIndex(ctx, node, group, fresh)
}

// A replica that waits to hear that an entry is committed does not ask for another one instead, which it would have to wait
// for as long: in a quiet group, for ever.
func TestCatchingUpAsksALeaderOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		n := c.others(l)[0]
		a := &asking{Peers: n.cfg.Peers}
		n.cfg.Peers = a
		var p proof
		for range 5 {
			if !n.caughtUp(&p) {
				t.Fatal("it has not caught up")
			}
		}
		if a.fresh.Load() != 1 || p.index == 0 || n.Replica().Applied() < p.index {
			t.Errorf("asked %d times, for %+v; applied %d", a.fresh.Load(), p, n.Replica().Applied())
		}
		l.close()
		c.leader(l)
		if n.caughtUp(&p); n.Replica().Leader().Leader != n.id && a.fresh.Load() != 2 {
			t.Errorf("asked %d times, the second leader included", a.fresh.Load())
		}
	})
}

func TestPowerCutOfAMajority(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var cut atomic.Bool
		c := newCluster(t, func(_ *node, cfg *Config) { cfg.Consensus.LostTail = cut.Load() })
		l := c.leader()
		l.submit("SET k v").want(t, "+OK ")
		cut.Store(true)
		for _, n := range c.nodes {
			n.close()
		}
		c.nodes[0].open()
		time.Sleep(10 * time.Second)
		if !c.nodes[0].VotesHeld() {
			t.Fatal("one of three decided alone that a majority has lost its log")
		}
		for _, n := range c.nodes[1:] {
			n.open()
		}
		c.leader().submit("SET k w").want(t, "+OK ")
	})
}

// silent has no answer of one node, and no answer for who has no more time.
type silent struct {
	Peers
	node string
}

func (p silent) Standing(ctx context.Context, node string, group slot.GroupID) (Standing, error) {
	if node == p.node {
		<-ctx.Done()
	}
	if err := ctx.Err(); err != nil {
		return Standing{}, err
	}
	return p.Peers.Standing(ctx, node, group)
}

// A majority that has lost power goes on though the third replica can't be reached.
func TestPowerCutOfAMajorityWithoutTheThird(t *testing.T) {
	for third := range 3 {
		bubble(t, func(t *testing.T) {
			var cut atomic.Bool
			c := newCluster(t, func(_ *node, cfg *Config) {
				cfg.Consensus.LostTail, cfg.Peers = cut.Load(), silent{cfg.Peers, fmt.Sprintf("n%d", third)}
			})
			c.leader().submit("SET k v").want(t, "+OK ")
			away := c.nodes[third]
			cut.Store(true)
			for _, n := range c.others(away) {
				n.close()
			}
			away.isolate()
			for _, n := range c.others(away) {
				n.open()
			}
			c.leader(away).submit("SET k w").want(t, "+OK ")
		})
	}
}

// Two replicas need each other's votes, so one that held its own until there is a leader would wait for ever, if it was the
// leader or there is none any more. The other one has all that was acknowledged, and is elected.
func TestPowerCutOfOneOfTwoReplicas(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var cut atomic.Bool
		c := newClusterOf(t, 2, func(_ *node, cfg *Config) { cfg.Consensus.LostTail = cut.Load() })
		l := c.leader()
		other := c.others(l)[0]
		l.submit("SET k v").want(t, "+OK ")
		last, _ := l.logs.LastIndex()
		l.close()
		if err := l.logs.DeleteRange(last, last); err != nil {
			t.Fatal(err)
		}
		cut.Store(true)
		l.open()
		if now := c.leader(); now != other {
			t.Errorf("%s leads, which has lost an acknowledged entry", now.id)
		}
		other.submit("GET k").want(t, "$1 v ")
		c.await("a replica that votes again", func() bool { return !l.VotesHeld() })
		c.sameDigests()
	})
}

// A leader that had written more than it sent knows more than the other one, which it can't vote for: it leads again.
func TestPowerCutOfALeaderThatKnowsMore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var cut atomic.Bool
		c := newClusterOf(t, 2, func(_ *node, cfg *Config) { cfg.Consensus.LostTail = cut.Load() })
		l := c.leader()
		l.submit("SET k v").want(t, "+OK ")
		last, _ := l.logs.LastIndex()
		l.isolate()
		unsent := make(chan *Call, 1)
		go func() { unsent <- l.submit("SET k w") }()
		c.await("an entry that nobody else has", func() bool {
			at, _ := l.logs.LastIndex()
			return at > last
		})
		l.close()
		if err := (<-unsent).Err; !errors.Is(err, ErrUnknown) {
			t.Errorf("the outcome of what was not sent: %v", err)
		}
		cut.Store(true)
		l.open()
		c.heal()
		c.leader().submit("GET k").want(t, "$1 w ")
		c.await("a replica that votes again", func() bool { return !l.VotesHeld() })
		c.sameDigests()
	})
}

// Of four, the two that still have everything between them are no majority. They go on with the help of the others, but only the one
// with the newest log may lead: the other one never had the last entry, which one half has lost.
func TestPowerCutOfTwoOfFourReplicas(t *testing.T) {
	for range 5 {
		bubble(t, func(t *testing.T) {
			var cut atomic.Bool
			c := newClusterOf(t, 4, func(_ *node, cfg *Config) { cfg.Consensus.LostTail = cut.Load() })
			l := c.leader()
			others := c.others(l)
			behind, ahead, lost := others[0], others[1], []*node{l, others[2]}
			l.submit("SET k old").want(t, "+OK ")
			behind.isolate()
			l.submit("SET k new").want(t, "+OK ")
			last, _ := l.logs.LastIndex()
			c.await("the entry on all", func() bool {
				at, _ := ahead.logs.LastIndex()
				return at == last
			})
			ahead.isolate() // nobody leads from here on
			for _, n := range lost {
				n.close()
				if at, _ := n.logs.LastIndex(); at < last {
					t.Fatal("an entry is not where it was acknowledged")
				} else if err := n.logs.DeleteRange(last, at); err != nil {
					t.Fatal(err)
				}
			}
			cut.Store(true)
			for _, n := range lost {
				n.open()
			}
			time.Sleep(5 * time.Second)
			if l.Replica().Leader().Leader != "" || !l.VotesHeld() {
				t.Fatal("half of the replicas went on without the others")
			}
			c.heal()
			c.leader().submit("GET k").want(t, "$3 new ")
			c.await("replicas that vote again", func() bool { return !slices.ContainsFunc(c.nodes, func(n *node) bool { return n.VotesHeld() }) })
			c.sameDigests()
		})
	}
}
