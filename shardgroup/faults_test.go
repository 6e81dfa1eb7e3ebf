package shardgroup

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/shardgroup/consensus"
	"github.com/quorate/quorate/shardgroup/consensus/snapfile"
)

// counting counts up a key at whichever replica leads, and knows what was acknowledged.
type counting struct {
	key            string
	acked, unknown int
	// newest is the highest count an acknowledged reply showed: later ones must be higher.
	newest int
}

func (k *counting) step(t *testing.T, c *cluster) {
	for _, n := range c.nodes {
		if n.Group == nil {
			continue
		}
		call := n.submit("INCR "+k.key, "GET "+k.key)
		var elsewhere *NotLeaderError
		switch {
		case errors.As(call.Err, &elsewhere), errors.Is(call.Err, ErrNoLeader):
			continue
		case errors.Is(call.Err, ErrUnknown):
			k.unknown++
			return
		case call.Err != nil:
			t.Errorf("%s: %v", k.key, call.Err)
			return
		}
		count, err := strconv.Atoi(strings.TrimPrefix(strings.Fields(call.replies())[0], ":"))
		if err != nil || count <= k.newest || !strings.HasSuffix(call.replies(), fmt.Sprintf(" %d ", count)) {
			t.Errorf("%s: reply %q after count %d", k.key, call.replies(), k.newest)
		}
		k.newest, k.acked = count, k.acked+1
		return
	}
}

func TestCountersSurviveLeaderLoss(t *testing.T) {
	for name, loss := range map[string]func(c *cluster, l *node) (undo func()){
		"isolated": func(c *cluster, l *node) func() { l.isolate(); return c.heal },
		"killed":   func(c *cluster, l *node) func() { l.close(); return l.open },
		"transferred": func(c *cluster, l *node) func() {
			_ = l.Transfer(c.t.Context(), c.others(l)[0].id) // a refusal is as good: writes go on
			return func() {}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newCluster(t, func(_ *node, cfg *Config) { cfg.Limits.Park = 200 * time.Millisecond })
				c.leader()
				var stop atomic.Bool
				var wg sync.WaitGroup
				counters := make([]*counting, 10)
				// kill closes groups; the writers must not be in the middle of a call to one. A mutex would not do: while somebody
				// waits for one, virtual time stands still, and to close a group may take some.
				steps := make(chan struct{}, len(counters))
				alone := func(do func()) {
					for range counters {
						steps <- struct{}{}
					}
					do()
					for range counters {
						<-steps
					}
				}
				for i := range counters {
					counters[i] = &counting{key: fmt.Sprint("counter", i)}
					wg.Go(func() {
						for !stop.Load() {
							steps <- struct{}{}
							counters[i].step(t, c)
							<-steps
							time.Sleep(time.Millisecond)
						}
					})
				}
				for range 8 {
					time.Sleep(300 * time.Millisecond)
					l := c.leader()
					if name == "killed" {
						var undo func()
						alone(func() { undo = loss(c, l) })
						c.leader(l)
						time.Sleep(300 * time.Millisecond)
						alone(undo)
						continue
					}
					undo := loss(c, l)
					c.leader()
					time.Sleep(time.Second)
					undo()
				}
				stop.Store(true)
				wg.Wait()
				l := c.leader()
				total := 0
				for _, k := range counters {
					got := l.submit("GET " + k.key)
					count, err := strconv.Atoi(strings.Fields(got.replies())[1])
					if err != nil || count < k.acked || count > k.acked+k.unknown {
						t.Errorf("%s is %q; %d acknowledged, %d unknown", k.key, got.replies(), k.acked, k.unknown)
					}
					total += k.acked
				}
				if total < 1000 {
					t.Errorf("only %d writes were acknowledged", total)
				}
				c.sameDigests()
			})
		})
	}
}

func TestExpiredKeyNeverComesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		c.nodes[1].skew, c.nodes[2].skew = 10*time.Second, -10*time.Second
		for round := range 9 {
			l := c.leader()
			key := fmt.Sprint("k", round)
			l.submit("SET "+key+" v PX 3000").want(t, "+OK ")
			l.read("GET "+key).want(t, "$1 v ")
			gone := false
			for range 20 {
				time.Sleep(500 * time.Millisecond)
				if round%3 == 0 {
					_ = c.leader().Transfer(t.Context(), c.others(c.leader())[0].id)
				}
				reply := c.leader().read("GET " + key).replies()
				switch {
				case reply == "$-1 ":
					gone = true
				case reply != "$1 v ":
					// a read that met a hand-over says so; nothing to learn from it
				case gone:
					t.Fatalf("round %d: the key is back", round)
				}
			}
			if !gone {
				// A follower of a fast clock may lead with a slow one: then the time to live is stretched by the skew.
				time.Sleep(20 * time.Second)
				c.leader().read("GET "+key).want(t, "$-1 ")
			}
			_ = l.Transfer(t.Context(), c.nodes[(round+1)%3].id)
		}
		c.sameDigests()
	})
}

// A reader sees a key expire at its deadline, not when some write happens to advance the clock.
func TestExpiryDoesNotWaitForWrites(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		l.submit("SET k v PX 1000").want(t, "+OK ")
		time.Sleep(999 * time.Millisecond)
		l.read("GET k").want(t, "$1 v ")
		time.Sleep(time.Millisecond)
		l.read("GET k").want(t, "$-1 ")
		// And what is due is removed without anybody asking.
		l.submit("SET k v PX 1000").want(t, "+OK ")
		time.Sleep(1100 * time.Millisecond)
		for _, n := range c.nodes {
			c.await("removal at "+n.id, func() bool { return n.Machine().Stats().Keys == 0 })
		}
		before := l.Stats().Consensus.Last
		time.Sleep(5 * time.Minute)
		if after := l.Stats().Consensus.Last; after != before {
			t.Errorf("%d entries were logged in five minutes without anything to do", after-before)
		}
	})
}

func TestMemoryStaysWithinItsLimit(t *testing.T) {
	for policy := entry.NoEviction; policy <= entry.VolatileTTL; policy++ {
		t.Run(policy.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newCluster(t, nil)
				const limit = 200_000
				for _, n := range c.nodes {
					n.SetLimit(entry.Limits{MaxMemory: limit, Policy: policy, Samples: 5})
				}
				c.await("the limit", func() bool { return c.leader().Machine().Limits().MaxMemory == limit })
				l := c.leader()
				oom := 0
				for i := range 300 {
					var lines []string
					for j := range 20 {
						lines = append(lines, fmt.Sprintf("SET key%d:%d %s EX 1000", i, j, strings.Repeat("v", 100)))
					}
					call := l.submit(lines...)
					if call.Err != nil {
						t.Fatal(call.Err)
					}
					oom += strings.Count(string(call.Out.Buf), "-OOM")
					if m := l.Machine().Memory(); m > limit {
						t.Fatalf("%d bytes after %d batches", m, i)
					}
				}
				if (oom > 0) != (policy == entry.NoEviction) {
					t.Errorf("%d writes were answered OOM", oom)
				}
				if evicted := l.Stats().Evictions; (evicted == 0) != (policy == entry.NoEviction) {
					t.Errorf("%d keys evicted", evicted)
				}
				keys := l.Machine().Stats().Keys
				l.submit("SET huge "+strings.Repeat("v", limit)).want(t, "-OOM command not allowed when used memory > 'maxmemory'. ")
				if now := l.Machine().Stats().Keys; now != keys {
					t.Errorf("a write that can never fit has cost %d keys", keys-now)
				}
				c.sameDigests()
				// A lower limit is reached without any write.
				for _, n := range c.nodes {
					n.SetLimit(entry.Limits{MaxMemory: limit / 4, Policy: policy, Samples: 5})
				}
				if policy != entry.NoEviction {
					c.await("the lower limit", func() bool { return l.Machine().Memory() <= limit/4 })
				}
				c.sameDigests()
			})
		})
	}
}

func TestRestartFromSnapshotAndLog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dir := t.TempDir()
		c := newCluster(t, func(n *node, cfg *Config) {
			store, err := snapfile.Open(filepath.Join(dir, n.id))
			if err != nil {
				t.Fatal(err)
			}
			cfg.Consensus.Snapshots, cfg.Consensus.TrailingLogs = store, 2
		})
		l := c.leader()
		for i := range 50 {
			l.submit(fmt.Sprintf("SET k%d %d", i, i), fmt.Sprintf("SET ttl%d x EX 1000", i)).want(t, "+OK +OK ")
		}
		for _, n := range c.nodes {
			c.await("entries at "+n.id, func() bool { return n.Machine().Stats().Keys == 100 })
			if err := n.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
		l.submit("SET behind snapshot").want(t, "+OK ")
		for _, n := range c.nodes {
			n.close()
		}
		for _, n := range c.nodes {
			n.open()
		}
		l = c.leader()
		l.read("GET k49", "GET behind", "DBSIZE").want(t, "$2 49 $8 snapshot :101 ")
		// One replica starts from nothing but the leader's snapshot.
		lost := c.others(l)[0]
		lost.close()
		for i := range 20 {
			l.submit(fmt.Sprintf("SET more%d x", i)).want(t, "+OK ")
		}
		if err := l.Snapshot(); err != nil {
			t.Fatal(err)
		}
		lost.open()
		c.sameDigests()
		if lost.Stats().Consensus.Installed == 0 {
			t.Error("no snapshot was installed: nothing was tested")
		}
	})
}

func TestFollowerReadsAreLinearizable(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		for i := range 20 {
			l.submit(fmt.Sprintf("SET k %d", i)).want(t, "+OK ")
			for _, n := range c.others(l) {
				got := calling("GET k")
				n.ReadFollower(got, false)
				got.want(t, fmt.Sprintf("$%d %d ", len(strconv.Itoa(i)), i))
			}
		}
		// A follower that has lost its leader says where to go, or that there is none, rather than something old.
		n := c.others(l)[0]
		n.isolate()
		l.submit("SET k new").want(t, "+OK ")
		got := calling("GET k")
		n.ReadFollower(got, false)
		if got.Err == nil {
			t.Errorf("an isolated follower answered %q", got.Out.Buf)
		}
		stale := calling("GET k")
		n.ReadFollower(stale, true)
		stale.want(t, "$2 19 ")
	})
}

// events records what an observer hears.
type events struct {
	mu   sync.Mutex
	list []string
}

func (e *events) Changed(key []byte, origin uint64) { e.add(fmt.Sprintf("%s by %d", key, origin)) }
func (e *events) Flushed()                          { e.add("flushed") }

func (e *events) add(s string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, s)
}

func (e *events) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() { e.list = nil }()
	return e.list
}

func TestObserverHearsChangesAndTheEndOfLeadership(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		var e events
		l.SetObserver(&e)
		var f events
		c.others(l)[0].SetObserver(&f)
		call := calling("SET a 1", "GET a", "DEL a", "SET b 1 PX 500")
		call.Origin = 7
		l.do(call)
		call.want(t, "+OK $1 1 :1 +OK ")
		time.Sleep(time.Second)
		l.submit("SET c 1").want(t, "+OK ")
		if got, want := e.take(), []string{"a by 7", "a by 7", "b by 7", "b by 0", "c by 0"}; !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
		time.Sleep(time.Second)
		if got, want := f.take(), []string{"a by 0", "a by 0", "b by 0", "b by 0", "c by 0"}; !slices.Equal(got, want) {
			t.Errorf("events on a follower %q, want %q", got, want)
		}
		if err := l.Transfer(t.Context(), c.others(l)[0].id); err != nil {
			t.Fatal(err)
		}
		c.await("end of leadership", func() bool { return slices.Contains(e.take(), "flushed") })
	})
}

func TestQuorumReads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, func(_ *node, cfg *Config) { cfg.Consensus.Reads = consensus.Quorum })
		l := c.leader()
		l.submit("SET k v").want(t, "+OK ")
		l.read("GET k", "GET k").want(t, "$1 v $1 v ")
		l.isolate()
		if got := l.read("GET k"); got.Err == nil {
			t.Errorf("an isolated leader answered %q", got.Out.Buf)
		}
	})
}

func TestCloseServesWhoWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		var ok, refused atomic.Int32
		for i := range 200 {
			call := calling(fmt.Sprintf("SET k%d v", i))
			call.Done = func(c *Call) {
				switch {
				case c.Err == nil:
					ok.Add(1)
				case errors.Is(c.Err, ErrNoLeader):
					refused.Add(1)
				default:
					t.Error(c.Err)
				}
			}
			l.Submit(call)
		}
		group := l.Group
		if err := group.Close(); err != nil {
			t.Fatal(err)
		}
		if ok.Load() != 200 {
			t.Errorf("%d calls were served, %d refused", ok.Load(), refused.Load())
		}
		late := calling("SET k v")
		done := make(chan error, 1)
		late.Done = func(c *Call) { done <- c.Err }
		group.Submit(late)
		if err := <-done; !errors.Is(err, ErrNoLeader) {
			t.Errorf("call after Close: %v", err)
		}
		var digest fsm.Digest
		if got, err := group.Digest(t.Context(), 1); err == nil {
			t.Errorf("digest %v at an entry that is no mark, zero is %v", got, digest)
		}
	})
}
