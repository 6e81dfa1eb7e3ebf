package consensus

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"
)

// A replica whose snapshot holds entries that a majority has lost with its power, and has gone on without: it forgets them, too.
func TestSnapshotOfForgottenEntriesIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fatal error
		c := newCluster(t, 3, func(cfg *Config) {
			cfg.TrailingLogs = 2
			cfg.Fatal = func(err error) { fatal = errors.Join(fatal, err) }
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
		for _, n := range c.nodes {
			n.close()
			n.fsm = &list{}
		}
		for i, n := range others {
			n.logs, n.snaps = durable[i].logs, durable[i].snaps
			n.open(false)
		}
		if got := c.ready().fsm.items(); len(got) != 5 {
			t.Fatalf("the others have %q", got)
		}
		victim.open(false)
		c.await("end of the process", func() bool { return fatal != nil })
		if !errors.Is(fatal, ErrForgotten) {
			t.Fatal(fatal)
		}
		victim.close()
		victim.fsm, fatal = &list{}, nil
		victim.open(false)
		c.agree(5)
		write("new ")
		c.agree(10)
		if fatal != nil {
			t.Error(fatal)
		}
	})
}

// copied is a node with a copy of n's log and snapshot.
func (n *node) copied() *node {
	n.c.t.Helper()
	out := &node{logs: raft.NewInmemStore(), snaps: raft.NewInmemSnapshotStore()}
	first, _ := n.logs.FirstIndex()
	last, _ := n.logs.LastIndex()
	for i := first; i <= last; i++ {
		var l raft.Log
		if err := errors.Join(n.logs.GetLog(i, &l), out.logs.StoreLog(&l)); err != nil {
			n.c.t.Fatal(err)
		}
	}
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
