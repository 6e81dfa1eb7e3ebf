//go:build mutation

package consensus

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// TestALeaderThatHandsOverReadsNothing (lease hazard 4): a hand-over elects within the lease, and news of it may be late. Either
// guard, that of the transport or that of this package, is enough; without both the old leader reads what has been overwritten.
func TestALeaderThatHandsOverReadsNothing(t *testing.T) {
	for _, off := range []struct{ transport, here bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
		t.Run(fmt.Sprintf("guards off: %+v", off), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &cluster{t: t, net: memnet.New(), tune: func(cfg *Config) { cfg.off.Revoke = off.here }}
				c.mux = func(m *raftnet.Mux) { m.SwitchOff(raftnet.Off{Revoke: off.transport}) }
				c.start(3)
				old := c.ready()
				if err := old.propose("old"); err != nil {
					t.Fatal(err)
				}
				c.agree(1)
				c.await("lease", old.Gate().open)
				var handedOver atomic.Bool
				c.net.SetTap(func(ctx context.Context, m memnet.Message) bool {
					if m.Kind == raftnet.KindTimeoutNow && !m.Reply {
						handedOver.Store(true)
					}
					return string(m.To) != old.id || !handedOver.Load() // it hears nothing more
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				transferred := make(chan error, 1)
				go func() { transferred <- old.Transfer(ctx, c.others(old)[0].id) }()
				if err := c.ready(old).propose("new"); err != nil {
					t.Fatal(err)
				}
				if !old.Leader().Ready {
					t.Fatal("the old leader knows already: nothing is tested")
				}
				if stale := old.Gate().open(); stale != (off.transport && off.here) {
					t.Errorf("the leader that has handed over reads %q: %v", old.fsm.last(), stale)
				}
				cancel()
				<-transferred
			})
		})
	}
}
