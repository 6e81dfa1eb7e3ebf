package fsm

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/fsm/table"
)

// evictor chooses victims on the leader. It is local: nothing of it is in the state, and what it chooses takes effect
// only through the log.
type evictor struct {
	mu   sync.Mutex
	pool evictionPool
	// of is the policy that the pool was filled for.
	of entry.Policy
	// shards and upTo are the slots of state that hold candidates and the running sum of their candidates, as they were
	// age calls ago. They are renewed rarely: a key's chance to be sampled is then a little wrong, and nothing else.
	shards []*shard
	upTo   []int64
	state  *state
	age    int
}

const (
	// weightsAge is after how many calls the slots' weights are counted again.
	weightsAge = 64
	// fruitless is how many samples in a row may give no new victim before Victims gives up.
	fruitless = 64
	// maxSampled bounds the keys that are looked at for one op, each at the cost of some cache misses: 2 µs, so 8 ms at most.
	maxSampled = 4096
	// maxVictimBytes bounds the keys that one op evicts: they go through the log. What needs more room, or a limit that was
	// lowered far, has it in many small steps, which hold up nothing else.
	maxVictimBytes = 256 << 10
)

// Victims chooses keys to evict so that incoming bytes more fit into the limit, at most max keys (fewer long ones, and fewer
// if many are sampled for each), and returns the op that evicts them and how many bytes that frees; that may be less than is
// needed. ok is false if nothing is to be evicted or nothing can be.
//
// The leader calls it, from any goroutine, and logs the op ahead of the writes that need the room. now is the later of
// its clock and the machine's, Unix ms; every random choice comes from seed. Victims that are chosen and not applied
// yet may be chosen again by another call: its caller has at most one such op in flight.
func (m *Machine) Victims(incoming int64, max int, now int64, seed uint64) (op entry.Op, freed int64, ok bool) {
	st := m.current.Load()
	limits := st.limits()
	need := st.bytes.Load() + incoming - int64(min(limits.MaxMemory, math.MaxInt64))
	if limits.MaxMemory == 0 || limits.Policy == entry.NoEviction || need <= 0 {
		return op, 0, false
	}
	m.evictor.mu.Lock()
	defer m.evictor.mu.Unlock()
	h := hunt{evictor: &m.evictor, limits: *limits, now: now, rng: rng(seed), chosen: map[string]struct{}{}}
	known := h.knows(st)
	if !known {
		h.weigh(st)
	}
	if h.run(need, max); len(h.victims) == 0 && known {
		// What the weights know may be gone, and there may be keys in slots that they don't know.
		h.weigh(st)
		h.run(need, max)
	}
	return entry.Evict(h.victims), h.freed, len(h.victims) > 0
}

// hunt is one call of Victims.
type hunt struct {
	*evictor
	limits  entry.Limits
	now     int64
	rng     rng
	chosen  map[string]struct{}
	victims []entry.Victim
	freed   int64
	// bytes is the length of the victims' keys.
	bytes int64
	// sampled counts the samples.
	sampled int
}

// run chooses victims until need is met, a bound is reached, or none are found any more.
func (h *hunt) run(need int64, max int) {
	for misses := 0; h.freed < need && len(h.chosen) < max && h.bytes < maxVictimBytes && misses < fruitless; {
		if h.sampled >= maxSampled && len(h.victims) > 0 {
			return
		}
		if h.one() {
			misses = 0
		} else {
			misses++
		}
	}
}

// knows reports whether the slots' weights are young enough, and of this state and policy.
func (h *hunt) knows(st *state) bool {
	h.age++
	return h.state == st && h.of == h.limits.Policy && h.age <= weightsAge
}

// weigh counts the slots' weights, and drops the pool: another policy's scores may have filled it.
func (h *hunt) weigh(st *state) {
	h.state, h.of, h.age = st, h.limits.Policy, 0
	h.pool.clear()
	h.shards, h.upTo = h.shards[:0], h.upTo[:0]
	total := int64(0)
	for _, s := range st.slots {
		if s == nil {
			continue
		}
		n := s.size.Load()
		if onlyVolatile(h.limits.Policy) {
			n = s.expiring.Load()
		}
		if n > 0 {
			total += n
			h.shards, h.upTo = append(h.shards, s), append(h.upTo, total)
		}
	}
}

// one tries to find one more victim.
func (h *hunt) one() bool {
	n := h.limits.Samples
	if h.limits.Policy == entry.AllKeysRandom || h.limits.Policy == entry.VolatileRandom {
		n = 1
	}
	for range n {
		h.sample()
	}
	h.sampled += int(n)
	best, ok := h.pool.take()
	return ok && h.choose(best)
}

// randomShard draws a slot by its number of candidates.
func (h *hunt) randomShard() *shard {
	if len(h.upTo) == 0 {
		return nil
	}
	at := int64(h.rng.below(uint64(h.upTo[len(h.upTo)-1])))
	i, found := slices.BinarySearch(h.upTo, at)
	if found {
		i++
	}
	return h.shards[i]
}

// sample offers one key to the pool. Each is of another slot: a small slot's samples would all be the same key.
func (h *hunt) sample() {
	s := h.randomShard()
	if s == nil {
		return
	}
	offer := func(r table.Record) { h.pool.offer(h.score(r), s.slot, r.Key) }
	s.mu.RLock()
	defer s.mu.RUnlock()
	if onlyVolatile(h.limits.Policy) {
		s.keys.SampleVolatile(h.rng.next(), 1, offer)
	} else {
		s.keys.Sample(h.rng.next(), 1, offer)
	}
}

// score says how good a victim a key is.
func (h *hunt) score(r table.Record) uint64 {
	switch h.limits.Policy {
	case entry.AllKeysLRU, entry.VolatileLRU:
		return uint64(idleMillis(r.Access, h.now))
	case entry.AllKeysLFU, entry.VolatileLFU:
		return uint64(lfuMax - lfuCount(r.Access, h.now))
	case entry.VolatileTTL:
		return uint64(math.MaxInt64 - r.Deadline)
	default:
		return 0
	}
}

// choose takes a candidate as a victim if it is still there and not chosen yet, at its present version.
func (h *hunt) choose(c candidate) bool {
	if _, twice := h.chosen[string(c.key)]; twice {
		return false
	}
	s := h.state.slots[c.slot]
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, ok := s.keys.Get(c.key)
	if !ok || onlyVolatile(h.limits.Policy) && r.Deadline == 0 {
		return false
	}
	key := append([]byte(nil), c.key...)
	h.chosen[string(key)] = struct{}{}
	h.victims = append(h.victims, entry.Victim{Key: key, Version: r.Version})
	h.freed += sizeOf(r)
	h.bytes += int64(len(key))
	return true
}

// cmdEvict executes entry.Evict: it removes victims whose version is unchanged and answers how many.
func cmdEvict(c *call) {
	victims, err := entry.Victims(nil, &entry.Op{Cmd: command.Evict, Args: c.args})
	if err != nil {
		c.w.Error(fmt.Sprintf("ERR %v", err))
		return
	}
	c.st.ceiling = max(c.st.ceiling, c.st.bytes.Load())
	n := int64(0)
	for _, v := range victims {
		if c.evict(v.Key, v.Version) {
			n++
		}
	}
	c.m.evicted.Add(uint64(n))
	c.w.Int(n)
}

func (c *call) evict(key []byte, version uint64) bool {
	s := c.st.serving(slot.Of(key))
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.keys.Get(key)
	if !ok || r.Version != version && !offEvictionVersion {
		return false
	}
	c.st.beforeWrite(s)
	c.m.changed(key)
	s.forget(r.Version)
	c.st.addBytes(s.keys.Delete(key))
	c.st.settle(s)
	return true
}
