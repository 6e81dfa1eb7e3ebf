package peer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

func TestStreamArrivesWhole(t *testing.T) {
	a, b := pair(t)
	for _, size := range []int{0, 1, chunkSize, chunkSize + 1, 10 << 20} {
		body := bytes.NewReader(make([]byte, size+5)) // more than announced
		got, err := a.Stream(t.Context(), "b", kindSum, 3, []byte("head"), int64(size), body)
		if want := "a/3/head/" + itoa(size) + "/" + itoa(size); err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if s := b.Stats(); s.StreamBytesIn != 10<<20+2*chunkSize+2 {
		t.Errorf("stats %+v", s)
	}
}

func TestStreamRefusals(t *testing.T) {
	a, _ := pair(t, func(o *Options) { o.MaxStream = 1 << 30 })
	endless := func() io.Reader { return neverEnding{} }
	for name, c := range map[string]struct {
		to   topology.NodeID
		kind Kind
		size int64
		body io.Reader
		want error
		text string
	}{
		"no handler":                    {"b", kindNone, 1 << 30, endless(), ErrNotSent, "no handler for streams"},
		"the handler refuses":           {"b", kindDeny, 1 << 30, endless(), nil, "not now"},
		"the source is short":           {"b", kindSum, 100, strings.NewReader("short"), ErrNoAnswer, "shorter than announced"},
		"the size is over the limit":    {"b", kindSum, 1<<30 + 1, endless(), ErrNotSent, "over the limit"},
		"the node's address is unknown": {"c", kindSum, 1, endless(), ErrNotSent, "no address"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.Stream(long(t), c.to, c.kind, 0, nil, c.size, c.body)
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("error %v does not say %q", err, c.text)
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error %v is not %v", err, c.want)
			}
		})
	}
}

// A receiver that takes longer than the timeout is held to be alive as long as its process is.
func TestStreamWaitsForBusyReceiver(t *testing.T) {
	const timeout = 600 * time.Millisecond
	a := listen(t, "a", func(o *Options) { o.CallTimeout = timeout })
	b, err := Listen("127.0.0.1:0", Options{Self: "b", Secret: "s3cret", CallTimeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	b.HandleStream(kindSum, func(_ context.Context, _ topology.NodeID, _ slot.GroupID, _ []byte, _ int64, body io.Reader) ([]byte, error) {
		time.Sleep(2 * timeout) // a slow disk; the point is that real time passes
		k, err := io.Copy(io.Discard, body)
		time.Sleep(2 * timeout)
		return []byte(itoa(int(k))), err
	})
	b.Serve()
	a.SetAddr("b", b.Addr())
	got, err := a.Stream(t.Context(), "b", kindSum, 0, nil, 32<<20, neverEnding{})
	if err != nil || string(got) != itoa(32<<20) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestStreamEndsWithItsContext(t *testing.T) {
	a, b := pair(t)
	received := make(chan error, 1)
	b.streams[kindSum] = func(_ context.Context, _ topology.NodeID, _ slot.GroupID, _ []byte, _ int64, body io.Reader) ([]byte, error) {
		_, err := io.Copy(io.Discard, body)
		received <- err
		return nil, err
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := a.Stream(ctx, "b", kindSum, 0, nil, 1<<30, io.MultiReader(io.LimitReader(neverEnding{}, 1<<20), cancelling(cancel)))
	if !errors.Is(err, ErrNoAnswer) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want ErrNoAnswer and the context's", err)
	}
	if err := <-received; err == nil {
		t.Error("the receiver took the broken stream for a whole one")
	}
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return len(p), nil }

// cancelling cancels when it is read, and goes on.
type cancelling context.CancelFunc

func (c cancelling) Read(p []byte) (int, error) { c(); return len(p), nil }
