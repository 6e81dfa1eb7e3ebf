package consensus

import (
	"sync"
	"testing"
)

// A new leader knows that it leads before anybody else can hear of it, whatever keeps it from publishing that. No test for a bubble: who
// waits for a mutex stops virtual time.
func TestLeaderNowIsAheadOfWhatIsPublished(t *testing.T) {
	c := newCluster(t, 3, nil)
	a := c.ready()
	b := c.others(a)[0]
	c.await("a follower that knows its leader", func() bool { return b.Leader().Leader == a.id })
	transferred := make(chan error, 1)
	b.mu.Lock()
	release := sync.OnceFunc(b.mu.Unlock)
	defer release()
	go func() { transferred <- a.Transfer(t.Context(), b.id) }()
	c.await("word of the new leader", func() bool { return a.Leader().Leader == b.id })
	published, now := b.leadership, b.LeaderNow()
	release()
	if published.Leader != a.id {
		t.Fatalf("%q is published already, so this test shows nothing", published.Leader)
	}
	if now.Leader != b.id || now.Term <= published.Term {
		t.Errorf("the new leader sees %+v, want %s in a term after %d", now, b.id, published.Term)
	}
	if err := <-transferred; err != nil {
		t.Error(err)
	}
	closed := b.Replica
	b.close()
	if now := closed.LeaderNow(); now != (Leadership{}) {
		t.Errorf("a closed replica sees %+v", now)
	}
}
