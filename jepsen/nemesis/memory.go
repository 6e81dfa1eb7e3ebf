package nemesis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/sleep"
)

func memoryFaults() []Fault {
	memory := func(name, about string, evicts bool, f flood) Fault {
		return Fault{Name: name, Family: "memory", About: about, Needs: Needs{Quorate: true, Evicts: evicts}, inject: f.inject}
	}
	return []Fault{
		memory("eviction-storm", "the nodes are at maxmemory while others write: each write evicts", true, flood{policy: "allkeys-lru", value: 64 << 10}),
		memory("eviction-huge", "the nodes are at maxmemory while others write values of a quarter of what a group may hold", true, flood{policy: "allkeys-random", value: 1 << 20}),
		memory("memory-full", "the nodes are at maxmemory and may not evict: writes are refused", false, flood{policy: "noeviction", value: 64 << 10}),
	}
}

// Memory is what nodes held at most while a fault lasted.
type Memory struct {
	// Limit is maxmemory, 0 if there was none. Used are the logical bytes of a node's replicas, once they were below Limit.
	Limit int64 `json:"limit"`
	Used  int64 `json:"used"`
	// Grown is by how much a process's resident memory grew.
	Grown int64 `json:"grown"`
}

// and is the most of both; nil is none.
func (m *Memory) and(o *Memory) *Memory {
	if m == nil || o == nil {
		return cmp.Or(m, o)
	}
	return &Memory{Limit: max(m.Limit, o.Limit), Used: max(m.Used, o.Used), Grown: max(m.Grown, o.Grown)}
}

const (
	// roof is maxmemory during the faults: 4 MiB for each group where there are as many as nodes.
	roof = 12 << 20
	// flooders write at once.
	flooders = 4
	// settingPatience bounds the change of a setting, which placement must agree on.
	settingPatience = 10 * time.Second
	// overflowing bounds the wait until memory is full.
	overflowing = 20 * time.Second
)

// flood fills the nodes with values that nobody reads, under a policy.
type flood struct {
	policy string
	value  int
}

func (f flood) inject(ctx context.Context, e *env) (injury, error) {
	old, err := e.settings(ctx, "maxmemory", "maxmemory-policy")
	if err != nil {
		return injury{}, fmt.Errorf("%w: %w", errNotNow, err)
	}
	var held keys
	back := func() error {
		held.remove(ctx, e)
		return errors.Join(e.set(ctx, "maxmemory-policy", old[1]), e.set(ctx, "maxmemory", old[0]))
	}
	limit := f.limit(old[0])
	g := newGauges(ctx, e, limit)
	if err := errors.Join(e.set(ctx, "maxmemory-policy", f.policy), e.set(ctx, "maxmemory", strconv.FormatInt(limit, 10))); err != nil {
		return injury{victim: "all", back: back}, err
	}
	var refused atomic.Int64
	full := func() bool { return refused.Load() > 0 || g.evicted > 0 }
	pour := func(ctx context.Context) { f.pour(ctx, e, g, &refused, &held) }
	in := injury{
		victim: "all", back: back, act: pour,
		until: func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, overflowing)
			defer cancel()
			for ctx.Err() == nil && !full() {
				brief, done := context.WithTimeout(ctx, 300*time.Millisecond)
				pour(brief)
				done()
			}
		},
		bit: func() (out string) {
			if g.evicted > 0 {
				out = fmt.Sprintf("%.0f keys were evicted", g.evicted)
			}
			if n := refused.Load(); n > 0 {
				out = join(out, fmt.Sprintf("%d writes were refused for lack of memory", n))
			}
			return out
		},
		memory: g.peak,
	}
	return in, nil
}

// limit is roof, unless the nodes hold more already and may not evict.
func (f flood) limit(present string) int64 {
	n, _ := strconv.ParseInt(present, 10, 64) // a number by contract
	if f.policy == "noeviction" && n > 0 {
		return n
	}
	return roof
}

// pour writes until ctx ends, and looks at the nodes' memory meanwhile.
func (f flood) pour(ctx context.Context, e *env, g *gauges, refused *atomic.Int64, held *keys) {
	filler := strings.Repeat("x", f.value)
	var all sync.WaitGroup
	for range flooders {
		all.Go(func() {
			cl := client.NewCluster(e.cluster.Addrs(), client.Options{Timeout: time.Second})
			defer cl.Close()
			for ctx.Err() == nil {
				key := "nemesis:flood:" + strconv.Itoa(e.random(1<<30))
				_, err := cl.Do(ctx, key, "SET", key, filler)
				var reply *client.ReplyError
				if errors.As(err, &reply) && reply.Code() == "OOM" {
					refused.Add(1)
				}
				if err == nil && f.policy == "noeviction" {
					held.add(key)
				}
				if err != nil {
					sleep.For(ctx, 5*time.Millisecond)
				}
			}
		})
	}
	for ctx.Err() == nil {
		g.read(context.WithoutCancel(ctx))
		sleep.For(ctx, 100*time.Millisecond)
	}
	all.Wait()
}

// keys are those that nothing evicts. They go with the fault: a group that is over its share when the next limit is set, and may not
// evict, stays over it.
type keys struct {
	mu  sync.Mutex
	all []string
}

func (k *keys) add(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = append(k.all, key)
}

// remove empties what can be emptied; the judges know that the harness sets keys, and of no deletions.
func (k *keys) remove(ctx context.Context, e *env) {
	cl := client.NewCluster(e.cluster.Addrs(), client.Options{Timeout: time.Second})
	defer cl.Close()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.all {
		_, _ = cl.Do(ctx, key, "SET", key, "") // what is left makes the next flood shorter
	}
}

// settings are values of CONFIG GET.
func (e *env) settings(ctx context.Context, names ...string) (out []string, err error) {
	for _, name := range names {
		v, err := e.ask(ctx, "CONFIG", "GET", name)
		if err != nil {
			return nil, err
		}
		if len(v.Items) < 2 {
			return nil, fmt.Errorf("CONFIG GET %s answers %+v", name, v)
		}
		out = append(out, v.Items[1].Str)
	}
	return out, nil
}

// set changes a setting of the whole cluster, which may have to elect first.
func (e *env) set(ctx context.Context, name, value string) error {
	ctx, cancel := context.WithTimeout(ctx, settingPatience)
	defer cancel()
	for {
		_, err := e.ask(ctx, "CONFIG", "SET", name, value)
		if err == nil {
			return nil
		}
		sleep.For(ctx, 100*time.Millisecond)
		if ctx.Err() != nil {
			return fmt.Errorf("CONFIG SET %s %s: %w", name, value, err)
		}
	}
}

// ask sends a command to the first node that answers it.
func (e *env) ask(ctx context.Context, cmd ...string) (v client.Value, err error) {
	for _, n := range e.cluster.Nodes() {
		var conn *client.Conn
		if conn, err = client.Dial(ctx, n.Addr(), client.Options{Timeout: 3 * time.Second}); err != nil {
			continue
		}
		v, err = conn.Do(ctx, cmd...)
		conn.Close()
		if err == nil {
			return v, nil
		}
	}
	return v, err
}
