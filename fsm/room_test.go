package fsm_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/table"
)

const (
	oom       = "-OOM command not allowed when used memory > 'maxmemory'.\r\n"
	discarded = "-EXECABORT Transaction discarded because of: "
)

// full returns a replica whose keys take the whole limit: {k}big most of it, {k}n holds 9, {k}ttl has a deadline.
func full(t testing.TB, more int64) *replica {
	r := newReplica(t)
	r.do("SET", "{k}n", "9")
	r.do("SET", "{k}ttl", "v", "EX", "100")
	r.do("SET", "{k}big", strings.Repeat("x", 1000))
	r.apply(&reply.Writer{}, entry.Limit(entry.Limits{MaxMemory: uint64(r.m.Memory() + more), Policy: entry.NoEviction, Samples: 5}))
	return r
}

// TestAtTheLimit: with no byte left, what needs more is refused and changes nothing, and everything else works.
func TestAtTheLimit(t *testing.T) {
	big := strings.Repeat("y", 1000)
	for line, want := range map[string]string{
		"SET {k}new v":                oom,
		"SET {k}big " + big + "y":     oom,
		"SET {k}big " + big + " EX 9": oom,
		"SET {k}n 9 PX 5 GET":         oom,
		"SETNX {k}new v":              oom,
		"SETEX {k}n 9 9":              oom,
		"PSETEX {k}new 9 v":           oom,
		"GETSET {k}n 10":              oom,
		"MSET {k}n 8 {k}new v":        oom,
		"MSETNX {k}new v {k}new2 v":   oom,
		"INCR {k}n":                   oom, // two digits
		"INCRBY {k}new 5":             oom,
		"INCRBYFLOAT {k}n 1e300":      oom,
		"APPEND {k}big x":             oom,
		"APPEND {k}new x":             oom,
		"SETRANGE {k}big 1000 x":      oom,
		"SETRANGE {k}new 536870000 x": oom,
		"COPY {k}n {k}new":            oom,
		"COPY {k}big {k}n REPLACE":    oom,
		"SET {k}big " + big:           "+OK\r\n",
		"SET {k}big small":            "+OK\r\n",
		"SET {k}ttl w EX 50":          "+OK\r\n",
		"SET {k}ttl w KEEPTTL":        "+OK\r\n",
		"SETEX {k}ttl 50 w":           "+OK\r\n",
		"SET {k}n " + big + " NX":     "$-1\r\n",
		"SET {k}new " + big + " XX":   "$-1\r\n",
		"SETNX {k}n " + big:           ":0\r\n",
		"MSET {k}n 8 {k}ttl w":        "+OK\r\n",
		"MSETNX {k}n 8 {k}new w":      ":0\r\n",
		"GETSET {k}n 8":               "$1\r\n9\r\n",
		"DECR {k}n":                   ":8\r\n",
		"INCRBYFLOAT {k}n -1.0":       "$1\r\n8\r\n",
		"APPEND {k}big ":              ":1000\r\n",
		"SETRANGE {k}big 10 zzz":      ":1000\r\n",
		"COPY {k}n {k}big REPLACE":    ":1\r\n",
		"COPY {k}none {k}new":         ":0\r\n",
		"GET {k}n":                    "$1\r\n9\r\n",
		"DEL {k}n":                    ":1\r\n",
		"EXPIRE {k}ttl 7":             ":1\r\n",
		"PERSIST {k}ttl":              ":1\r\n",
		"GETDEL {k}n":                 "$1\r\n9\r\n",
		"SET {k}new":                  "-ERR wrong number of arguments for 'set' command\r\n",
		"SET {k}new v WHAT":           "-ERR syntax error\r\n",
		"INCR {k}big":                 "-ERR value is not an integer or out of range\r\n",
		"SET {k}new v EX 0":           "-ERR invalid expire time in 'set' command\r\n",
		"SET {k}new v PXAT 1":         "+OK\r\n", // gone at once
		"SETRANGE {k}new 5 ":          ":0\r\n",
	} {
		r, idle := full(t, 0), full(t, 0)
		words := strings.Split(line, " ")
		if got := r.do(words...); got != want {
			t.Errorf("%.40s: got %q, want %q", line, got, want)
		}
		if idle.do("GET", "{k}n"); want == oom && digestOf(r.m) != digestOf(idle.m) {
			t.Errorf("%.40s was refused and has changed something", line)
		}
		if r.m.Memory() > int64(r.m.Limits().MaxMemory) {
			t.Errorf("%.40s: over the limit", line)
		}
		// Exactly the room that it needs is enough.
		if want == oom && !strings.Contains(line, "53687") {
			roomy := full(t, 10_000)
			roomy.do(words...)
			grown := full(t, roomy.m.Memory()-r.m.Memory())
			if got := grown.do(words...); got == oom {
				t.Errorf("%.40s: refused though its %d bytes fit", line, roomy.m.Memory()-r.m.Memory())
			}
			tight := full(t, roomy.m.Memory()-r.m.Memory()-1)
			if got := tight.do(words...); got != oom {
				t.Errorf("%.40s: got %q with one byte too little", line, got)
			}
		}
	}
}

// TestOverTheLimit: a limit that is lowered below what is there refuses only growth.
func TestOverTheLimit(t *testing.T) {
	r := full(t, -500)
	expect(t, r.do("SET", "{k}new", "v"), oom)
	expect(t, r.do("SET", "{k}n", "8"), "+OK\r\n")
	expect(t, r.do("GET", "{k}n"), "$1\r\n8\r\n")
	expect(t, r.do("DEL", "{k}big"), ":1\r\n")
	expect(t, r.do("SET", "{k}new", "v"), "+OK\r\n")
}

// TestTransactionsAtTheLimit: a transaction is refused as a whole, before its first command, if its commands do not fit
// together.
func TestTransactionsAtTheLimit(t *testing.T) {
	key := int64(len("{k}a") + 1 + table.Overhead)
	for _, c := range []struct {
		room int64
		tx   []string
		want string
	}{
		{0, []string{"SET {k}n 8", "GET {k}n"}, "*2\r\n+OK\r\n$1\r\n8\r\n"},
		{0, []string{"SET {k}n 8", "SET {k}a v"}, discarded + oom[1:]},
		{0, []string{"DEL {k}big", "SET {k}a v"}, discarded + oom[1:]}, // no credit for what is freed on the way
		{0, []string{"DEL {k}big", "SET {k}a"}, "*2\r\n:1\r\n-ERR wrong number of arguments for 'set' command\r\n"},
		{2*key - 1, []string{"SET {k}a v", "SET {k}b v"}, discarded + oom[1:]},
		{2 * key, []string{"SET {k}a v", "SET {k}b v"}, "*2\r\n+OK\r\n+OK\r\n"},
		{key, []string{"SET {k}a v", "COPY {k}a {k}b"}, "*2\r\n+OK\r\n" + oom},
		{2 * key, []string{"SET {k}a v", "COPY {k}a {k}b"}, "*2\r\n+OK\r\n:1\r\n"},
	} {
		r := full(t, c.room)
		if got := r.exec(txOf(t, c.tx...)); got != c.want {
			t.Errorf("%q with room for %d: got %q, want %q", c.tx, c.room, got, c.want)
		}
		if r.m.Memory() > int64(r.m.Limits().MaxMemory) {
			t.Errorf("%q: over the limit", c.tx)
		}
	}
	r := full(t, 0)
	stale := txOf(t, "SET {k}a v")
	stale.Tx.Watches = []entry.Watch{{Key: []byte("{k}n"), Version: 1 << 40}}
	expect(t, r.exec(stale), "*-1\r\n")
}

// TestRandomCommandsAtTheLimit: whatever comes, memory stays within the limit, Growth is never too low, and only what
// would have grown is refused.
func TestRandomCommandsAtTheLimit(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 4))
	key := func() string { return fmt.Sprint("{k}", rnd.IntN(30)) }
	val := func() string { return strings.Repeat("7", 1+rnd.IntN(60)) }
	r := newReplica(t)
	r.apply(&reply.Writer{}, entry.Limit(entry.Limits{MaxMemory: 1500, Samples: 5}))
	refused := 0
	for range 20_000 {
		var words []string
		switch rnd.IntN(10) {
		case 0:
			words = []string{"DEL", key()}
		case 1:
			words = []string{"SET", key(), val(), "PX", fmt.Sprint(1 + rnd.IntN(300))}
		case 2:
			words = []string{"APPEND", key(), val()}
		case 3:
			words = []string{"SETRANGE", key(), fmt.Sprint(rnd.IntN(80)), val()}
		case 4:
			words = []string{"COPY", key(), key(), "REPLACE"}
		case 5:
			words = []string{"MSET", key(), val(), key(), val()}
		case 6:
			words = []string{"INCRBYFLOAT", key(), fmt.Sprintf("1e%d", rnd.IntN(40))}
		case 7:
			words = []string{"GETSET", key(), val()}
		default:
			words = []string{"SET", key(), val()}
		}
		r.now += int64(rnd.IntN(3))
		r.apply(&reply.Writer{}) // removes what has expired, so that only the command changes what is used
		op := opOf(t, words...)
		used, bound := r.m.Memory(), r.m.Growth(&op)
		w := &reply.Writer{}
		r.apply(w, op)
		now := r.m.Memory()
		switch {
		case now > 1500, now-used > bound:
			t.Fatalf("%q: %d bytes used, were %d, growth was bounded by %d", words, now, used, bound)
		case string(w.Buf) == oom && (now != used || used+bound <= 1500):
			t.Fatalf("%q was refused at %d bytes, growth is at most %d; %d bytes now", words, used, bound, now)
		case string(w.Buf) == oom:
			refused++
		}
	}
	if refused < 1000 {
		t.Errorf("only %d commands were refused", refused)
	}
}

func TestGrowth(t *testing.T) {
	r := full(t, 0)
	for line, atLeast := range map[string]int64{
		"GET {k}n": 0, "DEL {k}big": 0, "SET {k}a v": 4 + 1 + table.Overhead, "COPY {k}big {k}a": 1000, "SETRANGE {k}a 5000 x": 5001,
		"SETRANGE {k}big 500 x": 0, "SETRANGE {k}big 1500 x": 501,
	} {
		op := opOf(t, strings.Split(line, " ")...)
		if got := r.m.Growth(&op); got < atLeast || got > atLeast+500 || atLeast == 0 && got != 0 {
			t.Errorf("%s: at most %d bytes, want about %d", line, got, atLeast)
		}
	}
	tx := txOf(t, "SET {k}a v", "COPY {k}big {k}b")
	if got := r.m.Growth(&tx); got < 1000 {
		t.Errorf("transaction: %d bytes", got)
	}
	elsewhere := opOf(t, "COPY", "{k}big", "{k}a")
	if got := fsm.New(fsm.Genesis{}).Growth(&elsewhere); got > 200 {
		t.Errorf("a key that is not here: %d bytes", got)
	}
}
