package memnet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/peer"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

var _ raftnet.Link = (*memnet.Node)(nil)

const kind peer.Kind = 1

func pair(w *memnet.Network) (a, b *memnet.Node) {
	a, b = w.Node("a"), w.Node("b")
	b.Handle(kind, func(_ context.Context, from topology.NodeID, g slot.GroupID, p []byte) ([]byte, error) {
		if string(p) == "fail" {
			return nil, errors.New("as you wish")
		}
		return fmt.Appendf(nil, "%s/%d/%s", from, g, p), nil
	})
	b.HandleStream(kind, func(_ context.Context, _ topology.NodeID, _ slot.GroupID, header []byte, size int64, body io.Reader) ([]byte, error) {
		k, err := io.Copy(io.Discard, body)
		return fmt.Appendf(nil, "%s/%d/%d", header, size, k), err
	})
	return a, b
}

// TestOutcomes checks that the network keeps peer's contract.
func TestOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*memnet.Network, *memnet.Node)
		send  string
		want  error // nil: an answer
		took  time.Duration
	}{
		"a perfect link":    {func(*memnet.Network, *memnet.Node) {}, "x", nil, 0},
		"the handler fails": {func(*memnet.Network, *memnet.Node) {}, "fail", &peer.RemoteError{}, 0},
		"a slow link":       {func(w *memnet.Network, _ *memnet.Node) { w.SetDelay(always(time.Second)) }, "x", nil, 2 * time.Second},
		"a link that is too slow": {func(w *memnet.Network, _ *memnet.Node) { w.SetDelay(always(6 * time.Second)) }, "x",
			peer.ErrNoAnswer, peer.DefaultCallTimeout},
		"the way there is cut": {func(w *memnet.Network, _ *memnet.Node) { w.Cut("a", "b") }, "x", peer.ErrNoAnswer, peer.DefaultCallTimeout},
		"the way back is cut":  {func(w *memnet.Network, _ *memnet.Node) { w.Cut("b", "a") }, "x", peer.ErrNoAnswer, peer.DefaultCallTimeout},
		"the node is alone":    {func(w *memnet.Network, _ *memnet.Node) { w.Isolate("b") }, "x", peer.ErrNoAnswer, peer.DefaultCallTimeout},
		"the node is gone":     {func(_ *memnet.Network, b *memnet.Node) { b.Close() }, "x", peer.ErrNotSent, 0},
		"healed":               {func(w *memnet.Network, _ *memnet.Node) { w.Isolate("b"); w.Cut("a", "b"); w.HealAll() }, "x", nil, 0},
		"the tap drops replies": {func(w *memnet.Network, _ *memnet.Node) {
			w.SetTap(func(_ context.Context, m memnet.Message) bool { return !m.Reply })
		}, "x", peer.ErrNoAnswer, peer.DefaultCallTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := memnet.New()
				a, b := pair(w)
				defer a.Close()
				defer b.Close()
				c.spoil(w, b)
				start := time.Now()
				got, err := a.Call(t.Context(), "b", kind, 7, []byte(c.send))
				var remote *peer.RemoteError
				switch {
				case c.want == nil && (err != nil || string(got) != "a/7/x"):
					t.Errorf("got %q, %v", got, err)
				case errors.As(c.want, &remote) && !errors.As(err, &remote):
					t.Errorf("error %v, want a RemoteError", err)
				case c.want != nil && !errors.As(c.want, &remote) && !errors.Is(err, c.want):
					t.Errorf("error %v, want %v", err, c.want)
				}
				if took := time.Since(start); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
			})
		})
	}
}

// Ask keeps the contract too: stop ends it, the answer is appended, and a taker comes before the handler.
func TestAskAndTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := memnet.New()
		a, b := pair(w)
		defer a.Close()
		defer b.Close()
		kept := make(chan peer.Request, 2)
		b.Take(kind, func(q peer.Request) bool {
			switch string(q.Payload) {
			case "take":
				q.Reply(fmt.Appendf(nil, "taken from %s", q.From))
			case "take and fail":
				q.Fail(errors.New("failed"))
			case "take and keep":
				kept <- q
			default:
				return false
			}
			return true
		})
		for send, want := range map[string]string{"x": "+a/7/x", "take": "+taken from a", "take and fail": "+", "take and keep": "+"} {
			got, err := a.Ask(nil, time.Second, "b", kind, 7, []byte(send), []byte("+"))
			if string(got) != want || (err == nil) != (len(want) > 1) {
				t.Errorf("%q: %q, %v, want %q", send, got, err, want)
			}
		}
		late := <-kept
		late.Reply(nil) // too late for anybody
		stop := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(stop) })
		start := time.Now()
		if _, err := a.Ask(stop, time.Hour, "b", kind, 7, []byte("take and keep"), nil); !errors.Is(err, peer.ErrNoAnswer) || time.Since(start) != time.Second {
			t.Errorf("stopped: %v after %v", err, time.Since(start))
		}
	})
}

func always(d time.Duration) func(_, _ topology.NodeID) time.Duration {
	return func(_, _ topology.NodeID) time.Duration { return d }
}

func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := memnet.New()
		a, b := pair(w)
		defer a.Close()
		defer b.Close()
		body := make([]byte, 200_000)
		if got, err := a.Stream(t.Context(), "b", kind, 1, []byte("h"), 200_000, bytes.NewReader(body)); err != nil || string(got) != "h/200000/200000" {
			t.Errorf("got %q, %v", got, err)
		}
		if got, err := a.Stream(t.Context(), "b", kind, 1, nil, 200_001, bytes.NewReader(body)); err == nil {
			t.Errorf("a short source was taken for whole: %q", got)
		}
		if _, err := a.Stream(t.Context(), "c", kind, 1, nil, 1, bytes.NewReader(body)); !errors.Is(err, peer.ErrNotSent) {
			t.Errorf("error %v, want ErrNotSent", err)
		}
		cutting := io.MultiReader(bytes.NewReader(body), readerFunc(func(p []byte) (int, error) { w.Cut("a", "b"); return len(p), nil }))
		if _, err := a.Stream(t.Context(), "b", kind, 1, nil, 1<<20, cutting); err == nil {
			t.Error("a stream over a cut link arrived")
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestNodeComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := memnet.New()
		a, b := pair(w)
		defer a.Close()
		b.Close()
		again := w.Node("b")
		defer again.Close()
		again.Handle(kind, func(context.Context, topology.NodeID, slot.GroupID, []byte) ([]byte, error) {
			return []byte("new"), nil
		})
		if got, err := a.Call(t.Context(), "b", kind, 0, nil); err != nil || string(got) != "new" {
			t.Errorf("got %q, %v", got, err)
		}
		if _, err := b.Call(t.Context(), "a", kind, 0, nil); !errors.Is(err, peer.ErrNotSent) {
			t.Errorf("the closed node's call: %v", err)
		}
	})
}

// A call has a deadline, a stream has none: as with peer, its caller hears of it when the connection turns out to be lost.
func TestLostStreamsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for lost, tap := range map[string]func(memnet.Message) bool{
			"the header": func(m memnet.Message) bool { return m.Part || m.Reply },
			"a part":     func(m memnet.Message) bool { return !m.Part },
			"the reply":  func(m memnet.Message) bool { return !m.Reply },
		} {
			w := memnet.New()
			a, b := pair(w)
			w.SetTap(func(_ context.Context, m memnet.Message) bool { return tap(m) })
			began := time.Now()
			_, err := a.Stream(t.Context(), "b", kind, 1, []byte("h"), 10, bytes.NewReader(make([]byte, 10)))
			if err == nil || time.Since(began) > 2*peer.DefaultCallTimeout {
				t.Errorf("%s is lost: %v after %v", lost, err, time.Since(began))
			}
			a.Close()
			b.Close()
		}
	})
}
