package failover

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/quorate/quorate/jepsen/sleep"
)

const (
	// probeKeys and probeWorkers make the probe an application with traffic on every node: go-redis learns of a dead leader
	// from what the other nodes tell it.
	probeKeys    = 50
	probeWorkers = 16
)

// probe is an application on go-redis with its default settings: workers count random keys up and note what succeeds.
type probe struct {
	rdb    *redis.ClusterClient
	keys   []string
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu   sync.Mutex
	acks []ack
	errs int
}

// ack is one successful command.
type ack struct {
	key         string
	sent, acked time.Time
}

func startProbe(ctx context.Context, addrs []string, prefix string) *probe {
	ctx, cancel := context.WithCancel(ctx)
	p := &probe{rdb: redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs}), cancel: cancel}
	for i := range probeKeys {
		p.keys = append(p.keys, prefix+":probe:"+strconv.Itoa(i))
	}
	for range probeWorkers {
		p.done.Go(func() { p.run(ctx) })
	}
	return p
}

func (p *probe) run(ctx context.Context) {
	for ctx.Err() == nil {
		key, sent := p.keys[rand.IntN(len(p.keys))], time.Now()
		err := p.rdb.Incr(ctx, key).Err()
		p.mu.Lock()
		if err == nil {
			p.acks = append(p.acks, ack{key, sent, time.Now()})
		} else if ctx.Err() == nil {
			p.errs++
		}
		p.mu.Unlock()
		sleep.For(ctx, 2*time.Millisecond)
	}
}

func (p *probe) stop() {
	p.cancel()
	p.done.Wait()
	p.rdb.Close()
}

// recovery is the time from at to the first success, on one of keys, of a command sent after at, 0 if there was none. errs counts failed
// commands.
func (p *probe) recovery(at time.Time, keys map[string]bool) (first time.Duration, errs int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.acks {
		if keys[a.key] && a.sent.After(at) && (first == 0 || a.acked.Sub(at) < first) {
			first = a.acked.Sub(at)
		}
	}
	return first, p.errs
}
