package versus

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/client/load"
)

// CurveOptions describe how cost changes with one quantity.
type CurveOptions struct {
	Site
	Command string
	// System is one of Quorate's, Peer one of Redis Cluster's modes, measured after it at each value, or "".
	System, Peer string
	// Over is the quantity that takes Values: "groups", "clients" or "keys". The others stay as given.
	Over   string
	Values []int
	// Rounds is how often everything is measured, one value after the other each time.
	Rounds                int
	Groups, Clients, Keys int
	Pipeline, ValueSize   int
	Warmup, Duration      time.Duration
	Progress              func(format string, args ...any)
}

// Curves that are measured or told of in another way than the others.
const (
	groupsCurve  = "groups"
	clientsCurve = "clients"
	keysCurve    = "keys"
)

// CurveRow is the cost at one value.
type CurveRow struct {
	Value int `json:"value"`
	// Rounds is how many measurements the figures are of: fewer than were asked for in a partial report.
	Rounds int       `json:"rounds"`
	Set    CurveCost `json:"set"`
	Get    CurveCost `json:"get"`
	// Written is that of SET while snapshots are written, Set and Get are those while none is. Over keys only: the larger the state,
	// the longer that takes.
	Written *CurveCost `json:"set_while_snapshots_are_written,omitempty"`
	// PeerSet and PeerGet are the peer's.
	PeerSet *CurveCost `json:"peer_set,omitempty"`
	PeerGet *CurveCost `json:"peer_get,omitempty"`
}

// CurveCost is one command's: medians of the rounds, and of what is counted, sums.
type CurveCost struct {
	CPUPerOp float64 `json:"server_cpu_us_per_op"`
	// Ratio is CPUPerOp over that at the first value, in the same round each time.
	Ratio     Spread  `json:"ratio"`
	OpsPerSec float64 `json:"ops_per_second"`
	P99       int64   `json:"p99_us"`
	P999      int64   `json:"p99.9_us"`
	// GC is the share of CPU time that Go's garbage collection takes, Stops are the times for which it stops a server, those of the
	// round with the longest.
	GC         float64 `json:"gc_share_of_cpu"`
	Stops      Pauses  `json:"gc_stops"`
	Errors     int64   `json:"errors"`
	Unanswered int64   `json:"unanswered"`
	FirstError string  `json:"first_error,omitempty"`
}

// Curve measures SET and GET at each value, on a cluster of its own each time. With an error, the report has the values before.
func Curve(ctx context.Context, o CurveOptions) (Report, error) {
	if len(o.Values) == 0 {
		return Report{}, fmt.Errorf("no %s to measure: give --values, such as 3,32,128", o.Over)
	}
	systems, err := o.systems()
	if err == nil {
		err = o.check(systems)
	}
	if err != nil {
		return Report{}, err
	}
	r := newReport(ctx, "curve-"+o.Over, o.Command, o.Dir)
	rounds, err := o.measureAll(ctx, systems, &r)
	if rows := medians(rounds); len(rows) > 0 {
		o.report(&r, rows)
	}
	return r, err
}

// measureAll gives the rows of each round, in the last those that were finished before any error.
func (o CurveOptions) measureAll(ctx context.Context, systems []System, r *Report) (rounds [][]CurveRow, err error) {
	for n := range o.Rounds {
		if o.Rounds > 1 {
			o.Progress("round %d of %d", n+1, o.Rounds)
		}
		rows, err := o.measureRound(ctx, systems, r)
		rounds = append(rounds, rows)
		if err != nil {
			return rounds, err
		}
	}
	return rounds, nil
}

func (o CurveOptions) measureRound(ctx context.Context, systems []System, r *Report) (rows []CurveRow, err error) {
	for _, v := range o.Values {
		at, err := o.at(v)
		if err != nil {
			return rows, err
		}
		row := CurveRow{Value: v}
		for i, s := range systems {
			measure := at.measure
			if i > 0 {
				measure = at.measurePeer
			}
			o.Progress("%s, %d %s", s.Title, v, o.Over)
			if err := measure(ctx, s, &row, r); err != nil {
				return rows, fmt.Errorf("%s, %d %s: %w", s.Name, v, o.Over, err)
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// How to read a curve over keys.
const keysNote = " No snapshots are written, but beside the third measurement, where one group after the other writes one, without a break; " +
	"its ratios are to SETs without, in the first line. Redis does not rewrite its log. By itself a group writes a snapshot when its log has grown by as " +
	"many bytes as the last one had, or half as many again."

// How to read medians.
const roundsNote = " They are taken round by round (lowest–highest). Errors are those of all rounds, GC stops those of the round with the longest."

// report puts what was measured into r.
func (o CurveOptions) report(r *Report, rows []CurveRow) {
	runs := "One run"
	if o.Rounds > 1 {
		runs = "Medians of " + roundsOf(each(rows, func(r CurveRow) int { return r.Rounds }), o.Rounds) + " rounds"
	}
	note := fmt.Sprintf("%s of %s each at pipeline %d with %d-byte values, on a cluster of its own; fixed: %s. Ratios are to the first line.",
		runs, o.Duration, o.Pipeline, o.ValueSize, o.fixed())
	if o.Rounds > 1 {
		note += roundsNote
	}
	if o.Over == groupsCurve {
		note += groupsVary
	}
	if o.Peer != "" {
		note += " Redis's are to its own first line."
	}
	if o.Over == keysCurve {
		note += keysNote
	}
	if failed(rows) {
		note += " " + failedNote
	}
	r.Results, r.Tables, r.Notes = rows, curveTables(o.Over, rows), []string{note}
}

// fixed names the quantities that don't vary.
func (o CurveOptions) fixed() string {
	groups := strconv.Itoa(o.Groups)
	if o.Groups == 0 {
		groups = "one per node"
	}
	var out []string
	for _, q := range [][2]string{{"groups", groups}, {"clients", strconv.Itoa(o.Clients)}, {"keys", strconv.Itoa(o.Keys)}} {
		if q[0] != o.Over {
			out = append(out, q[0]+" "+q[1])
		}
	}
	return strings.Join(out, ", ")
}

// measure starts Quorate and measures it at the present value.
func (o CurveOptions) measure(ctx context.Context, s System, row *CurveRow, r *Report) (err error) {
	site := o.Site
	if o.Over == keysCurve {
		site.QuorateFlags = append([]string{"--snapshot-log-bytes", noSnapshots}, site.QuorateFlags...)
	}
	run, err := withGroups(ctx, site, s, o.Groups, r)
	if err != nil {
		return err
	}
	defer func() { err = run.end(ctx, err) }()
	plan := o.plan(s, run)
	if err := run.fill(ctx, plan, o.Progress); err != nil {
		return err
	}
	if o.Over == keysCurve {
		return o.between(ctx, run, plan, row)
	}
	return o.both(ctx, run, plan, &row.Set, &row.Get)
}

// measurePeer does the same with another system. Over keys it does not rewrite its log meanwhile, as Quorate's nodes write no snapshots.
func (o CurveOptions) measurePeer(ctx context.Context, s System, row *CurveRow, r *Report) (err error) {
	site := o.Site
	site.Dir = filepath.Join(site.Dir, s.Name)
	if o.Over == keysCurve {
		site.RedisFlags = append([]string{"--auto-aof-rewrite-percentage", "0"}, site.RedisFlags...)
	}
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
	if err := run.awaitCopies(ctx); err != nil {
		return err
	}
	row.PeerSet, row.PeerGet = new(CurveCost), new(CurveCost)
	return o.both(ctx, run, plan, row.PeerSet, row.PeerGet)
}

// plan is what a system's loads have in common.
func (o CurveOptions) plan(s System, run *running) load.Plan {
	p := s.plan(run, o.Clients, o.Keys, o.ValueSize)
	p.Pipeline, p.Warmup, p.Duration = o.Pipeline, o.Warmup, o.Duration
	return p
}

// both measures SET and GET.
func (o CurveOptions) both(ctx context.Context, run *running, plan load.Plan, set, get *CurveCost) (err error) {
	for _, c := range []struct {
		reads float64
		into  *CurveCost
	}{{0, set}, {1, get}} {
		plan.Reads = c.reads
		if *c.into, err = cost(ctx, run, plan); err != nil {
			return err
		}
	}
	o.Progress("  SET %.2f µs, GET %.2f µs of server CPU", set.CPUPerOp, get.CPUPerOp)
	return nil
}

// between measures SET and GET while no snapshot is written, and SET while some are.
func (o CurveOptions) between(ctx context.Context, run *running, plan load.Plan, row *CurveRow) error {
	o.Progress("  one snapshot of each group, before anything is measured")
	shots, err := newShooter(ctx, run)
	if err != nil {
		return err
	}
	defer shots.admin.Close()
	if err := o.both(ctx, run, plan, &row.Set, &row.Get); err != nil {
		return err
	}
	watch, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- shots.shoot(watch) }()
	written, err := cost(ctx, run, plan)
	stop()
	if err := errors.Join(err, <-done); err != nil {
		return err
	}
	row.Written = &written
	o.Progress("  SET %.2f µs while snapshots are written", written.CPUPerOp)
	return nil
}

// cost runs a load. What garbage collection takes is counted over the warmup too.
func cost(ctx context.Context, run *running, plan load.Plan) (CurveCost, error) {
	res, before, after, err := run.under(ctx, plan)
	if err != nil {
		return CurveCost{}, err
	}
	return CurveCost{
		CPUPerOp: res.CPUPerOp, OpsPerSec: res.OpsPerSec, P99: res.P99, P999: res.P999,
		Errors: res.Errors, Unanswered: res.Unanswered, FirstError: res.FirstError,
		GC: after.collected(before), Stops: after.since(before, stopSeconds),
	}, nil
}
