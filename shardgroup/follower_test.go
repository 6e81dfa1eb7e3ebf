package shardgroup

import (
	"sync/atomic"
	"testing"
	"time"
)

// A write is acknowledged from within apply. A read index that another node asks for at that very moment covers it.
func TestReadIndexCoversWhatIsBeingAcknowledged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		l.submit("SET k old").want(t, "+OK ")
		var index, written uint64
		call := calling("SET k new")
		done := make(chan error, 1)
		call.Done = func(*Call) {
			var err error
			written = l.Stats().Consensus.Last
			index, err = l.ReadIndex(t.Context(), false)
			done <- err
		}
		l.Submit(call)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if index < written {
			t.Errorf("read index %d, but entry %d is acknowledged", index, written)
		}
	})
}

// Two of three replicas lost power, the third does not come back: the two go on without it. It must not matter that one
// of them finds out first.
func TestPowerCutWithTheThirdReplicaGone(t *testing.T) {
	for _, apart := range []time.Duration{0, votesPace / 2, votesPace, 5 * time.Second} {
		t.Run(apart.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var cut atomic.Bool
				c := newCluster(t, func(_ *node, cfg *Config) { cfg.Consensus.LostTail = cut.Load() })
				l := c.leader()
				l.submit("SET k v").want(t, "+OK ")
				cut.Store(true)
				for _, n := range c.nodes {
					n.close()
				}
				for _, n := range c.others(l) {
					n.open()
					time.Sleep(apart)
				}
				c.leader().submit("SET k w").want(t, "+OK ")
				for _, n := range c.others(l) {
					c.await("release of the votes of "+n.id, func() bool { return !n.VotesHeld() })
				}
			})
		})
	}
}
