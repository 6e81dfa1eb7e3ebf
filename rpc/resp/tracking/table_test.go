package tracking

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// listener is a client that writes down what it is told; "*" is everything.
type listener struct {
	Client
	mu    sync.Mutex
	heard []string
}

func listen() *listener {
	l := &listener{}
	l.Deliver = func(key []byte) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if key == nil {
			l.heard = append(l.heard, "*")
			return
		}
		l.heard = append(l.heard, string(key))
	}
	return l
}

func (l *listener) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(l.heard, want) {
		t.Errorf("heard %q, want %q", l.heard, want)
	}
}

func TestToldOncePerTrack(t *testing.T) {
	tab, a, b := New(0), listen(), listen()
	tab.Track(&a.Client, []byte("k"))
	tab.Track(&a.Client, []byte("k"))
	tab.Track(&b.Client, []byte("k"))
	tab.Track(&b.Client, []byte("other"))
	tab.Changed([]byte("k"), 0)
	tab.Changed([]byte("k"), 0)
	a.expect(t, "k")
	b.expect(t, "k")
	if tab.Keys() != 1 || tab.Items() != 1 {
		t.Errorf("keys %d items %d, want 1 and 1", tab.Keys(), tab.Items())
	}
}

// TestIgnoredOrigin: who ignores its own changes hears of others', also after one of its own.
func TestIgnoredOrigin(t *testing.T) {
	tab, own, other, all := New(0), listen(), listen(), listen()
	own.Ignore(7)
	all.Ignore(7)
	tab.Track(&own.Client, []byte("k"))
	tab.Track(&other.Client, []byte("k"))
	tab.Broadcast(&all.Client, []string{""})
	tab.Changed([]byte("k"), 7)
	own.expect(t)
	all.expect(t)
	other.expect(t, "k")
	if tab.Keys() != 1 || tab.Items() != 1 {
		t.Errorf("keys %d items %d, want 1 and 1", tab.Keys(), tab.Items())
	}
	tab.Changed([]byte("k"), 8)
	own.expect(t, "k")
	all.expect(t, "k")
	other.expect(t, "k")
	tab.Track(&own.Client, []byte("k"))
	tab.Changed([]byte("k"), 0)
	own.expect(t, "k", "k")
	own.Ignore(0)
	tab.Track(&own.Client, []byte("k"))
	tab.Changed([]byte("k"), 7)
	own.expect(t, "k", "k", "k")
	if tab.Keys() != 0 {
		t.Errorf("%d keys are left", tab.Keys())
	}
}

func TestBroadcastByPrefix(t *testing.T) {
	tab, user, all := New(0), listen(), listen()
	tab.Broadcast(&user.Client, []string{"user:", "u2:"})
	tab.Broadcast(&all.Client, []string{""})
	for _, k := range []string{"user:1", "user:1", "item:1", "u2:x"} {
		tab.Changed([]byte(k), 0)
	}
	user.expect(t, "user:1", "user:1", "u2:x")
	all.expect(t, "user:1", "user:1", "item:1", "u2:x")
	tab.Silence(&user.Client, []string{"user:", "u2:"})
	tab.Changed([]byte("user:2"), 0)
	user.expect(t, "user:1", "user:1", "u2:x")
	if tab.Prefixes() != 1 {
		t.Errorf("%d prefixes are left, want 1", tab.Prefixes())
	}
}

func TestAllChanged(t *testing.T) {
	tab, a, b, idle := New(0), listen(), listen(), listen()
	tab.Track(&a.Client, []byte("x"))
	tab.Track(&a.Client, []byte("y"))
	tab.Broadcast(&b.Client, []string{"p"})
	tab.AllChanged()
	a.expect(t, "*")
	b.expect(t, "*")
	idle.expect(t)
	if tab.Keys() != 0 {
		t.Errorf("%d keys are left", tab.Keys())
	}
}

func TestBoundedByForgetting(t *testing.T) {
	tab, a := New(10), listen()
	tracked := map[string]bool{}
	for i := range 1000 {
		k := fmt.Sprint("key", i)
		tracked[k] = true
		tab.Track(&a.Client, []byte(k))
		if tab.Keys() > 10 {
			t.Fatalf("%d keys, the limit is 10", tab.Keys())
		}
	}
	for _, k := range a.heard {
		if !tracked[k] {
			t.Errorf("told of %q, which was not tracked or told twice", k)
		}
		delete(tracked, k)
	}
	if len(tracked) != 10 {
		t.Errorf("%d keys are neither tracked nor told of", len(tracked)-10)
	}
}

func TestGoneClientsDoNotPileUp(t *testing.T) {
	tab := New(0)
	for range 10000 {
		c := listen()
		tab.Track(&c.Client, []byte("hot"))
		c.Gone()
	}
	if n := tab.Items(); n > 64 {
		t.Errorf("%d dead clients are kept for one key", n)
	}
}

func TestNothingLostBetweenTrackAndChange(t *testing.T) {
	tab := New(4)
	var wg sync.WaitGroup
	listeners := make([]*listener, 8)
	for i := range listeners {
		listeners[i] = listen()
		wg.Go(func() {
			for n := range 2000 {
				tab.Track(&listeners[i].Client, fmt.Append(nil, "k", n%7))
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for n := range 2000 {
				tab.Changed(fmt.Append(nil, "k", n%7), 0)
			}
		})
	}
	wg.Wait()
	for i := range 7 {
		tab.Changed(fmt.Append(nil, "k", i), 0)
	}
	if tab.Keys() != 0 || tab.Items() != 0 {
		t.Errorf("keys %d, items %d after every key changed", tab.Keys(), tab.Items())
	}
}

func BenchmarkChangedUntracked(b *testing.B) {
	tab := New(0)
	key := []byte("key:000000000001")
	b.ReportAllocs()
	for b.Loop() {
		tab.Changed(key, 0)
	}
}
