package fsm_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
)

// txOf is MULTI, the lines, EXEC.
func txOf(t testing.TB, lines ...string) entry.Op {
	tx := &entry.Tx{}
	for _, line := range lines {
		tx.Ops = append(tx.Ops, opOf(t, strings.Fields(line)...))
	}
	return entry.Op{Cmd: command.Exec, Tx: tx}
}

func (r *replica) exec(op entry.Op) string {
	w := &reply.Writer{}
	r.apply(w, op)
	return string(w.Buf)
}

func (r *replica) watching(op entry.Op, keys ...string) entry.Op {
	for _, k := range keys {
		version, v := r.m.WatchVersion([]byte(k), r.now)
		if v != fsm.Done {
			r.t.Fatalf("watch %s: verdict %d", k, v)
		}
		op.Tx.Watches = append(op.Tx.Watches, entry.Watch{Key: []byte(k), Version: version})
	}
	return op
}

func TestTransactionRunsAsOne(t *testing.T) {
	r := newReplica(t)
	expect(t, r.exec(txOf(t, "SET k 1", "INCR k", "GET k", "INCRBY k x", "GET k")),
		"*5\r\n+OK\r\n:2\r\n$1\r\n2\r\n-ERR value is not an integer or out of range\r\n$1\r\n2\r\n")
	expect(t, r.exec(txOf(t)), "*0\r\n")
}

func TestWatch(t *testing.T) {
	const aborted, ran = "*-1\r\n", "*1\r\n$1\r\nv\r\n"
	for name, c := range map[string]struct {
		between func(r *replica)
		want    string
	}{
		"nothing happens":             {func(r *replica) {}, ran},
		"another key changes":         {func(r *replica) { r.do("SET", "{k}other", "x") }, ran},
		"the key is read":             {func(r *replica) { r.do("GET", "k") }, ran},
		"a write has no effect":       {func(r *replica) { r.do("SET", "k", "w", "NX") }, ran},
		"it is written with the same": {func(r *replica) { r.do("SET", "k", "v") }, aborted},
		"it gets a deadline":          {func(r *replica) { r.do("EXPIRE", "k", "100") }, aborted},
		"it is removed":               {func(r *replica) { r.do("DEL", "k") }, aborted},
		"it is removed and comes back": {func(r *replica) {
			r.exec(txOf(t, "DEL k", "SET k v"))
		}, aborted},
		"all is flushed": {func(r *replica) { r.do("FLUSHALL") }, aborted},
		"it expires": {func(r *replica) {
			r.now += 1000
			r.apply(&reply.Writer{})
		}, aborted},
		"the absent key appears": {func(r *replica) { r.do("SET", "{k}absent", "x") }, aborted},
		"the absent key appears and is removed": {func(r *replica) {
			r.do("SET", "{k}absent", "x")
			r.do("DEL", "{k}absent")
		}, aborted},
		"the absent key appears and moves away": {func(r *replica) {
			r.do("SET", "{k}absent", "x")
			r.do("RENAME", "{k}absent", "{k}other")
		}, aborted},
		"the absent key appears and expires": {func(r *replica) {
			r.do("SET", "{k}absent", "x", "PX", "10")
			r.now += 10
			r.apply(&reply.Writer{})
		}, aborted},
		"the absent key appears and expires, and is not removed yet": {func(r *replica) {
			r.do("SET", "{k}absent", "x", "PX", "10")
			for i := range fsm.MaxExpiredPerEntry {
				r.do("SET", fmt.Sprintf("{k}%d", i), "x", "PX", "9")
			}
			r.now += 10
			r.apply(&reply.Writer{})
		}, aborted},
		"the absent key appears and is evicted": {func(r *replica) {
			r.do("SET", "{k}absent", "x")
			version, _ := r.m.WatchVersion([]byte("{k}absent"), 0)
			r.apply(&reply.Writer{}, entry.Evict([]entry.Victim{{Key: []byte("{k}absent"), Version: version}}))
		}, aborted},
		"the absent key appears and all is flushed": {func(r *replica) {
			r.do("SET", "{k}absent", "x")
			r.do("FLUSHALL")
			r.do("SET", "k", "v")
		}, aborted},
		"another key, older than the watch, is removed": {func(r *replica) { r.do("DEL", "{k}old") }, ran},
	} {
		r := newReplica(t)
		r.do("SET", "k", "v")
		r.do("SET", "{k}old", "v")
		if name == "it expires" {
			r.do("PEXPIRE", "k", "1000")
		}
		op := r.watching(txOf(t, "GET k"), "k", "{k}absent")
		c.between(r)
		back := newReplica(t)
		if err := back.m.Restore(bytes.NewReader(bytesOfSnapshot(t, r.m))); err != nil {
			t.Fatal(err)
		}
		back.index, back.now = r.index, r.now
		for who, r := range map[string]*replica{"": r, ", restored from a snapshot": back} {
			if got := r.exec(op); got != c.want {
				t.Errorf("%s%s: %q, want %q", name, who, got, c.want)
			}
		}
		expect(t, digestOf(back.m), digestOf(r.m))
	}
}

func TestWatchReplyAndVersionAgree(t *testing.T) {
	r := newReplica(t)
	r.do("SET", "{k}a", "v")
	r.do("SET", "{k}b", "v")
	out, v := r.read(r.now, "WATCH", "{k}a", "{k}b", "{k}none")
	expect(t, out, fmt.Sprintf("*3\r\n:1\r\n:2\r\n:%d\r\n", 1<<62|2))
	if v != fsm.Done {
		t.Errorf("verdict %d", v)
	}
	r.do("PEXPIRE", "{k}a", "10")
	if out, v := r.read(r.now+10, "WATCH", "{k}a"); v != fsm.NeedAdvance || out != "" {
		t.Errorf("watch of a key that is about to expire: %q, verdict %d", out, v)
	}
	if _, v := r.m.WatchVersion([]byte("{k}a"), r.now+10); v != fsm.NeedAdvance {
		t.Errorf("verdict %d", v)
	}
}

func TestTransactionThatIsNotOneStepIsRefused(t *testing.T) {
	r := newReplica(t)
	expect(t, r.exec(txOf(t, "SET a 1", "SET b 1")), discarded+"CROSSSLOT Keys in request don't hash to the same slot\r\n")
	expect(t, r.exec(txOf(t, "MSET a 1 b 1")), discarded+"CROSSSLOT Keys in request don't hash to the same slot\r\n")
	expect(t, r.exec(r.watching(txOf(t, "SET a 1"), "b")), discarded+"CROSSSLOT Keys in request don't hash to the same slot\r\n")
	expect(t, r.exec(txOf(t, "SET a 1", "DBSIZE")), discarded+"ERR 'dbsize' is about the whole node, not about keys of one slot\r\n")
	if s := r.m.Stats(); s.Keys != 0 {
		t.Errorf("%d keys were written", s.Keys)
	}
}

func TestTransactionOfReadsMayBeRead(t *testing.T) {
	r := newReplica(t)
	r.do("MSET", "{k}a", "1", "{k}b", "2")
	op := r.watching(txOf(t, "GET {k}a", "GET {k}b"), "{k}a")
	w := &reply.Writer{}
	if v := r.m.Read(&op, r.now, w); v != fsm.Done {
		t.Errorf("verdict %d", v)
	}
	expect(t, string(w.Buf), "*2\r\n$1\r\n1\r\n$1\r\n2\r\n")
}

func TestReadRefusesWrites(t *testing.T) {
	for _, op := range []entry.Op{opOf(t, "SET", "k", "v"), txOf(t, "SET k v"), opOf(t, "FLUSHALL")} {
		r := newReplica(t)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v outside the log was executed", op.Cmd)
				}
			}()
			r.m.Read(&op, r.now, &reply.Writer{})
		}()
	}
}

// TestLongRepliesAreCut: what a command or a transaction would answer beyond the limit is left out, and all of it is executed.
func TestLongRepliesAreCut(t *testing.T) {
	r := newReplica(t)
	r.do("SET", "{k}a", strings.Repeat("x", 100))
	value, out := "$100\r\n"+strings.Repeat("x", 100)+"\r\n", "-"+reply.LeftOut+"\r\n"
	mget := opOf(t, "MGET", "{k}a", "{k}none", "{k}a", "{k}a")
	w := &reply.Writer{Limit: 150}
	r.m.Read(&mget, r.now, w)
	expect(t, string(w.Buf), "*4\r\n"+value+"$-1\r\n"+value+out)

	// What is short is never left out: it says what became of a write.
	long := strings.Repeat("y", 2000)
	tx := txOf(t, "GET {k}a", "APPEND {k}a "+long, "GET {k}a", "INCR {k}a", "GETSET {k}a z", "SET {k}b 1", "GET {k}b")
	w = &reply.Writer{Limit: 50}
	r.apply(w, tx)
	expect(t, string(w.Buf), "*7\r\n"+value+fmt.Sprintf(":%d\r\n", 2100)+out+"-ERR value is not an integer or out of range\r\n"+out+"+OK\r\n$1\r\n1\r\n")
	expect(t, r.do("MGET", "{k}a", "{k}b"), "*2\r\n$1\r\nz\r\n$1\r\n1\r\n")
}
