package wal

import (
	"fmt"
	"sync"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
)

func openDir(b *testing.B, d Durability) *Log {
	l, err := Open(b.TempDir(), Options{Durability: d, Fatal: func(err error) { b.Errorf("fatal: %v", err) }})
	must(b, err)
	b.Cleanup(func() { l.Close() })
	return l
}

// BenchmarkStore stores entries of 4 KiB, one at a time in each of some groups at once, on a real disk, and compacts now
// and then as raft does.
func BenchmarkStore(b *testing.B) {
	for _, d := range []Durability{Always, Interval} {
		for _, groups := range []int{1, 3, 32} {
			b.Run(fmt.Sprintf("%v/groups=%d", d, groups), func(b *testing.B) {
				l := openDir(b, d)
				b.ReportAllocs()
				b.SetBytes(4096)
				var running sync.WaitGroup
				for id := range groups {
					running.Go(func() { storeMany(b, l.Group(slot.GroupID(id)), 1+b.N/groups) })
				}
				running.Wait()
				s := l.Stats()
				b.ReportMetric(float64(s.Syncs)/float64(s.Stores), "syncs/op")
				b.ReportMetric(float64(s.Commits)/float64(s.Stores), "writes/op")
			})
		}
	}
}

func storeMany(b *testing.B, g *GroupLog, n int) {
	data := make([]byte, 4096)
	e := new(raft.Log)
	one := []*raft.Log{e}
	for i := range uint64(n) {
		*e = raft.Log{Index: i + 1, Term: 1, Data: data}
		must(b, g.StoreLogs(one))
		if i%4096 == 4095 {
			must(b, g.DeleteRange(i-4094, i-1000))
		}
	}
}

// BenchmarkGetLog reads entries back, from memory as raft does and from the disk.
func BenchmarkGetLog(b *testing.B) {
	for name, tail := range map[string]int64{"memory": 1 << 30, "disk": 1} {
		b.Run(name, func(b *testing.B) {
			l, err := Open(b.TempDir(), Options{TailBytes: tail, Durability: Interval, Fatal: func(err error) { b.Error(err) }})
			must(b, err)
			defer l.Close()
			g := l.Group(1)
			must(b, g.StoreLogs(entries(1, 1000, 1, 4096)))
			b.ReportAllocs()
			var e raft.Log
			for i := uint64(0); b.Loop(); i++ {
				must(b, g.GetLog(1+i%999, &e))
			}
		})
	}
}
