package nemesis

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/sleep"
)

// Revival is when a group served again after a fault.
type Revival struct {
	Group slot.GroupID `json:"group"`
	// After is the time from the end of the fault until a write to the group succeeded. Where processes had to start again, it counts
	// from when all of them listened.
	After time.Duration `json:"after_ns"`
}

// groupKeys finds a key of each group.
func groupKeys(s client.Status) map[slot.GroupID]string {
	out := map[slot.GroupID]string{}
	for i := 0; len(out) < len(s.Groups) && i < slot.Count; i++ {
		key := "nemesis:alive:" + strconv.Itoa(i)
		n := slot.Of([]byte(key))
		for _, g := range s.Groups {
			if _, has := out[g.ID]; !has && slices.ContainsFunc(g.Slots, func(r slot.Range) bool { return r.First <= n && n <= r.Last }) {
				out[g.ID] = key
			}
		}
	}
	return out
}

// learn takes down which keys tell that each group serves.
func (e *env) learn(ctx context.Context) error {
	if !e.cluster.IsQuorate() {
		return nil
	}
	s, err := e.cluster.Status(ctx)
	if err != nil {
		return err
	}
	e.keys = groupKeys(s)
	return nil
}

// revived waits for the first success of each group.
func (e *env) revived(ctx context.Context) ([]Revival, error) {
	ctx, cancel := context.WithTimeout(ctx, e.bound)
	defer cancel()
	if err := e.listening(ctx); err != nil {
		return nil, err
	}
	var (
		mu  sync.Mutex
		out []Revival
		all sync.WaitGroup
	)
	since := time.Now()
	for g, key := range e.keys {
		all.Go(func() {
			if e.serves(ctx, key) {
				mu.Lock()
				defer mu.Unlock()
				out = append(out, Revival{Group: g, After: time.Since(since)})
			}
		})
	}
	all.Wait()
	slices.SortFunc(out, func(a, b Revival) int { return int(a.Group) - int(b.Group) })
	if len(out) < len(e.keys) {
		return out, fmt.Errorf("%w within %v: %d of %d groups served", ErrNotWhole, e.bound, len(out), len(e.keys))
	}
	return out, nil
}

// listening waits until every node whose process runs takes connections.
func (e *env) listening(ctx context.Context) error {
	for _, n := range e.cluster.Nodes() {
		for n.Pid() != 0 {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", n.Addr())
			if err == nil {
				conn.Close()
				break
			}
			sleep.For(ctx, 10*time.Millisecond)
			if ctx.Err() != nil {
				return fmt.Errorf("%w within %v: %w", ErrNotWhole, e.bound, err)
			}
		}
	}
	return nil
}

// serves writes to key until that succeeds; false at ctx's end.
func (e *env) serves(ctx context.Context, key string) bool {
	cl := client.NewCluster(e.cluster.Addrs(), client.Options{Timeout: time.Second})
	defer cl.Close()
	for ctx.Err() == nil {
		if _, err := cl.Do(ctx, key, "SET", key, "1"); err == nil {
			return true
		}
		sleep.For(ctx, 20*time.Millisecond)
	}
	return false
}
