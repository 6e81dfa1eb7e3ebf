package node_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/rpc/node/config"
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

// TestWhatOneMustHearOfIsMeasured: a full group, a node that is gone, one whose clock is ahead, votes that are held.
func TestWhatOneMustHearOfIsMeasured(t *testing.T) {
	l := openLocal(t, t.TempDir(), freePorts(t, 3), func(i int, c *config.Config) {
		c.MaxMemory = 300 << 20
		if i == 0 {
			c.TestClockShift = time.Hour
		}
	})
	nodes := l.Nodes()
	var kills []func() error
	for _, n := range nodes {
		kills = append(kills, sync.OnceValue(func() error {
			if err := n.Kill(); !errors.Is(err, context.Canceled) { // it was serving a client yet
				return err
			}
			return nil
		}))
	}
	t.Cleanup(func() {
		for _, kill := range kills {
			if err := kill(); err != nil {
				t.Error(err)
			}
		}
	})
	within := func(nodes []*node.Node, name string, low, high float64) error {
		sum, measured := 0.0, false
		for _, n := range nodes {
			v, ok := gathered(t, n)["quorate_"+name]
			sum, measured = sum+v, measured || ok
		}
		if !measured || sum < low || sum > high {
			return fmt.Errorf("%s is %v (there at all: %v), want %v to %v", name, sum, measured, low, high)
		}
		return nil
	}
	const limit, hour, many = 300 << 20, 3600, 1000
	await(t, func() error {
		first, second := nodes[:1], nodes[1:2]
		writeEverywhere(t.Context(), t, l.Addrs())
		return errors.Join(
			within(second, "group_memory_limit_bytes", limit-3, limit), within(second, "log_disk_bytes", 1, 1<<40),
			within(second, "group_votes_held", 0, 0), within(second, "group_caught_up", 3, 3),
			within(second, "group_clock_ahead_seconds", hour-120, 3*hour), within(first, "group_clock_ahead_seconds", 0, 0),
			within(nodes, "group_voter_silence_seconds", 0, 1), within(nodes, "peer_refused_total", 0, many),
			within(nodes, "peer_unanswered_calls_total", 0, many), within(nodes, "peer_overloads_total", 0, 0),
		)
	})
	if err := kills[2](); err != nil {
		t.Fatal(err)
	}
	await(t, func() error {
		others := nodes[:2]
		return errors.Join(within(others, "group_voter_silence_seconds", 1, math.Inf(1)), within(others, "peer_dial_errors_total", 1, many))
	})
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
