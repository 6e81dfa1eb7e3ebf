package counter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/sleep"
)

// Options describe the workload.
type Options struct {
	// Seeds are client addresses of the cluster.
	Seeds []string
	// Keys is the number of counters; key i is "<prefix>:<i>", spread over the slots. They must not exist yet.
	Keys   int
	Prefix string
	// Writers and Readers are connections; every key belongs to one writer.
	Writers, Readers int
	// Timeout bounds one command; the outcome of a command that times out is unknown.
	Timeout time.Duration
}

// Counter is what is known about one key.
type Counter struct {
	Key string
	// acked is the highest value that a writer was told.
	acked atomic.Int64
	// proposed counts INCRs that were sent and acknowledged or whose outcome is unknown: the value can't be higher.
	proposed atomic.Int64
	// lastAck is when the newest acknowledgement arrived, lastSent when its command was sent (Unix ns).
	lastAck, lastSent atomic.Int64
}

// Workload runs until its context ends.
type Workload struct {
	opts     Options
	counters []*Counter
	wg       sync.WaitGroup

	Acked, Refused, Unknown, Reads atomic.Int64
	// Failed counts the commands, reads too, that were answered with an error or not at all. Those that could not be sent
	// do not count: a client may send them again.
	Failed atomic.Int64

	mu         sync.Mutex
	violations []string
	failures   []string
	longest    map[string]time.Duration
}

// Start begins to write and read; it ends with ctx. Call Wait before Check.
func Start(ctx context.Context, o Options) *Workload {
	w := &Workload{opts: o, longest: map[string]time.Duration{}}
	for i := range o.Keys {
		c := &Counter{Key: o.Prefix + ":" + strconv.Itoa(i)}
		c.lastAck.Store(time.Now().UnixNano())
		w.counters = append(w.counters, c)
	}
	for i := range o.Writers {
		w.wg.Go(func() { w.write(ctx, i) })
	}
	for i := range o.Readers {
		w.wg.Go(func() { w.read(ctx, i) })
	}
	return w
}

// Wait returns when all connections have ended.
func (w *Workload) Wait() { w.wg.Wait() }

func (w *Workload) client() *client.Cluster {
	return client.NewCluster(w.opts.Seeds, client.Options{Timeout: w.opts.Timeout})
}

func (w *Workload) write(ctx context.Context, first int) {
	cl := w.client()
	defer cl.Close()
	for ctx.Err() == nil {
		for i := first; i < len(w.counters) && ctx.Err() == nil; i += w.opts.Writers {
			if !w.increment(ctx, cl, w.counters[i]) {
				sleep.For(ctx, 2*time.Millisecond)
			}
		}
	}
}

// increment sends one INCR and records its outcome; it reports whether it was acknowledged.
func (w *Workload) increment(ctx context.Context, cl *client.Cluster, c *Counter) bool {
	// Counted before it is sent: once sent it may be applied whatever we hear.
	c.proposed.Add(1)
	sent := time.Now()
	v, err := cl.Do(ctx, c.Key, "INCR", c.Key)
	w.noteFailure(ctx, err)
	switch client.OutcomeOf(err) {
	case client.NotApplied:
		c.proposed.Add(-1)
		w.Refused.Add(1)
		return false
	case client.Unknown:
		w.Unknown.Add(1)
		return false
	}
	w.Acked.Add(1)
	w.noteAck(c, sent)
	if before := c.acked.Load(); v.Int <= before {
		w.violate("%s: INCR gave %d after %d was acknowledged: a write was lost", c.Key, v.Int, before)
	}
	if limit := c.proposed.Load(); v.Int > limit {
		w.violate("%s: INCR gave %d after %d were sent: a write was applied twice", c.Key, v.Int, limit)
	}
	c.acked.Store(max(c.acked.Load(), v.Int))
	return true
}

func (w *Workload) noteAck(c *Counter, sent time.Time) {
	now := time.Now().UnixNano()
	gap := time.Duration(now - c.lastAck.Swap(now))
	c.lastSent.Store(sent.UnixNano())
	w.mu.Lock()
	w.longest[c.Key] = max(w.longest[c.Key], gap)
	w.mu.Unlock()
}

func (w *Workload) read(ctx context.Context, reader int) {
	cl := w.client()
	defer cl.Close()
	for i := reader; ctx.Err() == nil; i++ {
		c := w.counters[i%len(w.counters)]
		floor := c.acked.Load()
		v, err := cl.Do(ctx, c.Key, "GET", c.Key)
		w.noteFailure(ctx, err)
		if err != nil {
			sleep.For(ctx, 2*time.Millisecond)
			continue
		}
		w.Reads.Add(1)
		if got := number(v); got < floor {
			w.violate("%s: GET gave %d after %d was acknowledged: a stale read", c.Key, got, floor)
		}
	}
}

// noteFailure records an error reply and a reply that did not come, unless the run is over.
func (w *Workload) noteFailure(ctx context.Context, err error) {
	var notSent *client.NotSentError
	if err == nil || ctx.Err() != nil || errors.As(err, &notSent) {
		return
	}
	w.Failed.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.failures) < maxViolations {
		w.failures = append(w.failures, time.Now().Format("15:04:05.000 ")+err.Error())
	}
}

// Failures are the first of those that Failed counts.
func (w *Workload) Failures() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.failures)
}

// number is the value of a GET reply; no key counts as 0.
func number(v client.Value) int64 {
	if v.Null {
		return 0
	}
	n, err := strconv.ParseInt(v.Str, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// maxViolations bounds what is kept: one is enough to fail, a few help to understand.
const maxViolations = 20

func (w *Workload) violate(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.violations) < maxViolations {
		w.violations = append(w.violations, fmt.Sprintf(format, args...))
	}
}

// Violations are those seen until now, by clients alone unless Check has run.
func (w *Workload) Violations() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.violations)
}

// Check reads every counter once more and returns all violations seen, with an error too. The cluster must be healthy again.
func (w *Workload) Check(ctx context.Context) ([]string, error) {
	cl := w.client()
	defer cl.Close()
	for _, c := range w.counters {
		v, err := cl.Do(ctx, c.Key, "GET", c.Key)
		if err != nil {
			return w.Violations(), fmt.Errorf("final read of %s: %w", c.Key, err)
		}
		got, acked, proposed := number(v), c.acked.Load(), c.proposed.Load()
		if got < acked {
			w.violate("%s: is %d at the end, %d was acknowledged: %d writes were lost", c.Key, got, acked, acked-got)
		}
		if got > proposed {
			w.violate("%s: is %d at the end, only %d were sent: writes were applied twice", c.Key, got, proposed)
		}
	}
	return w.Violations(), nil
}

// NextAck waits for the first acknowledgement, on any of keys, of a command sent after since, and returns how long
// after since it came.
func (w *Workload) NextAck(ctx context.Context, since time.Time, keys map[string]bool) (time.Duration, error) {
	for {
		for _, c := range w.counters {
			if keys[c.Key] && c.lastSent.Load() > since.UnixNano() {
				return time.Duration(c.lastAck.Load() - since.UnixNano()), nil
			}
		}
		if ctx.Err() != nil {
			return 0, fmt.Errorf("no write was acknowledged since %s: %w", since.Format(time.TimeOnly), ctx.Err())
		}
		sleep.For(ctx, time.Millisecond)
	}
}

// Keys are the names of all counters.
func (w *Workload) Keys() (out []string) {
	for _, c := range w.counters {
		out = append(out, c.Key)
	}
	return out
}

// LongestGap is the longest time between two acknowledgements of one key.
func (w *Workload) LongestGap() (longest time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.longest {
		longest = max(longest, d)
	}
	return longest
}
