package sim

import (
	"fmt"
	"time"
)

// slowApply plays a leader whose state machine is late: the goroutine that applies does not get on for a while after each batch
// of entries and after each mark of a snapshot, and meanwhile more is committed.
func (n *nemesis) slowApply() wound {
	g := n.aGroup()
	s := n.c.leader(g)
	if s == nil {
		return wound{}
	}
	replica, late := s.group(g), n.between(50*time.Millisecond, 3*n.c.plan.Commit)
	s.late.Store(int64(late))
	stop, done := make(chan struct{}), make(chan struct{})
	marks := 0
	n.open.Go(func() {
		defer close(done)
		for !await(stop, late) {
			if replica.Snapshot() == nil {
				marks++
			}
		}
	})
	return wound{
		what: fmt.Sprintf("group %d on %s, by %v", g, s.host, late), lasts: n.between(time.Second, 5*time.Second),
		undo: func() { s.late.Store(0); close(stop); <-done }, bit: func() bool { return marks > 0 },
	}
}

// dawdle keeps the goroutine that applies from going on.
func (s *server) dawdle() {
	if late := s.late.Load(); late > 0 {
		time.Sleep(time.Duration(late))
	}
}
