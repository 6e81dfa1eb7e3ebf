package sim

import (
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/sim/machine"
	"github.com/quorate/quorate/placement/topology"
)

// lossLedger knows which replicas have lost power since they were last whole (durability interval). While they are more than half of a
// group's, what they had not synced may be lost for good: that is what interval means. While they are fewer, nothing may.
type lossLedger struct {
	c  *cluster
	mu sync.Mutex
	// suspects are, per group, the replicas that lost power and have not caught up since.
	suspects map[slot.GroupID]map[*server]*suspect
	// majorities counts how often more than half of a group's replicas were suspect.
	majorities int
}

// suspect is one replica that lost power, perhaps more than once.
type suspect struct {
	// since is from when on it may have lost something; zero if everything was synced.
	since time.Time
	// over ends the forgiveness; nil if there was none yet.
	over func()
}

func (l *lossLedger) init(c *cluster) {
	l.c, l.suspects = c, map[slot.GroupID]map[*server]*suspect{}
}

// note takes down that a node lost power.
func (l *lossLedger) note(s *server, lost machine.Loss) {
	if l.c.plan.Durability != "interval" {
		return
	}
	m := l.c.known()
	if m == nil {
		return // no group has acknowledged anything yet
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	id := l.c.idOf(s)
	for i := range m.Groups {
		if !m.Groups[i].Holds(id) {
			continue
		}
		g := m.Groups[i].ID
		all := l.suspects[g]
		if all == nil {
			all = map[*server]*suspect{}
			l.suspects[g] = all
		}
		x := all[s]
		if x == nil {
			x = &suspect{}
			all[s] = x
		}
		if x.since.IsZero() || !lost.Since.IsZero() && lost.Since.Before(x.since) {
			x.since = lost.Since
		}
		if len(all) >= enoughToLose(&m.Groups[i]) {
			l.forgive(g, all)
		}
	}
}

// enoughToLose is how many replicas must have lost power before something may be gone: more than half.
func enoughToLose(g *topology.Group) int {
	voters := len(g.Members)
	if g.Leaving != "" && slices.Contains(g.Members, g.Leaving) {
		voters-- // it may have its vote still, or not
	}
	return voters/2 + 1
}

func (l *lossLedger) forgive(g slot.GroupID, all map[*server]*suspect) {
	l.majorities++
	l.c.trace.event("group %d: too many have lost power before they were whole again: what it had not synced may be lost", g)
	for _, s := range l.c.nodes {
		if x := all[s]; x != nil && !x.since.IsZero() {
			old := x.over
			x.over = l.c.oracle.Forgive(g, x.since)
			if old != nil {
				old()
			}
		}
	}
}

// look drops the suspects that are whole again: they vote, or have left the group.
func (l *lossLedger) look() {
	m := l.c.known()
	l.mu.Lock()
	defer l.mu.Unlock()
	for g, all := range l.suspects {
		for s, x := range all {
			replica := s.group(g)
			if replica != nil && !replica.VotesHeld() || !m.GroupByID(g).Holds(l.c.idOf(s)) {
				if x.over != nil {
					x.over()
				}
				delete(all, s)
			}
		}
	}
}
