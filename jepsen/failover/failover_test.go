package failover

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

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
