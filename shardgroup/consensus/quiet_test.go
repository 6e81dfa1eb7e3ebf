package consensus

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// appends counts the AppendEntries requests, heartbeats not among them, that are sent from now on.
func (c *cluster) appends() *atomic.Int32 {
	var n atomic.Int32
	c.net.SetTap(func(_ context.Context, m memnet.Message) bool {
		if m.Kind == raftnet.KindAppend && !m.Reply {
			n.Add(1)
		}
		return true
	})
	return &n
}

func always(d time.Duration) func(_, _ topology.NodeID) time.Duration {
	return func(_, _ topology.NodeID) time.Duration { return d }
}

// Two followers that know everything get one request every two seconds each, and heartbeats. Raft alone sends 27 a second.
func TestIdleGroupIsQuietAndReadsUnderItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		l := c.ready()
		time.Sleep(5 * time.Second)
		sent := c.appends()
		for range 2000 {
			time.Sleep(10 * time.Millisecond)
			if ticket, ok := l.Gate().Enter(); !ok || !l.Gate().Check(ticket) {
				t.Fatal("the lease has lapsed")
			}
		}
		if n := sent.Load(); n == 0 || n > 20 {
			t.Errorf("%d requests in 20 s, want one per follower and 2 s", n)
		}
		for _, p := range l.Stats().Peers {
			if p.Contact < 0 || p.Contact > defaultLease {
				t.Errorf("follower %s was heard of %v ago", p.ID, p.Contact)
			}
		}
	})
}

// The first write after a silence takes one round trip, as all others do.
func TestWriteEndsTheQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		const way = 5 * time.Millisecond
		c.net.SetDelay(always(way))
		l := c.ready()
		for i := range 20 {
			time.Sleep(3*time.Second + time.Duration(i)*37*time.Millisecond)
			c.await("silence", func() bool { return l.transport.held.Load() == 2 })
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

// Of two followers that acknowledge an entry at the same moment, one is needed.
func TestSimultaneousAcknowledgementsCommitAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		l := c.ready()
		const way = 5 * time.Millisecond
		c.net.SetDelay(always(way))
		time.Sleep(time.Second)
		for i := range 200 {
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

// Followers hear of the last commit before a silence as early as they do from raft's own requests.
func TestFollowersLearnTheLastCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 5, nil)
		l := c.ready()
		for i := range 30 {
			time.Sleep(2500*time.Millisecond + time.Duration(i)*71*time.Millisecond)
			if err := l.propose(fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			c.agree(i + 1)
			if took := time.Since(began); took > 300*time.Millisecond {
				t.Errorf("write %d: the last follower has applied it after %v", i, took)
			}
		}
		// One has an entry long before it is committed. What it is sent then must not wait either.
		first := c.others(l)[0]
		c.net.SetDelay(func(_, to topology.NodeID) time.Duration {
			if to == topology.NodeID(l.id) || to == topology.NodeID(first.id) {
				return 0
			}
			return 150 * time.Millisecond
		})
		if err := l.propose("slow"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		c.await("the first one", func() bool { return first.fsm.last() == "slow" })
		if took := time.Since(began); took > 300*time.Millisecond {
			t.Errorf("a follower that had the entry before its commit applied it %v after", took)
		}
	})
}

// A follower that restarts in a silent group has forgotten what is committed, and, with its store lost, the log as well.
func TestRestartEndsTheQuiet(t *testing.T) {
	for _, lost := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 3, nil)
			l := c.ready()
			for i := range 10 {
				if err := l.propose(fmt.Sprint(i)); err != nil {
					t.Fatal(err)
				}
			}
			c.agree(10)
			time.Sleep(5 * time.Second)
			f := c.others(l)[0]
			f.close()
			time.Sleep(time.Second)
			if lost {
				if err := f.logs.DeleteRange(8, 1000); err != nil {
					t.Fatal(err)
				}
			}
			f.fsm = &list{}
			f.open(true)
			began := time.Now()
			c.agree(10)
			if took := time.Since(began); took > time.Second {
				t.Errorf("with a shorter log (%v): it took %v until it had everything", lost, took)
			}
		})
	}
}

// Nobody is taken to be there who does not answer heartbeats: a leader without followers steps down as before.
func TestQuietLeaderNoticesThatItIsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		l := c.ready()
		time.Sleep(5 * time.Second)
		if l.transport.held.Load() == 0 {
			t.Fatal("nothing is held back: this test proves nothing")
		}
		l.isolate()
		began := time.Now()
		c.await("step-down", func() bool { return l.Leader().Leader != l.id })
		if took := time.Since(began); took > 2*defaultLease {
			t.Errorf("stepped down after %v", took)
		}
		next := c.ready(l)
		if took := time.Since(began); took > 3*defaultPatience {
			t.Errorf("node %s leads after %v", next.id, took)
		}
	})
}
