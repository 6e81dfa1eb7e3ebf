package service

import (
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

func TestATransferIsMeantForOneTerm(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, n := range []string{"a", "b", "c"} {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		m := w.agreed("a", "b", "c")
		a, b := w.servers["a"], w.servers["b"]
		w.lead(1, a.self.ID)
		w.lead(1, a.self.ID) // term 2
		for name, c := range map[string]struct {
			at   *server
			term uint64
			ok   bool
		}{
			"a node that does not lead": {b, 2, false},
			"a term that is over":       {a, 1, false},
			"a term to come":            {a, 3, false},
			"the leader in its term":    {a, 2, true},
		} {
			_, err := c.at.svc.serveTransfer(t.Context(), b.self.ID, handover{Cluster: m.Cluster, Group: 1, Term: c.term, To: b.self.ID})
			if (err == nil) != c.ok {
				t.Errorf("%s: %v", name, err)
			}
			w.mu.Lock()
			w.where[1], w.leads[1] = a.self.ID, GroupStatus{Term: 2}
			w.mu.Unlock()
		}
		if err := a.svc.TransferLeader(t.Context(), 1, w.servers["d"].self.ID); err == nil {
			t.Error("a transfer to a node without a replica was tried")
		}
		if err := a.svc.TransferLeader(t.Context(), 99, b.self.ID); err == nil {
			t.Error("a transfer of no group was tried")
		}
	})
}

// A group whose transfer fails is left alone for a while, and the others are not.
func TestAFailedTransferRests(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, n := range []string{"a", "b", "c"} {
			w.start(n, 3, "a:1", "b:1", "c:1")
		}
		m := w.agreed("a", "b", "c")
		stuck, other := m.Groups[0], m.Groups[1]
		w.mu.Lock()
		w.stuck = stuck.ID
		w.mu.Unlock()
		w.lead(stuck.ID, stuck.Members[1])
		w.lead(other.ID, other.Members[1])
		w.eventually("the other group is where it is preferred", time.Minute, func() bool { return w.leader(other.ID) == other.Members[0] })
		time.Sleep(2 * time.Minute)
		w.mu.Lock()
		tries := w.tries
		w.mu.Unlock()
		// Each failure is followed by a rest of 30 s.
		if tries < 2 || tries > 6 {
			t.Errorf("%d attempts within two minutes, want one each 30 s", tries)
		}
	})
}

func TestEyesTurnAnswersIntoDurations(t *testing.T) {
	a, b := topology.NodeID(strings.Repeat("a", 40)), topology.NodeID(strings.Repeat("b", 40))
	start := time.Now()
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	says := func(id topology.NodeID, leads bool, term uint64) Status {
		return Status{Node: id, Groups: []GroupStatus{{Group: 1, Leading: leads, Term: term, Applied: 5, Last: 9}}}
	}
	both := func(term uint64) map[topology.NodeID]Status {
		return map[topology.NodeID]Status{a: says(a, true, term), b: says(b, false, term)}
	}
	m := &topology.Map{Groups: []topology.Group{{ID: 1}}}
	e := newEyes()
	e.see(both(3), m, at(0))
	o := e.see(both(3), m, at(10))
	if g := o.Groups[1]; o.AliveFor[b] != 10_000 || g.Leader != a || g.HeldFor != 10_000 || g.Last != 9 || g.Applied[b] != 5 {
		t.Fatalf("after ten seconds: %+v", o)
	}
	if o = e.see(both(4), m, at(11)); o.Groups[1].HeldFor != 0 || o.AliveFor[a] != 11_000 {
		t.Fatalf("after an election: %+v", o)
	}
	e.see(map[topology.NodeID]Status{a: says(a, true, 4)}, m, at(12))
	if o = e.see(both(4), m, at(13)); o.AliveFor[b] != 0 || o.Groups[1].HeldFor != 2000 {
		t.Fatalf("b missed one poll: %+v", o)
	}
	again := both(4)
	again[b] = Status{Node: b, Run: 7, Groups: again[b].Groups}
	if o = e.see(again, m, at(13)); o.AliveFor[b] != 0 || o.AliveFor[a] != 13_000 {
		t.Fatalf("b was restarted between two polls: %+v", o)
	}
	// A deposed leader that does not know it yet, whichever answer is looked at first.
	o = e.see(map[topology.NodeID]Status{a: says(a, true, 4), b: says(b, true, 5)}, m, at(14))
	if g := o.Groups[1]; g.Leader != b || g.Term != 5 {
		t.Fatalf("two leaders: %+v", g)
	}
	m.Groups[0].Depart(b)
	if g := e.see(both(5), m, at(15)).Groups[1]; len(g.Applied) != 1 || g.Leader != a {
		t.Fatalf("b has left, and what it shows is the replica that it had before: %+v", g)
	}
	e.rest(1, at(20))
	for sec, want := range map[int]bool{19: true, 21: false} {
		if got := e.see(both(6), m, at(sec)).Groups[slot.GroupID(1)].Resting; got != want {
			t.Errorf("resting at %d s: %v", sec, got)
		}
	}
}
