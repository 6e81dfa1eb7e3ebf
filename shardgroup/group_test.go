package shardgroup

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWritesAreReadByLeaderAndFollowers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		l.submit("SET a 1", "INCR a", "SET b 5").want(t, "+OK :2 +OK ")
		l.read("GET a", "GET b").want(t, "$1 2 $1 5 ")
		for _, n := range c.others(l) {
			got := calling("GET a", "GET nothing")
			n.ReadFollower(got, false)
			got.want(t, "$1 2 $-1 ")
			var elsewhere *NotLeaderError
			if err := n.submit("SET a 9").Err; !errors.As(err, &elsewhere) || elsewhere.Leader != l.id {
				t.Errorf("write at a follower: %v, want the leader %s", err, l.id)
			}
			if err := n.read("GET a").Err; !errors.As(err, &elsewhere) || elsewhere.Leader != l.id {
				t.Errorf("read at a follower: %v, want the leader %s", err, l.id)
			}
		}
		c.sameDigests()
	})
}

// TestTimeToLiveAtAFollower: what is left is shown by the follower's clock, since the log's stands still where nobody writes.
func TestTimeToLiveAtAFollower(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		l.submit("SET a 1 EX 100").want(t, "+OK ")
		time.Sleep(40 * time.Second)
		for _, n := range c.others(l) {
			got := calling("TTL a")
			n.ReadFollower(got, false)
			got.want(t, ":60 ")
		}
		// A follower whose clock is ahead of the leader's.
		wall := c.others(l)[0].clock.wall
		c.others(l)[0].clock.wall = func() int64 { return wall() + 3600_000 }
		got := calling("PTTL a")
		c.others(l)[0].ReadFollower(got, false)
		got.want(t, ":0 ")
	})
}

func TestReadRidesAlongAtItsPlace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		call := l.submit("SET k 1", "GET k", "INCR k", "GET k", "DEL k", "GET k")
		call.want(t, "+OK $1 1 :2 $1 2 :1 $-1 ")
		if want := []int{5, 12, 16, 23, 27, 32}; !slices.Equal(call.Ends, want) {
			t.Errorf("ends %v, want %v", call.Ends, want)
		}
		// Only the writes were logged, and a call of reads alone is answered too.
		l.submit("GET k").want(t, "$-1 ")
		c.sameDigests()
	})
}

func TestForeignSlotIsMoved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		// 12182, the slot of "foo", is the one that the group does not own.
		call := l.submit("SET {user1000}a 1", "SET foo 1", "GET {user1000}a", "GET foo")
		call.want(t, "+OK $1 1 ")
		if !slices.Equal(call.Moved, []int{1, 3}) || !slices.Equal(call.Ends, []int{5, 5, 12, 12}) {
			t.Errorf("moved %v, ends %v", call.Moved, call.Ends)
		}
		read := l.read("GET foo", "GET {user1000}a")
		if !slices.Equal(read.Moved, []int{0}) || !slices.Equal(read.Ends, []int{0, 7}) {
			t.Errorf("read: moved %v, ends %v", read.Moved, read.Ends)
		}
	})
}

func TestLargeCallIsSpreadOverEntries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, func(_ *node, cfg *Config) { cfg.Limits.EntryBytes = 1000 })
		l := c.leader()
		before := l.Stats()
		var lines []string
		for i := range 100 {
			lines = append(lines, fmt.Sprintf("SET k%d %s", i%7, strings.Repeat("x", 90)))
		}
		lines = append(lines, "SET big "+strings.Repeat("y", 5000), "STRLEN big")
		call := l.submit(lines...)
		if call.Err != nil || len(call.Ends) != 102 || !strings.HasSuffix(call.replies(), "+OK :5000 ") {
			t.Fatalf("%d ends, %s", len(call.Ends), call.replies())
		}
		if n := l.Stats().Entries - before.Entries; n < 11 || n > 16 {
			t.Errorf("%d entries for 14 KB at 1000 bytes each", n)
		}
		c.sameDigests()
	})
}

func TestUnloggableOpIsRefusedAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		bad := calling("SET a 1")
		bad.Ops[0].Args = bad.Ops[0].Args[:1] // the front end would not let this through
		l.do(bad)
		if !errors.Is(bad.Err, ErrRefused) {
			t.Errorf("error %v, want ErrRefused", bad.Err)
		}
		l.submit("SET a 2").want(t, "+OK ")
	})
}

func TestCallsAreParkedWhileThereIsNoLeader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		for _, n := range c.others(l) {
			n.close()
		}
		c.await("step-down", func() bool { return l.Leader().Leader == "" })
		start := time.Now()
		if err := l.submit("SET a 1").Err; !errors.Is(err, ErrNoLeader) {
			t.Errorf("error %v, want ErrNoLeader", err)
		}
		if waited := time.Since(start); waited < 2*time.Second || waited > 2100*time.Millisecond {
			t.Errorf("parked for %v, want 2 s", waited)
		}
		if err := l.read("GET a").Err; !errors.Is(err, ErrNoLeader) {
			t.Errorf("read: error %v, want ErrNoLeader", err)
		}
		for _, n := range c.others(l) {
			n.open()
		}
		// Parked, then served or redirected as soon as somebody leads.
		var elsewhere *NotLeaderError
		if call := l.submit("SET a 1"); call.Err != nil && !errors.As(call.Err, &elsewhere) {
			t.Errorf("error %v", call.Err)
		}
		c.leader().submit("SET a 2").want(t, "+OK ")
	})
}

func TestUnknownOutcomeIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		l.submit("SET n 0").want(t, "+OK ")
		l.isolate()
		call := l.submit("INCR n", "GET n")
		if !errors.Is(call.Err, ErrUnknown) || len(call.Out.Buf) != 0 || len(call.Ends) != 0 {
			t.Fatalf("%v, replies %q", call.Err, call.Out.Buf)
		}
		next := c.leader(l)
		next.submit("INCR n").want(t, ":1 ")
		c.heal()
		c.await("the old leader's return", func() bool { return l.Leader().Leader == next.id })
		c.sameDigests()
	})
}

func TestQueueIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, func(_ *node, cfg *Config) { cfg.Limits.QueueCalls = 2 })
		l := c.leader()
		for _, n := range c.others(l) {
			n.close()
		}
		c.await("step-down", func() bool { return l.Leader().Leader == "" })
		done := make(chan error, 3)
		for range 3 {
			call := calling("SET a 1")
			call.Done = func(c *Call) { done <- c.Err }
			l.Submit(call)
		}
		if err := <-done; !errors.Is(err, ErrOverloaded) {
			t.Errorf("third call: %v, want ErrOverloaded", err)
		}
		for range 2 {
			if err := <-done; !errors.Is(err, ErrNoLeader) {
				t.Errorf("parked call: %v, want ErrNoLeader", err)
			}
		}
	})
}
