package consensus

import (
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// crowded notes how many snapshots are written at the same time. Each takes a second.
type crowded struct {
	list
	seen *crowd
}

type crowd struct {
	mu           sync.Mutex
	writing, max int
	turn         *Turn
	waiting      int
}

func (f *crowded) Snapshot() (raft.FSMSnapshot, error) { return crowdedImage{seen: f.seen}, nil }

type crowdedImage struct {
	image
	seen *crowd
}

func (i crowdedImage) Persist(s raft.SnapshotSink) error {
	i.seen.add(1)
	defer i.seen.add(-1)
	time.Sleep(time.Second)
	return s.Close()
}

func (c *crowd) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing += n
	c.max = max(c.max, c.writing)
	c.waiting = max(c.waiting, c.turn.Waiting())
}

// nodes opens n groups of one replica each, with something to save, that share the turn.
func (c *crowd) nodes(t *testing.T, n int) (all []*node) {
	for range n {
		one := newCluster(t, 1, func(cfg *Config) { cfg.FSM, cfg.Turn = &crowded{seen: c}, c.turn }).ready()
		if err := one.propose("x"); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

// TestSnapshotsTakeTurns pins that replicas of a process write their snapshots one after the other, that whoever writes one knows
// how many wait, and that a replica that closes doesn't wait.
func TestSnapshotsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &crowd{turn: NewTurn()}
		nodes := seen.nodes(t, 4)
		results := make(chan error, len(nodes))
		for _, n := range nodes[:3] {
			go func() { results <- n.Snapshot() }()
		}
		time.Sleep(100 * time.Millisecond)
		late, closing := make(chan error), nodes[3].Replica
		go func() { late <- closing.Snapshot() }()
		time.Sleep(100 * time.Millisecond)
		nodes[3].close()
		if err := <-late; err == nil {
			t.Error("a closed replica took a snapshot")
		}
		for range nodes[:3] {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if seen.max != 1 || seen.waiting != 2 || seen.turn.Waiting() != 0 {
			t.Errorf("%d at the same time, %d and then %d waiting; want 1, 2, 0", seen.max, seen.waiting, seen.turn.Waiting())
		}
	})
}

// TestTurnIsGivenBack: by a replica that is closed, or whose instance a guard restarts, while it writes.
func TestTurnIsGivenBack(t *testing.T) {
	for _, how := range []string{"close", "restart"} {
		synctest.Test(t, func(t *testing.T) {
			seen := &crowd{turn: NewTurn()}
			nodes := seen.nodes(t, 2)
			first, second := make(chan error, 1), make(chan error, 1)
			writing, waits := nodes[0].Replica, nodes[1].Replica
			go func() { first <- writing.Snapshot() }()
			time.Sleep(100 * time.Millisecond)
			go func() { second <- waits.Snapshot() }()
			time.Sleep(100 * time.Millisecond)
			if how == "close" {
				nodes[0].close()
			} else {
				writing.current.Load().wishRestart("test")
			}
			<-first // with or without an error
			if err := <-second; err != nil {
				t.Errorf("%s: %v", how, err)
			}
			if seen.max != 1 || len(seen.turn.taken) != 0 || seen.turn.Waiting() != 0 {
				t.Errorf("%s: %d at the same time, taken %d, %d waiting", how, seen.max, len(seen.turn.taken), seen.turn.Waiting())
			}
		})
	}
}

// TestAFollowerDoesNotWaitForATurn: a snapshot that a follower needs is written beside others.
func TestAFollowerDoesNotWaitForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn := NewTurn()
		n := newCluster(t, 1, func(cfg *Config) { cfg.Turn = turn }).ready()
		if err := n.propose("x"); err != nil {
			t.Fatal(err)
		}
		if err := turn.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer turn.give()
		n.Replica.snapshotOutdated()
		time.Sleep(5 * time.Second)
		if s := n.Stats(); s.Snapshots != 1 {
			t.Errorf("%d snapshots while another replica has the turn", s.Snapshots)
		}
	})
}

// restoring is a state machine whose restores take ten seconds each, and are counted.
type restoring struct {
	list
	seen *crowd
	// err is what a restore ends with.
	err error
}

func (f *restoring) Restore(r io.ReadCloser) error {
	f.seen.add(1)
	defer f.seen.add(-1)
	time.Sleep(10 * time.Second)
	return errors.Join(f.err, f.list.Restore(r))
}

// behind makes a group of two voters and a learner that is offered a snapshot once it is connected again. It has applied something before
// if holding is set.
func (c *crowd) behind(t *testing.T, holding bool, err error) (group *cluster, late *node) {
	group = newCluster(t, 2, func(cfg *Config) {
		cfg.TrailingLogs, cfg.Restores, cfg.FSM = 1, c.turn, &restoring{seen: c, err: err}
	})
	l := group.ready()
	late = group.add("late")
	late.open(false)
	if !holding {
		late.isolate()
	}
	// It does not wait for the learner.
	if err := l.AddNonvoter("late", 0); err != nil {
		t.Fatal(err)
	}
	if holding {
		if err := l.propose("first"); err != nil {
			t.Fatal(err)
		}
		group.await("a learner that holds something", func() bool { return late.Stats().Applied >= l.Stats().Applied })
		late.isolate()
	}
	for range 5 {
		if err := l.propose("x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Snapshot(); err != nil {
		t.Fatal(err)
	}
	return group, late
}

// TestRestoresTakeTurns pins that replicas of a process that hold a state restore what their leaders send one after the other, and that
// a turn is given back also after an error.
func TestRestoresTakeTurns(t *testing.T) {
	for name, err := range map[string]error{"restored": nil, "failed": errors.New("no")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seen := &crowd{turn: NewTurn()}
				var groups []*cluster
				for range 4 {
					group, _ := seen.behind(t, true, err)
					groups = append(groups, group)
				}
				for _, g := range groups {
					g.net.HealAll()
				}
				time.Sleep(2 * time.Minute)
				seen.mu.Lock() // raft tries a failed restore again and again
				if seen.max != 1 || seen.waiting < 2 {
					t.Errorf("%d at the same time, up to %d waited; want 1 and, of 4, at least 2", seen.max, seen.waiting)
				}
				seen.mu.Unlock()
				for i, g := range groups {
					late := g.nodes[2]
					if installed := late.Stats().Installed; (installed > 0) != (err == nil) {
						t.Errorf("group %d: %d snapshots installed", i, installed)
					}
				}
			})
		})
	}
}

// TestAnEmptyReplicaDoesNotWaitForATurn: it has no other state beside the one that it restores.
func TestAnEmptyReplicaDoesNotWaitForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &crowd{turn: NewTurn()}
		if err := seen.turn.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer seen.turn.give()
		group, late := seen.behind(t, false, nil)
		group.net.HealAll()
		group.await("an installed snapshot", func() bool { return late.Stats().Installed == 1 })
	})
}

// TestWhoWaitsForATurnToRestore: it follows its leader meanwhile, which hears its heartbeats answered, and can be closed, also while a guard
// restarts its instance.
func TestWhoWaitsForATurnToRestore(t *testing.T) {
	for _, how := range []string{"close", "restart"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seen := &crowd{turn: NewTurn()}
				group, late := seen.behind(t, true, nil)
				if err := seen.turn.take(t.Context()); err != nil {
					t.Fatal(err)
				}
				group.net.HealAll()
				group.await("a replica that waits", func() bool { return seen.turn.Waiting() == 1 })
				time.Sleep(time.Minute)
				if l, s := group.ready(), late.Stats(); s.Leader != l.id || s.Installed != 0 || seen.turn.Waiting() != 1 {
					t.Errorf("after a minute it follows %q, not %s; %d snapshots installed, %d waiting", s.Leader, l.id, s.Installed, seen.turn.Waiting())
				}
				if how == "restart" {
					late.Replica.current.Load().wishRestart("test")
					time.Sleep(time.Second)
				}
				// As a node does: the network goes last, since it waits for whoever serves the leader's snapshot.
				if err := late.Replica.Close(); err != nil {
					t.Error(err)
				}
				late.close()
				if seen.turn.Waiting() != 0 {
					t.Errorf("closed: %d waiting", seen.turn.Waiting())
				}
				late.open(false) // with what it received
				seen.turn.give()
				if got := late.Applied(); got < late.Stats().SnapshotIndex || late.Stats().SnapshotIndex == 0 {
					t.Errorf("opened again, it has applied %d entries, of a snapshot of %d", got, late.Stats().SnapshotIndex)
				}
			})
		})
	}
}
