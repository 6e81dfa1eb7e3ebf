package fsm_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
)

// warm is a replica with 10,000 keys of 64 bytes.
func warm(t testing.TB) *replica {
	r := newReplica(t)
	for i := range 10_000 {
		r.do("SET", fmt.Sprintf("key:%d", i), strings.Repeat("v", 64))
	}
	return r
}

func hotOps(t testing.TB, line string) []entry.Op {
	ops := make([]entry.Op, 1024)
	for i := range ops {
		ops[i] = opOf(t, strings.Fields(fmt.Sprintf(line, i))...)
	}
	return ops
}

var (
	setLine = "SET key:%d " + strings.Repeat("w", 64)
	getLine = "GET key:%d"
	hot     = map[string]string{
		"GET": getLine, "SET": setLine, "SETEX": "SET key:%d " + strings.Repeat("w", 64) + " EX 1000",
		"EXPIRE": "EXPIRE key:%d 1000", "STRLEN": "STRLEN key:%d", "EXISTS": "EXISTS key:%d", "TTL": "TTL key:%d",
	}
)

func TestHotPathDoesNotAllocate(t *testing.T) {
	r := warm(t)
	for name, line := range hot {
		ops := hotOps(t, line)
		w := &reply.Writer{}
		i := 0
		do := func() {
			w.Buf = w.Buf[:0]
			r.index++
			r.m.Begin(r.index, r.now)
			r.m.Do(&ops[i%len(ops)], w)
			r.m.End()
			i++
		}
		for range len(ops) {
			do()
		}
		if n := testing.AllocsPerRun(5000, do); n != 0 {
			t.Errorf("%s through Do: %v allocations", name, n)
		}
	}
	for _, line := range []string{getLine, "STRLEN key:%d", "EXISTS key:%d", "TTL key:%d"} {
		ops := hotOps(t, line)
		w := &reply.Writer{Buf: make([]byte, 0, 256)}
		i := 0
		if n := testing.AllocsPerRun(5000, func() {
			w.Buf = w.Buf[:0]
			r.m.Read(&ops[i%len(ops)], r.now, w)
			i++
		}); n >= 1 {
			t.Errorf("%s through Read: %v allocations", line, n)
		}
	}
}

func BenchmarkDo(b *testing.B) {
	for _, name := range []string{"GET", "SET", "SETEX"} {
		b.Run(name, func(b *testing.B) {
			r := warm(b)
			ops := hotOps(b, hot[name])
			w := &reply.Writer{}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%64 == 0 {
					w.Buf = w.Buf[:0]
					r.index++
					r.m.End()
					r.m.Begin(r.index, r.now)
				}
				r.m.Do(&ops[i%len(ops)], w)
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	r := warm(b)
	ops := hotOps(b, getLine)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		w := &reply.Writer{}
		for i := 0; pb.Next(); i++ {
			w.Buf = w.Buf[:0]
			r.m.Read(&ops[i%len(ops)], r.now, w)
		}
	})
}

func BenchmarkVictims(b *testing.B) {
	r := warm(b)
	r.apply(&reply.Writer{}, entry.Limit(entry.Limits{MaxMemory: 1000, Policy: entry.AllKeysLRU, Samples: 5}))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.m.Victims(0, 16, r.now, uint64(i))
	}
}

func BenchmarkSnapshot(b *testing.B) {
	r := warm(b)
	b.ReportAllocs()
	for b.Loop() {
		s := r.m.Snapshot()
		if _, err := s.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
		s.Release()
	}
}
