package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/rpc/node/config"
)

// TestLeadershipStaysWhereItWasHanded: a node that is handed a group for the first time must not give it to the member that
// was to lead it when it was created; that one may be about to stop.
func TestLeadershipStaysWhereItWasHanded(t *testing.T) {
	l, _ := startLocal(t, func(_ int, c *config.Config) {
		c.SpreadLeaders = false
		// No election that a busy machine causes.
		c.ElectionTimeout, c.Lease = 2*time.Second, time.Second
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a, err := client.NewAdmin(ctx, l.Addrs(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for _, n := range l.Nodes() {
		to := string(n.Identity().ID)
		for _, g := range groups(ctx, t, a) {
			if err := a.Transfer(ctx, g.ID, to); err != nil {
				t.Fatalf("group %d to node %s: %v", g.ID, to, err)
			}
		}
		for range 10 {
			for _, g := range groups(ctx, t, a) {
				if string(g.Leader) != to {
					t.Fatalf("group %d was handed to node %s and is led by %q", g.ID, to, g.Leader)
				}
			}
			// The next look is later, by a write to every group through its leader.
			writeEverywhere(ctx, t, l.Addrs())
		}
	}
}

func groups(ctx context.Context, t *testing.T, a *client.Admin) []client.GroupStatus {
	t.Helper()
	s, err := a.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s.Groups
}

// writeEverywhere writes a few keys of each group.
func writeEverywhere(ctx context.Context, t *testing.T, addrs []string) {
	t.Helper()
	cl := client.NewCluster(addrs, client.Options{})
	defer cl.Close()
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		if _, err := cl.Do(ctx, key, "SET", key, "1"); err != nil {
			t.Fatal(err)
		}
	}
}
