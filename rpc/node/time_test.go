package node_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/rpc/node/config"
)

// TestExpiredStaysExpired runs one node's clock 10 s ahead and another's 10 s behind and moves leadership around: no key that
// a client has seen expired is ever seen again (G4).
func TestExpiredStaysExpired(t *testing.T) {
	shifts := []time.Duration{10 * time.Second, -10 * time.Second, 0}
	l, _ := startLocal(t, func(i int, c *config.Config) { c.TestClockShift, c.SpreadLeaders = shifts[i], false })
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var expired, alive atomic.Int64
	for w := range 4 {
		wg.Go(func() {
			c := client.NewCluster(l.Addrs(), client.Options{})
			defer c.Close()
			for n := 0; ctx.Err() == nil; n++ {
				watchExpiry(ctx, t, c, fmt.Sprintf("key:%d:%d", w, n), &expired, &alive)
			}
		})
	}
	moveLeaders(t, l, 4)
	cancel()
	wg.Wait()
	if expired.Load() == 0 || alive.Load() == 0 {
		t.Fatalf("%d keys were seen expired, %d reads saw one alive: nothing was tested", expired.Load(), alive.Load())
	}
	t.Logf("%d keys seen expired, %d reads saw one alive", expired.Load(), alive.Load())
}

// watchExpiry sets one key with a short time to live, reads it until it is gone, and then some more.
func watchExpiry(ctx context.Context, t *testing.T, c *client.Cluster, key string, expired, alive *atomic.Int64) {
	if _, err := c.Do(ctx, key, "SET", key, "v", "PX", "50"); err != nil {
		return
	}
	gone := 0
	for reads := 0; gone < 20 && reads < 10_000 && ctx.Err() == nil; reads++ {
		v, err := c.Do(ctx, key, "GET", key)
		switch {
		case err != nil:
		case v.Null:
			if gone == 0 {
				expired.Add(1)
			}
			gone++
		case gone > 0:
			t.Errorf("%s: alive after it was seen expired", key)
			return
		default:
			alive.Add(1)
		}
	}
}

// moveLeaders hands every group to every node in turn, some rounds.
func moveLeaders(t *testing.T, l *node.Local, rounds int) {
	a, err := client.NewAdmin(t.Context(), l.Addrs(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for round := range rounds {
		s, err := a.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		to := "node" + strconv.Itoa(round%3+1)
		for _, g := range s.Groups {
			if err := a.Transfer(t.Context(), g.ID, to); err != nil {
				t.Fatalf("group %d to %s: %v", g.ID, to, err)
			}
		}
		time.Sleep(300 * time.Millisecond) // let clients meet the new leaders
	}
}

// TestMaxMemoryHolds overloads a small cluster with writes under each policy.
func TestMaxMemoryHolds(t *testing.T) {
	const limit = 300 << 10 // of a node with replicas of three groups: 100 KiB each
	l, _ := startLocal(t, func(_ int, c *config.Config) { c.MaxMemory = limit })
	a, err := client.NewAdmin(t.Context(), l.Addrs(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	c := client.NewCluster(l.Addrs(), client.Options{})
	defer c.Close()
	for _, policy := range config.Policies {
		t.Run(policy, func(t *testing.T) {
			if err := a.Set(t.Context(), "maxmemory-policy", policy); err != nil {
				t.Fatal(err)
			}
			if refused := overload(t, c, policy); (refused > 0) != (policy == "noeviction") {
				t.Errorf("%d writes were refused for memory", refused)
			}
			checkMemory(t, a, limit)
		})
	}
}

// overload writes three times what fits and returns how many writes were refused for memory. Every key has a time to live, so
// that the volatile policies have something to evict.
func overload(t *testing.T, c *client.Cluster, policy string) (refused int) {
	value := string(make([]byte, 1000))
	for i := range 900 {
		key := fmt.Sprintf("%s:%d", policy, i)
		_, err := c.Do(t.Context(), key, "SET", key, value, "EX", strconv.Itoa(1000+i))
		reply, isReply := err.(*client.ReplyError)
		switch {
		case isReply && reply.Code() == "OOM":
			refused++
		case client.OutcomeOf(err) == client.NotApplied:
			t.Fatal(err)
		}
	}
	return refused
}

// checkMemory compares replicas and what every node holds with the limit.
func checkMemory(t *testing.T, a *client.Admin, limit int64) {
	s, err := a.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range s.Nodes {
		var held int64
		for _, g := range s.Groups {
			for _, r := range g.Replicas {
				if r.Node == n.ID {
					held += r.Memory
				}
			}
		}
		if held == 0 || held > limit {
			t.Errorf("%s holds %d bytes, the limit is %d", n.Name, held, limit)
		}
	}
	for _, g := range s.Groups {
		d, err := a.Digests(t.Context(), g.ID)
		if err == nil {
			err = client.SameDigests(d)
		}
		if err != nil {
			t.Error(err)
		}
	}
}
