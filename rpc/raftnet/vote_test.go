package raftnet

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/placement/topology"
)

// A node that has lost its last second must neither lead nor help to elect, until it is told that it has caught up.
func TestHeldVotesTakeNoPartInElections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, Off{}, func(r *replica, _ *raft.Config, o *Options) { o.HoldVotes = r.id == "n2" })
		l := c.leader()
		held := c.replicas[2]
		if l == held {
			t.Fatal("a node with held votes was elected")
		}
		term := held.raft.CurrentTerm()
		l.stop()
		time.Sleep(20 * time.Second)
		for _, r := range c.others(l) {
			if r.raft.State() == raft.Leader {
				t.Fatalf("%s was elected with a held vote or none", r.id)
			}
		}
		if got := held.raft.CurrentTerm(); got != term {
			t.Errorf("the held node's term rose from %d to %d", term, got)
		}
		if s := held.tr.Stats(); s.VotesDropped == 0 || s.CampaignsHeld == 0 {
			t.Errorf("stats %+v", s)
		}
		other := c.others(l)[0]
		if other == held {
			other = c.others(l)[1]
		}
		held.tr.VoteFor(l.id)
		time.Sleep(20 * time.Second)
		if other.raft.State() == raft.Leader || held.raft.State() == raft.Leader {
			t.Fatal("a node was elected with a vote that was for another")
		}
		held.tr.VoteFor(other.id)
		if c.leader() != other {
			t.Error("the node that holds its votes leads")
		}
		other.stop()
		l.start()
		time.Sleep(20 * time.Second)
		if l.raft.State() == raft.Leader || held.raft.State() == raft.Leader {
			t.Fatal("a node was elected with a vote that was for another")
		}
		held.tr.ReleaseVotes()
		c.leader()
	})
}

// A follower that has not noticed yet that its leader is gone helps to elect another one. Raft's timers would have n2 refuse for 30 seconds.
func TestForsakenFollowerVotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, Off{}, func(r *replica, cfg *raft.Config, _ *Options) {
			if r.id == "n2" {
				cfg.HeartbeatTimeout, cfg.ElectionTimeout = 30*time.Second, 30*time.Second
			}
		})
		l := c.leader()
		if err := l.apply("x"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		term := l.raft.CurrentTerm()
		l.stop()
		time.Sleep(3*testHeartbeat + 100*time.Millisecond) // the longest that it takes the other one to notice, and an election
		for _, r := range c.others(l) {
			if leads := r.raft.State() == raft.Leader; leads != (r.id != "n2") || r.raft.CurrentTerm() != term+1 {
				t.Errorf("%s: %v in term %d, after %s led term %d", r.id, r.raft.State(), r.raft.CurrentTerm(), l.id, term)
			}
		}
	})
}

// Who alone has lost its leader gets no help from those who hear it, and raises nobody's term.
func TestHeardLeaderIsNotReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, Off{}, nil)
		l := c.leader()
		term := l.raft.CurrentTerm()
		deaf := topology.NodeID(c.others(l)[0].id)
		c.net.Cut(topology.NodeID(l.id), deaf)
		c.net.Cut(deaf, topology.NodeID(l.id))
		time.Sleep(time.Minute)
		for _, r := range c.replicas {
			if got := r.raft.CurrentTerm(); r.raft.State() == raft.Leader != (r == l) || got != term {
				t.Errorf("%s is a %v in term %d; %s led term %d", r.id, r.raft.State(), got, l.id, term)
			}
		}
	})
}

func TestWhomAForsakenNodeFollows(t *testing.T) {
	for name, test := range map[string]struct {
		// before is what else happened to a node that acknowledged L in term 5 and has a log up to entry 10 of term 5.
		before    func(tr *Transport)
		candidate raft.ServerID
		last      ballot
		want      bool
	}{
		"one with the same log":                 {nil, "c", ballot{lastTerm: 5, lastIndex: 10}, true},
		"one with a longer log":                 {nil, "c", ballot{lastTerm: 5, lastIndex: 11}, true},
		"one with a later term's log":           {nil, "c", ballot{lastTerm: 6, lastIndex: 3}, true},
		"not one that lacks an entry":           {nil, "c", ballot{lastTerm: 5, lastIndex: 9}, false},
		"not one with an older term's log":      {nil, "c", ballot{lastTerm: 4, lastIndex: 99}, false},
		"not one without a vote":                {nil, "learner", ballot{lastTerm: 5, lastIndex: 10}, false},
		"nobody while the promise runs":         {func(tr *Transport) { tr.guard.acknowledge("L", 5, time.Now()) }, "c", ballot{lastTerm: 5, lastIndex: 10}, false},
		"nobody after a vote in a later term":   {func(tr *Transport) { tr.guard.vote("b", 6, 5, time.Now()) }, "c", ballot{lastTerm: 5, lastIndex: 10}, false},
		"nobody after an own candidacy":         {func(tr *Transport) { tr.guard.campaign("me", 6, false, time.Now()) }, "c", ballot{lastTerm: 5, lastIndex: 10}, false},
		"nobody when it leads a later term":     {func(tr *Transport) { tr.acks.observe(&raft.AppendEntriesRequest{Term: 6}) }, "c", ballot{lastTerm: 5, lastIndex: 10}, false},
		"one though it has led an earlier term": {func(tr *Transport) { tr.acks.observe(&raft.AppendEntriesRequest{Term: 4}) }, "c", ballot{lastTerm: 5, lastIndex: 10}, true},
		"nobody if its own log is not known": {func(tr *Transport) {
			tr.SetLastEntry(func() (uint64, uint64, bool) { return 0, 0, false })
		}, "c", ballot{lastTerm: 5, lastIndex: 10}, false},
		"nobody for an earlier run's promise": {func(tr *Transport) {
			tr.guard = guard{lease: DefaultLease}
			tr.guard.boot(time.Now().Add(-time.Second))
		}, "c", ballot{lastTerm: 5, lastIndex: 10}, false},
	} {
		t.Run(name, func(t *testing.T) {
			tr := open(t, &scripted{}, Options{})
			tr.SetLastEntry(func() (uint64, uint64, bool) { return 5, 10, true })
			tr.guard.acknowledge("L", 5, time.Now().Add(-2*DefaultLease))
			if test.before != nil {
				test.before(tr)
			}
			if got := tr.wouldFollow(test.candidate, test.last); got != test.want {
				t.Errorf("would follow %s with a log up to %+v: %v", test.candidate, test.last, got)
			}
		})
	}
}

// The same vote may reach Raft before and leave after an acknowledgement; the guard decides by the order of leaving.
func TestGuardDecidesByOrderOfLeaving(t *testing.T) {
	const d = DefaultLease
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	ack := func(g *guard, leader raft.ServerID, term uint64, ms int) bool {
		return g.acknowledge(leader, term, at(ms))
	}
	vote := func(g *guard, who raft.ServerID, term, consent uint64, ms int) bool {
		return g.vote(who, term, consent, at(ms))
	}
	stand := func(g *guard, term uint64, transfer bool, ms int) bool {
		_, ok := g.campaign("me", term, transfer, at(ms))
		return ok
	}
	for name, talk := range map[string]func(g *guard) []bool{
		"a vote waits until the promise ends": func(g *guard) []bool {
			return []bool{ack(g, "L", 5, 0), !vote(g, "C", 6, 0, 399), vote(g, "C", 6, 0, 400)}
		},
		"a candidacy waits too": func(g *guard) []bool {
			return []bool{ack(g, "L", 5, 0), !stand(g, 6, false, 399), stand(g, 6, false, 400)}
		},
		"each acknowledgement prolongs the promise": func(g *guard) []bool {
			return []bool{ack(g, "L", 5, 0), ack(g, "L", 5, 300), !vote(g, "C", 6, 0, 600), vote(g, "C", 6, 0, 700)}
		},
		"after a vote no older term is acknowledged": func(g *guard) []bool {
			return []bool{vote(g, "C", 6, 0, 0), !ack(g, "L", 5, 1), ack(g, "C", 6, 2)}
		},
		"after a candidacy no older term is acknowledged": func(g *guard) []bool {
			return []bool{stand(g, 6, false, 0), !ack(g, "L", 5, 1), ack(g, "C", 6, 2)}
		},
		"the leader itself may have the vote": func(g *guard) []bool {
			return []bool{ack(g, "L", 5, 0), vote(g, "L", 6, 0, 1)}
		},
		"but not while a promise to another runs": func(g *guard) []bool {
			return []bool{ack(g, "K", 4, 0), ack(g, "L", 5, 100), !vote(g, "L", 6, 0, 399), vote(g, "L", 6, 0, 400)}
		},
		"a leader of an older term is not acknowledged": func(g *guard) []bool {
			return []bool{ack(g, "L", 5, 0), !ack(g, "K", 4, 500)}
		},
		"a new leader's promise does not shorten the old one": func(g *guard) []bool {
			g.boot(at(1000))
			return []bool{!vote(g, "C", 6, 9, 10), ack(g, "L", 5, 20), !vote(g, "C", 6, 0, 999), vote(g, "C", 6, 0, 1000)}
		},
		"consent of the promise's term or a later one is honoured": func(g *guard) []bool {
			return []bool{ack(g, "L", 5, 0), !vote(g, "C", 6, 4, 1), vote(g, "C", 6, 5, 2), vote(g, "C", 7, 6, 3)}
		},
		"a transfer is taken from the promised leader and term only": func(g *guard) []bool {
			return []bool{!g.takeOver("L", 5), ack(g, "L", 5, 0), !g.takeOver("K", 5), !g.takeOver("L", 4), !g.takeOver("L", 6), g.takeOver("L", 5)}
		},
		"a transfer lets the target stand at once, and only by transfer": func(g *guard) []bool {
			return []bool{ack(g, "L", 5, 0), g.takeOver("L", 5), !stand(g, 5, false, 1) || g.term > 5, stand(g, 6, true, 2)}
		},
		"consent of an old term does not end a newer promise": func(g *guard) []bool {
			return []bool{ack(g, "L", 5, 0), g.takeOver("L", 5), ack(g, "M", 7, 10), !stand(g, 8, true, 11)}
		},
		"busy acknowledgements keep the promise": func(g *guard) []bool {
			return []bool{!g.stillBusy("L", 5, at(0)), ack(g, "L", 5, 0), g.stillBusy("L", 5, at(300)), !vote(g, "C", 6, 0, 600), vote(g, "C", 6, 0, 700),
				!g.stillBusy("L", 5, at(701))}
		},
		"a promise that has ended is not renewed for a busy Raft": func(g *guard) []bool {
			return []bool{ack(g, "L", 5, 0), !g.stillBusy("L", 5, at(400)), !g.stillBusy("K", 5, at(1)), !g.stillBusy("L", 6, at(1))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for i, ok := range talk(&guard{lease: d}) {
				if !ok {
					t.Errorf("step %d went the wrong way", i)
				}
			}
		})
	}
}
