package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/jepsen/sim/fabric"
)

// network puts a rule into force and says whether it did anything to a message.
func (n *nemesis) network(what string, lasts time.Duration, rules ...fabric.Rule) wound {
	before := n.c.net.Stats()
	var lifts []func()
	for _, r := range rules {
		lifts = append(lifts, n.c.net.Add(r))
	}
	return wound{
		what: what, lasts: lasts,
		undo: func() {
			for _, lift := range lifts {
				lift()
			}
		},
		bit: func() bool {
			after := n.c.net.Stats()
			return after.Lost > before.Lost || after.Held > before.Held || rules[0].Effect == fabric.Worsen && after.Messages > before.Messages
		},
	}
}

// about is for the links of some hosts with all others.
func about(hosts ...fabric.Host) func(from, to fabric.Host) bool {
	return func(from, to fabric.Host) bool {
		return slices.Contains(hosts, from) != slices.Contains(hosts, to)
	}
}

// across is for the links between two sets of hosts.
func across(a, b []fabric.Host) func(from, to fabric.Host) bool {
	return func(from, to fabric.Host) bool {
		return slices.Contains(a, from) && slices.Contains(b, to) || slices.Contains(b, from) && slices.Contains(a, to)
	}
}

func hosts(servers []*server) (out []fabric.Host) {
	for _, s := range servers {
		out = append(out, s.host)
	}
	return out
}

// cut is what a partition does: it loses messages, or it holds them until it is over, as a switch or a full queue may.
func (n *nemesis) cut() fabric.Effect {
	if n.rng.IntN(4) == 0 {
		return fabric.Hold
	}
	return fabric.Lose
}

// classes is what a partition between nodes cuts: clients reach both sides, or only one.
func (n *nemesis) classes() fabric.Class {
	if n.rng.IntN(2) == 0 {
		return fabric.All
	}
	return fabric.Groups | fabric.Placement
}

// partitioned is how long a partition lasts.
func (n *nemesis) partitioned() time.Duration {
	return n.between(200*time.Millisecond, 20*time.Second)
}

func (n *nemesis) isolate() wound {
	s := n.aLeader()
	if s == nil {
		return wound{}
	}
	return n.network(string(s.host), n.partitioned(), fabric.Rule{Effect: n.cut(), Classes: n.classes(), On: about(s.host)})
}

func (n *nemesis) pause() wound {
	s := n.anyone()
	if s == nil {
		return wound{}
	}
	return n.network(string(s.host), n.between(200*time.Millisecond, 30*time.Second),
		fabric.Rule{Effect: fabric.Hold, Classes: fabric.All, On: about(s.host)})
}

// split deals the nodes into two parts of at least one.
func (n *nemesis) split() (a, b []*server) {
	all := n.others(nil)
	k := 1 + n.rng.IntN(len(all)-1)
	return all[:k], all[k:]
}

func (n *nemesis) halves() wound {
	a, b := n.split()
	rule := fabric.Rule{Effect: n.cut(), Classes: fabric.Groups | fabric.Placement, On: across(hosts(a), hosts(b))}
	return n.network(fmt.Sprintf("%s from %s", names(a), names(b)), n.partitioned(), rule)
}

func (n *nemesis) bridge() wound {
	all := n.others(nil)
	middle, rest := all[0], all[1:]
	k := 1 + n.rng.IntN(max(1, len(rest)-1))
	a, b := rest[:k], rest[k:]
	rule := fabric.Rule{Effect: n.cut(), Classes: fabric.Groups | fabric.Placement, On: across(hosts(a), hosts(b))}
	return n.network(fmt.Sprintf("%s from %s, %s reaches both", names(a), names(b), middle.host), n.partitioned(), rule)
}

func (n *nemesis) oneWay() wound {
	s := n.anyone()
	if s == nil {
		return wound{}
	}
	what, on := string(s.host)+" is not heard", func(from, _ fabric.Host) bool { return from == s.host }
	if n.rng.IntN(2) == 0 {
		what, on = string(s.host)+" does not hear", func(_, to fabric.Host) bool { return to == s.host }
	}
	return n.network(what, n.partitioned(), fabric.Rule{Effect: n.cut(), Classes: n.classes(), On: on})
}

// flap cuts and joins until it is undone.
func (n *nemesis) flap() wound {
	s := n.anyone()
	if s == nil {
		return wound{}
	}
	rule := fabric.Rule{Effect: n.cut(), Classes: n.classes(), On: about(s.host)}
	stop, period := make(chan struct{}), n.between(50*time.Millisecond, 2*time.Second)
	before := n.c.net.Stats()
	n.open.Go(func() {
		for {
			lift := n.c.net.Add(rule)
			over := await(stop, period)
			lift()
			if over || await(stop, period) {
				return
			}
		}
	})
	return wound{
		what: fmt.Sprintf("%s every %v", s.host, period), lasts: n.partitioned(), undo: func() { close(stop) },
		bit: func() bool {
			after := n.c.net.Stats()
			return after.Lost > before.Lost || after.Held > before.Held
		},
	}
}

// await waits, and reports whether stop was closed before.
func await(stop <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-stop:
		return true
	case <-timer.C:
		return false
	}
}

func (n *nemesis) placement() wound {
	a, b := n.split()
	class, what := fabric.Placement, "placement's"
	if n.rng.IntN(3) == 0 {
		class, what = fabric.Groups, "the groups'"
	}
	rule := fabric.Rule{Effect: n.cut(), Classes: class, On: across(hosts(a), hosts(b))}
	return n.network(fmt.Sprintf("%s messages, %s from %s", what, names(a), names(b)), n.partitioned(), rule)
}

func (n *nemesis) slowNet() wound {
	w := fabric.Weather{Delay: n.between(time.Millisecond, 200*time.Millisecond), Jitter: n.between(0, time.Second), Loss: 0.3 * n.rng.Float64()}
	if n.rng.IntN(3) == 0 {
		w.Loss = 0
	}
	everywhere := func(_, _ fabric.Host) bool { return true }
	return n.network(fmt.Sprintf("%v to %v more, %.0f %% lost", w.Delay, w.Delay+w.Jitter, 100*w.Loss), n.between(time.Second, 30*time.Second),
		fabric.Rule{Effect: fabric.Worsen, Classes: fabric.All, On: everywhere, Weather: w})
}

func (n *nemesis) slowReturn() wound {
	s := n.aLeader()
	if s == nil {
		return wound{}
	}
	w := fabric.Weather{Delay: n.between(100*time.Millisecond, 3*time.Second), Jitter: n.between(0, time.Second)}
	return n.network(fmt.Sprintf("to %s, %v more", s.host, w.Delay), n.between(time.Second, 20*time.Second),
		fabric.Rule{Effect: fabric.Worsen, Classes: fabric.Groups | fabric.Placement, On: func(_, to fabric.Host) bool { return to == s.host }, Weather: w})
}

// lateAnswers plays what makes raft take a leader for one that has been replaced: answers to it are late, then later and later,
// never by so much that it gives up meanwhile; then nothing leaves it and its minority any more, and what was answered before
// goes on arriving while the others elect.
func (n *nemesis) lateAnswers() wound {
	s := n.aLeader()
	if s == nil {
		return wound{}
	}
	rest := n.others(s)
	k := (len(n.c.nodes)-1)/2 - 1 // how many the leader has on its side, of a minority
	minority, majority := append([]*server{s}, rest[:k]...), hosts(rest[k:])
	lease, nodes := n.c.plan.Lease, fabric.Groups|fabric.Placement
	late := fabric.Rule{Effect: fabric.Worsen, Classes: nodes, Weather: fabric.Weather{Delay: lease * 9 / 20}, On: func(from, to fabric.Host) bool {
		return to == s.host && slices.Contains(majority, from)
	}}
	apart := across(hosts(minority), majority)
	cut := fabric.Rule{Effect: fabric.Lose, Classes: nodes, On: func(from, to fabric.Host) bool { return apart(from, to) && to != s.host }}
	stages := []fabric.Rule{late, late, late, cut}
	w := n.network(fmt.Sprintf("%s of %s", s.host, names(minority)), time.Duration(len(stages))*lease+3*n.c.plan.Election, late)
	stop, lift := make(chan struct{}), w.undo
	n.open.Go(func() {
		defer lift()
		for _, r := range stages {
			if await(stop, lease) {
				return
			}
			defer n.c.net.Add(r)()
		}
		<-stop
	})
	w.undo = func() { close(stop) }
	return w
}
