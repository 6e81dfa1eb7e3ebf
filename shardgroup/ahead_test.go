package shardgroup

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// heldDisk is a log whose commands wait while held.
type heldDisk struct {
	*raft.InmemStore
	held atomic.Pointer[chan struct{}]
}

func (d *heldDisk) StoreLogs(entries []*raft.Log) error {
	if held := d.held.Load(); held != nil && entries[0].Type == raft.LogCommand {
		<-*held
	}
	return d.InmemStore.StoreLogs(entries)
}

// An entry of few clients is on a follower's disk before it is on the leader's; one of many waits for that.
func TestEntriesOfFewAreSentAhead(t *testing.T) {
	for _, calls := range []int{1, fewCalls, fewCalls + 1} {
		bubble(t, func(t *testing.T) {
			disks := map[string]*heldDisk{}
			c := newCluster(t, func(n *node, cfg *Config) {
				disks[n.id] = &heldDisk{InmemStore: n.logs}
				cfg.Consensus.Logs, cfg.Consensus.Ahead = disks[n.id], true
			})
			l := c.leader()
			follower := c.others(l)[0]
			l.submit("set warm up").want(t, "+OK ")
			time.Sleep(time.Second) // nobody is waited for any more
			before, _ := l.logs.LastIndex()
			c.await("all that there is on the follower's disk", func() bool { last, _ := follower.logs.LastIndex(); return last == before })

			held := make(chan struct{})
			disks[l.id].held.Store(&held)
			all, done := make([]*Call, calls), make(chan *Call, calls)
			for i := range all {
				all[i] = calling("set k v")
				all[i].Done = func(c *Call) { done <- c }
			}
			l.Submit(all...)
			time.Sleep(100 * time.Millisecond)
			last, _ := follower.logs.LastIndex()
			if ahead := last > before; ahead != (calls <= fewCalls) {
				t.Errorf("%d calls: sent ahead: %t", calls, ahead)
			}
			if len(done) > 0 {
				t.Errorf("%d calls: %d were answered before the leader's disk had them", calls, len(done))
			}
			disks[l.id].held.Store(nil)
			close(held)
			for range all {
				(<-done).want(t, "+OK ")
			}
		})
	}
}
