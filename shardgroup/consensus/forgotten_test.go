package consensus

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// powerCut ends all nodes, and starts some again with what they have not lost.
func (c *cluster) powerCut(some []*node, lose func(i int, n *node)) {
	for _, n := range c.nodes {
		n.close()
		n.fsm = &list{}
	}
	for i, n := range some {
		lose(i, n)
		n.open(false)
	}
}

// lifeEnd is why a node's process would have ended; any of its goroutines may say so.
type lifeEnd struct {
	mu  sync.Mutex
	err error
}

func (e *lifeEnd) fatal(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err = errors.Join(e.err, err)
}

func (e *lifeEnd) reason() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

func (e *lifeEnd) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err = nil
}

// A replica whose snapshot holds entries that a majority has lost with its power, and has gone on without: it forgets them, too.
func TestSnapshotOfForgottenEntriesIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var end lifeEnd
		c := newCluster(t, 3, func(cfg *Config) {
			cfg.TrailingLogs = 2
			cfg.Fatal = end.fatal
		})
		write := func(what string) {
			t.Helper()
			for i := range 5 {
				if err := c.ready().propose(fmt.Sprint(what, i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		write("kept ")
		c.agree(5)
		victim := c.others(c.ready())[0]
		others := c.others(victim)
		for _, n := range others {
			if err := n.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
		var durable []*node
		for _, n := range others {
			durable = append(durable, n.copied())
		}
		write("forgotten ")
		c.agree(10)
		if err := victim.Snapshot(); err != nil {
			t.Fatal(err)
		}
		c.powerCut(others, func(i int, n *node) { n.logs, n.snaps = durable[i].logs, durable[i].snaps })
		if got := c.ready().fsm.items(); len(got) != 5 {
			t.Fatalf("the others have %q", got)
		}
		victim.open(false)
		c.await("end of the process", func() bool { return end.reason() != nil })
		if err := end.reason(); !errors.Is(err, ErrForgotten) {
			t.Fatal(err)
		}
		victim.close()
		victim.fsm = &list{}
		end.forget()
		victim.open(false)
		c.agree(5)
		write("new ")
		c.agree(10)
		if err := end.reason(); err != nil {
			t.Error(err)
		}
	})
}

// discardable is a snapshot store that can lose all.
type discardable struct {
	*raft.InmemSnapshotStore
	gone *bool
}

func (d discardable) Discard() error { *d.gone = true; return nil }

// The same, but the others have the whole log, and send that instead of a snapshot.
func TestSnapshotOfForgottenEntriesGivesWayToTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var end lifeEnd
		var gone bool
		c := newCluster(t, 3, func(cfg *Config) {
			cfg.TrailingLogs = 2
			cfg.Snapshots = discardable{cfg.Snapshots.(*raft.InmemSnapshotStore), &gone}
			cfg.Fatal = end.fatal
		})
		write := func(what string) {
			t.Helper()
			if err := c.ready().propose(what); err != nil {
				t.Fatal(err)
			}
		}
		write("kept")
		c.agree(1)
		victim := c.others(c.ready())[0]
		others := c.others(victim)
		var durable []*raft.InmemStore
		for _, n := range others {
			durable = append(durable, n.copiedLog())
		}
		write("forgotten")
		c.agree(2)
		if err := victim.Snapshot(); err != nil {
			t.Fatal(err)
		}
		c.powerCut(others, func(i int, n *node) { n.logs = durable[i] })
		for i := range 8 {
			write(fmt.Sprint("new ", i))
		}
		for lives := 0; lives < 4; lives++ {
			victim.open(false)
			for range 100 {
				if time.Sleep(100 * time.Millisecond); end.reason() != nil {
					break
				}
			}
			err := end.reason()
			if err == nil {
				break
			}
			if !errors.Is(err, ErrForgotten) {
				t.Fatal(err)
			}
			victim.close()
			victim.fsm = &list{}
			end.forget()
			if gone {
				victim.snaps = raft.NewInmemSnapshotStore()
			}
		}
		c.agree(9)
		if !gone || victim.fsm.items()[1] != "new 0" {
			t.Errorf("the snapshot is gone: %v; the victim has %q", gone, victim.fsm.items())
		}
	})
}

// copiedLog is a copy of n's log.
func (n *node) copiedLog() *raft.InmemStore {
	n.c.t.Helper()
	out := raft.NewInmemStore()
	first, _ := n.logs.FirstIndex()
	last, _ := n.logs.LastIndex()
	for i := first; i <= last; i++ {
		var l raft.Log
		if err := errors.Join(n.logs.GetLog(i, &l), out.StoreLog(&l)); err != nil {
			n.c.t.Fatal(err)
		}
	}
	return out
}

// copied is a node with a copy of n's log and snapshot.
func (n *node) copied() *node {
	n.c.t.Helper()
	out := &node{logs: n.copiedLog(), snaps: raft.NewInmemSnapshotStore()}
	list, err := n.snaps.List()
	if err != nil || len(list) != 1 {
		n.c.t.Fatalf("snapshots %v, %v", list, err)
	}
	m, r, err := n.snaps.Open(list[0].ID)
	if err != nil {
		n.c.t.Fatal(err)
	}
	k, err := out.snaps.Create(m.Version, m.Index, m.Term, m.Configuration, m.ConfigurationIndex, n.tr)
	if err != nil {
		n.c.t.Fatal(err)
	}
	if _, err := io.Copy(k, r); err != nil {
		n.c.t.Fatal(err)
	}
	return out
}
