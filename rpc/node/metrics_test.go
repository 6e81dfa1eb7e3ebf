package node_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/rpc/node"
)

// TestWhatWaitsAndWhatWasRefusedIsMeasured: a group's queue, and what did not end as usual.
func TestWhatWaitsAndWhatWasRefusedIsMeasured(t *testing.T) {
	l, _ := startLocal(t, nil)
	for _, addr := range l.Addrs() {
		c, err := client.Dial(t.Context(), addr, client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, args := range [][]string{{"READONLY"}, {"GET", "key"}} {
			if _, err := c.Do(t.Context(), args...); err != nil {
				t.Fatalf("%v: %v", args, err)
			}
		}
	}
	sum := map[string]float64{}
	for _, n := range l.Nodes() {
		for name, v := range gathered(t, n) {
			sum[name] += v
		}
	}
	for name, want := range map[string]float64{
		"quorate_group_queued_calls": 0, "quorate_group_queued_bytes": 0, "quorate_group_rejected_calls_total": 0,
		"quorate_group_unknown_entries_total": 0, "quorate_group_follower_reads_total": 2,
	} {
		if got, ok := sum[name]; !ok || got != want {
			t.Errorf("%s is %v (there at all: %v), want %v", name, got, ok, want)
		}
	}
}

// gathered sums a node's metrics over their labels.
func gathered(t *testing.T, n *node.Node) map[string]float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(node.Metrics(n))
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			sum[f.GetName()] += value(m)
		}
	}
	return sum
}

// value is a counter's or a gauge's; the other is absent, which is 0.
func value(m *dto.Metric) float64 { return m.GetCounter().GetValue() + m.GetGauge().GetValue() }
