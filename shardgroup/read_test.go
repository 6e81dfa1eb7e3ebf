package shardgroup

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/shardgroup/consensus"
)

// TestReadsAreAnsweredTogether: each call gets its own replies, a follower's does not join, and what joined is not answered
// by a leader whose lease has run out.
func TestReadsAreAnsweredTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		l.submit("SET a 1", "SET b 2").want(t, "+OK +OK ")
		time.Sleep(time.Second)
		var rs Reads
		first, second, third := calling("GET a", "GET none"), calling("GET b"), calling("GET a")
		if !l.Join(&rs, first) || !l.Join(&rs, second) || c.others(l)[0].Join(&rs, third) {
			t.Fatal("the leader's gate is closed, or a follower's open")
		}
		rs.Answer()
		first.want(t, "$1 1 $-1 ")
		second.want(t, "$1 2 ")
		third.want(t, "")
		if !first.Answered || !second.Answered || third.Answered {
			t.Errorf("answered: %v, %v, %v", first.Answered, second.Answered, third.Answered)
		}

		late := calling("GET a")
		if !l.Join(&rs, late) {
			t.Fatal("the leader's gate is closed")
		}
		l.isolate()
		time.Sleep(10 * time.Second)
		rs.Answer()
		if late.want(t, ""); late.Answered || len(late.Ends) > 0 {
			t.Errorf("a leader without a lease answered %q", late.Out.Buf)
		}
	})
}

// doReads hands the calls over together and waits for all of them.
func (n *node) doReads(calls ...*Call) {
	n.c.t.Helper()
	var left sync.WaitGroup
	for _, c := range calls {
		left.Add(1)
		var ended atomic.Bool
		c.Done = func(*Call) {
			if ended.Swap(true) {
				n.c.t.Error("Done was called twice")
				return
			}
			left.Done()
		}
	}
	n.SubmitReads(calls...)
	left.Wait()
}

// TestSubmittedReadsShareOneConfirmation: each gets its own replies; where they cannot be confirmed, each is told why.
func TestSubmittedReadsShareOneConfirmation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		// Less than a leader takes to see that it has lost its followers.
		const park = 300 * time.Millisecond
		c := newCluster(t, func(_ *node, cfg *Config) { cfg.Consensus.Reads, cfg.Limits.Park = consensus.Quorum, park })
		l := c.leader()
		l.submit("SET k v", "SET soon gone PX 500").want(t, "+OK +OK ")
		var calls []*Call
		for range 100 {
			calls = append(calls, calling("GET k", "GET none"))
		}
		before := l.Stats()
		l.doReads(calls...)
		for _, call := range calls {
			call.want(t, "$1 v $-1 ")
		}
		after := l.Stats()
		if rounds := after.Consensus.Confirmations - before.Consensus.Confirmations; rounds != 1 {
			t.Errorf("%d rounds for 100 calls", rounds)
		}
		if n := after.SlowReads - before.SlowReads; n != 100 || after.FastReads != before.FastReads {
			t.Errorf("%d of 100 calls were counted as slow reads, and %d as fast ones", n, after.FastReads-before.FastReads)
		}

		// The log's clock must advance before anybody may say that a key has expired. Here it cannot for a while.
		l.turn <- struct{}{}
		time.Sleep(time.Second)
		expired := calling("GET soon", "GET k")
		ended := make(chan struct{})
		go func() {
			l.doReads(expired)
			close(ended)
		}()
		synctest.Wait()
		select {
		case <-ended:
			t.Errorf("a key has expired at a time that is not logged: %q", expired.replies())
		default:
		}
		<-l.turn
		<-ended
		expired.want(t, "$-1 $1 v ")

		var other *NotLeaderError
		moved := calling("GET k")
		if c.others(l)[0].doReads(moved); !errors.As(moved.Err, &other) || other.Leader != l.id {
			t.Errorf("a follower answered %q, %v", moved.replies(), moved.Err)
		}

		l.isolate()
		began := time.Now()
		calls = calls[:2]
		l.doReads(calls...)
		for _, call := range calls {
			if call.Err == nil || len(call.Ends) > 0 {
				t.Errorf("an isolated leader answered %q", call.Out.Buf)
			}
		}
		if took := time.Since(began); took > park {
			t.Errorf("that took %v, and a call is parked for %v at most", took, park)
		}
	})
}

// TestReadsEndWithTheirGroup: those that wait when the group closes, and those that come later, are refused.
func TestReadsEndWithTheirGroup(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, func(_ *node, cfg *Config) { cfg.Consensus.Reads = consensus.Quorum })
		l := c.leader()
		group := l.Group
		l.isolate()
		first, second, late := calling("GET k"), calling("GET k"), calling("GET k")
		var waiting sync.WaitGroup
		for _, call := range []*Call{first, second} { // one is in the round under way, one in the next
			waiting.Go(func() { l.doReads(call) })
			synctest.Wait()
		}
		if err := group.Close(); err != nil {
			t.Fatal(err)
		}
		waiting.Wait()
		done := make(chan struct{})
		late.Done = func(*Call) { close(done) }
		group.SubmitReads(late)
		<-done
		for _, call := range []*Call{first, second, late} {
			if !errors.Is(call.Err, ErrNoLeader) {
				t.Errorf("a read of a closed group ended with %v", call.Err)
			}
		}
	})
}
