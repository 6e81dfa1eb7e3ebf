package load

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Plan is one measurement.
type Plan struct {
	// Seeds are host:port of cluster nodes; Password authenticates.
	Seeds    []string
	Password string
	// Clients is the number of connections in all, spread evenly over the nodes that own slots.
	Clients int
	// Pipeline is how many commands a connection sends at once.
	Pipeline int
	// Reads is the share of GETs, 0 to 1; the rest are SETs.
	Reads float64
	// Absent is the share of GETs, 0 to 1, that ask for keys that Fill and SET never write.
	Absent float64
	// WaitReplicas, if positive, ends each pipeline that writes by WAIT with this number of replicas. The WAIT belongs to the
	// pipeline's latency but is no operation of its own.
	WaitReplicas int
	// Keys is the size of the key space; KeySize and ValueSize are in bytes.
	Keys, KeySize, ValueSize int
	// Zipf skews the choice of keys (exponent, up to 10; YCSB has 0.99); 0 is uniform. Each node has a most wanted key of its own.
	Zipf float64
	// Rate is the open loop's operations per second over all connections; 0 is a closed loop.
	Rate float64
	// Warmup is run before the measurement, unmeasured.
	Warmup, Duration time.Duration
	// Interval is the resolution of Result.Intervals; 0 is a second.
	Interval time.Duration
	// Pids are server processes whose CPU time is counted.
	Pids []int
	// Open, if set, opens connection i to a store that isn't a Redis Cluster; Seeds, Password and WaitReplicas mean nothing then.
	Open func(ctx context.Context, i int) (Store, error)
	// Progress, if set, is called about five times a second, by one goroutine at a time.
	Progress func(Progress)
}

// Store is a connection to something that speaks no RESP. One goroutine uses it. An error is one of something that it tried: the time until
// it was told is a latency.
type Store interface {
	// Get reports whether the key exists.
	Get(ctx context.Context, key []byte) (bool, error)
	Set(ctx context.Context, key, value []byte) error
	Close() error
}

// Progress is the state of a running measurement, or of a Fill, which has no total time.
type Progress struct {
	Elapsed, Total time.Duration
	Ops, Errors    int64
	// Last is the last whole interval, if there is one: what is going on now, where Ops would hide it behind what was before.
	Last *Interval
}

// Check refuses plans that cannot run.
func (p Plan) Check() error {
	if err := p.checkLoad(); err != nil {
		return err
	}
	switch {
	case len(p.Seeds) == 0 && p.Open == nil:
		return errors.New("no address of a cluster node")
	case p.Open != nil && p.Pipeline != 1:
		return fmt.Errorf("pipeline %d: only Redis protocol has pipelines", p.Pipeline)
	case p.Keys < 1 || p.Keys > 100_000_000:
		return fmt.Errorf("%d keys: want 1 to 100 million", p.Keys)
	case p.KeySize < minKeySize || p.KeySize > 1<<16:
		return fmt.Errorf("key size %d: want %d to 65536 bytes", p.KeySize, minKeySize)
	case p.ValueSize < 0 || p.ValueSize > 64<<20:
		return fmt.Errorf("value size %d: want 0 to 64 MiB", p.ValueSize)
	case !within(p.Zipf, 0, maxZipf):
		return fmt.Errorf("zipf exponent %v: want 0 to %d, where 0 is uniform", p.Zipf, maxZipf)
	case p.inFlight() > maxInFlight:
		return fmt.Errorf("all connections' pipelines together have %d bytes of keys and values: want at most %d; lower --clients, --pipeline or --value-size",
			p.inFlight(), maxInFlight)
	}
	return nil
}

// within is false for NaN.
func within(v, least, most float64) bool { return v >= least && v <= most }

const (
	// minRate and maxRate, in operations per second, leave a gap between two pipelines that a clock can tell.
	minRate, maxRate = 1e-3, 1e9
	// maxZipf is beyond what makes a difference: with 10, all but a thousandth of the choices are the first key.
	maxZipf = 10
	// maxInFlight bounds the bytes of keys and values that are under way at once: each connection has a pipeline in memory.
	maxInFlight = 1 << 30
)

func (p Plan) inFlight() int64 {
	return int64(p.Clients) * int64(p.Pipeline) * int64(p.KeySize+p.ValueSize)
}

func (p Plan) checkLoad() error {
	switch {
	case p.Clients < 1 || p.Clients > 50_000:
		return fmt.Errorf("%d clients: want 1 to 50000", p.Clients)
	case p.Pipeline < 1 || p.Pipeline > 10_000:
		return fmt.Errorf("pipeline %d: want 1 to 10000", p.Pipeline)
	case !within(p.Reads, 0, 1):
		return fmt.Errorf("read share %v: want 0 to 1", p.Reads)
	case !within(p.Absent, 0, 1):
		return fmt.Errorf("share of misses %v: want 0 to 1", p.Absent)
	case p.WaitReplicas < 0:
		return fmt.Errorf("wait for %d replicas: want 0 or more", p.WaitReplicas)
	case p.Rate != 0 && !within(p.Rate, minRate, maxRate):
		return fmt.Errorf("rate %v: want %v to %v, or 0 for a closed loop", p.Rate, minRate, maxRate)
	case p.Warmup < 0 || p.Duration <= 0:
		return errors.New("the duration must be positive, the warmup not negative")
	case p.Interval != 0 && p.Interval < 10*time.Millisecond:
		return fmt.Errorf("interval %v: want at least 10ms", p.Interval)
	}
	return nil
}

// minKeySize holds a kind and nine digits.
const minKeySize = 11

// kind is what a key begins with. Those that are absent have one of their own, so that they stay so when the key space was larger before.
type kind string

const (
	present kind = "k:"
	absent  kind = "m:"
)

// appendKey writes key number n of a kind, padded to size bytes.
func appendKey(b []byte, k kind, n uint32, size int) []byte {
	start := len(b)
	b = append(b, k...)
	for range size - minKeySize {
		b = append(b, 'x')
	}
	b = append(b, "000000000"...)
	for i := start + size - 1; n > 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}
