package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// runsFile is where a farm keeps its runs, one per line.
const runsFile = "runs.jsonl"

// Farm works through seeds, each in a process of its own.
type Farm struct {
	Command Command
	// Build names the executable that Command starts; it is kept with each run.
	Build string
	// First and Last are the seeds; Time ends the work when so much was simulated, 0 never.
	First, Last uint64
	Time        time.Duration
	// Jobs is how many processes run at once.
	Jobs    int
	Options Options
	// Dir takes runs.jsonl and a folder per violation; "" keeps nothing.
	Dir string
	// Stop ends the work at the first violation, AsFound leaves violations as they were found: no smaller run is looked for.
	Stop, AsFound bool
	// Twice runs each seed again and compares what happened.
	Twice bool
	// Progress is called after each run, from one goroutine at a time.
	Progress func(Summary, Report)
	// Shrunk is called for each violation with the smallest job found that still shows it.
	Shrunk func(Report, Job)

	mu      sync.Mutex
	next    uint64
	summary *Summary
	file    *os.File
	err     error
}

// Run returns when the work is done, or ctx ends.
func (f *Farm) Run(ctx context.Context) (Summary, error) {
	f.next, f.summary = f.First, newSummary()
	if f.Dir != "" {
		if err := os.MkdirAll(f.Dir, 0o755); err != nil {
			return *f.summary, err
		}
		var err error
		f.file, err = os.OpenFile(filepath.Join(f.Dir, runsFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return *f.summary, err
		}
		defer f.file.Close()
	}
	var wg sync.WaitGroup
	for range max(1, f.Jobs) {
		wg.Go(func() {
			for seed, ok := f.take(ctx); ok; seed, ok = f.take(ctx) {
				f.one(Job{Seed: seed, Options: f.Options})
			}
		})
	}
	wg.Wait()
	return *f.summary, f.err
}

// take gives the next seed, if there is more to do.
func (f *Farm) take(ctx context.Context) (seed uint64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil || f.err != nil || f.next > f.Last || f.Time > 0 && f.summary.Simulated >= f.Time || f.Stop && f.summary.Violated > 0 {
		return 0, false
	}
	f.next++
	return f.next - 1, true
}

func (f *Farm) one(job Job) {
	r, err := f.Command.Simulate(job, nil)
	r.Build = f.Build
	f.note(r, err)
	if err == nil && f.Twice {
		f.repeat(job, r)
	}
	if err != nil || r.OK() {
		return
	}
	small, report := job, r
	if !f.AsFound {
		small, report = f.Command.Shrink(job, r)
	}
	if f.Dir != "" {
		err = f.keep(job, r, small)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = errors.Join(f.err, err)
	if f.Shrunk != nil {
		f.Shrunk(report, small)
	}
}

// repeat runs a job again, which should do the same.
func (f *Farm) repeat(job Job, first Report) {
	again, err := f.Command.Simulate(job, nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = errors.Join(f.err, err)
	f.summary.Repeated++
	if again.Trace == first.Trace {
		f.summary.Same++
	}
}

// note takes a run down.
func (f *Farm) note(r Report, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.err = errors.Join(f.err, err)
		return
	}
	f.summary.add(r)
	if f.file != nil {
		kept := r
		kept.History = ""
		f.err = errors.Join(f.err, json.NewEncoder(f.file).Encode(kept))
	}
	if f.Progress != nil {
		f.Progress(*f.summary, r)
	}
}

// keep writes a violation's report, the clients' history and the trace of the smallest job that shows it.
func (f *Farm) keep(job Job, r Report, small Job) (err error) {
	dir := filepath.Join(f.Dir, fmt.Sprintf("seed-%d", job.Seed))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	history := r.History
	r.History = ""
	if err := os.WriteFile(filepath.Join(dir, "history.jsonl"), []byte(history), 0o644); err != nil {
		return err
	}
	for name, v := range map[string]any{"report.json": r, "smallest.json": small} {
		b, err := json.MarshalIndent(v, "", "  ")
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), append(b, '\n'), 0o644)
		}
		if err != nil {
			return err
		}
	}
	trace, err := os.Create(filepath.Join(dir, "trace.txt"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, trace.Close()) }()
	small.Trace = true
	again, err := f.Command.Simulate(small, trace)
	if err == nil {
		_, err = io.WriteString(trace, again.String()+"\n")
	}
	return err
}

// Find works through seeds until the first violation and returns how many histories that took, and the one that shows it;
// 0 if none of most did.
func (c Command) Find(first uint64, most int, o Options) (histories int, found Report, err error) {
	for i := range most {
		r, err := c.Simulate(Job{Seed: first + uint64(i), Options: o}, nil)
		if err != nil {
			return 0, r, err
		}
		if !r.OK() {
			return i + 1, r, nil
		}
	}
	return 0, Report{}, nil
}
