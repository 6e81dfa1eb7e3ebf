package fsm_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
)

// crowd is a machine with n keys of 16 bytes and 64-byte values over all slots, far more than caches hold.
type crowd struct {
	m     *fsm.Machine
	index uint64
	n     int
	value []byte
	rnd   uint64
	list  []*entry.Op
}

const crowdBatch = 128

func newCrowd(b *testing.B, n int) *crowd {
	c := &crowd{
		m:     fsm.New(fsm.Genesis{Group: 7, HashSeed: 42, Slots: []slot.Range{{First: 0, Last: slot.Count - 1}}}),
		n:     n,
		value: make([]byte, 64),
	}
	ops := c.ops(command.Set, crowdBatch)
	for at := 0; at < n; at += len(ops) {
		for i := range ops {
			crowdKey(ops[i].Args[0], at+i)
		}
		c.apply(ops)
	}
	b.ResetTimer()
	return c
}

// crowdKey writes key number i.
func crowdKey(key []byte, i int) {
	binary.BigEndian.PutUint64(key, uint64(i)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(key[8:], uint64(i))
}

// ops makes n ops with room for keys.
func (c *crowd) ops(id command.ID, n int) []entry.Op {
	ops := make([]entry.Op, n)
	for i := range ops {
		ops[i] = entry.Op{Cmd: id, Args: [][]byte{make([]byte, 16), c.value}}
		if id == command.Get {
			ops[i].Args = ops[i].Args[:1]
		}
	}
	return ops
}

// draw gives each op a random key.
func (c *crowd) draw(ops []entry.Op) {
	for i := range ops {
		c.rnd += 0x9e3779b97f4a7c15
		z := (c.rnd ^ c.rnd>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		crowdKey(ops[i].Args[0], int((z^z>>31)%uint64(c.n)))
	}
}

func (c *crowd) apply(ops []entry.Op) {
	w := reply.Writer{Discard: true}
	c.index++
	c.m.Begin(c.index, 1_700_000_000_000)
	c.list = c.list[:0]
	for i := range ops {
		c.list = append(c.list, &ops[i])
	}
	c.m.Ahead(c.list)
	for i := range ops {
		c.m.Do(&ops[i], &w)
	}
	c.m.End()
}

func BenchmarkCrowd(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000, 20_000_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			var c *crowd
			b.Run("SET", func(b *testing.B) {
				b.ReportAllocs()
				if c == nil {
					c = newCrowd(b, n)
				}
				ops := c.ops(command.Set, crowdBatch)
				for i := 0; i < b.N; i += len(ops) {
					c.draw(ops)
					c.apply(ops)
				}
			})
			for _, pipeline := range []int{1, 16, 64} {
				b.Run(fmt.Sprintf("GET/pipeline=%d", pipeline), func(b *testing.B) {
					if c == nil {
						c = newCrowd(b, n)
					}
					ops := c.ops(command.Get, pipeline)
					w := reply.Writer{}
					readings := []fsm.Reading{{Machine: c.m, Wall: 1_700_000_000_000, Out: &w}}
					for i := 0; i < b.N; i += len(ops) {
						c.draw(ops)
						w.Buf = w.Buf[:0]
						readings[0].Ops, readings[0].Ends = ops, readings[0].Ends[:0]
						fsm.ReadAll(readings)
						if len(w.Buf) < 64*len(ops) {
							b.Fatal("a key is missing")
						}
					}
				})
			}
		})
	}
}

// BenchmarkSnapshotUnderWrites writes snapshots of a million keys while entries of 64 SETs are applied. It reports how long the
// slowest entry took, and how many bytes of pages and else were allocated for each key of a snapshot.
func BenchmarkSnapshotUnderWrites(b *testing.B) {
	const keys = 1_000_000
	c := newCrowd(b, keys)
	ops := c.ops(command.Set, crowdBatch)
	var slowest time.Duration
	entries := 0
	b.ReportAllocs()
	for b.Loop() {
		s := c.m.Snapshot()
		done := make(chan error, 1)
		go func() {
			s.Rest = runtime.Gosched
			_, err := s.WriteTo(io.Discard)
			done <- err
		}()
		for written := false; !written; entries++ {
			c.draw(ops)
			start := time.Now()
			c.apply(ops)
			slowest = max(slowest, time.Since(start))
			select {
			case err := <-done:
				if written = true; err != nil {
					b.Fatal(err)
				}
			default:
			}
		}
		s.Release()
	}
	b.ReportMetric(float64(slowest.Microseconds()), "slowest-entry-µs")
	b.ReportMetric(float64(entries)/float64(b.N), "entries/op")
}

// BenchmarkSnapshotOfCrowd reports the time per key of a state that is in nobody's cache.
func BenchmarkSnapshotOfCrowd(b *testing.B) {
	b.ReportAllocs()
	const keys = 4_000_000
	c := newCrowd(b, keys)
	for b.Loop() {
		s := c.m.Snapshot()
		if _, err := s.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
		s.Release()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/keys, "ns/key")
}
