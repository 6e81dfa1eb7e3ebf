package failover

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/process"
)

// TestFaultsLoseNothing is the short form of `quorate bench failover`: it asserts what was lost, never how long it took.
func TestFaultsLoseNothing(t *testing.T) {
	binary := build(t)
	t.Run("loopback", func(t *testing.T) {
		run(t, Options{Binary: binary, Port: 13201})
	})
	t.Run("network namespaces", func(t *testing.T) {
		if _, err := exec.LookPath("ip"); err != nil || os.Geteuid() != 0 {
			t.Skip("cutting a leader off needs root and the command ip (package iproute2)")
		}
		only := slices.DeleteFunc(Faults(), func(f Fault) bool { return !f.Network })
		run(t, Options{Binary: binary, Port: 7000, Network: true, Faults: only})
	})
}

func run(t *testing.T, o Options) {
	o.Dir, o.Before, o.After = t.TempDir(), 500*time.Millisecond, 500*time.Millisecond
	o.Report = t.Logf
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	rows, err := Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		t.Logf("%s: back after %v (go-redis %v, %d errors), %d acked, %d refused, %d unknown, %d reads", r.Fault,
			r.Recovery.Round(time.Millisecond), r.GoRedis.Round(time.Millisecond), r.GoRedisErrors, r.Acked, r.Refused, r.Unknown, r.Reads)
		for _, v := range r.Violations {
			t.Errorf("%s: %s", r.Fault, v)
		}
		if r.Acked == 0 || r.Reads == 0 {
			t.Errorf("%s: %d writes and %d reads succeeded: nothing was tested", r.Fault, r.Acked, r.Reads)
		}
	}
	if len(rows) == 0 {
		t.Error("no fault was run")
	}
}

func build(t *testing.T) string {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	binary, err := process.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// TestAFaultThatEndsTheRunTellsWhatClientsSaw before: here the fault loses their writes, and is not healed.
func TestAFaultThatEndsTheRunTellsWhatClientsSaw(t *testing.T) {
	stuck := errors.New("the node does not come back")
	unhealed := Fault{
		Name: "lost writes",
		Inject: func(c *process.Cluster, _ *process.Node, struck func()) error {
			struck()
			return loseWrites(t.Context(), c)
		},
		Heal: func(*process.Cluster, *process.Node) error { return stuck },
	}
	rows, err := Run(t.Context(), Options{
		Binary: build(t), Dir: t.TempDir(), Port: 13221, Before: 500 * time.Millisecond, After: 500 * time.Millisecond, Faults: []Fault{unhealed},
	})
	if !errors.Is(err, stuck) || len(rows) != 1 || len(rows[0].Violations) == 0 || rows[0].Partial == "" || rows[0].Acked == 0 {
		t.Errorf("got %+v, %v; want a partial row with violations", rows, err)
	}
}

func loseWrites(ctx context.Context, c *process.Cluster) error {
	cl := client.NewCluster(c.Addrs(), client.Options{})
	defer cl.Close()
	for i := range keys {
		key := "f0:" + strconv.Itoa(i)
		if _, err := cl.Do(ctx, key, "SET", key, "0"); err != nil {
			return err
		}
	}
	return nil
}
