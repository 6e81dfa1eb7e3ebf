package versus

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/quorate/quorate/client/load"
	"github.com/quorate/quorate/jepsen/sleep"
)

// MemoryOptions describe a measurement of memory.
type MemoryOptions struct {
	Site
	Command    string
	Systems    []string
	Keys       int
	ValueSizes []int
	// Settle is how long servers may take after the load until their memory no longer changes.
	Settle   time.Duration
	Progress func(format string, args ...any)
}

// MemoryRow is what keys of one size cost on one system.
type MemoryRow struct {
	System    string `json:"system"`
	Keys      int    `json:"keys"`
	ValueSize int    `json:"value_size"`
	// Empty and Full are the resident bytes of all processes before the load and after it, over the number of copies.
	Empty int64 `json:"empty_bytes_per_copy"`
	Full  int64 `json:"full_bytes_per_copy"`
	// PerKey is Full over keys, keys and values included; Added leaves out what an empty process needs.
	PerKey float64 `json:"bytes_per_key"`
	Added  float64 `json:"added_bytes_per_key"`
	// Settled is false if memory had not stayed within 1 % for calmSteps steps in a row when Settle was over.
	Settled bool `json:"settled"`
}

// fits refuses what would make the machine swap: a quarter must stay free for logs that are rewritten and files that are cached. It
// takes for a key what Redis needs.
func (o MemoryOptions) fits(available int64) error {
	need := int64(copies) * int64(o.Keys) * int64(slices.Max(o.ValueSizes)*5/4+keySize+110)
	if available > 0 && need > available/4*3 {
		return fmt.Errorf("%d keys with %d-byte values may take %d MiB in %d copies, and %d MiB are available: take fewer keys",
			o.Keys, slices.Max(o.ValueSizes), need>>20, copies, available>>20)
	}
	return nil
}

// Settled memory is within one percent of what it was, calmSteps looks in a row, settleStep apart: servers return memory
// after the load, Redis (jemalloc's decay) within seconds, and Quorate within some 80 s when load, or a snapshot
// that it still writes, has interrupted it before: it rests for a minute then.
const (
	settleStep = 5 * time.Second
	calmSteps  = 20
)

// check refuses what can't be measured, before anything starts.
func (o MemoryOptions) check(systems []System) error {
	if len(o.ValueSizes) == 0 || o.Settle < 0 {
		return errors.New("memory needs value sizes, and a time to settle that is not negative")
	}
	if err := errors.Join(distinct("value size", o.ValueSizes), o.Site.check(systems)); err != nil {
		return err
	}
	for _, size := range o.ValueSizes {
		if err := o.plan(systems[0], notStarted, size).Check(); err != nil {
			return err
		}
	}
	return o.fits(available())
}

// Memory loads keys into each system and asks the kernel how much memory the processes hold. With an error, the report has the rows before.
func Memory(ctx context.Context, o MemoryOptions) (Report, error) {
	systems, err := choose(o.Systems)
	if err == nil {
		err = o.check(systems)
	}
	if err != nil {
		return Report{}, err
	}
	r := newReport(ctx, "memory", o.Command, o.Dir)
	rows, err := o.measureAll(ctx, systems, &r)
	if len(rows) > 0 {
		r.Results, r.Tables = rows, []Table{memoryTable(rows)}
		r.Notes = []string{fmt.Sprintf("Resident memory (RSS) of all processes after the load, settled, over %d copies: "+
			"what one copy of the data costs, %d-byte keys and values included.", copies, keySize)}
	}
	return r, err
}

// measureAll gives the rows that were finished before any error.
func (o MemoryOptions) measureAll(ctx context.Context, systems []System, r *Report) (rows []MemoryRow, err error) {
	for _, size := range o.ValueSizes {
		for _, s := range systems {
			o.Progress("%s: %d keys of %d bytes with %d-byte values", s.Title, o.Keys, keySize, size)
			row, err := o.measure(ctx, s, size, r)
			if err != nil {
				return rows, fmt.Errorf("%s, %d-byte values: %w", s.Name, size, err)
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// plan is the load.
func (o MemoryOptions) plan(s System, run *running, size int) load.Plan {
	p := s.plan(run, 1, o.Keys, size)
	p.Duration = time.Second // unused: the load is Fill's
	return p
}

func (o MemoryOptions) measure(ctx context.Context, s System, size int, r *Report) (row MemoryRow, err error) {
	row = MemoryRow{System: s.Name, Keys: o.Keys, ValueSize: size}
	site := o.Site
	site.Dir = filepath.Join(o.Dir, s.Name+"-"+strconv.Itoa(size))
	run, err := startIn(ctx, site, s)
	if err != nil {
		return row, err
	}
	defer func() { err = run.end(ctx, err) }()
	r.ran(s, run)
	if row.Empty, err = run.perCopy(ctx); err != nil {
		return row, err
	}
	if err := run.fill(ctx, o.plan(s, run, size), o.Progress); err != nil {
		return row, err
	}
	if row.Full, row.Settled, err = run.settled(ctx, o.Settle); err != nil {
		return row, err
	}
	row.PerKey, row.Added = float64(row.Full)/float64(o.Keys), float64(row.Full-row.Empty)/float64(o.Keys)
	o.Progress("  %.0f bytes per key, %.0f of them added by the load", row.PerKey, row.Added)
	return row, nil
}

// perCopy is the memory of all processes over the number of copies.
func (r *running) perCopy(ctx context.Context) (int64, error) {
	all, err := r.resident(ctx)
	var sum int64
	for _, b := range all {
		sum += b
	}
	return sum / copies, err
}

// settled waits until memory hardly changes, patience at most.
func (r *running) settled(ctx context.Context, patience time.Duration) (bytes int64, ok bool, err error) {
	if bytes, err = r.perCopy(ctx); err != nil {
		return 0, false, err
	}
	c := calm{from: bytes}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if err := sleep.For(ctx, min(settleStep, time.Until(end))); err != nil {
			return 0, false, err
		}
		if bytes, err = r.perCopy(ctx); err != nil {
			return 0, false, err
		}
		if c.look(bytes) && time.Now().Before(end) {
			return bytes, true, nil
		}
	}
	return bytes, false, nil
}

// calm is a time in which memory has hardly changed.
type calm struct {
	// from is what there was when it began: compared with the look before, memory that goes a little each time would never move.
	from  int64
	looks int
}

// look reports whether it has lasted long enough.
func (c *calm) look(bytes int64) bool {
	if max(bytes-c.from, c.from-bytes)*100 >= c.from {
		*c = calm{from: bytes}
		return false
	}
	c.looks++
	return c.looks >= calmSteps
}

func memoryTable(rows []MemoryRow) Table {
	t := Table{Header: []string{"system", "keys", "value bytes", "bytes/key", "without the empty process", "settled"}}
	for _, r := range rows {
		t.Rows = append(t.Rows, []string{
			r.System, strconv.Itoa(r.Keys), strconv.Itoa(r.ValueSize), fmt.Sprintf("%.1f", r.PerKey), fmt.Sprintf("%.1f", r.Added), yes(r.Settled),
		})
	}
	return t
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
