package fsm

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/fsm/table"
)

// evictor chooses victims on the leader. It is local: nothing of it is in the state, and what it chooses takes effect
// only through the log.
type evictor struct {
	mu   sync.Mutex
	pool evictionPool
	// of is the policy that the pool was filled for.
	of Policy
	// shards and upTo are the slots that hold candidates and the running sum of their candidates, as of version.
	// They are renewed rarely: a key's chance to be sampled is then a little wrong, and nothing else.
	shards  []*shard
	upTo    []int64
	state   *state
	version int64
}

const (
	// weightsAge is after how many calls the slots' weights are counted again.
	weightsAge = 64
	// fruitless is how many samples in a row may give no new victim before Victims gives up.
	fruitless = 64
)

// Victims chooses keys to evict so that incoming bytes more fit into the limit, at most max keys, and returns the op
// that evicts them and how many bytes that frees. ok is false if nothing is to be evicted or nothing can be.
//
// The leader calls it, from any goroutine, and logs the op ahead of the writes that need the room. now is the later of
// its clock and the machine's, Unix ms; every random choice comes from seed. Victims that are chosen and not applied
// yet may be chosen again, which does no harm; a caller with such ops in flight lowers incoming by what they free.
func (m *Machine) Victims(incoming int64, max int, now int64, seed uint64) (op entry.Op, freed int64, ok bool) {
	st := m.current.Load()
	limit := st.limits()
	need := st.bytes.Load() + incoming - limit.MaxMemory
	if limit.MaxMemory == 0 || limit.Policy == NoEviction || need <= 0 {
		return op, 0, false
	}
	m.evictor.mu.Lock()
	defer m.evictor.mu.Unlock()
	h := hunt{evictor: &m.evictor, limit: *limit, now: now, rng: rng(seed), chosen: map[string]struct{}{}}
	h.prepare(st)
	for misses := 0; h.freed < need && len(h.chosen) < max && misses < fruitless; {
		if h.one() {
			misses = 0
		} else {
			misses++
		}
	}
	return entry.Op{Cmd: command.Evict, Args: h.args}, h.freed, len(h.args) > 0
}

// hunt is one call of Victims.
type hunt struct {
	*evictor
	limit  Limit
	now    int64
	rng    rng
	chosen map[string]struct{}
	args   [][]byte
	freed  int64
}

// prepare counts the slots' weights if they are old, and drops the pool if it was filled by another policy's scores.
func (h *hunt) prepare(st *state) {
	if h.state == st && h.of == h.limit.Policy && h.version < weightsAge {
		h.version++
		return
	}
	h.state, h.of, h.version = st, h.limit.Policy, 0
	h.pool.clear()
	h.shards, h.upTo = h.shards[:0], h.upTo[:0]
	total := int64(0)
	for _, s := range st.slots {
		if s == nil {
			continue
		}
		n := s.size.Load()
		if h.limit.Policy.volatile() {
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
	s := h.randomShard()
	if s == nil {
		// What the weights know is gone: count again at the next call.
		h.version = weightsAge
		return false
	}
	h.sample(s)
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

// sample offers a few keys of a slot to the pool.
func (h *hunt) sample(s *shard) {
	offer := func(r table.Record) { h.pool.offer(h.score(r), s.slot, r.Key) }
	n := h.limit.Samples
	if h.limit.Policy == AllKeysRandom || h.limit.Policy == VolatileRandom {
		n = 1
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if h.limit.Policy.volatile() {
		s.keys.SampleVolatile(h.rng.next(), n, offer)
	} else {
		s.keys.Sample(h.rng.next(), n, offer)
	}
}

// score says how good a victim a key is.
func (h *hunt) score(r table.Record) uint64 {
	switch h.limit.Policy {
	case AllKeysLRU, VolatileLRU:
		return uint64(idleMillis(r.Access, h.now))
	case AllKeysLFU, VolatileLFU:
		return uint64(lfuMax - lfuCount(r.Access, h.now))
	case VolatileTTL:
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
	if !ok || h.limit.Policy.volatile() && r.Deadline == 0 {
		return false
	}
	key := append([]byte(nil), c.key...)
	h.chosen[string(key)] = struct{}{}
	h.args = append(h.args, key, binary.LittleEndian.AppendUint64(nil, r.Version))
	h.freed += sizeOf(r)
	return true
}

// cmdEvict removes keys whose version is unchanged. Arguments are pairs: key, version (8 bytes, little endian). It is
// answered with the number of keys removed.
func cmdEvict(c *call) {
	if len(c.args)%2 != 0 {
		c.w.Error("ERR evict: a key without a version")
		return
	}
	n := int64(0)
	for i := 0; i < len(c.args); i += 2 {
		if len(c.args[i+1]) != 8 {
			c.w.Error(reply.NotInteger)
			return
		}
		if c.evict(c.args[i], binary.LittleEndian.Uint64(c.args[i+1])) {
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
	if !ok || r.Version != version {
		return false
	}
	c.st.beforeWrite(s)
	c.m.changed(key)
	c.st.addBytes(s.keys.Delete(key))
	c.st.settle(s)
	return true
}

// Growth bounds from above how much executing op adds to Memory, for Victims. It knows the arguments, not the state: an
// overwrite may add less, COPY and RENAME may add more (the size of a value that is there already).
func Growth(op *entry.Op) int64 {
	if op.Tx != nil {
		total := int64(0)
		for i := range op.Tx.Ops {
			total += Growth(&op.Tx.Ops[i])
		}
		return total
	}
	if op.Cmd == command.Exec || !operationOf(op.Cmd).denyOOM {
		return 0
	}
	total := int64(0)
	for _, arg := range op.Args {
		total += int64(len(arg)) + table.Overhead + table.DeadlineOverhead
	}
	if op.Cmd == command.Setrange && len(op.Args) == 3 {
		if offset, ok := parseInt(op.Args[1]); ok {
			total += min(max(offset, 0), maxString)
		}
	}
	return total
}
