package rolling

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/sleep"
)

// app is an application whose workers count keys up through one client object with its default settings.
type app struct {
	name      string
	increment func(ctx context.Context, key string) error
	close     func()
	workers   sync.WaitGroup

	mu      sync.Mutex
	acked   map[string]int64
	errors  int64
	first   []string
	longest time.Duration
}

// maxExamples bounds the errors that are kept word by word.
const maxExamples = 5

// startApps starts one application on go-redis and one on rueidis; they end with ctx.
func startApps(ctx context.Context, addrs []string) ([]*app, error) {
	gr := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
	ru, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: addrs})
	if err != nil {
		gr.Close()
		return nil, fmt.Errorf("rueidis: %w", err)
	}
	apps := []*app{
		{name: "go-redis", close: func() { gr.Close() }, increment: func(ctx context.Context, key string) error {
			return gr.Incr(ctx, key).Err()
		}},
		{name: "rueidis", close: ru.Close, increment: func(ctx context.Context, key string) error {
			return ru.Do(ctx, ru.B().Incr().Key(key).Build()).Error()
		}},
	}
	for _, a := range apps {
		a.acked = map[string]int64{}
		for range workers {
			a.workers.Go(func() { a.work(ctx) })
		}
	}
	return apps, nil
}

// work ends between two commands, so that each command has an outcome.
func (a *app) work(ctx context.Context) {
	for ctx.Err() == nil {
		key, sent := a.key(rand.IntN(keys)), time.Now()
		err := a.increment(context.WithoutCancel(ctx), key)
		a.note(key, time.Since(sent), err)
		sleep.For(ctx, thinking)
	}
}

func (a *app) key(i int) string { return a.name + ":" + strconv.Itoa(i) }

func (a *app) note(key string, took time.Duration, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.longest = max(a.longest, took)
	if err == nil {
		a.acked[key]++
		return
	}
	a.errors++
	if len(a.first) < maxExamples {
		a.first = append(a.first, fmt.Sprintf("%s after %s: %v", time.Now().Format("15:04:05.000"), took, err))
	}
}

func (a *app) wait() {
	a.workers.Wait()
	a.close()
}

func (a *app) row() Row {
	r := Row{Client: a.name, Errors: a.errors, Examples: a.first, Longest: a.longest}
	for _, n := range a.acked {
		r.Commands += n
	}
	r.Commands += a.errors
	return r
}

// check compares every counter with what was acknowledged. A command that failed may have been applied or not. With an error, it
// returns the violations found before.
func (a *app) check(ctx context.Context, cl *client.Cluster) (violations []string, err error) {
	for i := range keys {
		key := a.key(i)
		v, err := cl.Do(ctx, key, "GET", key)
		if err != nil {
			return violations, fmt.Errorf("final read of %s: %w", key, err)
		}
		got := int64(0)
		if !v.Null {
			if got, err = strconv.ParseInt(v.Str, 10, 64); err != nil {
				return violations, fmt.Errorf("final read of %s: %w", key, err)
			}
		}
		acked := a.acked[key]
		if got < acked {
			violations = append(violations, fmt.Sprintf("%s is %d at the end, %d were acknowledged: writes were lost", key, got, acked))
		}
		if got > acked+a.errors {
			violations = append(violations, fmt.Sprintf("%s is %d at the end, only %d were sent: writes were applied twice", key, got, acked+a.errors))
		}
	}
	return violations, nil
}
