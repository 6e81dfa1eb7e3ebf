package load

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// shards of the running interval's histogram: enough that connections rarely meet at a lock, few enough that ten
// thousand connections don't need a gigabyte of histograms.
const shards = 16

// recorder collects what the workers of one measurement see, cut into intervals.
type recorder struct {
	measuring atomic.Bool
	shard     [shards]struct {
		mu      sync.Mutex
		latency *hdrhistogram.Histogram
		// longest is of all that was answered, refusals too.
		longest time.Duration
	}
	ops, errors, redirects, gets, misses atomic.Int64
	firstErr                             atomic.Pointer[string]
	// open is what an open loop knows about the machine, and what is left open at the end.
	open struct {
		sync.Mutex
		late, undisturbed *hdrhistogram.Histogram
		still             time.Duration
		watched           int
		// ended is when the measurement did, and unanswered counts operations that were due by then. Until the result, underWay are the
		// pipelines of a closed loop that may have been.
		ended      time.Time
		unanswered int64
		underWay   []underWay
		// lost count what is overdue of connections that broke.
		lost []func()
	}

	plan Plan
	// cpuTime is what the servers have used.
	cpuTime func() (time.Duration, error)

	// What follows belongs to the measuring goroutine. Others may read start once they know that it measures, or has ended.
	start     time.Time
	total     *hdrhistogram.Histogram
	intervals []Interval
	// part is for one interval's latencies, and empty for a shard to go on with while its own are taken from it.
	part, empty *hdrhistogram.Histogram
	cut         snapshot // at the end of the last interval
	first       snapshot // at the start
	last        snapshot // at the end
	billed      snapshot // the last whose CPU time could be read
}

// snapshot holds counters at one time.
type snapshot struct {
	at          time.Duration
	ops, errors int64
	cpu         time.Duration
}

func newRecorder(p Plan) *recorder {
	r := &recorder{plan: p, cpuTime: func() (time.Duration, error) { return CPUTime(p.Pids) }}
	for _, h := range []**hdrhistogram.Histogram{&r.total, &r.part, &r.empty, &r.open.late, &r.open.undisturbed} {
		*h = newHistogram(p)
	}
	for i := range r.shard {
		r.shard[i].latency = newHistogram(p)
	}
	return r
}

// seen is what one worker saw of one pipeline.
type seen struct {
	gets, misses, written, refused, redirects int64
	// waited are those of the refused that the server had worked on: it gave up, or does not know whether they are done.
	waited int64
}

// timed reports whether the pipeline's latency is one of what was asked for. A refusal takes less time than that.
func (s seen) timed() bool { return s.refused == s.waited }

// record counts a pipeline of n operations that took d, and reports whether it did: what runs outside of the measurement isn't counted.
func (r *recorder) record(worker, n int, d time.Duration, s seen) bool {
	if !r.measuring.Load() {
		return false
	}
	r.ops.Add(int64(n) - s.refused)
	if s.gets > 0 {
		r.gets.Add(s.gets)
	}
	if s.misses > 0 {
		r.misses.Add(s.misses)
	}
	if s.refused > 0 {
		r.errors.Add(s.refused)
		r.redirects.Add(s.redirects)
	}
	shard := &r.shard[worker%shards]
	shard.mu.Lock()
	shard.longest = max(shard.longest, d)
	if s.timed() {
		add(shard.latency, d)
	}
	shard.mu.Unlock()
	return true
}

// took counts n times a latency of what was not answered.
func (r *recorder) took(worker int, d time.Duration, n int64) {
	shard := &r.shard[worker%shards]
	shard.mu.Lock()
	addTimes(shard.latency, d, n)
	shard.mu.Unlock()
}

// sent counts how late the generator was with a pipeline that no reply held up.
func (r *recorder) sent(late time.Duration) { r.observe(func() { add(r.open.late, late) }) }

// watches says on how many processors standstills are noticed.
func (r *recorder) watches(processors int) {
	r.open.Lock()
	r.open.watched = processors
	r.open.Unlock()
}

// undisturbed counts a pipeline again, during which the processor did not stand still.
func (r *recorder) undisturbed(d time.Duration) { r.observe(func() { add(r.open.undisturbed, d) }) }

// stoodStill counts a time for which a processor did nothing.
func (r *recorder) stoodStill(d time.Duration) { r.observe(func() { r.open.still += d }) }

// observe lets note change r.open, while the measurement runs.
func (r *recorder) observe(note func()) {
	if !r.measuring.Load() {
		return
	}
	r.open.Lock()
	note()
	r.open.Unlock()
}

// add counts a duration.
func add(h *hdrhistogram.Histogram, d time.Duration) { addTimes(h, d, 1) }

// addTimes counts a duration n times, or the longest that h tells apart, so that it is within the range and this can't fail.
func addTimes(h *hdrhistogram.Histogram, d time.Duration, n int64) {
	_ = h.RecordValues(min(d.Microseconds(), h.HighestTrackableValue()), n)
}

// broke counts a connection that ended, in the measurement or before.
func (r *recorder) broke(text string) {
	r.errors.Add(1)
	r.note(text)
}

// note keeps the first error.
func (r *recorder) note(text string) { r.firstErr.CompareAndSwap(nil, &text) }

// snapshot is of t. CPU time comes last, as it takes the longest to read.
func (r *recorder) snapshot(t time.Time) (s snapshot, err error) {
	s = snapshot{at: t.Sub(r.start), ops: r.ops.Load(), errors: r.errors.Load()}
	s.cpu, err = r.cpuTime()
	if err != nil {
		s.cpu = r.billed.cpu
		return s, err
	}
	r.billed = s
	return s, nil
}

// begin starts the measurement. What is before start is not counted, so CPU time comes first.
func (r *recorder) begin() error {
	cpu, err := r.cpuTime()
	if err != nil {
		return err
	}
	r.first = snapshot{errors: r.errors.Load(), cpu: cpu}
	r.cut, r.billed = r.first, r.first
	r.start = time.Now()
	r.measuring.Store(true)
	return nil
}

// endInterval cuts off an interval.
func (r *recorder) endInterval() error {
	now, err := r.snapshot(time.Now())
	if err == nil {
		r.cutAt(now)
	}
	return err
}

// cutAt ends an interval. Pipelines that finish meanwhile may count for its neighbour's latencies. It takes little time:
// the servers share the machine, and whatever is held up here shows in their latencies.
func (r *recorder) cutAt(now snapshot) {
	r.part.Reset()
	for i := range r.shard {
		s := &r.shard[i]
		s.mu.Lock()
		full := s.latency
		if full.TotalCount() > 0 {
			s.latency = r.empty
		}
		s.mu.Unlock()
		if full != s.latency { // only this goroutine exchanges them
			r.part.Merge(full)
			full.Reset()
			r.empty = full
		}
	}
	r.total.Merge(r.part)
	v := Interval{End: now.at, Ops: now.ops - r.cut.ops, Errors: now.errors - r.cut.errors, Latency: latencyOf(r.part)}
	if d := (now.at - r.cut.at).Seconds(); d > 0 {
		v.OpsPerSec, v.CPUs = float64(v.Ops)/d, (now.cpu-r.cut.cpu).Seconds()/d
	}
	r.intervals, r.cut = append(r.intervals, v), now
}

func (r *recorder) progress() Progress {
	p := Progress{Elapsed: time.Since(r.start), Total: r.plan.Duration, Ops: r.ops.Load(), Errors: r.errors.Load()}
	if n := len(r.intervals); n > 0 {
		last := r.intervals[n-1]
		p.Last = &last
	}
	return p
}

// end stops counting. With an error, CPU times are those of the last reading before.
func (r *recorder) end() (err error) {
	r.open.Lock()
	r.open.ended = time.Now()
	r.measuring.Store(false) // after that, so that whoever is not measured any more finds it over
	lost := r.open.lost
	r.open.Unlock()
	r.last, err = r.snapshot(r.open.ended)
	for _, count := range lost {
		count()
	}
	return err
}

// result cuts the last interval off and sums up, once all connections have ended.
func (r *recorder) result() Result {
	r.countUnderWay()
	r.cutAt(r.last)
	res := Result{
		Ops: r.cut.ops, Errors: r.cut.errors, Redirects: r.redirects.Load(), Gets: r.gets.Load(), Misses: r.misses.Load(),
		Elapsed: r.cut.at, Mean: r.total.Mean(), Latency: latencyOf(r.total), Percentiles: curveOf(r.total), Intervals: r.intervals,
	}
	r.open.Lock()
	res.Unanswered = r.open.unanswered
	res.Late, res.Undisturbed, res.StoodStill = latencyOf(r.open.late), latencyOf(r.open.undisturbed), r.open.still/time.Duration(max(1, r.open.watched))
	if all := r.total.TotalCount(); all > 0 && r.open.watched > 0 {
		res.Disturbed = max(0, 1-float64(r.open.undisturbed.TotalCount())/float64(all))
	}
	r.open.Unlock()
	if s := res.Elapsed.Seconds(); s > 0 {
		res.OpsPerSec = float64(res.Ops) / s
	}
	if r.billed.ops > 0 {
		res.CPUPerOp = float64((r.billed.cpu - r.first.cpu).Microseconds()) / float64(r.billed.ops)
	}
	if e := r.firstErr.Load(); e != nil {
		res.FirstError = *e
	}
	return res
}
