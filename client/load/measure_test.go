package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// smallPlan is a measurement of a moment.
func smallPlan(addr string) Plan {
	return Plan{Seeds: []string{addr}, Clients: 3, Pipeline: 2, Keys: 100, KeySize: 16, ValueSize: 8, Duration: 150 * time.Millisecond}
}

// storedKeys is a server that remembers keys.
func storedKeys(t *testing.T) string {
	var mu sync.Mutex
	keys := map[string]bool{}
	return lineServer(t, func(addr, cmd string) string {
		mu.Lock()
		defer mu.Unlock()
		f := strings.Fields(cmd)
		switch f[0] {
		case "CLUSTER":
			return slotsReply(addr)
		case "SET":
			keys[f[1]] = true
			return "+OK\r\n"
		}
		if keys[f[1]] {
			return "$1\r\nv\r\n"
		}
		return "$-1\r\n"
	})
}

func TestAbsentKeysAreTheOnlyMisses(t *testing.T) {
	plan := smallPlan(storedKeys(t))
	if err := Fill(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		absent, reads float64
		all, none     bool
	}{
		"every read hits":       {0, 1, false, true},
		"every read misses":     {1, 1, true, false},
		"some reads miss":       {0.5, 1, false, false},
		"writes are no misses":  {1, 0, true, true},
		"mixed with all misses": {1, 0.5, true, false},
	} {
		plan.Absent, plan.Reads = c.absent, c.reads
		r, err := Run(t.Context(), plan)
		if err != nil || r.Ops == 0 || r.Errors > 0 {
			t.Fatalf("%s: got %+v, %v", name, r, err)
		}
		if (r.Misses == 0) != c.none || (r.Misses == r.Gets) != c.all {
			t.Errorf("%s: %d of %d GETs missed", name, r.Misses, r.Gets)
		}
	}
}

// TestAbsentKeysAreAbsentWhereMoreWereFilled: a key space that was larger before has keys beyond the one that is asked for.
func TestAbsentKeysAreAbsentWhereMoreWereFilled(t *testing.T) {
	plan := smallPlan(storedKeys(t))
	large := plan
	large.Keys = plan.Keys + minAbsent
	if err := Fill(t.Context(), large); err != nil {
		t.Fatal(err)
	}
	plan.Absent, plan.Reads = 1, 1
	if r, err := Run(t.Context(), plan); err != nil || r.Gets == 0 || r.Misses != r.Gets {
		t.Errorf("%d of %d GETs missed, %v", r.Misses, r.Gets, err)
	}
}

func TestIntervalsAddUp(t *testing.T) {
	plan := smallPlan(storedKeys(t))
	plan.Interval, plan.Pids = 40*time.Millisecond, []int{os.Getpid()}
	r, err := Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	var ops, slowest int64
	var end time.Duration
	for _, v := range r.Intervals {
		if v.End <= end {
			t.Errorf("interval ends at %v after one at %v", v.End, end)
		}
		ops, slowest, end = ops+v.Ops, max(slowest, v.Max), v.End
	}
	if len(r.Intervals) < 2 || ops != r.Ops || slowest != r.Max || end != r.Elapsed {
		t.Fatalf("intervals %+v do not make up %+v", r.Intervals, r)
	}
	last := r.Percentiles[len(r.Percentiles)-1]
	if last.Percent != 100 || last.Micros != r.Max {
		t.Errorf("the curve ends at %+v, the slowest took %d µs", last, r.Max)
	}
}

func TestWaitEndsPipelinesThatWrite(t *testing.T) {
	for name, c := range map[string]struct {
		reply  string
		reads  float64
		errors bool
	}{
		"enough replicas":   {":2\r\n", 0, false},
		"too few replicas":  {":0\r\n", 0, true},
		"WAIT is refused":   {"-ERR no\r\n", 0, true},
		"reads do not wait": {":0\r\n", 1, false},
	} {
		addr := lineServer(t, func(addr, cmd string) string {
			switch verb, _, _ := strings.Cut(cmd, " "); verb {
			case "CLUSTER":
				return slotsReply(addr)
			case "WAIT":
				return c.reply
			default:
				return "+OK\r\n"
			}
		})
		plan := smallPlan(addr)
		plan.WaitReplicas, plan.Reads = 1, c.reads
		r, err := Run(t.Context(), plan)
		if (err != nil) != c.errors || (r.Errors > 0) != c.errors || strings.Contains(r.FirstError, "WAIT") != c.errors {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if r.Ops < 0 || (r.Ops > 0) == c.errors {
			t.Errorf("%s: %d operations, %d errors", name, r.Ops, r.Errors)
		}
		if r.P50 == 0 { // it was waited for, in vain or not
			t.Errorf("%s: no latency", name)
		}
	}
}

// TestRefusalsAreNoLatencies: who is sent away has not waited for an answer, unless the server has tried.
func TestRefusalsAreNoLatencies(t *testing.T) {
	for text, timed := range map[string]bool{"+OK": true, "-MOVED 1 127.0.0.1:1": false, "-OOM command not allowed": false, "-UNCERTAIN it may or may not": true, "-CLUSTERDOWN no leader": true} {
		for _, rate := range []float64{0, 100} {
			err := measureAnswers(t, text, timed, rate)
			for tries := 1; err != nil && tries < 5; tries++ { // a busy machine may run nobody for as long as it takes
				err = measureAnswers(t, text, timed, rate)
			}
			if err != nil {
				t.Errorf("%s, rate %v: %v", text, rate, err)
			}
		}
	}
}

// measureAnswers is an error if what always answers text was measured in another way than it should be. A closed loop's first answer takes
// so long that what is under way at the end can hardly have waited longer.
func measureAnswers(t *testing.T, text string, timed bool, rate float64) error {
	var asked atomic.Int64
	plan := smallPlan(lineServer(t, func(addr, cmd string) string {
		switch {
		case strings.HasPrefix(cmd, "CLUSTER"):
			return slotsReply(addr)
		case rate == 0 && asked.Add(1) == 1:
			time.Sleep(200 * time.Millisecond)
		}
		return text + "\r\n"
	}))
	plan.Rate, plan.Duration = rate, 2*plan.Duration
	r, err := Run(t.Context(), plan)
	switch {
	case (err != nil) != (r.Ops == 0) || r.Ops+r.Errors == 0:
		return fmt.Errorf("%d operations, %d errors, %w", r.Ops, r.Errors, err)
	case rate == 0 && r.Unanswered > 0:
		return fmt.Errorf("%d unanswered", r.Unanswered)
	case (r.Max > 0) != timed && r.Unanswered == 0:
		return fmt.Errorf("the longest took %d µs", r.Max)
	}
	return nil
}

// TestWhatABrokenConnectionOwesIsCounted: a server that hangs up at the first command leaves all unanswered that was due since.
func TestWhatABrokenConnectionOwesIsCounted(t *testing.T) {
	addr := lineServer(t, func(addr, cmd string) string {
		if strings.HasPrefix(cmd, "CLUSTER") {
			return slotsReply(addr)
		}
		return ""
	})
	plan := smallPlan(addr)
	plan.Rate, plan.Duration = 100, 600*time.Millisecond // each connection a pipeline of 2 every 60 ms
	r, err := Run(t.Context(), plan)
	if want := int64(plan.Clients * plan.Pipeline * 8); err == nil || r.Unanswered < want || r.Errors == 0 {
		t.Errorf("%d unanswered, want %d at least; %d errors, %v", r.Unanswered, want, r.Errors, err)
	}
}

// TestOneFailedWaitFailsThePipelinesWrites, and none of its reads.
func TestOneFailedWaitFailsThePipelinesWrites(t *testing.T) {
	w := &worker{s: &shared{rec: newRecorder(Plan{})}}
	for replies, want := range map[string]seen{
		"+OK\r\n+OK\r\n$-1\r\n:1\r\n":          {gets: 1, misses: 1, written: 2},
		"+OK\r\n+OK\r\n$-1\r\n:0\r\n":          {gets: 1, misses: 1, written: 2, refused: 2, waited: 2},
		"-OOM no\r\n+OK\r\n$-1\r\n-ERR no\r\n": {gets: 1, misses: 1, written: 1, refused: 2, waited: 1},
	} {
		w.conn = &conn{r: bufio.NewReader(strings.NewReader(replies))}
		if got, err := w.receive(3, 1, 1); err != nil || got != want {
			t.Errorf("%q: got %+v, %v", replies, got, err)
		}
	}
}

// mapStore is a Store in memory.
type mapStore struct {
	mu   *sync.Mutex
	keys map[string]bool
	err  error
	// fails is how many GETs fail first.
	fails int
}

func (m *mapStore) Get(_ context.Context, key []byte) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails > 0 {
		m.fails--
		return false, errors.New("once")
	}
	return m.keys[string(key)], m.err
}

func (m *mapStore) Set(_ context.Context, key, _ []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys[string(key)] = true
	return m.err
}

func (m *mapStore) Close() error { return nil }

func TestStoresAreMeasuredLikeClusters(t *testing.T) {
	m := &mapStore{mu: new(sync.Mutex), keys: map[string]bool{}}
	plan := smallPlan("")
	plan.Open = func(context.Context, int) (Store, error) { return m, nil }
	if _, err := Run(t.Context(), plan); err == nil {
		t.Error("a pipeline on a store is no error")
	}
	plan.Pipeline, plan.Reads = 1, 1
	if err := Fill(t.Context(), plan); err != nil || len(m.keys) != plan.Keys {
		t.Fatalf("filled %d of %d keys, %v", len(m.keys), plan.Keys, err)
	}
	r, err := Run(t.Context(), plan)
	if err != nil || r.Ops == 0 || r.Misses > 0 || r.Errors > 0 {
		t.Fatalf("got %+v, %v", r, err)
	}
	// One that fails now and then is not left by its clients.
	plan.Clients, plan.Warmup, m.fails = 1, 0, 3
	if r, err = Run(t.Context(), plan); err != nil || r.Errors != 3 || r.Ops == 0 || r.Misses > 0 || r.FirstError != ": once" {
		t.Fatalf("after three errors: %+v, %v", r, err)
	}
	m.err = errors.New("broken")
	r, err = Run(t.Context(), plan)
	if err == nil || r.Errors == 0 || !strings.Contains(r.FirstError, "broken") {
		t.Fatalf("got %+v, %v", r, err)
	}
}

// failingStore tries for a while, in vain.
type failingStore struct{ pacedStore }

func (s failingStore) Get(ctx context.Context, key []byte) (bool, error) {
	return false, s.Set(ctx, key, nil)
}

func (s failingStore) Set(ctx context.Context, key, value []byte) error {
	return errors.Join(s.pacedStore.Set(ctx, key, value), errors.New("in vain"))
}

// TestWhatAStoreTriedInVainTookItsTime.
func TestWhatAStoreTriedInVainTookItsTime(t *testing.T) {
	plan := smallPlan("")
	plan.Pipeline, plan.Duration, plan.Open = 1, 500*time.Millisecond, func(context.Context, int) (Store, error) { return failingStore{}, nil }
	if r, err := Run(t.Context(), plan); err == nil || r.Errors == 0 || r.P50 < pace.Microseconds()*9/10 {
		t.Errorf("%d errors, p50 %d µs, %v", r.Errors, r.P50, err)
	}
}

func TestMissingServerProcessIsAnError(t *testing.T) {
	plan := smallPlan(storedKeys(t))
	plan.Pids = []int{1 << 30}
	if _, err := Run(t.Context(), plan); err == nil {
		t.Fatal("no error for a process that isn't there")
	}
	if _, err := ResidentBytes(plan.Pids); err == nil {
		t.Fatal("memory of a process that isn't there")
	}
	if b, err := ResidentBytes([]int{os.Getpid()}); err != nil || b[0] < 1<<20 {
		t.Fatalf("this process has %d bytes, %v", b, err)
	}
}
