package node_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/node/config"
)

// TestMembersMoveUnderLoad moves a group's replicas over four nodes while clients count: one joins a group that others founded,
// the leader leaves, the one that left comes back. Nothing that was acknowledged is lost, whoever left has wiped its
// data, and all replicas are equal at the end.
func TestMembersMoveUnderLoad(t *testing.T) {
	dir, port := t.TempDir(), freePorts(t, 4)
	l := openLocalOf(t, 4, dir, port, func(_ int, c *config.Config) {
		c.Groups, c.SpreadLeaders = 2, false
		c.SnapshotLog, c.TrailingLogs = 64<<10, 32 // so that who comes gets a snapshot
	})
	defer stop(t, l)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	a, err := client.NewAdmin(ctx, l.Addrs(), client.Options{Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	load := startCounting(ctx, l.Addrs())
	const g slot.GroupID = 1
	outside := absent(t, ctx, a, g)
	change(t, ctx, a, g, a.AddReplica, outside)
	leader := statusOf(t, ctx, a, g).Leader
	awaitSnapshots(t, ctx, filepath.Join(dir, nameOf(t, ctx, a, leader)), g, true)
	change(t, ctx, a, g, a.RemoveReplica, leader)
	if s := statusOf(t, ctx, a, g); s.Leader == leader || slices.ContainsFunc(s.Replicas, func(r client.ReplicaStatus) bool { return r.Node == leader }) {
		t.Errorf("node %s has left, and yet: %+v", leader, s)
	}
	awaitSnapshots(t, ctx, filepath.Join(dir, nameOf(t, ctx, a, leader)), g, false)
	change(t, ctx, a, g, a.AddReplica, leader)
	if err := a.AddReplica(ctx, g, string(leader)); err == nil {
		t.Error("a node got a second replica")
	}
	load.check(t, ctx)
	d, err := a.Digests(ctx, g)
	if err == nil {
		err = client.SameDigests(d)
	}
	if err != nil || len(d) != 4 {
		t.Errorf("%d replicas: %v", len(d), err)
	}
}

// TestWhoJoinsRoutesMeanwhile: a node that has opened its replica of a group, of which the leader has not heard yet, sends
// clients to the leader, and does not have them wait as members do during an election.
func TestWhoJoinsRoutesMeanwhile(t *testing.T) {
	l := openLocalOf(t, 4, t.TempDir(), freePorts(t, 4), func(_ int, c *config.Config) {
		c.Groups, c.Parking = 1, time.Minute
	})
	defer stop(t, l)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	a, err := client.NewAdmin(ctx, l.Addrs(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	outside := absent(t, ctx, a, 1)
	for _, n := range l.Nodes() {
		if n.Self() != outside {
			continue
		}
		if err := n.Join(1); err != nil {
			t.Fatal(err)
		}
		if got, err := dial(t, n).conn.Do(ctx, "GET", "k"); err == nil || !strings.HasPrefix(err.Error(), "MOVED ") {
			t.Errorf("a node that joins the group answers %q, %v", got.Str, err)
		}
	}
}

// change does one change of members and waits until it is done.
func change(t *testing.T, ctx context.Context, a *client.Admin, g slot.GroupID, do func(context.Context, slot.GroupID, string) error, node topology.NodeID) {
	t.Helper()
	if err := do(ctx, g, string(node)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Settled(ctx, g); err != nil {
		t.Fatal(err)
	}
}

func statusOf(t *testing.T, ctx context.Context, a *client.Admin, g slot.GroupID) client.GroupStatus {
	t.Helper()
	for {
		s, err := a.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range s.Groups {
			if x.ID == g && x.Leader != "" {
				return x
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// absent is a node without a replica of g.
func absent(t *testing.T, ctx context.Context, a *client.Admin, g slot.GroupID) topology.NodeID {
	t.Helper()
	s, err := a.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	held := statusOf(t, ctx, a, g).Replicas
	for _, n := range s.Nodes {
		if !slices.ContainsFunc(held, func(r client.ReplicaStatus) bool { return r.Node == n.ID }) {
			return n.ID
		}
	}
	t.Fatal("every node holds the group")
	return ""
}

func nameOf(t *testing.T, ctx context.Context, a *client.Admin, id topology.NodeID) string {
	t.Helper()
	s, err := a.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range s.Nodes {
		if n.ID == id {
			return n.Name
		}
	}
	t.Fatalf("node %s is unknown", id)
	return ""
}

// awaitSnapshots waits until the node has a snapshot of the group, or none any more.
func awaitSnapshots(t *testing.T, ctx context.Context, dir string, g slot.GroupID, some bool) {
	t.Helper()
	for ctx.Err() == nil {
		files, err := filepath.Glob(filepath.Join(dir, "groups", strconv.Itoa(int(g)), "*.snap"))
		if err != nil {
			t.Fatal(err)
		}
		if some == (len(files) > 0) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%s: snapshots of group %d: want some: %v", dir, g, some)
}

// counting is clients that count keys up; what was acknowledged must be there.
type counting struct {
	addrs   []string
	stop    context.CancelFunc
	workers sync.WaitGroup
	mu      sync.Mutex
	acked   map[string]int64
	unknown map[string]int64
}

func startCounting(ctx context.Context, addrs []string) *counting {
	ctx, stop := context.WithCancel(ctx)
	c := &counting{addrs: addrs, stop: stop, acked: map[string]int64{}, unknown: map[string]int64{}}
	for w := range 4 {
		c.workers.Go(func() { c.work(ctx, w) })
	}
	return c
}

func (c *counting) work(ctx context.Context, w int) {
	cl := client.NewCluster(c.addrs, client.Options{Timeout: 2 * time.Second})
	defer cl.Close()
	for i := 0; ctx.Err() == nil; i++ {
		key := fmt.Sprintf("count:%d:%d", w, i%10)
		_, err := cl.Do(context.WithoutCancel(ctx), key, "INCR", key)
		c.mu.Lock()
		switch client.OutcomeOf(err) {
		case client.Applied:
			c.acked[key]++
		case client.Unknown:
			c.unknown[key]++
		}
		c.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

func (c *counting) check(t *testing.T, ctx context.Context) {
	t.Helper()
	c.stop()
	c.workers.Wait()
	cl := client.NewCluster(c.addrs, client.Options{Timeout: 5 * time.Second})
	defer cl.Close()
	total := int64(0)
	for key, acked := range c.acked {
		v, err := cl.Do(ctx, key, "GET", key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := strconv.ParseInt(v.Str, 10, 64)
		if err != nil || got < acked || got > acked+c.unknown[key] {
			t.Errorf("%s is %q, %d increments were acknowledged and %d unknown", key, v.Str, acked, c.unknown[key])
		}
		total += acked
	}
	if total == 0 {
		t.Error("nothing was counted")
	}
	t.Logf("%d increments", total)
}
