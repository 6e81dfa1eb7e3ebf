package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	kindEcho Kind = 100 + iota
	kindFail
	kindWait
	kindSum
	kindDeny
	kindLength
	kindNone
)

// testNode is a node with handlers for tests.
type testNode struct {
	*Node
	// entered gets a token when a kindWait handler starts; it returns when proceed gives one or its context ends.
	entered, proceed chan struct{}
}

func listen(t *testing.T, id topology.NodeID, change ...func(*Options)) *testNode {
	t.Helper()
	return listenTaking(t, id, kindNone, nil, change...)
}

// listenTaking is listen with a taker for one kind of call, unless it is nil.
func listenTaking(t *testing.T, id topology.NodeID, kind Kind, taker Taker, change ...func(*Options)) *testNode {
	t.Helper()
	o := Options{Self: id, Cluster: "c1", Secret: "s3cret", Logger: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&o)
	}
	n, err := Listen("127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	tn := &testNode{Node: n, entered: make(chan struct{}, 100), proceed: make(chan struct{}, 100)}
	n.Handle(kindEcho, func(_ context.Context, from topology.NodeID, g slot.GroupID, p []byte) ([]byte, error) {
		return fmt.Appendf(nil, "%s/%d/%s", from, g, p), nil
	})
	n.Handle(kindLength, func(_ context.Context, _ topology.NodeID, _ slot.GroupID, p []byte) ([]byte, error) {
		return fmt.Append(nil, len(p)), nil
	})
	n.Handle(kindFail, func(context.Context, topology.NodeID, slot.GroupID, []byte) ([]byte, error) {
		return nil, errors.New("no such thing")
	})
	n.Handle(kindWait, func(ctx context.Context, _ topology.NodeID, _ slot.GroupID, p []byte) ([]byte, error) {
		tn.entered <- struct{}{}
		select {
		case <-tn.proceed:
			return p, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	n.HandleStream(kindSum, func(_ context.Context, from topology.NodeID, g slot.GroupID, header []byte, size int64, body io.Reader) ([]byte, error) {
		k, err := io.Copy(io.Discard, body)
		return fmt.Appendf(nil, "%s/%d/%s/%d/%d", from, g, header, size, k), err
	})
	n.HandleStream(kindDeny, func(context.Context, topology.NodeID, slot.GroupID, []byte, int64, io.Reader) ([]byte, error) {
		return nil, errors.New("not now")
	})
	if taker != nil {
		n.Take(kind, taker)
	}
	n.Serve()
	t.Cleanup(func() { n.Close() })
	return tn
}

// pair is two nodes, the first of which knows the second's address.
func pair(t *testing.T, change ...func(*Options)) (a, b *testNode) {
	a, b = listen(t, "a", change...), listen(t, "b", change...)
	a.SetAddr("b", b.Addr())
	return a, b
}

// connOf is the connection that a uses for its calls to a node.
func connOf(a *testNode, id topology.NodeID) *conn {
	return a.link(id).live.Load()
}

// long is for calls that succeed, on a machine that may be very busy.
func long(t *testing.T) context.Context { return within(t, time.Minute) }

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestCallReachesHandler(t *testing.T) {
	a, _ := pair(t)
	got, err := a.Call(long(t), "b", kindEcho, 7, []byte("hello"))
	if err != nil || string(got) != "a/7/hello" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestCallBackUsesAddressFromHandshake(t *testing.T) {
	a, b := pair(t)
	if _, err := a.Call(long(t), "b", kindEcho, 0, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Call(long(t), "a", kindEcho, 1, []byte("x")); err != nil || string(got) != "b/1/x" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestCallToSelf(t *testing.T) {
	a := listen(t, "a")
	if got, err := a.Call(long(t), "a", kindEcho, 2, []byte("me")); err != nil || string(got) != "a/2/me" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestCallAddrSaysWhoAnswered(t *testing.T) {
	a, b := listen(t, "a"), listen(t, "b")
	for _, want := range []*testNode{b, b, a} { // new, adopted, itself
		who, got, err := a.CallAddr(long(t), want.Addr(), kindEcho, 3, []byte("x"))
		if err != nil || who != want.Self() || string(got) != "a/3/x" {
			t.Fatalf("got %q from %q, %v", got, who, err)
		}
	}
	if connOf(a, "b") == nil {
		t.Error("the connection was not kept")
	}
}

func TestOutcomesAreTold(t *testing.T) {
	a, b := pair(t)
	gone := listen(t, "gone")
	a.SetAddr("gone", gone.Addr())
	gone.Close()
	a.SetAddr("c", b.Addr())

	for name, c := range map[string]struct {
		to   topology.NodeID
		kind Kind
		size int
		want error
		text string
	}{
		"the node's address is not known": {"nobody", kindEcho, 0, ErrNotSent, "no address of node nobody"},
		"nothing listens there":           {"gone", kindEcho, 0, ErrNotSent, "refused"},
		"another node answers there":      {"c", kindEcho, 0, ErrNotSent, "this is node b, not node c"},
		"no handler":                      {"b", kindNone, 0, ErrNotSent, "no handler for kind"},
		"the payload is too big":          {"b", kindEcho, DefaultMaxFrame + 1, ErrNotSent, "over the limit"},
		"the handler fails":               {"b", kindFail, 0, nil, "node b: no such thing"},
		"the deadline passes":             {"b", kindWait, 0, ErrNoAnswer, "deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			patience := 30 * time.Second
			if c.want == ErrNoAnswer {
				patience = 300 * time.Millisecond
			}
			_, called := a.Call(within(t, patience), c.to, c.kind, 0, make([]byte, c.size))
			_, asked := a.Ask(nil, patience, c.to, c.kind, 0, make([]byte, c.size), nil)
			for _, err := range []error{called, asked} {
				if err == nil || !strings.Contains(err.Error(), c.text) {
					t.Fatalf("error %v does not say %q", err, c.text)
				}
				for _, outcome := range []error{ErrNotSent, ErrNoAnswer} {
					if errors.Is(err, outcome) != (outcome == c.want) {
						t.Errorf("error %q is %q: %v", err, outcome, !errors.Is(err, outcome))
					}
				}
				if re := new(RemoteError); errors.As(err, &re) != (c.want == nil) {
					t.Errorf("error %q is a RemoteError: %v", err, c.want != nil)
				}
			}
		})
	}
}

func TestAskAppendsTheAnswer(t *testing.T) {
	a, _ := pair(t)
	buf := append(make([]byte, 0, 64), "answer: "...)
	for i := range 3 {
		got, err := a.Ask(nil, time.Minute, "b", kindEcho, 7, fmt.Append(nil, i), buf)
		if want := fmt.Sprintf("answer: a/7/%d", i); err != nil || string(got) != want || &got[0] != &buf[0] {
			t.Fatalf("got %q, %v, in the room given: %v", got, err, &got[0] == &buf[0])
		}
	}
}

func TestAskEndsWhenStopped(t *testing.T) {
	a, b := pair(t)
	gone := listen(t, "gone")
	a.SetAddr("gone", gone.Addr())
	gone.Close()
	for to, want := range map[topology.NodeID]error{"b": ErrNoAnswer, "gone": ErrNotSent} {
		stop, failed := make(chan struct{}), make(chan error)
		go func() {
			for { // a node that is gone refuses at first; the back-off then is what waits
				_, err := a.Ask(stop, time.Hour, to, kindWait, 0, nil, nil)
				if err == nil || errors.Is(err, errStopped) {
					failed <- err
					return
				}
			}
		}()
		if to == "b" {
			<-b.entered
		}
		close(stop)
		if err := <-failed; !errors.Is(err, want) {
			t.Errorf("stopped while node %s was asked: %v, want %v", to, err, want)
		}
	}
	b.proceed <- struct{}{}
	if got, err := a.Ask(nil, time.Minute, "b", kindEcho, 0, nil, nil); err != nil || string(got) != "a/0/" {
		t.Errorf("after that: %q, %v", got, err)
	}
}

// Each call has its own deadline, although one timer serves all, and an answer that comes late reaches nobody else.
func TestDeadlinesOfManyCalls(t *testing.T) {
	a, b := pair(t)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			timeout := time.Minute
			if i%2 == 0 {
				timeout = time.Duration(40-i) * 5 * time.Millisecond
			}
			got, err := a.Ask(nil, timeout, "b", kindWait, 0, fmt.Append(nil, i), nil)
			switch {
			case i%2 == 0 && (!errors.Is(err, ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded)):
				t.Errorf("call %d was to expire: %q, %v", i, got, err)
			case i%2 == 1 && (err != nil || string(got) != fmt.Sprint(i)):
				t.Errorf("call %d got %q, %v", i, got, err)
			}
		})
	}
	for range 40 {
		<-b.entered
	}
	for a.Stats().Unanswered < 20 {
		time.Sleep(time.Millisecond)
	}
	for range 40 {
		b.proceed <- struct{}{}
	}
	wg.Wait()
}

// A taker decides about each request, and may answer it from anywhere.
func TestTaker(t *testing.T) {
	queue := make(chan Request, 1)
	b := listenTaking(t, "b", kindEcho, func(q Request) bool {
		if q.Group != 1 {
			return false
		}
		queue <- q
		return true
	})
	go func() {
		for {
			select {
			case q := <-queue:
				if string(q.Payload) == "bad" {
					q.Fail(errors.New("as you wish"))
				} else {
					q.Reply(fmt.Appendf(nil, "taken from %s: %s", q.From, q.Payload))
				}
			case <-t.Context().Done():
				return
			}
		}
	}()
	a := listen(t, "a")
	a.SetAddr("b", b.Addr())
	for _, c := range []struct {
		group slot.GroupID
		send  string
		want  string
	}{{1, "x", "taken from a: x"}, {2, "x", "a/2/x"}, {1, "bad", "node b: as you wish"}, {1, "y", "taken from a: y"}} {
		got, err := a.Call(long(t), "b", kindEcho, c.group, []byte(c.send))
		if err != nil {
			got = []byte(err.Error())
		}
		if string(got) != c.want {
			t.Errorf("%q to group %d: %q, want %q", c.send, c.group, got, c.want)
		}
	}
}

func TestTakenRequestsCount(t *testing.T) {
	kept := make(chan Request, 2)
	b := listenTaking(t, "b", kindEcho, func(q Request) bool {
		kept <- q
		return true
	}, func(o *Options) { o.MaxInFlight = 1 })
	a := listen(t, "a")
	a.SetAddr("b", b.Addr())
	if _, err := a.Ask(nil, 100*time.Millisecond, "b", kindEcho, 1, []byte("never answered"), nil); !errors.Is(err, ErrNoAnswer) {
		t.Fatalf("error %v", err)
	}
	if _, err := a.Ask(nil, time.Minute, "b", kindEcho, 1, nil, nil); !errors.Is(err, ErrNotSent) {
		t.Errorf("one too many: %v", err)
	}
	q := <-kept
	q.Reply(nil)
	if _, err := a.Ask(nil, 100*time.Millisecond, "b", kindEcho, 1, nil, nil); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("after the answer: %v", err)
	}
}

func TestSlowHandlerDelaysNobody(t *testing.T) {
	a, b := pair(t)
	slow := make(chan error)
	go func() {
		_, err := a.Call(long(t), "b", kindWait, 1, nil)
		slow <- err
	}()
	<-b.entered
	for range 100 {
		if _, err := a.Call(long(t), "b", kindEcho, 2, nil); err != nil {
			t.Fatal(err)
		}
	}
	b.proceed <- struct{}{}
	if err := <-slow; err != nil {
		t.Error(err)
	}
}

func TestManyCallsShareOneConnection(t *testing.T) {
	a, b := pair(t)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range 100 {
				want := fmt.Sprintf("a/%d/%d", i, j)
				got, err := a.Call(long(t), "b", kindEcho, slot.GroupID(i), fmt.Append(nil, j))
				if err != nil || string(got) != want {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
	if s := a.Stats(); s.Dials != 1 || s.Calls != 6400 || s.Flushes > s.Calls {
		t.Errorf("stats %+v", s)
	}
	if s := b.Stats(); s.Accepted != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestLargePayloads(t *testing.T) {
	a, _ := pair(t)
	p := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	got, err := a.Call(within(t, time.Minute), "b", kindEcho, 1, p)
	if err != nil || !bytes.Equal(got[len("a/1/"):], p) {
		t.Fatalf("%d bytes came back, %v", len(got), err)
	}
}

func TestTooManyRequestsAreRefused(t *testing.T) {
	a, b := pair(t, func(o *Options) { o.MaxInFlight = 2 })
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { a.Call(long(t), "b", kindWait, 0, nil) })
		<-b.entered
	}
	if _, err := a.Call(long(t), "b", kindEcho, 0, nil); !errors.Is(err, ErrNotSent) {
		t.Errorf("error %v, want ErrNotSent", err)
	}
	b.proceed <- struct{}{}
	b.proceed <- struct{}{}
	wg.Wait()
	if s := b.Stats(); s.Overloads != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestReconnectsAfterRestart(t *testing.T) {
	a, b := pair(t)
	if _, err := a.Call(long(t), "b", kindEcho, 0, nil); err != nil {
		t.Fatal(err)
	}
	b.Close()
	b2 := listen(t, "b") // on another port
	a.SetAddr("b", b2.Addr())
	ctx := within(t, 30*time.Second)
	for {
		_, err := a.Call(ctx, "b", kindEcho, 0, nil)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	if addr, _ := a.AddrOf("b"); addr != b2.Addr() {
		t.Errorf("the book says %s, the node is at %s", addr, b2.Addr())
	}
}

func TestStaleAddressFromMapDoesNotHideTheRightOne(t *testing.T) {
	a, b := pair(t)
	if _, err := a.Call(long(t), "b", kindEcho, 0, nil); err != nil {
		t.Fatal(err)
	}
	gone := listen(t, "x")
	gone.Close()
	a.SetAddr("b", gone.Addr())
	connOf(a, "b").fail(errors.New("for the test"))
	ctx := within(t, 30*time.Second)
	for {
		if _, err := a.Call(ctx, "b", kindEcho, 0, nil); err == nil {
			break
		} else if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	if addr, _ := a.AddrOf("b"); addr != b.Addr() {
		t.Errorf("the book prefers %s, the node is at %s", addr, b.Addr())
	}
}

func TestCloseEndsCallsInFlight(t *testing.T) {
	a, b := pair(t)
	failed := make(chan error)
	go func() {
		_, err := a.Call(long(t), "b", kindWait, 0, nil)
		failed <- err
	}()
	<-b.entered
	a.Close()
	if err := <-failed; !errors.Is(err, ErrNoAnswer) || !errors.Is(err, ErrClosed) {
		t.Errorf("error %v, want ErrNoAnswer and ErrClosed", err)
	}
	if _, err := a.Call(long(t), "b", kindEcho, 0, nil); !errors.Is(err, ErrNotSent) || !errors.Is(err, ErrClosed) {
		t.Errorf("error %v, want ErrNotSent and ErrClosed", err)
	}
}
