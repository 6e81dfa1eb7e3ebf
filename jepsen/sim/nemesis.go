package sim

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/quorate/quorate/fsm/slot"
)

// Family is one kind of faults.
type Family struct {
	Name  string
	About string
	// strike does one and returns what it did, how long it should last and how to undo it; what is empty if there was nothing
	// to hurt.
	strike func(n *nemesis) wound
	// story says that seeds do not draw it: it plays what chance hardly ever does, for those who ask for it.
	story bool
}

// wound is a fault that was done.
type wound struct {
	what string
	// lasts is how long until it is undone, unless over, if there is one, is closed before.
	lasts time.Duration
	over  <-chan struct{}
	undo  func()
	// bit says, when it is undone, whether it could be seen to have been there; nil if it surely was.
	bit func() bool
}

// Fault is a fault that was done, in a report.
type Fault struct {
	Family string `json:"family"`
	What   string `json:"what"`
	// From and To are times since the run began.
	From time.Duration `json:"from_ns"`
	To   time.Duration `json:"to_ns"`
	// Bit says that its effect was seen.
	Bit bool `json:"bit"`
}

// nemesis does faults.
type nemesis struct {
	c     *cluster
	rng   *rand.Rand
	began time.Time

	// failures counts the disks that were told to fail.
	failures int

	mu     sync.Mutex
	faults []Fault
	open   sync.WaitGroup
}

// scripts are stories that led to bugs once, by name: those of the tests.
var scripts map[string]func(*nemesis)

// follow plays a script to its end.
func (n *nemesis) follow(script func(*nemesis)) {
	script(n)
	n.open.Wait()
}

// run hurts the cluster until the time is over and then undoes all that is left.
func (n *nemesis) run(families []Family, over time.Time) {
	active := make(chan struct{}, n.c.plan.Overlap)
	stop := make(chan struct{})
	for len(families) > 0 {
		pause := time.Duration(n.rng.ExpFloat64() * float64(n.c.plan.Pace))
		if time.Now().Add(pause).After(over) {
			break
		}
		time.Sleep(pause)
		select {
		case active <- struct{}{}:
		default:
			continue // enough at once
		}
		f := families[n.rng.IntN(len(families))]
		w := f.strike(n)
		if w.what == "" {
			<-active
			continue
		}
		w.lasts = min(w.lasts, n.c.plan.Brief)
		n.open.Go(func() {
			n.suffer(f.Name, w, stop)
			<-active
		})
	}
	time.Sleep(time.Until(over))
	close(stop)
	n.open.Wait()
}

// suffer lets a fault last.
func (n *nemesis) suffer(family string, w wound, stop <-chan struct{}) {
	from := time.Since(n.began)
	n.c.trace.event("fault %s: %s, for %v", family, w.what, w.lasts)
	timer := time.NewTimer(w.lasts)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.over:
	case <-stop:
	}
	bit := w.bit == nil || w.bit()
	if w.undo != nil {
		w.undo()
	}
	n.c.trace.event("fault %s is over: %s, it bit: %v", family, w.what, bit)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = append(n.faults, Fault{family, w.what, from, time.Since(n.began), bit})
}

// between draws a time, short ones more often.
func (n *nemesis) between(least, most time.Duration) time.Duration {
	x := n.rng.Float64()
	return least + time.Duration(x*x*float64(most-least))
}

// anyone draws a running node: mostly one that leads something, nil if none runs.
func (n *nemesis) anyone() *server {
	if s := n.aLeader(); s != nil && n.rng.IntN(3) > 0 {
		return s
	}
	up := n.running()
	if len(up) == 0 {
		return nil
	}
	return up[n.rng.IntN(len(up))]
}

func (n *nemesis) running() (up []*server) {
	for _, s := range n.c.nodes {
		if x, _ := s.now(); x != nil {
			up = append(up, s)
		}
	}
	return up
}

// aGroup draws a group, placement's sometimes.
func (n *nemesis) aGroup() slot.GroupID {
	return slot.GroupID(1 + n.rng.IntN(n.c.plan.Groups))
}

func (n *nemesis) aLeader() *server { return n.c.leader(n.aGroup()) }

// others are all nodes but s, in random order.
func (n *nemesis) others(s *server) (out []*server) {
	for _, i := range n.rng.Perm(len(n.c.nodes)) {
		if n.c.nodes[i] != s {
			out = append(out, n.c.nodes[i])
		}
	}
	return out
}

func names(servers []*server) string {
	out := ""
	for _, s := range servers {
		out += " " + string(s.host)
	}
	return fmt.Sprintf("[%s]", out[min(1, len(out)):])
}
