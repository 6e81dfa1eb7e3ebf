package shardgroup

import (
	"fmt"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm/entry"
)

// smallKey is what counts for a key of 16 bytes with 8 bytes and a deadline.
const smallKey = 16 + 8 + 32 + 12

// forEachPolicy runs f for every policy that evicts, with a leader whose limit is taken up by so many small keys.
func forEachPolicy(t *testing.T, keys int, f func(t *testing.T, c *cluster, l *node)) {
	for policy := entry.NoEviction + 1; policy <= entry.VolatileTTL; policy++ {
		t.Run(policy.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newCluster(t, nil)
				l := c.leader()
				c.limit(uint64(keys*smallKey), policy)
				l.submit(smallSets("old", keys)...).wantOK(t, keys)
				f(t, c, l)
				if chosen, gone := l.Stats().Evictions, l.Machine().Stats().Evicted; chosen != gone {
					t.Errorf("%d victims were chosen, and %d keys evicted: some were chosen twice", chosen, gone)
				}
				c.sameDigests()
			})
		})
	}
}

// limit sets the limit and leaves it to the leader to log it ahead of the next call.
func (c *cluster) limit(bytes uint64, policy entry.Policy) {
	for _, n := range c.nodes {
		n.SetLimit(entry.Limits{MaxMemory: bytes, Policy: policy, Samples: 5})
	}
}

func smallSets(prefix string, n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("SET %s:%012d 12345678 EX 100000", prefix, i))
	}
	return lines
}

func (c *Call) wantOK(t *testing.T, n int) {
	t.Helper()
	got := c.replies()
	if ok := strings.Count(got, "+OK ") + len(c.Moved); ok != n || c.Err != nil {
		t.Errorf("%d of %d writes are OK, %d refused for want of memory; error %v", ok, n, strings.Count(got, "-OOM"), c.Err)
	}
}

// One write needs the room of more keys than an entry evicts, while others want room, too.
func TestLargeWriteFindsRoomInAFullCache(t *testing.T) {
	const keys, others = 5000, 20
	forEachPolicy(t, keys, func(t *testing.T, c *cluster, l *node) {
		done := make(chan *Call, others)
		put := func(lines ...string) {
			call := calling(lines...)
			call.Done = func(call *Call) { done <- call }
			l.Submit(call)
		}
		put("SET large " + strings.Repeat("v", keys*smallKey*9/10))
		for i := range others {
			put(fmt.Sprintf("SET other:%012d 12345678 EX 100000", i))
		}
		for range 1 + others {
			(<-done).wantOK(t, 1)
		}
	})
}

// A call needs the room of more keys than one entry evicts, and than the cache holds.
func TestManyWritesFindRoomInAFullCache(t *testing.T) {
	const keys = 2000
	forEachPolicy(t, keys, func(t *testing.T, c *cluster, l *node) {
		l.submit(smallSets("new", 2*keys)...).wantOK(t, 2*keys)
	})
}

// Writes go on while memory falls to a limit that was lowered.
func TestWritesFindRoomUnderALoweredLimit(t *testing.T) {
	const keys, lower = 5000, 1000 * smallKey
	forEachPolicy(t, keys, func(t *testing.T, c *cluster, l *node) {
		c.limit(lower, l.Machine().Limits().Policy)
		for i := range 20 {
			before := l.Machine().Memory()
			l.submit(smallSets(fmt.Sprintf("n%02d", i), 100)...).wantOK(t, 100)
			if now := l.Machine().Memory(); now > max(before, lower) {
				t.Errorf("memory has grown from %d to %d", before, now)
			}
		}
		c.await("the lower limit", func() bool { return l.Machine().Memory() <= lower })
	})
}
