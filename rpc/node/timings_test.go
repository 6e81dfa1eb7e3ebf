package node

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/rpc/node/config"
	"github.com/quorate/quorate/shardgroup/wal"
)

// TestLogWritesAreTimed: those with entries are, seals and removals are not.
func TestLogWritesAreTimed(t *testing.T) {
	var c config.Config
	config.Flags(pflag.NewFlagSet(t.Name(), pflag.ContinueOnError), &c)
	c.DataDir, c.Durability = t.TempDir(), wal.Always.String()
	timings := newTimings()
	s, err := openStores(c, Host{}, nil, timings.written, nil, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.group(slot.GroupID(1))
	if err != nil {
		t.Fatal(err)
	}
	const stores = 3
	start := time.Now()
	for i := range uint64(stores) {
		if err := g.logs.StoreLog(&raft.Log{Index: i + 1, Term: 1, Data: []byte("entry")}); err != nil {
			t.Fatal(err)
		}
	}
	most := time.Since(start)
	if err := g.logs.DeleteRange(1, 2); err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	out := make(chan prometheus.Metric, 1)
	timings.write.Collect(out)
	var m dto.Metric
	if err := (<-out).Write(&m); err != nil {
		t.Fatal(err)
	}
	if n, sum := m.Histogram.GetSampleCount(), m.Histogram.GetSampleSum(); n != stores || sum <= 0 || sum > most.Seconds() {
		t.Errorf("%d writes took %v s, want %d in %v", n, sum, stores, most)
	}
}
