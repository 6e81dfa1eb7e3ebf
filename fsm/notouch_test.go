package fsm_test

import (
	"testing"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
)

// TestReadsThatAreNoUses: however they are executed, their keys stay as idle as they were, and the next op's do not.
func TestReadsThatAreNoUses(t *testing.T) {
	quiet := func(args ...string) entry.Op {
		op := opOf(t, args...)
		op.NoTouch = true
		return op
	}
	for name, read := range map[string]func(m *fsm.Machine, now int64, ops []entry.Op){
		"one by one": func(m *fsm.Machine, now int64, ops []entry.Op) {
			for i := range ops {
				m.Read(&ops[i], now, &reply.Writer{})
			}
		},
		"together": func(m *fsm.Machine, now int64, ops []entry.Op) {
			fsm.ReadAll([]fsm.Reading{{Machine: m, Ops: ops, Wall: now, Out: &reply.Writer{}}})
		},
		"in a transaction": func(m *fsm.Machine, now int64, ops []entry.Op) {
			tx := txOf(t)
			tx.Tx.Ops = ops
			m.Read(&tx, now, &reply.Writer{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := limited(t, entry.AllKeysLRU)
			r.do("SET", "{t}a", "1")
			r.do("SET", "{t}b", "1")
			r.now += 7500
			read(r.m, r.now, []entry.Op{quiet("GET", "{t}a"), quiet("EXISTS", "{t}a"), opOf(t, "GET", "{t}b"), quiet("STRLEN", "{t}a")})
			expect(t, r.do("OBJECT", "IDLETIME", "{t}a"), ":7\r\n")
			expect(t, r.do("OBJECT", "IDLETIME", "{t}b"), ":0\r\n")
		})
	}
}

// TestExistsIsNoUse: to ask whether a key is there does not keep it, as in Redis; TOUCH does.
func TestExistsIsNoUse(t *testing.T) {
	r := limited(t, entry.AllKeysLRU)
	r.do("SET", "{t}a", "1")
	r.do("SET", "{t}b", "1")
	r.now += 7500
	for _, op := range []entry.Op{opOf(t, "EXISTS", "{t}a"), opOf(t, "TOUCH", "{t}b")} {
		r.m.Read(&op, r.now, &reply.Writer{})
	}
	expect(t, r.do("OBJECT", "IDLETIME", "{t}a"), ":7\r\n")
	expect(t, r.do("OBJECT", "IDLETIME", "{t}b"), ":0\r\n")
}
