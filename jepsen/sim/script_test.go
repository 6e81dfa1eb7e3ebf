package sim

import (
	"slices"
	"testing"
	"time"

	"github.com/quorate/quorate/jepsen/sim/fabric"
)

// Each of these led to a bug that simulations found. What the fix is, the table in jepsen/README.md says.
func init() {
	scripts = map[string]func(*nemesis){
		"a majority forgets":                 func(n *nemesis) { n.forget(false) },
		"a majority forgets a snapshot":      func(n *nemesis) { n.forget(true) },
		"one of two loses power":             (*nemesis).oneOfTwo,
		"a node loses power in a quiet time": (*nemesis).quietly,
	}
}

func TestScripts(t *testing.T) {
	dense := Options{Shape: "dense", Families: []string{}, Election: 500 * time.Millisecond, Groups: 1, Think: 20 * time.Millisecond, Clients: 4}
	few := dense // so few writes that the others need no snapshot
	few.Families, few.Think, few.Clients = []string{"snapshot"}, 300*time.Millisecond, 2
	for name, c := range map[string]struct {
		options Options
		first   uint64 // of two seeds: it depends on chance how much a power cut takes
		bit     func(Report) bool
	}{
		"a majority forgets":                 {dense, 1, forgot},
		"a majority forgets a snapshot":      {few, 6, forgot},
		"one of two loses power":             {dense, 1, restarted},
		"a node loses power in a quiet time": {Options{Families: []string{}, Shape: "calm", Groups: 4, Clients: 4}, 1, restarted},
	} {
		o, bit := c.options, false
		o.Script, o.Workload, o.Durability, o.Nodes = name, "register", "interval", 3
		for seed := range uint64(2) {
			bit = c.bit(simulated(t, Job{Seed: c.first + seed, Options: o})) || bit
		}
		if !bit {
			t.Errorf("%s: it did not happen", name)
		}
	}
}

func forgot(r Report) bool    { return r.Counts.Lost > 0 }
func restarted(r Report) bool { return r.Restarts > 0 }

// awaitLeader waits for one of some nodes to lead group 1.
func (n *nemesis) awaitLeader(of []*server) (leader *server) {
	n.c.await("a leader", time.Minute, func() string {
		if leader = n.c.leader(1); !slices.Contains(of, leader) {
			return "it is somebody else"
		}
		return ""
	})
	return leader
}

func (n *nemesis) powerOff(servers ...*server) {
	for _, s := range servers {
		s.hold()
		if _, p := s.now(); p != nil {
			s.die(p, true)
		}
	}
}

// forget lets the followers lose with their power what they had not synced, and go on before the leader can tell them. With
// snapshot, the leader has written one that holds it.
func (n *nemesis) forget(snapshot bool) {
	l := n.awaitLeader(n.c.nodes)
	rest := n.others(l)
	time.Sleep(3 * time.Second)
	n.powerOff(rest...)
	if snapshot {
		if err := l.group(1).Snapshot(); err != nil {
			n.c.oracle.Report("script", "snapshot: %v", err)
		}
	}
	lift := n.c.net.Add(fabric.Rule{Effect: fabric.Lose, Classes: fabric.All, On: about(l.host)})
	for _, s := range rest {
		s.release()
	}
	n.awaitLeader(rest)
	time.Sleep(time.Second)
	lift()
	time.Sleep(10 * time.Second)
}

// oneOfTwo takes the power from the leader of a group of two.
func (n *nemesis) oneOfTwo() {
	n.begin(1, n.others(n.awaitLeader(n.c.nodes))[0], false).wait()
	l := n.awaitLeader(n.c.nodes)
	n.powerOff(l)
	time.Sleep(time.Second)
	l.release()
	n.c.await("a leader", time.Minute, func() string { return n.c.led(n.c.known()) })
}

// quietly takes the power from a node while hardly anybody writes.
func (n *nemesis) quietly() {
	s := n.others(n.awaitLeader(n.c.nodes))[0]
	n.powerOff(s)
	time.Sleep(time.Second)
	s.release()
	time.Sleep(20 * time.Second)
}
