package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/jepsen/sim/fabric"
	"github.com/quorate/quorate/jepsen/sim/machine"
)

// Families are all kinds of faults, in the order of the reports. Those that are stories come last.
func Families() []Family {
	return []Family{
		{Name: "crash", About: "a node's machine loses power between two writes, and what was not synced", strike: (*nemesis).crash},
		{Name: "kill", About: "a node's process is killed between two writes", strike: (*nemesis).kill},
		{Name: "power", About: "all nodes, or a majority, lose power at nearly one time", strike: (*nemesis).power},
		{Name: "restart", About: "a node is stopped as an operator does, or all are, one after the other", strike: (*nemesis).restart},
		{Name: "pause", About: "nothing goes into or out of a node for a while, and then all at once", strike: (*nemesis).pause},
		{Name: "isolate", About: "a leader is cut off", strike: (*nemesis).isolate},
		{Name: "halves", About: "the nodes are cut in two", strike: (*nemesis).halves},
		{Name: "bridge", About: "the nodes are cut in two, but for one that reaches both", strike: (*nemesis).bridge},
		{Name: "one-way", About: "a node hears and is not heard, or the other way round", strike: (*nemesis).oneWay},
		{Name: "flap", About: "a node is cut off again and again", strike: (*nemesis).flap},
		{Name: "placement", About: "only what keeps the map is cut, or only the groups are", strike: (*nemesis).placement},
		{Name: "slow-net", About: "all links are slow and lose messages", strike: (*nemesis).slowNet},
		{Name: "slow-return", About: "a leader hears of its followers late", strike: (*nemesis).slowReturn},
		{Name: "disk-slow", About: "a node's syncs take 50 ms to 5 s", strike: (*nemesis).diskSlow},
		{Name: "disk-stuck", About: "a node's disk does nothing for up to 20 s", strike: (*nemesis).diskStuck},
		{Name: "disk-fail", About: "a write or sync fails once", strike: (*nemesis).diskFail},
		{Name: "disk-full", About: "a node's disk is full", strike: (*nemesis).diskFull},
		{Name: "clock", About: "a node's wall clock steps by up to an hour and runs up to 5 % wrong", strike: (*nemesis).clock},
		{Name: "transfer", About: "leadership is handed over", strike: (*nemesis).transfer},
		{Name: "snapshot", About: "snapshots come every few kilobytes, few entries stay behind them, and more are forced", strike: (*nemesis).snapshot},
		{Name: "members", About: "a node leaves or joins a group, up, down or cut off; mostly the leader leaves, and it comes back or another one", strike: (*nemesis).members},
		{Name: "corruption", About: "a bit of a log, a snapshot or a file of placement's flips while a node is down", strike: (*nemesis).flipped},
		{Name: "wire", About: "bits flip in what nodes send to each other", strike: (*nemesis).wire},
		{Name: "breaks", About: "connections of clients end in the middle of a command, a transaction or a reply", strike: (*nemesis).breaks},
		{Name: "memory", About: "maxmemory falls to a fraction for a while, so that most is evicted or every write refused", strike: (*nemesis).memory},
		{Name: "late-answers", About: "a leader and a minority are cut off, and what the others had answered before arrives for long after", strike: (*nemesis).lateAnswers, story: true},
		{Name: "last-answers", About: "a leader and a minority are cut off, and what the others had answered to its last requests arrives piece by piece", strike: (*nemesis).lastAnswers, story: true},
		{Name: "deaf-handover", About: "a leader hands over, and hears late what comes of it", strike: (*nemesis).deafHandOver, story: true},
		{Name: "stuck-handover", About: "a leader hands over to a follower whose link hangs with entries, carries a few, hangs again, and then it loses and wins an election", strike: (*nemesis).stuckHandOver, story: true},
		{Name: "snapshot-over-tail", About: "a leader that nobody takes entries from wins elections, and gets a snapshot that ends in the midst of what it alone has", strike: (*nemesis).snapshotOverTail, story: true},
		{Name: "late-snapshot", About: "a snapshot arrives when its receiver has left, come back and got the same one again and what is behind it", strike: (*nemesis).lateSnapshot, story: true},
		{Name: "slow-apply", About: "a leader's state machine is late after each batch and after each mark of a snapshot", strike: (*nemesis).slowApply, story: true},
		{Name: "slow-succession", About: "a leader is cut off with an entry that nobody else has, and killed; its successor's disk is slow to take the first entry, and meanwhile the old leader is back", strike: (*nemesis).slowSuccession, story: true},
		{Name: "late-order", About: "the order to take over is under way while another hand-over makes another leader, which is the last to hear of what the order leads to", strike: (*nemesis).lateOrder, story: true},
		{Name: "forgotten-promise", About: "a node that does not hear the leader campaigns; the only other follower restarts, and the leader is cut off", strike: (*nemesis).forgottenPromise, story: true},
		{Name: "learner", About: "a leader is cut off together with a node that joins, which gets no entries and so no vote, while answers from before go on arriving", strike: (*nemesis).learner, story: true},
		{Name: "stuck-leader", About: "a leader's disk stands still while it is cut off, replaced, and back", strike: (*nemesis).stuckLeader, story: true},
		{Name: "deposed-by-heartbeat", About: "a replaced leader hears heartbeats and what operators want, and nothing else", strike: (*nemesis).deposedByHeartbeat, story: true},
		{Name: "lost-memory", About: "a follower loses power and what it alone of two had acknowledged; then the leader is cut off", strike: (*nemesis).lostMemory, story: true},
		{Name: "half-a-vote", About: "a node loses power while it stores a vote; before that, orders to take over went to two others, one of which arrives afterwards", strike: (*nemesis).halfAVote, story: true},
	}
}

func (n *nemesis) crash() wound { return n.end(true) }
func (n *nemesis) kill() wound  { return n.end(false) }

// maxDoom is how many more changes to its disks a doomed process makes at most; doomWait is how long it may take over them.
const (
	maxDoom  = 30
	doomWait = time.Second
)

// end ends a node between two of its next writes.
func (n *nemesis) end(power bool) wound {
	s := n.anyone()
	if s == nil {
		return wound{}
	}
	_, p := s.now()
	writes := n.rng.IntN(maxDoom)
	s.hold()
	p.DoomAfter(writes, func() { s.die(p, power) })
	timer := time.AfterFunc(doomWait, func() { s.die(p, power) })
	return wound{
		what: fmt.Sprintf("%s after %d writes", s.host, writes), lasts: doomWait + n.between(0, 15*time.Second),
		undo: func() { timer.Stop(); s.die(p, power); s.release() },
	}
}

func (n *nemesis) power() wound {
	victims := append([]*server(nil), n.c.nodes...)
	n.rng.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
	if n.rng.IntN(2) == 0 {
		victims = victims[:len(victims)/2+1]
	}
	for _, s := range victims {
		s.hold()
	}
	spread := n.between(0, 300*time.Millisecond)
	for _, s := range victims {
		time.AfterFunc(time.Duration(n.rng.Float64()*float64(spread)), func() {
			if _, p := s.now(); p != nil {
				s.die(p, true)
			}
		})
	}
	return wound{
		what: names(victims), lasts: time.Second + n.between(0, 10*time.Second),
		undo: func() {
			for _, s := range victims {
				s.release()
			}
		},
	}
}

// restart stops nodes with grace. A node that does not come to an end is killed, as a supervisor does.
func (n *nemesis) restart() wound {
	victims := n.running()
	if len(victims) == 0 {
		return wound{}
	}
	if n.rng.IntN(2) == 0 {
		victims = []*server{victims[n.rng.IntN(len(victims))]}
	}
	for _, s := range victims {
		s.hold()
	}
	n.open.Go(func() {
		for _, s := range victims {
			_, p := s.now()
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			s.stop(ctx)
			cancel()
			if p != nil {
				s.die(p, false)
			}
			s.release()
			s.start()
		}
	})
	return wound{what: names(victims), lasts: time.Duration(len(victims)) * time.Second}
}

func (n *nemesis) diskSlow() wound {
	delay := n.between(50*time.Millisecond, 5*time.Second)
	return n.hurtDisk(fmt.Sprintf("syncs take %v", delay), machine.DiskFault{Delay: delay, Jitter: delay / 2}, 20*time.Second)
}

func (n *nemesis) diskStuck() wound {
	return n.hurtDisk("stuck", machine.DiskFault{Stuck: true}, 20*time.Second)
}

// diskFail lets a sync and a write fail in turns. Without rolling dice: what a seed did before it still does otherwise.
func (n *nemesis) diskFail() wound {
	f := n.c.healthy()
	if n.failures++; n.failures%2 == 1 {
		f.FailSync = machine.ErrIO
		return n.hurtDisk("the next sync fails", f, 5*time.Second)
	}
	f.Fail = machine.ErrIO
	return n.hurtDisk("the next write or sync fails", f, 5*time.Second)
}

func (n *nemesis) diskFull() wound {
	f := n.c.healthy()
	f.Full = machine.ErrFull
	return n.hurtDisk("full", f, 10*time.Second)
}

func (n *nemesis) hurtDisk(what string, f machine.DiskFault, most time.Duration) wound {
	s := n.anyone()
	if s == nil {
		return wound{}
	}
	_, p := s.now()
	before := p.Changes()
	s.machine.SetDisk(f)
	return wound{
		what: fmt.Sprintf("%s: %s", s.host, what), lasts: n.between(200*time.Millisecond, most),
		undo: func() { s.machine.SetDisk(n.c.healthy()) },
		bit:  func() bool { return p.Ended() || p.Changes() > before },
	}
}

func (n *nemesis) clock() wound {
	s := n.c.nodes[n.rng.IntN(len(n.c.nodes))]
	largest := pick(n.rng, time.Second, time.Minute, time.Hour)
	shift := time.Duration((2*n.rng.Float64() - 1) * float64(largest))
	drift := 0.1*n.rng.Float64() - 0.05
	s.machine.SetClock(shift, drift)
	return wound{
		what: fmt.Sprintf("%s: %v, %.1f %% fast", s.host, shift, 100*drift), lasts: n.between(time.Second, 30*time.Second),
		undo: func() { s.machine.SetClock(0, 0) },
	}
}

func (n *nemesis) transfer() wound {
	w, _ := n.handOver()
	return w
}

// handOver has a leader hand over to another member; it is returned, too.
func (n *nemesis) handOver() (w wound, from *server) {
	g := n.aGroup()
	m := n.c.known()
	from = n.c.leader(g)
	if m == nil || from == nil {
		return wound{}, nil
	}
	members := m.GroupByID(g).Members
	to := members[n.rng.IntN(len(members))]
	if to == n.c.idOf(from) {
		return wound{}, nil
	}
	replica := from.group(g)
	if replica == nil {
		return wound{}, nil
	}
	done := false
	n.open.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		done = replica.Transfer(ctx, string(to)) == nil
	})
	return wound{
		what: fmt.Sprintf("group %d from %s to %s", g, from.host, n.c.trace.hostOf(to)), lasts: time.Second,
		bit: func() bool { return done },
	}, from
}

// deafHandOver plays what a lease that outlives the hand-over leads to: the next leader is elected at once, and the old one is
// told when its lease is nearly over.
func (n *nemesis) deafHandOver() wound {
	w, from := n.handOver()
	if from == nil {
		return w
	}
	late := n.network(w.what+", late", 2*n.c.plan.Lease, fabric.Rule{
		Effect: fabric.Worsen, Classes: fabric.Groups | fabric.Placement, On: func(_, to fabric.Host) bool { return to == from.host },
		Weather: fabric.Weather{Delay: n.c.plan.Lease * 9 / 10},
	})
	late.bit = w.bit
	return late
}

func (n *nemesis) snapshot() wound {
	g := n.aGroup()
	up := n.running()
	up = slices.DeleteFunc(up, func(s *server) bool { return s.group(g) == nil })
	if len(up) == 0 {
		return wound{}
	}
	s := up[n.rng.IntN(len(up))]
	replica, taken := s.group(g), false
	n.open.Go(func() { taken = replica.Snapshot() == nil })
	return wound{what: fmt.Sprintf("of group %d on %s", g, s.host), lasts: time.Second, bit: func() bool { return taken }}
}
