package failover

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// probe counts one key up through go-redis with its default settings, as an application would, and notes when commands succeed.
type probe struct {
	rdb    *redis.ClusterClient
	key    string
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu   sync.Mutex
	acks []span
	errs int
}

// span is one successful command.
type span struct{ sent, acked time.Time }

func startProbe(ctx context.Context, addrs []string, key string) *probe {
	ctx, cancel := context.WithCancel(ctx)
	p := &probe{rdb: redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs}), key: key, cancel: cancel}
	p.done.Go(func() { p.run(ctx) })
	return p
}

func (p *probe) run(ctx context.Context) {
	for ctx.Err() == nil {
		sent := time.Now()
		err := p.rdb.Incr(ctx, p.key).Err()
		p.mu.Lock()
		if err == nil {
			p.acks = append(p.acks, span{sent, time.Now()})
		} else if ctx.Err() == nil {
			p.errs++
		}
		p.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

func (p *probe) stop() {
	p.cancel()
	p.done.Wait()
	p.rdb.Close()
}

// longestGap is the longest time between two successes that overlaps [from, to], and the number of failed commands.
func (p *probe) longestGap(from, to time.Time) (longest time.Duration, errs int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := from
	for _, a := range p.acks {
		if a.acked.After(from) && last.Before(to) {
			longest = max(longest, a.acked.Sub(last))
		}
		if a.acked.After(last) {
			last = a.acked
		}
	}
	if last.Before(to) {
		longest = max(longest, to.Sub(last))
	}
	return longest, p.errs
}
