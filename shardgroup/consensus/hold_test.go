package consensus

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// idle is a cluster whose group has been idle for a while, with its leader.
func idle(t *testing.T) (*cluster, *node) {
	c := newCluster(t, 3, nil)
	l := c.ready()
	if err := l.propose("x"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(calm + 2*interval)
	return c, l
}

// isHeartbeat says of an AppendEntries that it has no previous entry, its term, commit index, or entries.
func isHeartbeat(m memnet.Message) bool { return bytes.HasSuffix(m.Payload, make([]byte, 4)) }

// requests counts the AppendEntries that l sends to f meanwhile, and those that are heartbeats.
func requests(c *cluster, l, f *node, do func()) (all, heartbeats int) {
	var n, beats atomic.Int64
	c.net.SetTap(func(_ context.Context, m memnet.Message) bool {
		if string(m.From) == l.id && string(m.To) == f.id && m.Kind == raftnet.KindAppend && !m.Reply {
			n.Add(1)
			if isHeartbeat(m) {
				beats.Add(1)
			}
		}
		return true
	})
	do()
	c.net.SetTap(nil)
	return int(n.Load()), int(beats.Load())
}

// An idle group sends each follower a heartbeat per beat, all at the same moment, and hardly anything else; nobody loses the lease.
func TestAnIdleGroupSendsHeartbeatsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := idle(t)
		const seconds = 60
		for _, f := range c.others(l) {
			all, beats := requests(c, l, f, func() {
				for range seconds * 1000 {
					time.Sleep(time.Millisecond)
					if !l.Gate().open() {
						t.Fatal("the lease has ended")
					}
				}
			})
			if rest := all - beats; beats > seconds*1000/150+1 || beats < seconds*5 || rest > seconds+1 {
				t.Errorf("in %d s, %d heartbeats and %d other requests", seconds, beats, rest)
			}
		}
	})
}

// While one follower is asked whether it knows everything, the other one can take an entry.
func TestFollowersHaveTheirTurnsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := idle(t)
		var mu sync.Mutex
		asked := map[time.Time]int{}
		c.net.SetTap(func(_ context.Context, m memnet.Message) bool {
			if string(m.From) == l.id && m.Kind == raftnet.KindAppend && !m.Reply && !isHeartbeat(m) {
				mu.Lock()
				defer mu.Unlock()
				asked[time.Now()]++
			}
			return true
		})
		time.Sleep(time.Minute)
		c.net.SetTap(nil)
		if len(asked) < 100 {
			t.Errorf("two followers were asked at %d moments in a minute", len(asked))
		}
		for at, n := range asked {
			if n > 1 {
				t.Errorf("%d followers were asked at %v", n, at)
			}
		}
	})
}

// What is held does not hold up an entry, nor what followers must know about it.
func TestAnEntryAfterARestIsNotDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := idle(t)
		const way = 5 * time.Millisecond
		c.net.SetDelay(func(topology.NodeID, topology.NodeID) time.Duration { return way })
		waited := 0
		for i := range 50 {
			time.Sleep(time.Duration(i) * 100 * time.Millisecond)
			began := time.Now()
			if err := l.propose(fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
			// One that comes just when requests without it are on their way waits for these to be back.
			took := time.Since(began)
			if took > 4*way {
				t.Errorf("write %d took %v, want %v", i, took, 2*way)
			} else if took > 2*way {
				waited++
			}
			c.agree(2 + i)
			if took := time.Since(began); took > 2*defaultCommit+6*way {
				t.Errorf("the followers had applied write %d after %v", i, took)
			}
		}
		if waited > 5 {
			t.Errorf("%d of 50 writes waited for requests that were under way", waited)
		}
	})
}

// Who waits for an acknowledgement does not wait for a beat. One follower is asked, and the other one if that does not answer.
func TestConfirmationsDoNotWaitForABeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := idle(t)
		var asked sync.Map // followers
		var mute atomic.Pointer[node]
		c.net.SetTap(func(ctx context.Context, m memnet.Message) bool {
			if string(m.From) == l.id && m.Kind == raftnet.KindAppend && !m.Reply {
				asked.Store(string(m.To), true)
			}
			if n := mute.Load(); n != nil && m.Reply && string(m.From) == n.id {
				<-ctx.Done()
			}
			return true
		})
		others, both := c.others(l), 0
		for i := range 100 {
			time.Sleep(time.Second + time.Duration(i)*7*time.Millisecond)
			asked.Clear()
			done := make(chan error, 1)
			go func() {
				_, err := l.Gate().Confirm(t.Context())
				done <- err
			}()
			synctest.Wait() // no time passes
			_, one := asked.Load(others[0].id)
			_, two := asked.Load(others[1].id)
			if !one && !two || len(done) != 1 {
				t.Errorf("confirmation %d: asked %v and %v, answered: %v", i, one, two, len(done) == 1)
			}
			if one && two {
				both++
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if both > 10 { // a beat may come at that very moment
			t.Errorf("%d of 100 confirmations asked both followers", both)
		}
		for _, silent := range others {
			mute.Store(silent)
			for range 3 {
				if _, err := l.Gate().Confirm(t.Context()); err != nil {
					t.Errorf("with %s silent: %v", silent.id, err)
				}
			}
			mute.Store(nil)
			time.Sleep(time.Second)
		}
	})
}

// A follower that was away for a moment is told again what is committed, in an idle group, too.
func TestAFollowerThatStartsAgainIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := idle(t)
		f := c.others(l)[0]
		f.close()
		time.Sleep(time.Second)
		f.open(false)
		began := time.Now()
		c.agree(1)
		if took := time.Since(began); took > 2*interval {
			t.Errorf("it took %v", took)
		}
	})
}

// Raft hands leadership over on the goroutine that may hold a request.
func TestAHandOverIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := idle(t)
		c.net.SetDelay(func(topology.NodeID, topology.NodeID) time.Duration { return 30 * time.Millisecond })
		for i := range 30 {
			f := c.others(l)[i%2]
			go l.propose(fmt.Sprint(i))
			time.Sleep(time.Duration(i) * 5 * time.Millisecond)
			if err := l.Transfer(t.Context(), f.id); err != nil {
				t.Fatalf("hand-over %d: %v", i, err)
			}
			l = c.ready()
			time.Sleep(calm)
		}
	})
}
