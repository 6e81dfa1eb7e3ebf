package shardgroup

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// BenchmarkRaftAlone is what an entry costs hashicorp/raft by itself, without a disk, a network or a state: three replicas of each group in
// one process, and one entry of each group under way. It is a floor for what groups cost.
func BenchmarkRaftAlone(b *testing.B) {
	for _, groups := range []int{1, 32, 128} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			all, leaders := make([][]*raft.Raft, groups), make([]*raft.Raft, groups)
			for i := range all {
				all[i] = raftAlone(b)
			}
			for i := range leaders {
				leaders[i] = leaderOf(b, all[i])
			}
			proposeMany(b, leaders, 10*groups)
			b.ReportAllocs()
			cpu := cpuMicros(b)
			b.ResetTimer()
			proposeMany(b, leaders, b.N)
			b.StopTimer()
			b.ReportMetric(float64(cpuMicros(b)-cpu)/float64(b.N), "cpu-µs/op")
		})
	}
}

// raftAlone opens the replicas of a group.
func raftAlone(b *testing.B) (replicas []*raft.Raft) {
	var members raft.Configuration
	var transports []*raft.InmemTransport
	for i := range 3 {
		addr, t := raft.NewInmemTransport("")
		for _, o := range transports {
			o.Connect(addr, t)
			t.Connect(o.LocalAddr(), o)
		}
		transports = append(transports, t)
		members.Servers = append(members.Servers, raft.Server{ID: raft.ServerID(fmt.Sprint(i)), Address: addr})
	}
	for i, t := range transports {
		c := raft.DefaultConfig()
		c.LocalID, c.LogOutput, c.NoLegacyTelemetry = members.Servers[i].ID, io.Discard, true
		store := raft.NewInmemStore()
		r, err := raft.NewRaft(c, nothing{}, store, store, raft.NewDiscardSnapshotStore(), t)
		if err == nil {
			err = r.BootstrapCluster(members).Error()
		}
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := r.Shutdown().Error(); err != nil {
				b.Error(err)
			}
		})
		replicas = append(replicas, r)
	}
	return replicas
}

func leaderOf(b *testing.B, replicas []*raft.Raft) *raft.Raft {
	for range 3000 {
		for _, r := range replicas {
			if r.State() == raft.Leader {
				return r
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatal("no leader")
	return nil
}

// proposeMany proposes n entries, shared out among the groups.
func proposeMany(b *testing.B, leaders []*raft.Raft, n int) {
	data := make([]byte, 1<<10)
	var wg sync.WaitGroup
	for i, r := range leaders {
		wg.Go(func() {
			for range (n + len(leaders) - 1 - i) / len(leaders) {
				if err := r.Apply(data, 0).Error(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// nothing is a state machine without a state.
type nothing struct{}

func (nothing) Apply(*raft.Log) any                 { return nil }
func (nothing) Snapshot() (raft.FSMSnapshot, error) { return nil, io.EOF }
func (nothing) Restore(r io.ReadCloser) error       { return r.Close() }
