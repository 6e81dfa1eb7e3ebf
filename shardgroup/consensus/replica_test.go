package consensus

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/quorate/quorate/fsm/entry"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/hashicorp/raft.(*Raft).leadershipTransfer"),
		goleak.IgnoreTopFunction("github.com/hashicorp/raft.(*Raft).leaderLoop.func2"))
}

func TestProposalsReachAllReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		l := c.ready()
		for i := range 20 {
			res, err := l.Propose([]byte(fmt.Sprint("item ", i)))
			if err != nil {
				t.Fatal(err)
			}
			if res.Response != i+1 || res.Index != l.Applied() {
				t.Fatalf("proposal %d: %+v, applied %d", i, res, l.Applied())
			}
		}
		c.agree(20)
		for _, n := range c.others(l) {
			var notLeader *NotLeaderError
			if err := n.propose("x"); !errors.As(err, &notLeader) || notLeader.Leader != l.id || !NotApplied(err) {
				t.Fatalf("follower %s: %v, want the leader's ID %s", n.id, err, l.id)
			}
		}
	})
}

func TestEntryThatCannotBeSentIsNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newCluster(t, 1, nil).ready()
		before, _ := l.logs.LastIndex()
		if _, err := l.Propose(make([]byte, entry.MaxBytes+1)); !errors.Is(err, ErrTooLarge) || !NotApplied(err) {
			t.Errorf("one byte too large: %v", err)
		}
		if after, _ := l.logs.LastIndex(); after != before {
			t.Errorf("the log ends at entry %d, it ended at %d", after, before)
		}
	})
}

func TestStateSurvivesRestartOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, func(cfg *Config) { cfg.TrailingLogs = 2 })
		l := c.ready()
		for i := range 10 {
			if err := l.propose(fmt.Sprint("before ", i)); err != nil {
				t.Fatal(err)
			}
		}
		c.agree(10)
		for _, n := range c.nodes {
			if err := n.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.propose("behind the snapshot"); err != nil {
			t.Fatal(err)
		}
		for _, n := range c.nodes {
			n.close()
			n.fsm = &list{}
		}
		for _, n := range c.nodes {
			n.open(true)
		}
		if err := c.ready().propose("after"); err != nil {
			t.Fatal(err)
		}
		c.agree(12)
	})
}

func TestTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		l := c.ready()
		to := c.others(l)[0]
		if err := l.Transfer(t.Context(), to.id); err != nil {
			t.Fatal(err)
		}
		if next := c.ready(); next != to {
			t.Fatalf("%s leads, want %s", next.id, to.id)
		}
		if err := to.propose("x"); err != nil {
			t.Fatal(err)
		}
		if err := to.Transfer(t.Context(), "nobody"); err == nil {
			t.Fatal("transferred to a node that is no member")
		}
	})
}

// A node that is stopped together with the one that it hands leadership to must not wait for a leader that cannot be.
func TestAwaitSuccessorGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		l := c.ready()
		term := l.Leader().Term
		for _, n := range c.others(l) {
			n.isolate()
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := l.awaitSuccessor(ctx, term)
		if err == nil || ctx.Err() != nil {
			t.Fatalf("%v after %v, want it to give up", err, time.Since(began))
		}
		if l.Leader().Ready {
			t.Fatal("it still leads")
		}
	})
}

func TestTransferToDeadNodeLeavesReadsCorrect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		l := c.ready()
		c.await("lease", l.Gate().open)
		dead := c.others(l)[0]
		dead.isolate()
		if err := l.Transfer(t.Context(), dead.id); err == nil {
			t.Fatal("transferred to an isolated node")
		}
		time.Sleep(2 * time.Second)
		if l.Leader().Ready {
			if l.Gate().open() {
				t.Fatal("the lease came back in the term in which it was revoked")
			}
			if _, err := l.Gate().Confirm(t.Context()); err != nil {
				t.Fatalf("reads must go on by confirmation: %v", err)
			}
		}
		if err := c.ready(dead).propose("writes go on"); err != nil {
			t.Fatal(err)
		}
	})
}
