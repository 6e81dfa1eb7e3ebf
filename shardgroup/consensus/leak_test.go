package consensus

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// handing counts the goroutines of hand-overs that have not ended, those of other tests left out.
func handing() (n int) {
	buf := make([]byte, 16<<20)
	for goroutine := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		heading, _, _ := strings.Cut(goroutine, "\n")
		if strings.Contains(heading, "synctest bubble") && strings.Contains(goroutine, "raft.(*Raft).leadershipTransfer(") {
			n++
		}
	}
	return n
}

// Hand-overs that work leave nothing behind, however many there are in the life of a process.
func TestHandOversLeaveNoGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		l := c.ready()
		count := func() int {
			time.Sleep(10 * time.Second) // what ends, ends by then
			return runtime.NumGoroutine()
		}
		before := count()
		for i := range 200 {
			if err := l.propose("x"); err != nil {
				t.Fatal(err)
			}
			if err := l.Transfer(t.Context(), c.others(l)[i%2].id); err != nil {
				t.Fatalf("hand-over %d: %v", i, err)
			}
			l = c.ready()
		}
		// The others' goroutines come and go; 200 hand-overs that left one each would show.
		if after := count(); after > before+20 || handing() > 0 {
			t.Errorf("%d goroutines before, %d after, %d of hand-overs", before, after, handing())
		}
	})
}

// A follower that does not take what it is sent is asked to take over once, and then not before it has caught up: leadership may be lost
// meanwhile, and the goroutines of a second hand-over would never end.
func TestFailedHandOversLeaveNoGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		for round := range 5 {
			l, to := c.stuck()
			for range 3 {
				if err := l.Transfer(t.Context(), to.id); err == nil || !errors.Is(err, ErrTransferring) && !strings.Contains(err.Error(), "has not caught up") {
					t.Fatalf("round %d: handed over again: %v", round, err)
				}
				time.Sleep(time.Second)
			}
			if err := l.propose("this, too"); err != nil {
				t.Fatalf("round %d: proposals are refused: %v", round, err)
			}
			l.isolate()
			c.ready(l)
			c.net.HealAll()
			c.net.SetTap(nil)
			time.Sleep(time.Minute)
		}
		if n := handing(); n > 0 {
			t.Errorf("%d hand-overs have not ended", n)
		}
		l, to := c.stuck()
		c.net.SetTap(nil)
		c.await("a hand-over to the follower that has caught up", func() bool { return l.Transfer(t.Context(), to.id) == nil })
	})
}

// stuck lets a leader give up a hand-over to a follower that entries do not get to; heartbeats, which carry none, go through.
func (c *cluster) stuck() (leader, to *node) {
	c.t.Helper()
	leader = c.ready()
	to = c.others(leader)[0]
	c.net.SetTap(func(ctx context.Context, m memnet.Message) bool {
		if m.Kind != raftnet.KindAppend || m.Reply || string(m.From) != leader.id || string(m.To) != to.id || !strings.Contains(string(m.Payload), "hangs") {
			return true
		}
		<-ctx.Done()
		return false
	})
	if err := leader.propose("this hangs"); err != nil {
		c.t.Fatal(err)
	}
	time.Sleep(time.Millisecond)
	if err := leader.Transfer(c.t.Context(), to.id); err == nil || errors.Is(err, ErrTransferring) {
		c.t.Fatalf("handed over to a follower that lags: %v", err)
	}
	return leader, to
}
