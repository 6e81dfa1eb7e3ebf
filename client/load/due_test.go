package load

import (
	"context"
	"net"
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
	plan := smallPlan(stallingServer(t))
	plan.Clients = 5
	checkOverdue(t, plan)
}

// stallingServer answers the first 20 commands.
func stallingServer(t *testing.T) string {
	var asked atomic.Int64
	return lineServer(t, func(addr, cmd string) string {
		if strings.HasPrefix(cmd, "CLUSTER") {
			return slotsReply(addr)
		}
		if asked.Add(1) > 20 {
			<-t.Context().Done()
		}
		return "+OK\r\n"
	})
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

// TestWhoCannotSendIsNotWaitedFor: a server that reads nothing leaves the pipelines half sent.
func TestWhoCannotSendIsNotWaitedFor(t *testing.T) {
	plan := smallPlan(commandServer(t, func(nc net.Conn, addr, cmd string) bool {
		if strings.HasPrefix(cmd, "CLUSTER") {
			_, err := nc.Write([]byte(slotsReply(addr)))
			return err == nil
		}
		<-t.Context().Done()
		return false
	}))
	plan.ValueSize = 16 << 20 // more than sockets hold
	began := time.Now()
	if r, err := Run(t.Context(), plan); err != nil || time.Since(began) > ioTimeout/2 {
		t.Errorf("%d errors, %v, after %v", r.Errors, err, time.Since(began))
	}
}

// hurriedConn tells of the deadlines that it gets.
type hurriedConn struct {
	net.Conn
	deadlines chan time.Time
}

func (h hurriedConn) SetDeadline(t time.Time) error {
	h.deadlines <- t
	return nil
}

// TestWhoWasAboutToSendIsHurriedToo: sending sets a deadline of its own, so that of the end must be set once more.
func TestWhoWasAboutToSendIsHurriedToo(t *testing.T) {
	nc := hurriedConn{deadlines: make(chan time.Time, 100)}
	ended, end := context.WithCancel(t.Context())
	end()
	done, returned := make(chan struct{}), make(chan struct{})
	go func() {
		hurry(ended, []*worker{{conn: &conn{nc: nc}}}, done)
		close(returned)
	}()
	<-nc.deadlines
	select {
	case again := <-nc.deadlines:
		if left := time.Until(again); left > 0 {
			t.Errorf("the second time, %v are left", left)
		}
	case <-time.After(10 * lastWait):
		t.Error("there is only one deadline")
	}
	close(done)
	<-returned
}

// checkUnderWay: each connection of a closed loop had a pipeline under way when the measurement ended, most of which it had waited.
func checkUnderWay(t *testing.T, plan Plan) {
	t.Helper()
	plan.Duration = 500 * time.Millisecond
	began := time.Now()
	r, err := Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > ioTimeout {
		t.Errorf("it waited %v for replies that count no more", took)
	}
	if r.Ops > 20 || r.Unanswered != int64(plan.Clients*plan.Pipeline) || r.Errors != 0 {
		t.Errorf("%d operations, %d unanswered, %d errors %s", r.Ops, r.Unanswered, r.Errors, r.FirstError)
	}
	if last := r.Intervals[len(r.Intervals)-1]; r.Max < r.Elapsed.Microseconds()/2 || r.Max > r.Elapsed.Microseconds()*1001/1000 || last.Max != r.Max {
		t.Errorf("the longest wait was %d µs, in the last interval %d, by the end at %v", r.Max, last.Max, r.Elapsed)
	}
}

// TestAStallAtTheEndOfAClosedLoopShows, though nothing is due behind it; also one that began before the measurement.
func TestAStallAtTheEndOfAClosedLoopShows(t *testing.T) {
	for _, warmup := range []time.Duration{0, 200 * time.Millisecond} {
		plan := smallPlan(stallingServer(t))
		plan.Clients, plan.Warmup = 5, warmup
		checkUnderWay(t, plan)
		var asked atomic.Int64
		plan.Pipeline = 1
		plan.Open = func(context.Context, int) (Store, error) { return stalledStore{&asked}, nil }
		checkUnderWay(t, plan)
	}
}

// pace is how long a pacedStore takes.
const pace = 20 * time.Millisecond

type pacedStore struct{}

func (s pacedStore) Get(ctx context.Context, _ []byte) (bool, error) {
	return true, s.Set(ctx, nil, nil)
}

func (pacedStore) Set(ctx context.Context, _, _ []byte) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pace):
		return nil
	}
}

func (pacedStore) Close() error { return nil }

// interruptedStore answers nothing, and counts what it is interrupted in while r measures.
type interruptedStore struct {
	r     *recorder
	early *atomic.Int64
}

func (s interruptedStore) Get(ctx context.Context, _ []byte) (bool, error) {
	return false, s.Set(ctx, nil, nil)
}

func (s interruptedStore) Set(ctx context.Context, _, _ []byte) error {
	<-ctx.Done()
	if !s.r.over() {
		s.early.Add(1)
	}
	return ctx.Err()
}

func (interruptedStore) Close() error { return nil }

// TestAnInterruptionEndsTheMeasurementFirst: else what it interrupts counts as not answered, though it would have been as ever.
func TestAnInterruptionEndsTheMeasurementFirst(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	plan := smallPlan("")
	plan.Pipeline, plan.Duration = 1, time.Hour
	plan.Progress = func(Progress) {
		interrupt()
		time.Sleep(50 * time.Millisecond) // for whoever might notice it before this goroutine, which ends the measurement
	}
	s := &shared{plan: plan, rec: newRecorder(plan), keys: map[string]*keyspace{"": {present: []uint32{1}}}}
	var early atomic.Int64
	s.plan.Open = func(context.Context, int) (Store, error) { return interruptedStore{s.rec, &early}, nil }
	workers, err := s.connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := s.measure(ctx, workers); !r.Interrupted || early.Load() > 0 {
		t.Errorf("%d interrupted before the end, %v", early.Load(), err)
	}
}

// TestABrokenPipelineHasItsTime: a connection that breaks in a stall has waited, too.
func TestABrokenPipelineHasItsTime(t *testing.T) {
	const stall = time.Second
	var asked atomic.Int64
	addr := lineServer(t, func(addr, cmd string) string {
		switch {
		case strings.HasPrefix(cmd, "CLUSTER"):
			return slotsReply(addr)
		case asked.Add(1) <= 20:
			return "+OK\r\n"
		}
		time.Sleep(stall)
		return ""
	})
	plan := smallPlan(addr)
	plan.Interval, plan.Duration = stall/2, 2*stall
	r, err := Run(t.Context(), plan)
	if err != nil || r.Errors != int64(plan.Clients) || r.Unanswered != int64(plan.Clients*plan.Pipeline) || r.Max < stall.Microseconds()/2 {
		t.Errorf("%d errors, %d unanswered, the longest wait was %d µs, %v", r.Errors, r.Unanswered, r.Max, err)
	}
	if last := r.Intervals[len(r.Intervals)-1]; last.Max != 0 {
		t.Errorf("after all connections have broken, one has waited for %d µs", last.Max)
	}
}

// TestWhatIsUnderWayAsUsualIsNoStall: at the end of every closed loop, each connection has a pipeline under way.
func TestWhatIsUnderWayAsUsualIsNoStall(t *testing.T) {
	r := newRecorder(Plan{Pipeline: 4})
	if err := r.begin(); err != nil {
		t.Fatal(err)
	}
	r.record(3, 4, 5*time.Millisecond, seen{})
	r.record(3, 4, 10*time.Millisecond, seen{refused: 4}) // none of the latencies
	r.took(1, time.Second, 1)                             // this one broke
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	r.start = r.open.ended.Add(-time.Minute)
	for _, waited := range []time.Duration{-time.Millisecond, 0, 9 * time.Millisecond, 11 * time.Millisecond} {
		r.cutOff(2, r.open.ended.Add(-waited))
	}
	if res := r.result(); res.Unanswered != 4 || r.total.TotalCount() != 3 {
		t.Errorf("%d unanswered, %d latencies: want the one of 11 ms", res.Unanswered, r.total.TotalCount())
	}
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
