package consensus

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// between says of a message that it is one between two nodes.
func between(m memnet.Message, a, b *node) bool {
	from, to := string(m.From), string(m.To)
	return from == a.id && to == b.id || from == b.id && to == a.id
}

// A leader and a follower share entries that the other three of five have not got. Those elect another leader, and a third one, of which
// the old leader hears, and the follower does not: a request that the old leader had held back for it meanwhile must not tell it
// what is committed by now, as the follower would take that for its own entries.
func TestADeposedLeaderCommitsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 5, func(cfg *Config) {
			cfg.Timing = Timing{Heartbeat: 200 * time.Millisecond, Election: 200 * time.Millisecond, Lease: 160 * time.Millisecond}
			cfg.off.Barrier = true // what the old leader gets at once is then just as long as what it loses
		})
		l := c.ready()
		if err := l.propose("common"); err != nil {
			t.Fatal(err)
		}
		c.agree(1)
		time.Sleep(calm + 2*interval)
		f, second, third := c.others(l)[0], c.others(l)[1], c.others(l)[2]

		turn := make(chan struct{}, 100)
		c.net.SetTap(func(_ context.Context, m memnet.Message) bool {
			if m.Kind == raftnet.KindAppend && !m.Reply && string(m.To) == f.id && !isHeartbeat(m) {
				turn <- struct{}{}
			}
			return true
		})
		<-turn // there is about a second to the next one
		var handingOver atomic.Bool
		c.net.SetTap(func(_ context.Context, m memnet.Message) bool {
			switch {
			case between(m, l, f):
				return true
			case between(m, l, third):
				return handingOver.Load() && m.Kind == raftnet.KindAppend
			case slices.Contains([]string{l.id, f.id}, string(m.From)), slices.Contains([]string{l.id, f.id}, string(m.To)):
				return false
			case m.Kind == raftnet.KindPreVote && !m.Reply:
				return string(m.From) == second.id
			}
			return true
		})
		last := l.Stats().Last + 3
		lost := make(chan error, 3)
		for i := range 3 {
			go func() { lost <- l.propose(fmt.Sprint("lost ", i)) }()
		}
		c.await("entries of both", func() bool { return f.Stats().Last == last })
		if next := c.ready(l, f); next != second {
			t.Fatalf("%s leads", next.id)
		}
		if err := second.propose("new"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if l.transport.held.Load() != 1 || f.Stats().Last != last {
			t.Fatalf("%d requests are held, the follower's last entry is %d: nothing is tested", l.transport.held.Load(), f.Stats().Last)
		}
		handingOver.Store(true)
		if err := second.Transfer(t.Context(), third.id); err != nil {
			t.Fatal(err)
		}
		c.await("news for the old leader", func() bool { return l.fsm.last() == "new" })
		synctest.Wait()
		if got := f.fsm.items(); len(got) != 1 {
			t.Errorf("the follower has applied %q", got)
		}
		c.net.SetTap(nil)
		c.agree(2)
		for range 3 {
			<-lost
		}
	})
}
