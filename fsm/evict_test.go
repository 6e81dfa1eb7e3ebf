package fsm_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
)

const testLimit = 200_000

func limited(t testing.TB, p entry.Policy) *replica {
	r := newReplica(t)
	r.apply(&reply.Writer{}, entry.Limit(entry.Limits{MaxMemory: testLimit, Policy: p, Samples: 5}))
	return r
}

// overload writes batches as the leader's batcher does: victims for the batch's growth first, then the batch.
func overload(t *testing.T, r *replica, f *follower, batches int, ttl bool) (refused int) {
	g := &generator{rand.New(rand.NewPCG(9, 9))}
	for i := range batches {
		r.now += 5
		var ops []entry.Op
		growth := int64(0)
		for j := range 20 {
			args := []string{"SET", fmt.Sprintf("k%d", g.IntN(20_000)), strings.Repeat("v", g.IntN(200))}
			if ttl && j%2 == 0 {
				args = append(args, "PX", fmt.Sprint(60_000+g.IntN(1_000_000)))
			}
			op := opOf(t, args...)
			growth += r.m.Growth(&op)
			ops = append(ops, op)
		}
		if op, _, ok := r.m.Victims(growth, 200, r.now, uint64(i)); ok {
			ops = append([]entry.Op{op}, ops...)
		}
		data, err := entry.Encode(nil, &entry.Entry{Now: r.now, Ops: ops})
		if err != nil {
			t.Fatal(err)
		}
		w := &reply.Writer{}
		r.apply(w, ops...)
		f.apply(r.index, data)
		refused += strings.Count(string(w.Buf), "-OOM command not allowed when used memory > 'maxmemory'.\r\n")
		if used := r.m.Memory(); used > testLimit {
			t.Fatalf("batch %d: %d bytes used of %d", i, used, testLimit)
		}
	}
	return refused
}

func TestEveryPolicyKeepsTheLimit(t *testing.T) {
	for p := entry.NoEviction; p <= entry.VolatileTTL; p++ {
		t.Run(p.String(), func(t *testing.T) {
			r := limited(t, p)
			f := &follower{t, fsm.New(fsm.Genesis{Group: 7, HashSeed: 42, Slots: allSlots})}
			data, _ := entry.Encode(nil, &entry.Entry{Now: r.now, Ops: []entry.Op{
				entry.Limit(entry.Limits{MaxMemory: testLimit, Policy: p, Samples: 5}),
			}})
			f.apply(1, data)
			refused := overload(t, r, f, 400, true)
			s := r.m.Stats()
			if (p == entry.NoEviction) != (s.Evicted == 0) {
				t.Errorf("%d evictions", s.Evicted)
			}
			// Volatile policies run out of keys that they may evict; the others never refuse.
			if mayRefuse := p == entry.NoEviction || strings.HasPrefix(p.String(), "volatile"); !mayRefuse && refused > 0 || p == entry.NoEviction && refused == 0 {
				t.Errorf("%d writes refused", refused)
			}
			if s.Memory < testLimit/2 {
				t.Errorf("only %d of %d bytes are used", s.Memory, testLimit)
			}
			expect(t, digestOf(f.m), digestOf(r.m))
		})
	}
}

func TestVolatilePoliciesSpareTheRest(t *testing.T) {
	for _, p := range []entry.Policy{entry.VolatileLRU, entry.VolatileLFU, entry.VolatileRandom, entry.VolatileTTL} {
		r := newReplica(t)
		for i := range 200 {
			r.do("SET", fmt.Sprintf("keep%d", i), "v")
			r.do("SET", fmt.Sprintf("temp%d", i), "v", "EX", "1000")
		}
		evict(r, p, 0)
		if s := r.m.Stats(); s.Keys != 200 || s.Volatile != 0 {
			t.Errorf("%v: %+v, want the 200 keys without a deadline", p, s)
		}
	}
}

// evict sets a limit of left bytes and evicts until nothing more can be.
func evict(r *replica, p entry.Policy, left int64) {
	r.apply(&reply.Writer{}, entry.Limit(entry.Limits{MaxMemory: uint64(max(left, 1)), Policy: p, Samples: 10}))
	for seed := range uint64(1000) {
		op, _, ok := r.m.Victims(0, 100, r.now, seed)
		if !ok {
			return
		}
		r.apply(&reply.Writer{}, op)
	}
	r.t.Fatal("evictions do not end")
}

func TestPoliciesChooseWell(t *testing.T) {
	const keys, hot = 2000, 400
	for _, c := range []struct {
		policy entry.Policy
		use    func(r *replica, key string)
	}{
		{entry.AllKeysLRU, func(r *replica, key string) { r.read(r.now, "GET", key) }},
		{entry.AllKeysLFU, func(r *replica, key string) {
			for range 30 {
				r.read(r.now, "GET", key)
			}
		}},
		{entry.VolatileTTL, func(r *replica, key string) { r.do("EXPIRE", key, "100000") }},
	} {
		r := newReplica(t)
		r.apply(&reply.Writer{}, entry.Limit(entry.Limits{Policy: c.policy, Samples: 10}))
		for i := range keys {
			r.now += 10
			r.do("SET", fmt.Sprintf("key%d", i), "v", "EX", "5000")
		}
		r.now += 10_000
		for i := range hot {
			c.use(r, fmt.Sprintf("key%d", i))
		}
		evict(r, c.policy, r.m.Memory()/2)
		kept := 0
		for i := range hot {
			if out, _ := r.read(0, "EXISTS", fmt.Sprintf("key%d", i)); out == ":1\r\n" {
				kept++
			}
		}
		if kept < hot*9/10 {
			t.Errorf("%v: of %d keys in use %d survived the eviction of half of all", c.policy, hot, kept)
		}
	}
}

// A limit that was lowered far must not put megabytes of keys into one entry.
func TestVictimsOfLongKeysAreFewer(t *testing.T) {
	r := newReplica(t)
	const long = 100 << 10
	for i := range 50 {
		r.do("SET", fmt.Sprintf("%0*d", long, i), "v")
	}
	r.apply(&reply.Writer{}, entry.Limit(entry.Limits{MaxMemory: 1, Policy: entry.AllKeysRandom, Samples: 5}))
	for seed := range uint64(10) {
		op, _, ok := r.m.Victims(0, 50, r.now, seed)
		if keys := len(op.Args) / 2; !ok || keys < 1 || keys > 3 {
			t.Errorf("%d victims of %d bytes each", keys, long)
		}
	}
}

// The leader must not spend tens of milliseconds on one entry, however many samples are asked for.
func TestVictimsOfManySamplesAreFewer(t *testing.T) {
	r := newReplica(t)
	for i := range 2000 {
		r.do("SET", fmt.Sprintf("key%d", i), "v")
	}
	for samples, most := range map[uint32]int{5: 820, 100: 41, entry.MaxSamples: 5} {
		r.apply(&reply.Writer{}, entry.Limit(entry.Limits{MaxMemory: 1, Policy: entry.AllKeysLRU, Samples: samples}))
		op, _, ok := r.m.Victims(0, 2000, r.now, 1)
		if keys := len(op.Args) / 2; !ok || keys < most/2 || keys > most {
			t.Errorf("%d victims with %d samples each, want some %d", keys, samples, most)
		}
	}
}

// A leader that takes no victims for none at all refuses writes for which there would be room.
func TestVictimsAreFoundInSlotsThatWereEmpty(t *testing.T) {
	for _, p := range []entry.Policy{entry.AllKeysLRU, entry.AllKeysRandom, entry.VolatileLFU} {
		r := newReplica(t)
		r.apply(&reply.Writer{}, entry.Limit(entry.Limits{MaxMemory: 1000, Policy: p, Samples: 5}))
		r.do("SET", "old", "v", "EX", "1000")
		if _, _, ok := r.m.Victims(1000, 1, r.now, 1); !ok {
			t.Fatal("no victim")
		}
		r.do("DEL", "old")
		r.do("SET", "new", "v", "EX", "1000")
		if op, _, ok := r.m.Victims(1000, 1, r.now, 1); !ok || string(op.Args[0]) != "new" {
			t.Errorf("%v: %q, want the key of a slot that was empty when the slots were looked at", p, op.Args)
		}
	}
}

// Over a limit that was lowered, writes may take what their entry's evictions free, and no more.
func TestEvictionsMakeRoomOverALoweredLimit(t *testing.T) {
	r := newReplica(t)
	value := strings.Repeat("v", 100)
	for i := range 20 {
		r.do("SET", fmt.Sprintf("key%02d", i), value)
	}
	set := func(key string) entry.Op { return opOf(t, "SET", key, value) }
	r.apply(&reply.Writer{}, entry.Limit(entry.Limits{MaxMemory: 1000, Policy: entry.AllKeysLRU, Samples: 5}))
	before := r.m.Memory()
	victims, _, _ := r.m.Victims(0, 2, r.now, 1)
	w := &reply.Writer{}
	r.apply(w, victims, set("new01"), set("new02"), set("new03"))
	expect(t, string(w.Buf), ":2\r\n+OK\r\n+OK\r\n"+oom)
	if now := r.m.Memory(); now != before {
		t.Errorf("%d bytes, %d before", now, before)
	}
	// What one entry has freed is no room in the next.
	victims, _, _ = r.m.Victims(0, 2, r.now, 2)
	r.apply(&reply.Writer{}, victims)
	expect(t, r.do("SET", "new04", value), oom)
}

func TestEvictionSparesAChangedKey(t *testing.T) {
	r := limited(t, entry.AllKeysRandom)
	r.do("SET", "k", "v")
	version, _ := r.m.WatchVersion([]byte("k"), 0)
	r.do("SET", "k", "w")
	w := &reply.Writer{}
	r.apply(w, entry.Evict([]entry.Victim{{Key: []byte("k"), Version: version}, {Key: []byte("none"), Version: 1}}))
	expect(t, string(w.Buf), ":0\r\n")
	version, _ = r.m.WatchVersion([]byte("k"), 0)
	w = &reply.Writer{}
	r.apply(w, entry.Evict([]entry.Victim{{Key: []byte("k"), Version: version}}))
	expect(t, string(w.Buf), ":1\r\n")
	expect(t, r.do("GET", "k"), "$-1\r\n")
}

func TestVictimsAreBoundedAndFromTheSeed(t *testing.T) {
	choose := func(seed uint64) string {
		r := limited(t, entry.AllKeysLRU)
		for i := range 1000 {
			r.do("SET", fmt.Sprintf("k%d", i), "v")
		}
		op, freed, ok := r.m.Victims(testLimit, 7, r.now, seed)
		if !ok || len(op.Args) != 14 || freed <= 0 {
			t.Fatalf("%d arguments, %d bytes, %v", len(op.Args), freed, ok)
		}
		return fmt.Sprintf("%q", op.Args)
	}
	expect(t, choose(1), choose(1))
	if choose(1) == choose(2) {
		t.Error("the seed has no effect")
	}
	r := limited(t, entry.AllKeysLRU)
	if _, _, ok := r.m.Victims(testLimit*2, 10, r.now, 1); ok {
		t.Error("victims in an empty machine")
	}
	r.do("SET", "k", "v")
	if _, _, ok := r.m.Victims(100, 10, r.now, 1); ok {
		t.Error("victims though there is room")
	}
}

func TestObjectFreqAndIdletime(t *testing.T) {
	const note = "Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.\r\n"
	r := limited(t, entry.AllKeysLRU)
	r.do("SET", "k", "v")
	r.now += 7500
	expect(t, r.do("OBJECT", "IDLETIME", "k"), ":7\r\n")
	expect(t, r.do("OBJECT", "FREQ", "k"), "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. "+note)
	r.read(r.now, "GET", "k")
	expect(t, r.do("OBJECT", "IDLETIME", "k"), ":0\r\n")
	r = limited(t, entry.AllKeysLFU)
	r.do("SET", "k", "v")
	expect(t, r.do("OBJECT", "FREQ", "k"), ":5\r\n")
	expect(t, r.do("OBJECT", "IDLETIME", "k"), "-ERR An LFU maxmemory policy is selected, idle time not tracked. "+note)
	for range 1000 {
		r.read(r.now, "GET", "k")
	}
	// 1000 hits give a counter of about 18 (Redis's redis.conf, lfu-log-factor 10).
	var freq int
	fmt.Sscanf(r.do("OBJECT", "FREQ", "k"), ":%d", &freq)
	if freq < 12 || freq > 26 {
		t.Errorf("counter %d after 1000 uses", freq)
	}
	r.now += 3 * 60_000
	expect(t, r.do("OBJECT", "FREQ", "k"), fmt.Sprintf(":%d\r\n", freq-3))
}
