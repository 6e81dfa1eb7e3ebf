package consensus

import (
	"context"
	"errors"
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

func modes(t *testing.T, f func(t *testing.T, reads Reads)) {
	for name, reads := range map[string]Reads{"lease": Lease, "quorum": Quorum} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { f(t, reads) }) })
	}
}

// read reads the newest item through the gate, as fast as the gate allows.
func (n *node) read(ctx context.Context) (string, error) {
	if ticket, ok := n.Gate().Enter(); ok {
		if item := n.fsm.last(); n.Gate().Check(ticket, time.Now()) {
			return item, nil
		}
	}
	ticket, err := n.Gate().Confirm(ctx)
	if err != nil {
		return "", err
	}
	item := n.fsm.last()
	if !n.Gate().Check(ticket, time.Now()) {
		return "", errors.New("the gate closed during the read")
	}
	return item, nil
}

func TestIsolatedLeaderServesNothingStale(t *testing.T) {
	modes(t, func(t *testing.T, reads Reads) {
		c := newCluster(t, 3, func(cfg *Config) { cfg.Reads = reads })
		for round := range 10 {
			l := c.ready()
			old := fmt.Sprint("old ", round)
			if err := l.propose(old); err != nil {
				t.Fatal(err)
			}
			if item, err := l.read(t.Context()); item != old || err != nil {
				t.Fatalf("healthy leader: %q, %v", item, err)
			}
			l.isolate()
			// Reads of the old leader go on all the time, also while the others elect and write.
			var newer atomic.Bool
			reader := make(chan int)
			stop := make(chan struct{})
			go func() {
				served := 0
				defer func() { reader <- served }()
				for {
					select {
					case <-stop:
						return
					case <-time.After(time.Millisecond):
					}
					before := newer.Load()
					ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
					item, err := l.read(ctx)
					cancel()
					if err == nil && before && item == old {
						t.Errorf("round %d: %q was read at the isolated leader after a newer item was acknowledged", round, item)
					}
					if err == nil {
						served++
					}
				}
			}()
			if err := c.ready(l).propose(fmt.Sprint("new ", round)); err != nil {
				t.Fatal(err)
			}
			newer.Store(true)
			time.Sleep(2 * time.Second)
			close(stop)
			if served := <-reader; reads == Lease && served < 100 {
				t.Errorf("only %d reads were served within the lease", served)
			}
			c.net.HealAll()
		}
	})
}

func TestPauseBetweenReadAndReply(t *testing.T) {
	modes(t, func(t *testing.T, reads Reads) {
		c := newCluster(t, 3, func(cfg *Config) { cfg.Reads = reads })
		l := c.ready()
		c.await("an open gate", func() bool {
			return l.Gate().open() == (reads == Lease)
		})
		ticket, err := l.Gate().Confirm(t.Context())
		if reads == Lease {
			ticket, _ = l.Gate().Enter()
		}
		if err != nil || !l.Gate().Check(ticket, time.Now()) {
			t.Fatalf("gate of a healthy leader: %v", err)
		}
		l.isolate()
		time.Sleep(2 * time.Second)
		if l.Gate().Check(ticket, time.Now()) {
			t.Error("what was read before the pause may still be sent")
		}
	})
}

func TestStandstillIsSuspicious(t *testing.T) {
	const lease = 400 * time.Millisecond
	for name, c := range map[string]struct {
		elapsed, wall time.Duration
		want          bool
	}{
		"a beat on time":                   {100 * time.Millisecond, 100 * time.Millisecond, false},
		"a late beat, both clocks agree":   {201 * time.Millisecond, 201 * time.Millisecond, true},
		"machine suspended":                {100 * time.Millisecond, 10 * time.Second, true},
		"wall clock set back":              {100 * time.Millisecond, -time.Hour, true},
		"wall clock slewed by a few ms":    {100 * time.Millisecond, 103 * time.Millisecond, false},
		"wall clock stepped within a beat": {100 * time.Millisecond, 201 * time.Millisecond, true},
	} {
		if got := standstill(lease, c.elapsed, c.wall); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// open reports whether a read that takes no time would be answered at once.
func (g *Gate) open() bool {
	t, ok := g.Enter()
	return ok && g.Check(t, time.Now())
}

// After a standstill, a lease that looks valid counts only once a quorum has accepted something newer.
func TestSuspicionNeedsFreshConfirmation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		l := c.ready()
		c.await("lease", l.Gate().open)
		now := time.Now()
		l.Gate().pulse.suspect.Store(&now)
		if l.Gate().open() {
			t.Fatal("the gate is open on acknowledgements from before the standstill")
		}
		time.Sleep(time.Nanosecond) // what is sent at that very moment may have been sent before
		if _, err := l.Gate().Confirm(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !l.Gate().open() {
			t.Fatal("the gate stays closed after a fresh confirmation")
		}
	})
}

// holdReplies keeps answers to AppendEntries that go to leader back until release is closed.
func holdReplies(c *cluster, leader string) (held *atomic.Int32, release chan struct{}) {
	held, release = &atomic.Int32{}, make(chan struct{})
	c.net.SetTap(func(ctx context.Context, m memnet.Message) bool {
		if m.Kind == raftnet.KindAppend && m.Reply && string(m.To) == leader {
			held.Add(1)
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return true
	})
	return held, release
}

// F3: answers to messages that were sent before a read began confirm nothing, however late they arrive.
func TestConfirmationCountsFromItsBeginning(t *testing.T) {
	for _, off := range []bool{false, true} {
		t.Run(fmt.Sprint("guard off: ", off), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 3, func(cfg *Config) { cfg.Reads, cfg.off.SendTimes = Quorum, off })
				l := c.ready()
				held, release := holdReplies(c, l.id)
				c.await("answers on their way", func() bool { return held.Load() >= 2 })
				for _, n := range c.others(l) {
					c.net.Cut(topology.NodeID(l.id), topology.NodeID(n.id)) // nothing new leaves the leader
				}
				go func() {
					time.Sleep(20 * time.Millisecond)
					close(release)
				}()
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				defer cancel()
				_, err := l.Gate().Confirm(ctx)
				if confirmed := err == nil; confirmed != off {
					t.Errorf("confirmed: %v (%v)", confirmed, err)
				}
			})
		})
	}
}

// deposedLate makes a leader whom raft takes for one after another has been elected: what its followers answered before is on
// its way for so long, one answer after the other, and raft's own lease counts from the receipt. Returned are both, after the
// new one has acknowledged item. Not ok: an answer or the election took so long that raft has noticed.
func deposedLate(c *cluster, item string) (old, next *node, ok bool) {
	old = c.ready()
	release, ok := deafen(c, old)
	if !ok {
		return nil, nil, false
	}
	done := make(chan struct{})
	c.t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		for range 4 { // each before the lease of the one before ends
			time.Sleep(old.cfg.Timing.Lease * 3 / 4)
			select {
			case release <- struct{}{}:
			case <-time.After(time.Second): // there were fewer
			}
		}
	}()
	next = c.ready(old)
	if err := next.propose(item); err != nil {
		c.t.Fatal(err)
	}
	inst := old.current.Load()
	return old, next, inst != nil && inst.raft.State() == raft.Leader
}

// deafen holds all answers on their way to a leader, two from each follower, and lets nothing else out of it and into it. Each
// receipt on release lets one answer in. Not ok: the leader stepped down before there were as many.
func deafen(c *cluster, leader *node) (release chan struct{}, ok bool) {
	var held atomic.Int32
	var cut atomic.Bool
	release = make(chan struct{})
	c.net.SetTap(func(ctx context.Context, m memnet.Message) bool {
		switch {
		case string(m.To) != leader.id:
		case !m.Reply:
			return !cut.Load()
		case m.Kind == raftnet.KindAppend:
			held.Add(1)
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return true
	})
	c.await("two answers on their way from each follower", func() bool { return held.Load() >= 4 || leader.Stats().State != "leader" })
	if held.Load() < 4 {
		return nil, false
	}
	cut.Store(true)
	for _, n := range c.others(leader) {
		c.net.Cut(topology.NodeID(leader.id), topology.NodeID(n.id))
	}
	return release, true
}

// A leader that was replaced and does not know it reads nothing (lease hazard 1), nor does it tell followers how far to be.
func TestAReplacedLeaderAnswersNothing(t *testing.T) {
	for name, off := range map[string]Off{"guards on": {}, "Lease": {Lease: true}, "ReadIndex": {ReadIndex: true}} {
		t.Run(name, func(t *testing.T) {
			const tries = 20 // raft notices in time in one of ten
			for range tries {
				if replacedLeaderAnswers(t, off) {
					return
				}
			}
			t.Errorf("raft has noticed %d times in time that the old leader is none: nothing is tested", tries)
		})
	}
}

func replacedLeaderAnswers(t *testing.T, off Off) (tested bool) {
	synctest.Test(t, func(t *testing.T) {
		// An answer that takes half a second is none: by then, all must be over.
		short := Timing{Heartbeat: 200 * time.Millisecond, Election: 200 * time.Millisecond, Lease: 190 * time.Millisecond, Commit: 10 * time.Millisecond}
		c := newCluster(t, 3, func(cfg *Config) { cfg.off, cfg.Timing = off, short })
		if err := c.ready().propose("old"); err != nil {
			t.Fatal(err)
		}
		old, next, ok := deposedLate(c, "new")
		if tested = ok; !ok {
			return
		}
		soon := func() context.Context { // of no duration: what is not known now must be asked for
			ctx, cancel := context.WithTimeout(t.Context(), 0)
			t.Cleanup(cancel)
			return ctx
		}
		if item, err := old.read(soon()); (err == nil) != off.Lease {
			t.Errorf("read %q, %v, at a leader that was replaced", item, err)
		}
		// Without the lease's guard the index is wrong, too: it rests on it.
		index, err := old.ReadIndex(soon())
		if wrong := err == nil && index < next.Stats().Applied; wrong != (off.Lease || off.ReadIndex) {
			t.Errorf("a leader that was replaced says that %d is enough (%v), the newest write is %d", index, err, next.Stats().Applied)
		}
	})
	return tested
}

// A new leader has entries that an earlier one committed, and does not know yet that they are.
func TestNewLeaderWaitsForItsBarrier(t *testing.T) {
	for _, off := range []bool{false, true} {
		t.Run(fmt.Sprint("guard off: ", off), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 3, func(cfg *Config) {
					cfg.Timing.Commit = time.Hour // followers hear of a commit with the next entry, which does not come
					cfg.off.Barrier = off
				})
				l := c.ready()
				// With a delay, both followers are sent the item before either has acknowledged it, and a new leader's
				// no-op takes a while to be committed.
				c.net.SetDelay(func(_, _ topology.NodeID) time.Duration { return 5 * time.Millisecond })
				time.Sleep(time.Second)
				if err := l.propose("first"); err != nil {
					t.Fatal(err)
				}
				c.await("first item everywhere but for its commitment", func() bool {
					return c.nodes[0].Stats().Last == c.nodes[1].Stats().Last && c.nodes[1].Stats().Last == c.nodes[2].Stats().Last
				})
				l.close()
				seen := false
				c.await("a leader", func() bool {
					for _, n := range c.others(l) {
						if ticket, _ := n.Gate().Enter(); n.Gate().open() || off && n.Leader().Ready {
							item := n.fsm.last()
							seen = seen || (n.Gate().Check(ticket, time.Now()) || off) && item != "first"
							return true
						}
					}
					return false
				})
				if seen != off {
					t.Errorf("a new leader served a state without what was acknowledged before: %v", seen)
				}
			})
		})
	}
}

// A follower that is ahead of its leader's state machine would show a linearizable reader what the leader's own reads, a
// moment later, do not have yet.
func TestFollowerDoesNotOvertakeItsLeader(t *testing.T) {
	for _, off := range []bool{false, true} {
		t.Run(fmt.Sprint("guard off: ", off), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 3, func(cfg *Config) { cfg.off.CommitLimit = off })
				l := c.ready()
				block := make(chan struct{})
				l.fsm.before = func(item string) { <-block }
				done := make(chan error)
				go func() { done <- l.propose("slow at the leader") }()
				time.Sleep(300 * time.Millisecond)
				ahead := false
				for _, n := range c.others(l) {
					ahead = ahead || len(n.fsm.items()) > 0
				}
				close(block)
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				c.agree(1)
				if ahead != off {
					t.Errorf("a follower was ahead of its leader: %v", ahead)
				}
			})
		})
	}
}

func TestReadIndexCoversAcknowledgedWrites(t *testing.T) {
	modes(t, func(t *testing.T, reads Reads) {
		c := newCluster(t, 3, func(cfg *Config) { cfg.Reads = reads })
		l := c.ready()
		for i := range 5 {
			item := fmt.Sprint("item ", i)
			if err := l.propose(item); err != nil {
				t.Fatal(err)
			}
			index, err := l.ReadIndex(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range c.others(l) {
				if err := n.WaitApplied(t.Context(), index); err != nil {
					t.Fatal(err)
				}
				if got := n.fsm.last(); got != item {
					t.Errorf("%s shows %q, want %q", n.id, got, item)
				}
			}
		}
		if _, err := c.others(l)[0].ReadIndex(t.Context()); !NotApplied(err) {
			t.Errorf("read index of a follower: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := l.WaitApplied(ctx, 1<<40); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for an entry that does not come: %v", err)
		}
	})
}

func TestReadsShareConfirmations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, func(cfg *Config) { cfg.Reads = Quorum })
		l := c.ready()
		c.net.SetDelay(func(_, _ topology.NodeID) time.Duration { return 2 * time.Millisecond })
		before := l.Stats().Confirmations
		done := make(chan error)
		for range 100 {
			go func() {
				_, err := l.Gate().Confirm(t.Context())
				done <- err
			}()
		}
		for range 100 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if rounds := l.Stats().Confirmations - before; rounds > 3 {
			t.Errorf("%d rounds for 100 reads at once", rounds)
		}
	})
}

func TestGateDoesNotAllocate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		l := c.ready()
		c.await("lease", l.Gate().open)
		if n := testing.AllocsPerRun(100, func() {
			ticket, _ := l.Gate().Enter()
			l.Gate().Check(ticket, time.Now())
		}); n > 0 {
			t.Errorf("%v allocations per read", n)
		}
	})
}
