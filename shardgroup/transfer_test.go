package shardgroup

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestTransferRefusesOrAnswersEveryCall: a planned transfer leaves no call with an unknown fate, whatever was in flight.
func TestTransferRefusesOrAnswersEveryCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		var stop atomic.Bool
		var wg sync.WaitGroup
		var acked, moved atomic.Int64
		for i := range 8 {
			wg.Go(func() {
				for !stop.Load() {
					for _, n := range c.nodes {
						call := n.submit(fmt.Sprint("INCR counter", i))
						var elsewhere *NotLeaderError
						switch {
						case call.Err == nil:
							acked.Add(1)
						case errors.As(call.Err, &elsewhere):
							moved.Add(1)
						default:
							t.Errorf("node %s: %v", n.id, call.Err)
						}
					}
					time.Sleep(time.Duration(i+1) * 300 * time.Microsecond)
				}
			})
		}
		transfers := 0
		for i := range 15 {
			l := c.leader()
			time.Sleep(time.Duration(37+i) * time.Millisecond)
			if err := l.Transfer(t.Context(), c.others(l)[i%2].id); err == nil {
				transfers++
			}
		}
		stop.Store(true)
		wg.Wait()
		if transfers < 10 || acked.Load() < 500 || moved.Load() < 500 {
			t.Errorf("%d transfers, %d calls answered, %d refused: too little happened", transfers, acked.Load(), moved.Load())
		}
		for _, n := range c.nodes {
			if u := n.stats.unknown.Load(); u > 0 {
				t.Errorf("node %s: %d proposals with an unknown outcome", n.id, u)
			}
		}
		c.sameDigests()
	})
}

// TestTransferWaitsForTheBatchInFlight: leadership is not given away under a proposal that has not been committed yet.
func TestTransferWaitsForTheBatchInFlight(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		l.submit("SET k 1").want(t, "+OK ")
		l.isolate()
		done := make(chan struct{})
		call := calling("INCR k")
		go func() { l.do(call); close(done) }()
		time.Sleep(20 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := l.Transfer(ctx, c.others(l)[0].id); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("transfer while a batch is in flight: %v", err)
		}
		c.heal()
		<-done
		call.want(t, ":2 ")
	})
}
