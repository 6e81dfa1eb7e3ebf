package load

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// checkOverdue: of 100 operations that were due in a second, at most 20 were answered before the server stood still for good.
func checkOverdue(t *testing.T, plan Plan) {
	t.Helper()
	plan.Duration, plan.Rate = time.Second, 100
	r, err := Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	if r.Ops > 20 || r.Unanswered < 70 || r.Errors != 0 {
		t.Errorf("%d operations, %d unanswered, %d errors %s", r.Ops, r.Unanswered, r.Errors, r.FirstError)
	}
	if r.P50 < 100_000 || r.Max > r.Elapsed.Microseconds()*11/10 {
		t.Errorf("half of all waited for up to %d µs, and one for %d, by the end at %v", r.P50, r.Max, r.Elapsed)
	}
	if last := r.Intervals[len(r.Intervals)-1]; last.Max != r.Max {
		t.Errorf("the last interval %+v lacks the longest wait of %d µs", last, r.Max)
	}
}

// TestAStallAtTheEndShows: a pipeline that is never answered has a latency all the same, and so have those that were due behind it.
func TestAStallAtTheEndShows(t *testing.T) {
	var asked atomic.Int64
	addr := lineServer(t, func(addr, cmd string) string {
		if strings.HasPrefix(cmd, "CLUSTER") {
			return slotsReply(addr)
		}
		if asked.Add(1) > 20 {
			<-t.Context().Done()
		}
		return "+OK\r\n"
	})
	plan := smallPlan(addr)
	plan.Clients = 5
	checkOverdue(t, plan)
}

// stalledStore answers the first 20 operations, of all its connections.
type stalledStore struct{ asked *atomic.Int64 }

func (s stalledStore) Get(ctx context.Context, _ []byte) (bool, error) {
	return true, s.Set(ctx, nil, nil)
}

func (s stalledStore) Set(ctx context.Context, _, _ []byte) error {
	if s.asked.Add(1) > 20 {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (s stalledStore) Close() error { return nil }

func TestAStallAtTheEndShowsOnStores(t *testing.T) {
	var asked atomic.Int64
	plan := smallPlan("")
	plan.Clients, plan.Pipeline = 5, 1
	plan.Open = func(context.Context, int) (Store, error) { return stalledStore{&asked}, nil }
	checkOverdue(t, plan)
}

// TestWhatNobodyCouldAnswerIsCounted: the more is asked for, the more is due, and it takes no longer to count.
func TestWhatNobodyCouldAnswerIsCounted(t *testing.T) {
	const seconds = 10
	for name, rate := range map[string]float64{"a pipeline": 1.0 / seconds, "some": 100, "many": 1e6, "as many as there are": 1e9} {
		r := newRecorder(Plan{Clients: 1, Pipeline: 1, Rate: rate})
		r.open.ended = time.Now()
		r.overdue(3, r.open.ended.Add(-seconds*time.Second), true)
		r.overdue(3, r.open.ended, true)
		if want := int64(rate * seconds); r.open.unanswered != want || r.shard[3].latency.TotalCount() != want || r.open.undisturbed.TotalCount() != want {
			t.Errorf("%s: %d unanswered, %d latencies, %d undisturbed, want %d", name, r.open.unanswered, r.shard[3].latency.TotalCount(), r.open.undisturbed.TotalCount(), want)
		}
		if r.shard[3].latency.Max() < seconds*1e6 || rate > 1 && r.shard[3].latency.ValueAtQuantile(50) > seconds*1e6*0.51 {
			t.Errorf("%s: %+v", name, latencyOf(r.shard[3].latency))
		}
	}
	r := newRecorder(Plan{Clients: 1, Pipeline: 1, Rate: 1})
	if r.overdue(0, time.Now().Add(-time.Hour), true); r.open.unanswered != 0 {
		t.Errorf("%d were due by the end of what has not ended", r.open.unanswered)
	}
}
