package main

import (
	"fmt"
	"os"
	"path/filepath"
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

func TestNothingIsNegative(t *testing.T) {
	for _, line := range []string{
		"jepsen matrix --for -1h", "jepsen sim --hours -1", "jepsen sim --safety -5s", "jepsen run --duration -1s", "jepsen run --think=-1ms", "jepsen run --clients -3",
		"jepsen duel --histories -1", "jepsen check x --check-timeout -1s",
	} {
		if _, err := run(strings.Fields(line)...); err == nil || !strings.Contains(err.Error(), "must not be negative") {
			t.Errorf("quorate %s: %v", line, err)
		}
	}
}

// What is shown while a run lasts is for people who look on: elsewhere no line is drawn over another.
func TestPipesGetNoTerminalCodes(t *testing.T) {
	var b strings.Builder
	live := newLiveTable(&b)
	for range 3 {
		live.show(jepsenLines(trial.Progress{Elapsed: time.Second, Stage: "calm"}, time.Minute))
	}
	live.done()
	if got := b.String(); got != "1s of 1m0s: 0 ops (0 unknown), 0 faults (0 bit), calm\n" {
		t.Errorf("%q", got)
	}
}

func TestBuildsAreTold(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]bool{}
	for i, contents := range []string{"a", "b", "a"} {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, []byte(contents), 0o600); err != nil {
			t.Fatal(err)
		}
		id, err := buildOf(path)
		if err != nil || !strings.Contains(id, version()) {
			t.Errorf("%q, %v", id, err)
		}
		seen[id] = true
	}
	if len(seen) != 2 {
		t.Errorf("builds are %v", seen)
	}
}
