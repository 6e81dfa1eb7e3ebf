package versus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/quorate/quorate/client/load"
	"github.com/quorate/quorate/jepsen/sleep"
)

// comparison names the report of Compare.
const comparison = "peers"

// Options describe a comparison.
type Options struct {
	Site
	// Command is the command line that is reported.
	Command string
	// Systems are names, measured Pairs times over, first in this order, then in others.
	Systems []string
	Pairs   int
	// Settle is the time between the fill and the first measurement, in which young processes get and arrange their memory.
	Settle time.Duration
	// Warmup and Duration of each measurement.
	Warmup, Duration time.Duration
	// Pipelines to measure; systems without pipelines are measured only at 1.
	Pipelines []int
	// Rate adds measurements at pipeline 1 with this many operations per second (open loop); 0 adds none.
	Rate float64
	// Hits is the share of GETs, 0 to 1, that find a key.
	Hits                     float64
	Clients, Keys, ValueSize int
	// Progress is told what happens.
	Progress func(format string, args ...any)
}

// Workload is one kind of load.
type Workload struct {
	Command  string `json:"command"`
	Pipeline int    `json:"pipeline"`
	// Rate is an open loop's; 0 is a closed loop.
	Rate float64 `json:"rate,omitempty"`
}

// String names the workload in tables.
func (w Workload) String() string {
	s := fmt.Sprintf("%s P=%d", w.Command, w.Pipeline)
	if w.Rate > 0 {
		s += fmt.Sprintf(" at %.0f/s", w.Rate)
	}
	return s
}

// Row is what one system did under one workload.
type Row struct {
	Workload
	System string `json:"system"`
	// Rounds is how many measurements the figures are the medians of: fewer than were asked for in a partial report.
	Rounds    int    `json:"rounds"`
	OpsPerSec Spread `json:"ops_per_second"`
	CPUPerOp  Spread `json:"server_cpu_us_per_op"`
	P50       Spread `json:"p50_us"`
	P99       Spread `json:"p99_us"`
	P999      Spread `json:"p999_us"`
	// Late is the 99th percentile of how late the machine woke the generator; 0 in closed loops.
	Late Spread `json:"sent_late_p99_us"`
	// StoodStill is the share of the time, in percent, for which a processor stood still, and Undisturbed the 99th percentile of the
	// pipelines during which it did not. See load.Result.
	StoodStill  Spread `json:"stood_still_percent"`
	Undisturbed Spread `json:"undisturbed_p99_us"`
	// LogWrite is within which time 99 % of Quorate's log writes were done, the warmup's included; 0 without writes and for peers. With durability always
	// that is a sync, and a SET waits for the leader's and a follower's: for both at once if few come together, otherwise for one after the other.
	LogWrite Spread `json:"log_write_p99_at_most_us"`
	// Hits is the share of GETs that found a key, over all pairs.
	Hits   float64 `json:"hits"`
	Errors int64   `json:"errors"`
	// Unanswered are operations that were due by the end, over all pairs. See load.Result.
	Unanswered int64  `json:"unanswered,omitempty"`
	FirstError string `json:"first_error,omitempty"`
}

// Ratio is a system's figures over a peer's: medians of the ratios of each pair of measurements.
type Ratio struct {
	Workload
	System string `json:"system"`
	Peer   string `json:"peer"`
	Ops    Spread `json:"ops"`
	CPU    Spread `json:"cpu"`
}

// Comparison is the result of Compare.
type Comparison struct {
	Rows   []Row   `json:"rows"`
	Ratios []Ratio `json:"ratios"`
}

// measured are the results of each pair.
type measured map[Workload]map[string][]outcome

// outcome is what a load came to, and what the servers' log writes took meanwhile.
type outcome struct {
	load.Result
	logWrites Pauses
}

// check refuses what can't be measured, before anything starts.
func (o Options) check(systems []System) error {
	switch {
	case o.Pairs < 1:
		return fmt.Errorf("%d pairs: want at least 1", o.Pairs)
	case len(o.Pipelines) == 0:
		return errors.New("no pipeline to measure")
	case o.Settle < 0:
		return errors.New("the time to settle must not be negative")
	case !(o.Hits >= 0 && o.Hits <= 1): // nor NaN
		return fmt.Errorf("hits %v: want 0 to 1", o.Hits)
	}
	if err := errors.Join(distinct("pipeline", o.Pipelines), o.Site.check(systems)); err != nil {
		return err
	}
	for _, s := range systems {
		own := o.workloadsOf(s)
		if len(own) == 0 {
			return fmt.Errorf("system %s takes one command at once: nothing to measure without pipeline 1", s.Name)
		}
		for _, w := range own {
			if err := w.apply(o.plan(s, notStarted), o.Hits).Check(); err != nil {
				return err
			}
		}
		if err := s.checkClients("--clients", o.Clients, o.Keys, 0); err != nil {
			return err
		}
	}
	return nil
}

func (o Options) workloads() (out []Workload) {
	for _, p := range o.Pipelines {
		out = append(out, Workload{Command: "SET", Pipeline: p}, Workload{Command: "GET", Pipeline: p})
	}
	if o.Rate != 0 {
		out = append(out, Workload{"SET", 1, o.Rate}, Workload{"GET", 1, o.Rate})
	}
	return out
}

// workloadsOf leaves out what s can't do.
func (o Options) workloadsOf(s System) []Workload {
	return slices.DeleteFunc(o.workloads(), func(w Workload) bool { return w.Pipeline > 1 && !s.pipelines })
}

// plan is what all loads of a system have in common.
func (o Options) plan(s System, run *running) load.Plan {
	p := s.plan(run, o.Clients, o.Keys, o.ValueSize)
	p.Warmup, p.Duration = o.Warmup, o.Duration
	return p
}

// Compare measures every workload on every system, each system started afresh with an empty disk for each pair. With an error, the report
// has what was measured before, if anything was.
func Compare(ctx context.Context, o Options) (Report, error) {
	systems, err := choose(o.Systems)
	if err == nil {
		err = o.check(systems)
	}
	if err != nil {
		return Report{}, err
	}
	r := newReport(ctx, comparison, o.Command, o.Dir)
	all := measured{}
	err = o.measureAll(ctx, systems, &r, all)
	if len(all) > 0 {
		o.report(&r, systems, all)
	}
	return r, err
}

func (o Options) measureAll(ctx context.Context, systems []System, r *Report, into measured) error {
	for pair := range o.Pairs {
		for _, s := range inTurn(systems, pair) {
			o.Progress("pair %d of %d: %s", pair+1, o.Pairs, s.Title)
			if err := o.measure(ctx, pair, s, r, into); err != nil {
				return fmt.Errorf("pair %d of %d, %s: %w", pair+1, o.Pairs, s.Name, err)
			}
		}
	}
	return nil
}

// How to read a comparison.
const (
	paceNote = "At a fixed rate: *unanswered* is what was due by the end and not answered by then; what it had waited is among the latencies. " +
		"*late*: 99 % of sends were at most this much behind their time, for the generator's own reasons. " +
		"*stood still*: for this share of the time, in times of 2 ms and more, processors ran nobody, not even a thread with real-time priority; " +
		"*p99 else* leaves out the pipelines that this touched. " +
		"*log write p99*: 99 % of the servers' log writes took at most this, to the bucket of their histogram. With durability always that is a " +
		"sync, and a SET waits for the leader's and a follower's: for both at once if few come together, otherwise for one after the other."
	costNote = "Latencies are those of whole pipelines; CPU is user and system time of all server processes, replicas included, over " +
		"operations. Servers and load generator share the cores."
)

// report puts what was measured into r.
func (o Options) report(r *Report, systems []System, all measured) {
	c := Comparison{Rows: o.rows(systems, all), Ratios: o.ratios(systems, all)}
	r.Results, r.Tables = c, c.tables()
	method := fmt.Sprintf("Medians of %s interleaved rounds of %s each, in changing order, %s after each system was filled, (lowest–highest). "+
		"%d clients, %d keys of %d bytes over all slots, %d-byte values, %.0f %% of GETs ask for keys that exist.",
		roundsOf(each(c.Rows, func(r Row) int { return r.Rounds }), o.Pairs), o.Duration, o.Settle, o.Clients, o.Keys, keySize, o.ValueSize, o.Hits*100)
	if c.failed() {
		method += " " + failedNote
	}
	r.Notes = []string{method, paceNote, costNote}
}

// roundsOf says how many rounds each row is of, and if that is not what was asked for, both.
func roundsOf(all []int, asked int) string {
	least, most := slices.Min(all), slices.Max(all)
	switch {
	case least == asked:
		return strconv.Itoa(asked)
	case least == most:
		return fmt.Sprintf("%d of %d", least, asked)
	}
	return fmt.Sprintf("%d to %d of %d", least, most, asked)
}

// failed reports whether anything got errors.
func (c Comparison) failed() bool {
	return slices.ContainsFunc(c.Rows, func(r Row) bool { return r.Errors > 0 })
}

// inTurn gives the order of a round: what runs before a system leaves it a machine whose disk still works and whose processors are hot or
// throttled, and that should not be the same one each time.
func inTurn(systems []System, round int) []System {
	order := slices.Clone(systems)
	if round > 0 {
		rand.New(rand.NewPCG(uint64(round), 0)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	return order
}

// measure starts a system, fills it once, runs every workload, and removes it with its data.
func (o Options) measure(ctx context.Context, pair int, s System, r *Report, into measured) (err error) {
	site := o.Site
	site.Dir = filepath.Join(o.Dir, s.Name+"-"+strconv.Itoa(pair))
	run, err := startIn(ctx, site, s)
	if err != nil {
		return err
	}
	defer func() { err = run.end(ctx, err) }()
	r.ran(s, run)
	plan := o.plan(s, run)
	if err := run.fill(ctx, plan, o.Progress); err != nil {
		return err
	}
	if err := sleep.For(ctx, o.Settle); err != nil {
		return err
	}
	for _, w := range o.workloadsOf(s) {
		res, before, after, err := run.under(ctx, w.apply(plan, o.Hits))
		if err != nil {
			return fmt.Errorf("%s: %w", w, err)
		}
		o.Progress("  %s: %.0f/s, p50 %d µs, p99 %d µs, %.2f µs of server CPU per operation, %d errors %s",
			w, res.OpsPerSec, res.P50, res.P99, res.CPUPerOp, res.Errors, res.FirstError)
		if into[w] == nil {
			into[w] = map[string][]outcome{}
		}
		into[w][s.Name] = append(into[w][s.Name], outcome{res, after.since(before, logWriteSeconds)})
	}
	return nil
}

// apply makes p a measurement of w.
func (w Workload) apply(p load.Plan, hits float64) load.Plan {
	p.Pipeline, p.Rate = w.Pipeline, w.Rate
	if w.Command == "GET" {
		p.Reads, p.Absent = 1, 1-hits
	}
	return p
}
