package wal

import (
	"fmt"
	"sync"
	"syscall"
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

// BenchmarkStore stores entries like those of single commands and of pipelines, one at a time in each of some groups at
// once, on a real disk, and compacts now and then as raft does. writes/op and syncs/op are of all groups together.
func BenchmarkStore(b *testing.B) {
	for _, d := range []Durability{Always, Interval} {
		for _, groups := range []int{1, 3, 32} {
			for _, size := range []int{700, 12000} {
				b.Run(fmt.Sprintf("%v/groups=%d/size=%d", d, groups, size), func(b *testing.B) { benchmarkStore(b, d, groups, size) })
			}
		}
	}
}

func benchmarkStore(b *testing.B, d Durability, groups, size int) {
	l := openDir(b, d)
	b.ReportAllocs()
	b.SetBytes(int64(size))
	b.ResetTimer()
	before := cpuMicros(b)
	var running sync.WaitGroup
	for id := range groups {
		running.Go(func() { storeMany(b, l.Group(slot.GroupID(id)), 1+b.N/groups, size) })
	}
	running.Wait()
	b.ReportMetric(float64(cpuMicros(b)-before)/float64(b.N), "cpu-µs/op")
	s := l.Stats()
	b.ReportMetric(float64(s.Syncs)/float64(s.Stores), "syncs/op")
	b.ReportMetric(float64(s.Commits)/float64(s.Stores), "writes/op")
}

func storeMany(b *testing.B, g *GroupLog, n, size int) {
	data := make([]byte, size)
	e := new(raft.Log)
	one := []*raft.Log{e}
	for i := range uint64(n) {
		*e = raft.Log{Index: i + 1, Term: 1, Data: data}
		must(b, g.StoreLogs(one))
		if i%4096 == 4095 {
			must(b, g.DeleteRange(1, i-1000))
		}
	}
}

// cpuMicros is the CPU time of this process.
func cpuMicros(b *testing.B) int64 {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return (u.Utime.Nano() + u.Stime.Nano()) / 1000
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
