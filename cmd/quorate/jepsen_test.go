package main

import (
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/jepsen/trial"
)

// TestReportsSayHowToRunAgain: the command that a report shows must be one that this binary takes.
func TestReportsSayHowToRunAgain(t *testing.T) {
	made := trial.Config{
		Workload: "append", Nemesis: []string{"kill", "isolate+slow-disk"}, Duration: 12 * time.Second, Seed: 7, Nodes: 5, Clients: 3, Network: true, Disks: true,
		Think: time.Millisecond, Bound: time.Minute, Flags: []string{"--durability=interval"}, Quiet: [2]time.Duration{1, time.Second}, Hurt: [2]time.Duration{2, time.Second},
	}
	redis := made
	redis.System, redis.Replicas, redis.NodeTimeout, redis.Flags = "redis", 1, 5*time.Second, nil
	for name, c := range map[string]trial.Config{"a cluster that is made": made, "Redis": redis, "a cluster of others": {Cluster: []string{"a:1", "b:2"}, Workload: "cas", Duration: time.Second}} {
		line := c.Command()
		args := strings.Fields(line)
		found, rest, err := root().Find(args[1:])
		if err != nil || found.CommandPath() != "quorate jepsen run" {
			t.Errorf("%s: %s: %v", name, line, err)
			continue
		}
		if err := found.ParseFlags(rest); err != nil {
			t.Errorf("%s: %s: %v", name, line, err)
		}
		if n := found.Flags().NFlag(); n*2 < len(rest)-4 || len(found.Flags().Args()) > 0 {
			t.Errorf("%s: of %q only %d flags were understood", name, rest, n)
		}
	}
}
