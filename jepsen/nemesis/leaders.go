package nemesis

import (
	"context"
	"fmt"
	"time"

	"github.com/quorate/quorate/jepsen/sleep"
)

func leaderFaults() []Fault {
	return []Fault{
		{Name: "transfer", Family: "leadership transfer", About: "leadership is handed to random nodes again and again", Needs: Needs{Quorate: true}, inject: transfer},
	}
}

// transfer shows in the terms of the groups.
func transfer(_ context.Context, e *env) (injury, error) {
	return injury{victim: "leaders", act: func(ctx context.Context) { e.handRound(ctx, func() {}) }}, nil
}

// handRound hands leadership of random groups to random nodes until ctx ends, and calls between each two.
func (e *env) handRound(ctx context.Context, between func()) {
	for ctx.Err() == nil {
		e.handOver(ctx)
		between()
		sleep.For(ctx, e.between([2]time.Duration{50 * time.Millisecond, 300 * time.Millisecond}))
	}
}

// handOver moves one group's leadership. It may be refused: to the leader itself, to a node that is down, or while another
// hand-over is under way; that is part of the game.
func (e *env) handOver(ctx context.Context) {
	a, err := e.cluster.Admin(ctx)
	if err != nil {
		return
	}
	defer a.Close()
	s, err := a.Status(ctx)
	if err != nil || len(s.Groups) == 0 {
		return
	}
	g := s.Groups[e.random(len(s.Groups))]
	if len(g.Replicas) > 0 {
		_ = a.Transfer(ctx, g.ID, string(g.Replicas[e.random(len(g.Replicas))].Node))
	}
}

// moved says how many groups have elected since.
func moved(before, after terms) string {
	n := 0
	for g, t := range after {
		if t > before[g] {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d groups elected", n)
}
