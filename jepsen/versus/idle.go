package versus

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/quorate/quorate/client/load"
	"github.com/quorate/quorate/jepsen/sleep"
)

// IdleOptions describe a measurement of nodes that nobody uses.
type IdleOptions struct {
	Site
	Command string
	// System is one of Quorate's.
	System string
	// Groups are the numbers of shard groups to measure.
	Groups []int
	// Settle is the time after the start that isn't measured, Duration the time that is.
	Settle, Duration time.Duration
	Progress         func(format string, args ...any)
}

// IdleRow is what a node at rest costs.
type IdleRow struct {
	Groups int `json:"groups"`
	// Cores are the parts of one core that each node kept busy, in percent.
	Cores Spread `json:"percent_of_a_core_per_node"`
	// Resident are the bytes of memory of each node.
	Resident Spread `json:"resident_bytes_per_node"`
}

func (o IdleOptions) check() error {
	if len(o.Groups) == 0 || o.Duration <= 0 || o.Settle < 0 {
		return errors.New("idle nodes need numbers of groups, a duration, and a time to settle that is not negative")
	}
	for _, n := range o.Groups {
		if err := checkGroups(n, 1); err != nil {
			return err
		}
	}
	return distinct("number of groups", o.Groups)
}

// Idle measures the CPU time of nodes without clients. With an error, the report has the rows before.
func Idle(ctx context.Context, o IdleOptions) (Report, error) {
	s, err := chooseQuorate(o.System)
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return Report{}, err
	}
	r := newReport(ctx, "idle", o.Command, o.Dir)
	rows, err := o.measureAll(ctx, s, &r)
	if len(rows) > 0 {
		r.Results, r.Tables = rows, []Table{idleTable(rows)}
		r.Notes = []string{fmt.Sprintf("User and system time of each node without clients in %s, after %s to settle: the median node (lowest–highest).",
			o.Duration, o.Settle) + groupsVary}
	}
	return r, err
}

// measureAll gives the rows that were finished before any error.
func (o IdleOptions) measureAll(ctx context.Context, s System, r *Report) (rows []IdleRow, err error) {
	for _, groups := range o.Groups {
		o.Progress("%s, %d groups, no clients", s.Title, groups)
		row, err := o.measure(ctx, s, groups, r)
		if err != nil {
			return rows, fmt.Errorf("%d groups: %w", groups, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// chooseQuorate finds one of Quorate's modes: what follows needs flags that peers don't have.
func chooseQuorate(name string) (System, error) {
	s, err := choose([]string{name})
	if err != nil {
		return System{}, err
	}
	if s[0].isPeer() {
		return System{}, fmt.Errorf("system %s: only Quorate's modes have groups to vary", name)
	}
	return s[0], nil
}

// groupsVary is for reports in which a system has another number of groups in each line: servers are named once.
const groupsVary = " The servers' command line is that of the first line: --groups varies."

// withGroups starts Quorate with a number of groups.
func withGroups(ctx context.Context, site Site, s System, groups int, r *Report) (*running, error) {
	site.Dir = filepath.Join(site.Dir, fmt.Sprintf("%s-%d-groups", s.Name, groups))
	site.QuorateFlags = append([]string{"--groups", strconv.Itoa(groups)}, site.QuorateFlags...)
	run, err := startIn(ctx, site, s)
	if err == nil {
		r.ran(s, run)
	}
	return run, err
}

func (o IdleOptions) measure(ctx context.Context, s System, groups int, r *Report) (row IdleRow, err error) {
	row.Groups = groups
	run, err := withGroups(ctx, o.Site, s, groups, r)
	if err != nil {
		return row, err
	}
	defer func() { err = run.end(ctx, err) }()
	if err := sleep.For(ctx, o.Settle); err != nil {
		return row, err
	}
	start := time.Now()
	before, err := cpuOfEach(run.pids)
	if err != nil {
		return row, err
	}
	if err := sleep.For(ctx, o.Duration); err != nil {
		return row, err
	}
	after, err := cpuOfEach(run.pids)
	if err != nil {
		return row, err
	}
	elapsed := time.Since(start)
	memory, err := run.resident(ctx)
	if err != nil {
		return row, err
	}
	var percent []float64
	for i := range after {
		percent = append(percent, 100*(after[i]-before[i]).Seconds()/elapsed.Seconds())
	}
	row.Cores, row.Resident = spreadOf(percent), spreadOf(each(memory, func(b int64) float64 { return float64(b) }))
	o.Progress("  %s %% of a core per node", row.Cores.format("%.2f"))
	return row, nil
}

func cpuOfEach(pids []int) (out []time.Duration, err error) {
	for _, pid := range pids {
		d, err := load.CPUTime([]int{pid})
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func idleTable(rows []IdleRow) Table {
	t := Table{Header: []string{"groups", "% of a core per node", "MiB per node"}}
	for _, r := range rows {
		mib := Spread{r.Resident.Median / (1 << 20), r.Resident.Min / (1 << 20), r.Resident.Max / (1 << 20)}
		t.Rows = append(t.Rows, []string{strconv.Itoa(r.Groups), r.Cores.format("%.2f"), mib.format("%.0f")})
	}
	return t
}
