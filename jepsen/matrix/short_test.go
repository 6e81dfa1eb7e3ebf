package matrix

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/quorate/quorate/jepsen/process"
	"github.com/quorate/quorate/jepsen/trial"
)

// testSubnet is no other test's.
const testSubnet = "10.96.57"

// TestShortHistories is the matrix in small: real processes, real faults, real verdicts. Partitions need what makes network namespaces
// (root, iproute2, /dev/net/tun); without it processes are stopped and killed only.
func TestShortHistories(t *testing.T) {
	binary, err := process.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	rows := []string{"kill -9", "pause"}
	try, err := process.NewNetwork("qjtry", testSubnet, 1)
	network := err == nil
	if network {
		try.Close()
		rows = append(rows, "partition")
	} else {
		t.Logf("no partitions: %v", err)
	}
	o := Options{
		Dir: t.TempDir(), Version: "test", Families: rows, Workloads: []string{"register", "append", "counter"}, First: 1, Jobs: 1, For: time.Hour, Histories: 1,
		Trial: trial.Options{Binary: binary, Port: 17571, Subnet: testSubnet, CheckTimeout: time.Minute, Config: trial.Config{
			Network: network, Duration: 5 * time.Second, Clients: 6, Think: 5 * time.Millisecond, Bound: trial.DefaultBound,
			Quiet: [2]time.Duration{200 * time.Millisecond, 500 * time.Millisecond}, Hurt: [2]time.Duration{time.Second, 2 * time.Second},
		}},
	}
	// Interrupted after the first history, the second call does the rest.
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	o.Histories = len(rows) - 1
	a, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range a.Histories {
		t.Logf("%s: %s\n%s", h.Cell, h.Word(), h.Verdict)
		if h.Word() != "ok" || h.Verdict.Bit == 0 || h.Verdict.Ops.Applied == 0 {
			t.Errorf("%s is %s: %v %s", h.Cell, h.Word(), h.Findings(), h.Error)
		}
		left, err := filepath.Glob(filepath.Join(o.Dir, h.Folder, "*"))
		if err != nil || len(left) != 5 {
			t.Errorf("of a clean history there remain %v, %v", left, err)
		}
	}
	if a.Total.Histories != len(rows) || !slices.Equal(a.Total.Seeds, []uint64{1}) {
		t.Errorf("%d histories of the seeds %v", a.Total.Histories, a.Total.Seeds)
	}
}
