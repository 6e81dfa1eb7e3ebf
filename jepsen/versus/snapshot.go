package versus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quorate/quorate/client/load"
	"github.com/quorate/quorate/jepsen/sleep"
)

// SnapshotOptions describe what is measured of snapshots under a load of writes.
type SnapshotOptions struct {
	Site
	Command string
	// System is one of Quorate's.
	System                                     string
	Keys, ValueSize, Groups, Clients, Pipeline int
	// Rate is in SETs per second; 0 is as many as go.
	Rate float64
	// Pairs of measurements: one without snapshots, one in which replicas write one after the other. Duration is that of each.
	Pairs            int
	Warmup, Duration time.Duration
	Progress         func(format string, args ...any)
}

// SnapshotRow is a measurement.
type SnapshotRow struct {
	// Snapshots were taken in it; Bytes and Took are those of the longest, Took in seconds.
	Snapshots int     `json:"snapshots"`
	Bytes     int64   `json:"bytes"`
	Took      float64 `json:"longest_snapshot_seconds"`

	OpsPerSec float64 `json:"ops_per_second"`
	// CPUs is how many cores the servers kept busy, together.
	CPUs     float64 `json:"server_cpus"`
	CPUPerOp float64 `json:"server_cpu_us_per_op"`
	load.Latency
	// Apply are the times for which a group applied one batch of entries, Mark those for which it marked a snapshot, Entry
	// those from the proposal of an entry to its application on the leader, Stops Go's for a garbage collection.
	Apply Pauses `json:"apply"`
	Mark  Pauses `json:"mark"`
	Entry Pauses `json:"entry"`
	Stops Pauses `json:"gc_stops"`
	// Steadiness is how evenly the machine computed meanwhile for a program that has nothing to do with it all.
	Steadiness Steadiness `json:"steadiness"`
	GC         float64    `json:"gc_share_of_cpu"`
	Start      int64      `json:"resident_bytes_at_start"`
	Peak       int64      `json:"most_resident_bytes"`
	Errors     int64      `json:"errors"`
	Unanswered int64      `json:"unanswered"`
	FirstError string     `json:"first_error,omitempty"`
}

// noSnapshots keeps servers from taking snapshots by themselves while keys are overwritten.
const noSnapshots = "1gb"

// check refuses what can't be measured, before anything starts.
func (o SnapshotOptions) check(s System) error {
	if o.Pairs < 1 {
		return fmt.Errorf("%d pairs: want at least 1", o.Pairs)
	}
	return errors.Join(checkGroups(o.Groups, 0), o.plan(s, notStarted).Check(), s.checkClients("--clients", o.Clients, o.Keys, o.Groups))
}

// plan is the load.
func (o SnapshotOptions) plan(s System, run *running) load.Plan {
	p := s.plan(run, o.Clients, o.Keys, o.ValueSize)
	p.Pipeline, p.Rate, p.Warmup, p.Duration = o.Pipeline, o.Rate, o.Warmup, o.Duration
	return p
}

// Snapshots measures a load of writes without snapshots and with them. With an error, the report has the measurements before.
func Snapshots(ctx context.Context, o SnapshotOptions) (Report, error) {
	s, err := chooseQuorate(o.System)
	if err == nil {
		err = o.check(s)
	}
	if err != nil {
		return Report{}, err
	}
	r := newReport(ctx, "snapshot", o.Command, o.Dir)
	rows, err := o.measure(ctx, s, &r)
	if len(rows) > 0 {
		r.Results, r.Tables, r.Notes = rows, []Table{snapshotTable(rows), pauseTable(rows), costTable(rows)}, o.notes()
	}
	return r, err
}

// notes say how to read the tables.
func (o SnapshotOptions) notes() []string {
	loop := "as fast as replies come"
	if o.Rate > 0 {
		loop = fmt.Sprintf("%.0f SETs/s (open loop)", o.Rate)
	}
	return []string{
		fmt.Sprintf("%d keys of %d bytes with %d-byte values on each of %d nodes; %d clients at pipeline %d overwrite them uniformly, %s, "+
			"for %s. With snapshots, all replicas of one group after the other write one, without a break.",
			o.Keys, keySize, o.ValueSize, copies, o.Clients, o.Pipeline, loop, o.Duration),
		"Apply: a batch of entries, on any node. Mark: the moment of a snapshot. Entry: from proposal to application, on the leader. They are " +
			"counted in buckets, of which the upper bounds are given. Beside them, a program that computes for a tenth of a millisecond each " +
			"millisecond, and waits for nobody: what holds that up for over 2 ms is the machine, with the servers and the clients on its " +
			"processors. Resident memory is that of the largest node.",
	}
}

// measure starts the servers and gives the measurements that were finished before any error.
func (o SnapshotOptions) measure(ctx context.Context, s System, r *Report) (rows []SnapshotRow, err error) {
	site := o.Site
	site.QuorateFlags = append([]string{"--snapshot-log-bytes", noSnapshots}, site.QuorateFlags...)
	run, err := withGroups(ctx, site, s, o.Groups, r)
	if err != nil {
		return nil, err
	}
	defer func() { err = run.end(ctx, err) }()
	o.Progress("%s: %d keys with %d-byte values", s.Title, o.Keys, o.ValueSize)
	plan := o.plan(s, run)
	if err := run.fill(ctx, plan, o.Progress); err != nil {
		return nil, err
	}
	shots, err := newShooter(ctx, run)
	if err != nil {
		return nil, err
	}
	defer shots.admin.Close()
	if err := sleep.For(ctx, afterFill); err != nil {
		return nil, err
	}
	for i := range 2 * o.Pairs {
		row, err := o.under(ctx, run, plan, shots, i%2 == 1)
		if err != nil {
			return rows, fmt.Errorf("measurement %d of %d: %w", i+1, 2*o.Pairs, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// afterFill is a pause for servers to collect what the load has left, and to return most of it. It is no wait until memory has settled,
// as for a measurement of memory: that takes a minute longer, and SETs are about to change it anyway.
const afterFill = 20 * time.Second

// under is one measurement.
func (o SnapshotOptions) under(ctx context.Context, run *running, plan load.Plan, shots *shooter, with bool) (row SnapshotRow, err error) {
	if row.Start, err = run.largest(ctx); err != nil {
		return row, err
	}
	before, err := run.scrape(ctx)
	if err != nil {
		return row, err
	}
	watch, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var shotErr, peakErr error
	if with {
		wg.Go(func() { shotErr = shots.shoot(watch) })
	}
	wg.Go(func() { row.Peak, peakErr = run.peak(watch) })
	wg.Go(func() { row.Steadiness = steadiness(watch, o.Warmup+o.Duration) })
	plan.Progress = o.live(shots)
	res, err := load.Run(ctx, plan)
	stop()
	wg.Wait()
	if err := errors.Join(err, shotErr, peakErr); err != nil {
		return row, err
	}
	after, err := run.scrape(ctx)
	if err != nil {
		return row, err
	}
	row.note(res, before, after)
	row.Snapshots, row.Bytes, row.Took = shots.take()
	return row, nil
}

func (row *SnapshotRow) note(res load.Result, before, after scrape) {
	row.OpsPerSec, row.CPUPerOp, row.Latency = res.OpsPerSec, res.CPUPerOp, res.Latency
	row.CPUs = res.CPUPerOp * res.OpsPerSec / 1e6
	row.Errors, row.FirstError, row.Unanswered = res.Errors, res.FirstError, res.Unanswered
	row.Apply, row.Mark = after.since(before, applySeconds), after.since(before, markSeconds)
	row.Entry, row.Stops = after.since(before, entrySeconds), after.since(before, stopSeconds)
	row.GC = after.collected(before)
}

// live prints a line each second.
func (o SnapshotOptions) live(shots *shooter) func(load.Progress) {
	next := time.Second
	return func(p load.Progress) {
		if p.Elapsed >= next {
			next += time.Second
			o.Progress("  %2.0fs: %d SETs, %d errors, %d snapshots", p.Elapsed.Seconds(), p.Ops, p.Errors, shots.count())
		}
	}
}

// peakEvery is the time between two looks at memory.
const peakEvery = 50 * time.Millisecond

// peak is the most memory that any process had resident until ctx ended.
func (r *running) peak(ctx context.Context) (most int64, err error) {
	for {
		now, err := r.largest(ctx)
		if err != nil {
			return 0, err
		}
		most = max(most, now)
		if sleep.For(ctx, peakEvery) != nil {
			return most, nil
		}
	}
}

func (r *running) largest(ctx context.Context) (most int64, err error) {
	all, err := r.resident(ctx)
	for _, b := range all {
		most = max(most, b)
	}
	return most, err
}
