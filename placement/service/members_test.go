package service

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/placement"
	"github.com/quorate/quorate/placement/topology"
)

// members waits until group 1 has just these, and nobody comes or goes.
func (w *world) members(want string) {
	w.t.Helper()
	w.eventually("group 1 is on "+want, 2*time.Minute, func() bool {
		g := w.servers["a"].svc.Map().GroupByID(1)
		var names []string
		for _, id := range g.Members {
			names = append(names, string(id[:1]))
		}
		slices.Sort(names)
		return g.Joining == "" && g.Leaving == "" && strings.Join(names, "") == want
	})
}

func (w *world) propose(c placement.Change) {
	w.t.Helper()
	if _, err := w.servers["a"].svc.Propose(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) steps() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := strings.Join(w.did, ", ")
	w.did = nil
	return out
}

// A node joins a group that others founded, takes the place of the leader, and the leader comes back later. The group's Raft
// configuration changes in the order that keeps it safe, and an attempt that fails is made again.
func TestMembersComeAndGo(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, n := range []string{"a", "b", "c"} {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		w.agreed("a", "b", "c")
		w.start("d", 0, "a:1")
		d := w.servers["d"].self.ID
		w.eventually("d is registered", time.Minute, func() bool { return w.servers["a"].svc.Map().NodeByID(d) != nil })
		for g := range w.servers["a"].svc.Map().Groups {
			group := &w.servers["a"].svc.Map().Groups[g]
			w.lead(group.ID, group.Members[0])
		}
		w.mu.Lock()
		w.refuse = 2
		w.mu.Unlock()
		w.propose(placement.AddReplica{Group: 1, Node: d})
		w.members("abcd")
		if got := w.steps(); got != "add-learner d, add-voter d" {
			t.Errorf("added by %s", got)
		}
		boss := w.leader(1)
		w.propose(placement.RemoveReplica{Group: 1, Node: boss})
		w.members(strings.Replace("abcd", string(boss[:1]), "", 1))
		if got := w.steps(); got != "remove "+string(boss[:1]) || w.leader(1) == boss {
			t.Errorf("removed by %s; %s leads", got, w.leader(1)[:1])
		}
		w.propose(placement.AddReplica{Group: 1, Node: boss})
		w.members("abcd")
		g := w.servers["a"].svc.Map().GroupByID(1)
		if got := w.steps(); got != "add-learner "+string(boss[:1])+", add-voter "+string(boss[:1]) || g.Life(boss) != 1 || g.Bootstraps(boss) {
			t.Errorf("came back by %s in life %d", got, g.Life(boss))
		}
	})
}

// Adding can be taken back while the node that is to join does not answer.
func TestAddingIsTakenBack(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, n := range []string{"a", "b", "c"} {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		m := w.agreed("a", "b", "c")
		d := w.start("d", 0, "a:1")
		w.eventually("d is registered", time.Minute, func() bool { return w.servers["a"].svc.Map().NodeByID(d.self.ID) != nil })
		d.stop()
		w.lead(1, m.GroupByID(1).Members[0])
		w.propose(placement.AddReplica{Group: 1, Node: d.self.ID})
		time.Sleep(time.Minute)
		if g := w.servers["a"].svc.Map().GroupByID(1); g.Joining != d.self.ID || w.steps() != "" {
			t.Fatalf("a dead node is joining: %+v", g)
		}
		w.propose(placement.RemoveReplica{Group: 1, Node: d.self.ID})
		w.members("abc")
		if got := w.steps(); got != "" {
			t.Errorf("it never learned, and yet: %s", got)
		}
	})
}

// A driver that takes over continues where the log and the group's configuration are.
func TestANewDriverFinishesWhatAnotherBegan(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, n := range []string{"a", "b", "c"} {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		w.agreed("a", "b", "c")
		d := w.start("d", 0, "a:1")
		w.eventually("d is registered", time.Minute, func() bool { return w.servers["a"].svc.Map().NodeByID(d.self.ID) != nil })
		w.lead(1, w.servers["a"].self.ID)
		w.propose(placement.AddReplica{Group: 1, Node: d.self.ID})
		w.eventually("d learns", time.Minute, func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.did) == 1
		})
		var driver topology.NodeID
		w.eventually("placement has a leader", time.Minute, func() bool { driver = w.servers["a"].svc.Leader(); return driver != "" })
		for name, s := range w.servers {
			if s.self.ID == driver && name != "a" {
				s.stop()
			} else if s.self.ID == driver {
				if err := s.svc.HandOver(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.members("abcd")
		if got := w.steps(); got != "add-learner d, add-voter d" {
			t.Errorf("added by %s", got)
		}
	})
}
