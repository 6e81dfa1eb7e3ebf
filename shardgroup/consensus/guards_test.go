package consensus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// F6: a deposed leader's long uncommitted tail, then a snapshot that ends in the middle of it.
func TestSnapshotOverConflictingTail(t *testing.T) {
	for _, off := range []bool{false, true} {
		t.Run(fmt.Sprint("guard off: ", off), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 3, func(cfg *Config) { cfg.TrailingLogs, cfg.off.Conflict = 50, off })
				l := c.ready()
				if err := l.propose("common"); err != nil {
					t.Fatal(err)
				}
				c.agree(1)
				l.isolate()
				done := make(chan error)
				for i := range 80 {
					go func() { done <- l.propose(fmt.Sprint("lost ", i)) }()
				}
				for range 80 {
					if err := <-done; !errors.Is(err, ErrUnknown) {
						t.Errorf("proposal without a quorum: %v", err)
					}
				}
				next := c.ready(l)
				for i := range 60 {
					if err := next.propose(fmt.Sprint("kept ", i)); err != nil {
						t.Fatal(err)
					}
				}
				for _, n := range c.others(l) {
					if err := n.Snapshot(); err != nil {
						t.Fatal(err)
					}
				}
				if tail, snap := l.Stats().Last, next.Stats().SnapshotIndex; tail <= snap {
					t.Fatalf("the tail ends at %d, the snapshot at %d: nothing is tested", tail, snap)
				}
				// Without a delay raft's livelock would stop virtual time.
				c.net.SetDelay(func(_, _ topology.NodeID) time.Duration { return 5 * time.Millisecond })
				c.net.HealAll()
				if off {
					time.Sleep(10 * time.Second)
					if err := next.propose("more"); err != nil {
						t.Fatal(err)
					}
					time.Sleep(10 * time.Second)
					if n, s := len(l.fsm.items()), l.Stats(); n == 62 || s.Installed < 3 {
						t.Errorf("%d items after %d snapshots: raft got out of it by itself; does the guard still have a purpose?", n, s.Installed)
					}
					return
				}
				c.agree(61)
				if err := c.ready().propose("more"); err != nil {
					t.Fatal(err)
				}
				c.agree(62)
				if s := l.Stats(); s.Restarts != 1 || s.Installed > 2 {
					t.Errorf("%d restarts, %d snapshots installed; want 1 and, as the first is not acknowledged, at most 2", s.Restarts, s.Installed)
				}
			})
		})
	}
}

// F7: a transfer whose request to the replication goroutine is never taken keeps refusing proposals. Raft's goroutines of
// that transfer are lost for good, so this is no test for a bubble, and TestMain excuses them.
func TestStuckTransferIsEnded(t *testing.T) {
	for _, off := range []bool{false, true} {
		t.Run(fmt.Sprint("guard off: ", off), func(t *testing.T) {
			// Short, because a request that hangs gives up after 5 s, and then raft gets going again.
			short := Timing{Heartbeat: 200 * time.Millisecond, Election: 200 * time.Millisecond, Lease: 160 * time.Millisecond}
			c := newCluster(t, 3, func(cfg *Config) { cfg.off.TransferWatch, cfg.Timing = off, short })
			l := c.ready()
			to := c.others(l)[0]
			// Entries from the leader to one follower hang; heartbeats, which carry none, go through.
			hanging := make(chan struct{}, 1)
			c.net.SetTap(func(ctx context.Context, m memnet.Message) bool {
				if m.Kind == raftnet.KindAppend && !m.Reply && string(m.From) == l.id && string(m.To) == to.id &&
					strings.Contains(string(m.Payload), "hangs") {
					select {
					case hanging <- struct{}{}:
					default:
					}
					<-ctx.Done()
					return false
				}
				return true
			})
			if err := l.propose("this hangs"); err != nil {
				t.Fatal(err)
			}
			<-hanging
			// The first leaves its request behind, the second cannot even leave one. Transfer would not ask raft for that one.
			for stuck := 0; stuck < 2; {
				err := l.current.Load().raft.LeadershipTransferToServer(raft.ServerID(to.id), raft.ServerAddress(to.id)).Error()
				if err == nil {
					t.Fatal("transferred to a follower that lags")
				}
				if !errors.Is(err, raft.ErrLeadershipTransferInProgress) {
					stuck++
				}
			}
			began := time.Now()
			recovered := false
			for time.Since(began) < 2*time.Second && !recovered {
				for _, n := range c.nodes {
					// Without the guard the others may still elect somebody else, but the stuck leader never recovers.
					recovered = recovered || (n == l || !off) && n.propose("after") == nil
				}
				time.Sleep(10 * time.Millisecond)
			}
			if recovered == off {
				t.Errorf("proposals are accepted again: %v after %v", recovered, time.Since(began))
			}
			if !off {
				// The state machine went on from where it was: no entry is applied twice.
				c.net.SetTap(nil)
				c.agree(2)
			}
		})
	}
}

// When a guard restarts raft, the state machine stays and sees every entry once, with and without a snapshot to begin with.
func TestRestartedInstanceAppliesNothingTwice(t *testing.T) {
	for _, snapshot := range []bool{false, true} {
		t.Run(fmt.Sprint("snapshot: ", snapshot), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 3, nil)
				for i := range 10 {
					l := c.ready()
					if err := l.propose(fmt.Sprint("item ", i)); err != nil {
						t.Fatal(err)
					}
					if snapshot && i == 2 {
						if err := l.Snapshot(); err != nil {
							t.Fatal(err)
						}
					}
					before := l.restarts.Load()
					l.current.Load().wishRestart("a test")
					c.await("restart", func() bool { return l.restarts.Load() > before && l.current.Load() != nil })
					synctest.Wait() // until it has noticed that it does not lead any more
					if got := len(l.fsm.items()); got != i+1 {
						t.Fatalf("%d items after the restart, want %d", got, i+1)
					}
				}
				c.ready()
				c.agree(10)
			})
		})
	}
}

// Futures that raft forgets when it shuts down must not keep anybody waiting.
func TestFuturesEndAtShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, nil)
		l := c.ready()
		block := make(chan struct{})
		l.fsm.before = func(string) { <-block }
		done := make(chan error)
		for i := range 20 {
			go func() { done <- l.propose(fmt.Sprint("item ", i)) }()
		}
		synctest.Wait() // committed, and on their way to a state machine that does not move
		closed := make(chan error)
		go func() { closed <- l.Replica.Close() }()
		synctest.Wait()
		close(block)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		for range 20 {
			if err := <-done; err != nil && !errors.Is(err, ErrUnknown) {
				t.Errorf("proposal caught in the shutdown: %v", err)
			}
		}
		if err := l.propose("late"); !errors.Is(err, ErrClosed) || !NotApplied(err) {
			t.Errorf("proposal after Close: %v", err)
		}
	})
}

// If an upgrade of hashicorp/raft moves the field that release sets, waiting for its futures is no longer safe.
func TestAllFuturesCanBeReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		l := c.ready()
		x := l.current.Load().raft
		for name, fut := range map[string]raft.Future{
			"apply": x.Apply([]byte("x"), 0), "barrier": x.Barrier(0), "verify": x.VerifyLeader(), "snapshot": x.Snapshot(),
			"change": x.AddNonvoter("n9", "n9", 0, 0), "transfer": x.LeadershipTransfer(),
		} {
			if !release(fut, make(chan struct{})) {
				t.Errorf("%s: %T has no field ShutdownCh that can be set", name, fut)
			}
			_ = fut.Error() // what it says depends on the transfer; that it says something is what counts
		}
	})
}

func TestMembersChangeOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		l := c.ready()
		for i := range 10 {
			if err := l.propose(fmt.Sprint("item ", i)); err != nil {
				t.Fatal(err)
			}
		}
		newcomer := c.add("n3")
		newcomer.open(false)
		_, index := l.Members()
		if err := l.AddNonvoter("n3", index); err != nil {
			t.Fatal(err)
		}
		if err := l.AddVoter("n3", index); err == nil {
			t.Fatal("a change for an old configuration was accepted")
		}
		c.agree(10)
		_, index = l.Members()
		if err := l.AddVoter("n3", index); err != nil {
			t.Fatal(err)
		}
		old := c.others(l)[0]
		_, index = l.Members()
		if err := l.Remove(old.id, index); err != nil {
			t.Fatal(err)
		}
		old.close()
		// Three voters are left; one more may fail.
		for _, n := range c.others(l) {
			if n != newcomer && n != old {
				n.isolate()
			}
		}
		if err := l.propose("with the newcomer's vote"); err != nil {
			t.Fatal(err)
		}
		if members, _ := newcomer.Members(); len(members.Servers) != 3 {
			t.Errorf("the newcomer knows %v", members.Servers)
		}
		if _, err := l.Gate().Confirm(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestHeldVotesElectNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, func(cfg *Config) { cfg.LostTail = true })
		time.Sleep(10 * time.Second)
		for _, n := range c.nodes {
			if l := n.Leader(); l.Leader != "" || !n.VotesHeld() {
				t.Fatalf("%s: leader %q, votes held %v", n.id, l.Leader, n.VotesHeld())
			}
		}
		for _, n := range c.nodes[:2] {
			n.ReleaseVotes()
		}
		if l := c.ready(); l == c.nodes[2] {
			t.Error("the replica whose votes are held leads")
		}
	})
}

func TestStatsOfLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		l := c.ready()
		if err := l.propose("x"); err != nil {
			t.Fatal(err)
		}
		dead := c.others(l)[0]
		c.agree(1)
		c.net.Isolate(topology.NodeID(dead.id))
		if err := l.propose("y"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
		s := l.Stats()
		if s.State != "leader" || !s.Ready || s.Applied != s.Last || s.LeaseLeft <= 0 || len(s.Peers) != 2 {
			t.Fatalf("%+v", s)
		}
		for _, p := range s.Peers {
			if behind := p.Matched < s.Last; behind != (p.ID == dead.id) || !p.Voter || p.Contact < 0 {
				t.Errorf("peer %+v, last %d", p, s.Last)
			}
		}
		if s := c.others(l)[1].Stats(); s.State != "follower" || s.LastContact < 0 || s.LastContact > time.Second {
			t.Errorf("follower: %+v", s)
		}
	})
}
