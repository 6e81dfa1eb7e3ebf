package nemesis

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/quorate/quorate/jepsen/process"
	"github.com/quorate/quorate/jepsen/sleep"
	"github.com/quorate/quorate/rpc/node/testfaults"
)

// jump is how far clocks are moved.
const jump = 60 * time.Second

func clockFaults() []Fault {
	orders := Needs{Orders: true, Quorate: true, Skew: jump}
	clock := func(name, about string, needs Needs, inject func(context.Context, *env) (injury, error)) Fault {
		return Fault{Name: name, Family: "clock", About: about, Needs: needs, inject: inject}
	}
	return []Fault{
		clock("clock", "nodes' clocks 20 s apart from the start, leadership handed round", Needs{Shift: 20 * time.Second, Quorate: true}, transfer),
		clock("clock-forward", "a group's leader's clock jumps a minute ahead, leadership is handed round", orders, skewed(leader, testfaults.Orders{ClockShift: jump})),
		clock("clock-back", "a group's leader's clock jumps back a minute, leadership is handed round", orders, skewed(leader, testfaults.Orders{ClockShift: -jump})),
		clock("clock-drift", "one node's clock runs 5 % fast, leadership is handed round", orders, skewed(one, testfaults.Orders{ClockDrift: 0.05})),
		clock("clock-strobe", "clocks jump ahead and back several times a second, leadership is handed round", orders, strobe),
	}
}

// skewed moves clocks and leadership: a leader's clock goes by monotonic time within a term, so only a new one shows the jump.
func skewed(whom choice, o testfaults.Orders) func(context.Context, *env) (injury, error) {
	return func(ctx context.Context, e *env) (injury, error) {
		victims, err := whom(ctx, e)
		if err != nil {
			return injury{}, err
		}
		farthest := 0.0
		in := injury{victim: names(victims), heal: func() error { return order(victims, testfaults.Orders{}) }}
		in.act = func(ctx context.Context) {
			e.handRound(ctx, func() {
				for _, n := range victims {
					farthest = max(farthest, math.Abs(offset(ctx, n)))
				}
			})
		}
		in.bit = func() string {
			if farthest < 0.02 {
				return ""
			}
			return fmt.Sprintf("a clock was %.2f s off", farthest)
		}
		return in, order(victims, o)
	}
}

// offset is by how much a node's wall clock differs from this process's, in seconds; 0 if the node does not say.
func offset(ctx context.Context, n *process.Node) float64 {
	m, err := n.Metrics(ctx)
	if err != nil {
		return 0
	}
	at, told := m["quorate_test_clock_seconds"]
	if !told {
		return 0
	}
	return at - float64(time.Now().UnixMilli())/1000
}

func strobe(_ context.Context, e *env) (injury, error) {
	all := e.cluster.Nodes()
	jumps := 0
	in := injury{victim: "all", heal: func() error { return order(all, testfaults.Orders{}) }}
	in.act = func(ctx context.Context) {
		e.handRound(ctx, func() {
			n := e.node()
			o := testfaults.Orders{ClockShift: e.between([2]time.Duration{-jump, jump}) / 2}
			if n.Order(o) != nil {
				return // healing tries again and reports
			}
			sleep.For(ctx, 2*time.Second/100)
			if off := offset(ctx, n); math.Abs(off-o.ClockShift.Seconds()) < 1 {
				jumps++
			}
		})
	}
	in.bit = func() string {
		if jumps == 0 {
			return ""
		}
		return fmt.Sprintf("clocks jumped %d times", jumps)
	}
	return in, nil
}
