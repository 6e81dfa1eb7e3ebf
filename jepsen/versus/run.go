package versus

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/quorate/quorate/client/load"
	"github.com/quorate/quorate/jepsen/process"
)

// Options describe a comparison.
type Options struct {
	// Binary is the quorate executable; Dir takes data folders.
	Binary, Dir string
	// Port is the first client port; Redis takes nine, Quorate three.
	Port int
	// Pairs is how often Redis and Quorate are measured in turn.
	Pairs int
	// Duration of each measurement.
	Duration time.Duration
	// Pipelines to measure.
	Pipelines []int
	Clients   int
	Keys      int
	ValueSize int
	// RedisFlags and QuorateFlags are given to the servers.
	RedisFlags, QuorateFlags []string
	// Report is told what happens.
	Report func(format string, args ...any)
}

// Side is one system's medians for one workload.
type Side struct {
	OpsPerSec float64 `json:"ops_per_second"`
	P50       int64   `json:"p50_us"`
	P99       int64   `json:"p99_us"`
	CPUPerOp  float64 `json:"server_cpu_us_per_op"`
	Errors    int64   `json:"errors"`
}

// Row compares the two on one workload.
type Row struct {
	Command  string `json:"command"`
	Pipeline int    `json:"pipeline"`
	Redis    Side   `json:"redis"`
	Quorate  Side   `json:"quorate"`
}

// workload is one line of the table.
type workload struct {
	command  string
	reads    float64
	pipeline int
}

// Run measures every workload on both systems and returns medians over the pairs.
func Run(ctx context.Context, o Options) ([]Row, error) {
	var loads []workload
	for _, p := range o.Pipelines {
		loads = append(loads, workload{"SET", 0, p}, workload{"GET", 1, p})
	}
	redis, quorate := map[workload][]load.Result{}, map[workload][]load.Result{}
	for i := range o.Pairs {
		if err := o.measureRedis(ctx, i, loads, redis); err != nil {
			return nil, fmt.Errorf("redis: %w", err)
		}
		if err := o.measureQuorate(ctx, i, loads, quorate); err != nil {
			return nil, fmt.Errorf("quorate: %w", err)
		}
	}
	var rows []Row
	for _, l := range loads {
		rows = append(rows, Row{Command: l.command, Pipeline: l.pipeline, Redis: medians(redis[l]), Quorate: medians(quorate[l])})
	}
	return rows, nil
}

func (o Options) measureRedis(ctx context.Context, pair int, loads []workload, into map[workload][]load.Result) error {
	o.Report("pair %d of %d: Redis Cluster, %d masters with %d replicas each", pair+1, o.Pairs, masters, replicas)
	r, err := startRedis(ctx, filepath.Join(o.Dir, "pair"+strconv.Itoa(pair)), o.Port, o.RedisFlags)
	if err != nil {
		return err
	}
	defer r.stop()
	return o.measure(ctx, r.addrs, r.pids(), loads, into)
}

func (o Options) measureQuorate(ctx context.Context, pair int, loads []workload, into map[workload][]load.Result) error {
	o.Report("pair %d of %d: Quorate, 3 processes", pair+1, o.Pairs)
	c, err := process.Start(process.Options{
		Binary: o.Binary, Dir: filepath.Join(o.Dir, "pair"+strconv.Itoa(pair)), Nodes: 3, Port: o.Port + 50, Flags: o.QuorateFlags,
	})
	if err != nil {
		return err
	}
	defer c.Close()
	ready, cancel := context.WithTimeout(ctx, formTime)
	defer cancel()
	if err := c.WaitReady(ready); err != nil {
		return err
	}
	return o.measure(ctx, c.Addrs(), c.Pids(), loads, into)
}

// measure fills the key space once and then runs every workload.
func (o Options) measure(ctx context.Context, addrs []string, pids []int, loads []workload, into map[workload][]load.Result) error {
	plan := load.Plan{
		Seeds: addrs, Clients: o.Clients, Pipeline: 1, Keys: o.Keys, KeySize: 16, ValueSize: o.ValueSize,
		Warmup: time.Second, Duration: o.Duration, Pids: pids,
	}
	if err := load.Fill(ctx, plan); err != nil {
		return err
	}
	for _, l := range loads {
		plan.Pipeline, plan.Reads = l.pipeline, l.reads
		r, err := load.Run(ctx, plan)
		if err != nil {
			return err
		}
		o.Report("  %s P=%d: %.0f/s, p50 %d µs, p99 %d µs, %.2f µs of server CPU per operation, %d errors %s", l.command, l.pipeline, r.OpsPerSec, r.P50, r.P99, r.CPUPerOp, r.Errors, r.FirstError)
		into[l] = append(into[l], r)
	}
	return nil
}

func medians(rs []load.Result) Side {
	s := Side{
		OpsPerSec: median(rs, func(r load.Result) float64 { return r.OpsPerSec }),
		P50:       median(rs, func(r load.Result) int64 { return r.P50 }),
		P99:       median(rs, func(r load.Result) int64 { return r.P99 }),
		CPUPerOp:  median(rs, func(r load.Result) float64 { return r.CPUPerOp }),
	}
	for _, r := range rs {
		s.Errors += r.Errors
	}
	return s
}

// median is the middle value, the lower one of two.
func median[T cmp.Ordered](rs []load.Result, of func(load.Result) T) T {
	var all []T
	for _, r := range rs {
		all = append(all, of(r))
	}
	slices.Sort(all)
	return all[(len(all)-1)/2]
}
