package shardgroup

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/peer"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/shardgroup/consensus"
	"github.com/quorate/quorate/shardgroup/wal"
)

// host is one node of BenchmarkEntry: real connections and a real log under a replica of each group.
type host struct {
	link   *peer.Node
	mux    *raftnet.Mux
	log    *wal.Log
	groups []*Group
	close  []func() error
}

// BenchmarkEntry is the way of one entry from Submit to Done: three replicas in one process, with real connections and
// logs. An op is an entry of seven SETs; allocations, cpu-µs and the rest are of all three replicas together.
func BenchmarkEntry(b *testing.B) {
	for _, d := range []wal.Durability{wal.Interval, wal.Always} {
		for _, groups := range []int{1, 3} {
			b.Run(fmt.Sprintf("%v/groups=%d", d, groups), func(b *testing.B) { benchmarkEntry(b, d, groups) })
		}
	}
}

func benchmarkEntry(b *testing.B, d wal.Durability, groups int) {
	hosts := openHosts(b, d, groups)
	leaders := make([]*Group, groups)
	for i := range leaders {
		leaders[i] = awaitLeader(b, hosts, i)
	}
	submitMany(leaders, 100) // connections are made, buffers have grown
	b.ReportAllocs()
	flushes, calls, writes := hostStats(hosts)
	cpu := cpuMicros(b)
	b.ResetTimer()
	submitMany(leaders, b.N)
	b.StopTimer()
	b.ReportMetric(float64(cpuMicros(b)-cpu)/float64(b.N), "cpu-µs/op")
	f, c, w := hostStats(hosts)
	b.ReportMetric(float64(f-flushes)/float64(b.N), "sends/op")
	b.ReportMetric(float64(c-calls)/float64(b.N), "calls/op")
	b.ReportMetric(float64(w-writes)/float64(b.N), "pwrites/op")
}

// BenchmarkReads is the way of sixteen GETs below the front end: read gate, lease, machine. An op is one GET.
func BenchmarkReads(b *testing.B) {
	g := awaitLeader(b, openHosts(b, wal.Interval, 1), 0)
	submitMany([]*Group{g}, 1) // now there are the keys
	var rs Reads
	c := &Call{}
	for j := range 16 {
		c.Ops = append(c.Ops, op(fmt.Sprintf("GET key:%d", j%7)))
		c.Reads = append(c.Reads, true)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += len(c.Ops) {
		c.Out.Buf, c.Ends, c.Answered = c.Out.Buf[:0], c.Ends[:0], false
		if g.Join(&rs, c) {
			rs.Answer()
		}
		if !c.Answered {
			g.Read(c) // the machine stood still, and the lease is over
		}
		if len(c.Ends) != len(c.Ops) {
			b.Fatalf("%d of %d were answered: %v", len(c.Ends), len(c.Ops), c.Err)
		}
	}
}

func openHosts(b *testing.B, d wal.Durability, groups int) []*host {
	quiet := slog.New(slog.DiscardHandler)
	fatal := func(err error) { b.Errorf("fatal: %v", err) }
	var hosts []*host
	var members raft.Configuration
	for i := range 3 {
		id := fmt.Sprintf("n%d", i)
		h := &host{}
		var err error
		if h.link, err = peer.Listen("127.0.0.1:0", peer.Options{Self: topology.NodeID(id), Logger: quiet}); err != nil {
			b.Fatal(err)
		}
		if h.log, err = wal.Open(filepath.Join(b.TempDir(), "log"), wal.Options{Durability: d, Fatal: fatal}); err != nil {
			b.Fatal(err)
		}
		h.mux = raftnet.NewMux(h.link)
		for _, o := range hosts {
			o.link.SetAddr(h.link.Self(), h.link.Addr())
			h.link.SetAddr(o.link.Self(), o.link.Addr())
		}
		h.link.Serve()
		hosts = append(hosts, h)
		members.Servers = append(members.Servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(id)})
	}
	b.Cleanup(func() { closeHosts(b, hosts) })
	for _, h := range hosts {
		for g := range groups {
			h.open(b, slot.GroupID(1+g), members, fatal)
		}
	}
	return hosts
}

func (h *host) open(b *testing.B, id slot.GroupID, members raft.Configuration, fatal func(error)) {
	quiet := slog.New(slog.DiscardHandler)
	tr, err := h.mux.Open(id, raftnet.Options{Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	store := raft.NewInmemStore()
	g, err := Open(Config{
		ID: id, Self: string(h.link.Self()), Logger: quiet, Fatal: fatal,
		Genesis: fsm.Genesis{Group: id, HashSeed: 11, Slots: []slot.Range{{First: 0, Last: 16383}}},
		Consensus: consensus.Config{Transport: tr, Logs: h.log.Group(id), Stable: store, Snapshots: raft.NewInmemSnapshotStore(),
			Bootstrap: &members, SnapshotBytes: 1 << 40},
	})
	if err != nil {
		b.Fatal(err)
	}
	h.groups = append(h.groups, g)
	h.close = append(h.close, tr.Close, g.Close)
}

func closeHosts(b *testing.B, hosts []*host) {
	for _, h := range hosts {
		for _, f := range append(append([]func() error{h.link.Close}, h.close...), h.log.Close) {
			if err := f(); err != nil {
				b.Error(err)
			}
		}
	}
}

func awaitLeader(b *testing.B, hosts []*host, group int) *Group {
	for range 3000 {
		for _, h := range hosts {
			if g := h.groups[group]; g.Leader().Ready {
				return g
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatal("no leader")
	return nil
}

// submitMany sends n calls of seven SETs, shared out among the groups, each of which has one in flight.
func submitMany(leaders []*Group, n int) {
	var wg sync.WaitGroup
	for i, g := range leaders {
		wg.Go(func() {
			done := make(chan struct{}, 1)
			c := &Call{Done: func(*Call) { done <- struct{}{} }}
			for j := range 7 {
				c.Ops = append(c.Ops, op(fmt.Sprintf("SET key:%d %s", j, strings.Repeat("v", 64))))
			}
			for range (n + len(leaders) - 1 - i) / len(leaders) {
				c.Out.Buf = c.Out.Buf[:0]
				g.Submit(c)
				<-done
			}
		})
	}
	wg.Wait()
}

func hostStats(hosts []*host) (sends, calls, pwrites uint64) {
	for _, h := range hosts {
		s := h.link.Stats()
		sends += s.Flushes
		calls += s.Calls
		pwrites += h.log.Stats().Commits
	}
	return sends, calls, pwrites
}

// cpuMicros is the CPU time of this process.
func cpuMicros(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return (u.Utime.Nano() + u.Stime.Nano()) / 1000
}
