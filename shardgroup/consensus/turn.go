package consensus

import (
	"context"
	"sync/atomic"
)

// Turn has the replicas of a process do something that costs memory one after the other: Config says what. All of them take about as
// long as if they did it together on a node with work to do (see Waiting).
type Turn struct {
	taken   chan struct{}
	waiting atomic.Int32
}

// NewTurn gives a turn for the replicas of a process.
func NewTurn() *Turn { return &Turn{taken: make(chan struct{}, 1)} }

// Waiting is how many replicas wait for their turn. Whoever has it should hurry as if there were as many of him.
func (t *Turn) Waiting() int {
	if t == nil {
		return 0
	}
	return int(t.waiting.Load())
}

// take returns nil when it is the caller's turn, which he has to give back. A nil Turn is anybody's at any time.
func (t *Turn) take(ctx context.Context) error {
	if t == nil {
		return ctx.Err()
	}
	t.waiting.Add(1)
	defer t.waiting.Add(-1)
	select {
	case t.taken <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *Turn) give() {
	if t != nil {
		<-t.taken
	}
}
