package consensus

import (
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
