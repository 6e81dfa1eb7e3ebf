package fsm_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
)

// follower applies encoded entries without replies, as a follower does.
type follower struct {
	t testing.TB
	m *fsm.Machine
}

func (f *follower) apply(index uint64, data []byte) {
	var e entry.Entry
	if err := entry.Decode(data, &e); err != nil {
		f.t.Fatal(err)
	}
	f.m.Begin(index, e.Now)
	for i := range e.Ops {
		f.m.Do(&e.Ops[i], &reply.Writer{Discard: true})
	}
	f.m.End()
}

// workload feeds a leader with random batches: writes that are logged, reads that ride along, transactions, evictions and
// clocks that jump both ways.
type workload struct {
	*generator
	leader *replica
	tags   []string
}

// fewSlots keeps the digests of these tests cheap.
var fewSlots = slot.Range{First: 0, Last: 511}

// tagsIn lists hash tags of slots in r.
func tagsIn(r slot.Range, n int) (tags []string) {
	for i := 0; len(tags) < n; i++ {
		tag := fmt.Sprintf("{%d}", i)
		if at := slot.Of([]byte(tag)); r.First <= at && at <= r.Last {
			tags = append(tags, tag)
		}
	}
	return tags
}

// batch draws ops. Reads among them are executed and not logged.
func (l *workload) batch(n int) (all, logged []entry.Op) {
	for range n {
		op := l.op()
		all = append(all, op)
		if spec := command.ByID(op.Cmd); op.Tx != nil || spec.Has(command.Write) {
			logged = append(logged, op)
		}
	}
	return all, logged
}

func (l *workload) op() entry.Op {
	tag := l.pick(l.tags...)
	if l.IntN(6) > 0 {
		return l.valid(tag)
	}
	tx := &entry.Tx{}
	for range l.IntN(3) {
		key := []byte(tag + l.key()[len("{t}"):])
		version, _ := l.leader.m.WatchVersion(key, 0)
		if l.IntN(4) == 0 {
			version++
		}
		tx.Watches = append(tx.Watches, entry.Watch{Key: key, Version: version})
	}
	for range 1 + l.IntN(4) {
		if op := l.valid(tag); command.ByID(op.Cmd).Home == command.Keyed {
			tx.Ops = append(tx.Ops, op)
		}
	}
	return entry.Op{Cmd: command.Exec, Tx: tx}
}

// valid draws an op that may be logged: the encoder refuses a wrong arity.
func (l *workload) valid(tag string) entry.Op {
	for {
		op := opOf(l.leader.t, l.spread(l.command(), tag)...)
		if spec := command.ByID(op.Cmd); spec.ArityOK(len(op.Args)) {
			return op
		}
	}
}

// spread moves a command's keys to the slot of tag, and now and then sets a short time to live, so that keys expire.
func (l *workload) spread(args []string, tag string) []string {
	for i, a := range args {
		if len(a) > 3 && a[:3] == "{t}" {
			args[i] = tag + a[3:]
		}
	}
	if l.IntN(6) == 0 {
		return []string{l.pick("PEXPIRE", "PEXPIRE", "PSETEX"), tag + "1", fmt.Sprint(1 + l.IntN(2000)), "v"}[:3+l.IntN(2)]
	}
	return args
}

func TestReplicasStayEqual(t *testing.T) {
	for seed := range uint64(6) {
		leader := newReplica(t, fewSlots)
		other := &follower{t, fsm.New(fsm.Genesis{Group: 7, HashSeed: 42, Slots: []slot.Range{fewSlots}})}
		l := &workload{&generator{rand.New(rand.NewPCG(seed, 3))}, leader, tagsIn(fewSlots, 30)}
		limits := entry.Limits{MaxMemory: 8000, Policy: entry.Policy(seed + 1), Samples: 5}
		l.log(other, nil, []entry.Op{entry.Limit(limits)})
		for range 400 {
			leader.now += int64(l.IntN(400) - 100)
			all, logged := l.batch(1 + l.IntN(8))
			if op, _, ok := leader.m.Victims(2000, 50, leader.now, l.Uint64()); ok {
				all, logged = append([]entry.Op{op}, all...), append([]entry.Op{op}, logged...)
			}
			l.log(other, all, logged)
			if l.IntN(40) == 0 {
				other = l.replaced(other)
			}
			if a, b := digestOf(leader.m), digestOf(other.m); a != b {
				t.Fatalf("seed %d, index %d: digests %s and %s", seed, leader.index, a, b)
			}
		}
		s := leader.m.Stats()
		if s.Expired < 20 || s.Evicted < 20 {
			t.Errorf("seed %d: too little happened: %+v", seed, s)
		}
	}
}

// log gives an entry to both: all to the leader with replies, what is logged to the follower through its bytes.
func (l *workload) log(f *follower, all, logged []entry.Op) {
	if all == nil {
		all = logged
	}
	data, err := entry.Encode(nil, &entry.Entry{Now: l.leader.now, Batch: 1, Ops: logged})
	if err != nil {
		l.leader.t.Fatal(err)
	}
	// Reads that other goroutines would make leave no trace but access statistics.
	for i := range all {
		if all[i].Tx == nil && command.ByID(all[i].Cmd).Has(command.ReadOnly) {
			l.leader.m.Read(&all[i], l.leader.now, &reply.Writer{})
		}
	}
	l.leader.apply(&reply.Writer{}, all...)
	f.apply(l.leader.index, data)
}

// replaced is a new follower that starts from the old one's snapshot.
func (l *workload) replaced(old *follower) *follower {
	f := &follower{old.t, fsm.New(fsm.Genesis{Group: 7, HashSeed: 42})}
	if err := f.m.Restore(bytes.NewReader(bytesOfSnapshot(old.t, old.m))); err != nil {
		old.t.Fatal(err)
	}
	return f
}

func TestDigestSeesEverything(t *testing.T) {
	base := func() *replica {
		r := newReplica(t, slotsOfK)
		r.do("SET", "k", "v", "EX", "100")
		r.now += 10
		return r
	}
	seen := map[string]string{}
	for name, change := range map[string]func(*replica){
		"nothing":  func(r *replica) { r.apply(&reply.Writer{}) },
		"value":    func(r *replica) { r.do("SET", "k", "w", "KEEPTTL") },
		"deadline": func(r *replica) { r.do("EXPIRE", "k", "200") },
		"version":  func(r *replica) { r.do("SET", "k", "v", "KEEPTTL") },
		"key":      func(r *replica) { r.do("RENAME", "k", "{k}2") },
		"absence":  func(r *replica) { r.do("DEL", "k") },
		"clock":    func(r *replica) { r.now++; r.apply(&reply.Writer{}) },
		"limit": func(r *replica) {
			r.apply(&reply.Writer{}, entry.Limit(entry.Limits{MaxMemory: 1, Policy: entry.NoEviction, Samples: 5}))
		},
		"index": func(r *replica) { r.apply(&reply.Writer{}); r.apply(&reply.Writer{}) },
	} {
		r := base()
		change(r)
		d := digestOf(r.m)
		if twin, twice := seen[d]; twice {
			t.Errorf("digest does not tell %q from %q", name, twin)
		}
		seen[d] = name
	}
	used := base()
	used.read(used.now+50_000, "GET", "k")
	used.apply(&reply.Writer{})
	if seen[digestOf(used.m)] != "nothing" {
		t.Error("a read changed the digest")
	}
}
