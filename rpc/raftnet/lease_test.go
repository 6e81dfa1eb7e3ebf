package raftnet

import (
	"math/rand"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/placement/topology"
)

const leaseRuns = 50

// inside counts the runs of scenario in which a leader was elected while an earlier leader's lease held. scenario
// takes a cluster with a leader and provokes an election.
func inside(t *testing.T, off Off, tune func(*replica, *raft.Config, *Options), scenario func(c *cluster, l *replica, rnd *rand.Rand)) (violations, elections int) {
	t.Helper()
	for seed := range int64(leaseRuns) {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 3, off, tune)
			l := c.leader()
			if err := l.apply("x"); err != nil {
				t.Fatal(err)
			}
			term := l.raft.CurrentTerm()
			rnd := rand.New(rand.NewSource(seed))
			time.Sleep(time.Second + time.Duration(rnd.Int63n(int64(time.Second))))
			scenario(c, l, rnd)
			for range 3000 {
				for _, r := range c.others(l) {
					if r.raft == nil || r.raft.State() != raft.Leader {
						continue
					}
					elections++
					if until, ok := l.tr.LeaseUntil(term); ok && time.Now().Before(until) {
						violations++
					}
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	t.Logf("%+v: %d elections, %d inside the old lease", off, elections, violations)
	return violations, elections
}

// One follower is cut off from the leader and campaigns; the other, which has just acknowledged, restarts, and the
// leader is cut off too: nothing but the boot hold keeps the restarted one from voting (lease hazard 3).
func followerRestarts(c *cluster, l *replica, rnd *rand.Rand) {
	campaigner, restarted := c.others(l)[0], c.others(l)[1]
	c.net.Cut(topology.NodeID(l.id), topology.NodeID(campaigner.id))
	c.net.Cut(topology.NodeID(campaigner.id), topology.NodeID(l.id))
	time.Sleep(2*time.Second + time.Duration(rnd.Int63n(int64(time.Second))))
	restarted.stop()
	c.net.Isolate(topology.NodeID(l.id))
	time.Sleep(time.Duration(rnd.Int63n(int64(5 * time.Millisecond))))
	restarted.start()
}

// Leadership is handed over, and the old leader is the last to hear of it (lease hazard 4).
func leaderHandsOver(c *cluster, l *replica, _ *rand.Rand) {
	to := c.others(l)[0].id
	c.net.SetDelay(func(_, dst topology.NodeID) time.Duration {
		if dst == topology.NodeID(l.id) {
			return 20 * time.Millisecond
		}
		return time.Millisecond
	})
	l.raft.LeadershipTransferToServer(to, raft.ServerAddress(to))
}

// A TimeoutNow of a term long gone arrives (lease hazard 5).
func oldTransferArrives(c *cluster, l *replica, _ *rand.Rand) {
	late, target := c.others(l)[0], c.others(l)[1]
	late.tr.acks.observe(&raft.AppendEntriesRequest{Term: 1})
	late.tr.TimeoutNow(target.id, "", &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}}, nil)
}

func TestNoElectionInsideLease(t *testing.T) {
	for name, c := range map[string]struct {
		scenario func(*cluster, *replica, *rand.Rand)
		// elects: the scenario leads to an election with all guards on.
		elects bool
		off    []Off
	}{
		"the leader is cut off and a follower restarts": {followerRestarts, true, []Off{{BootHold: true}, {Promise: true}}},
		"leadership is handed over":                     {leaderHandsOver, true, []Off{{Revoke: true}}},
		"an old transfer arrives late":                  {oldTransferArrives, false, []Off{{TransferFence: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			violations, elections := inside(t, Off{}, nil, c.scenario)
			if violations > 0 {
				t.Errorf("%d of %d leaders were elected inside the lease of the one before", violations, elections)
			}
			if c.elects && elections < leaseRuns {
				t.Errorf("only %d elections in %d runs", elections, leaseRuns)
			}
			for _, off := range c.off {
				if v, _ := inside(t, off, nil, c.scenario); v == 0 {
					t.Errorf("with %+v off it does not happen either: this test proves nothing", off)
				}
			}
		})
	}
}

// A follower that starts again with a shorter lease must keep what it has promised with the longer one.
func TestAShorterLease(t *testing.T) {
	for _, hold := range []time.Duration{DefaultLease, 0} {
		shorter := func(r *replica, _ *raft.Config, o *Options) {
			if r.runs > 0 {
				o.Lease, o.Hold = 50*time.Millisecond, hold
			}
		}
		violations, elections := inside(t, Off{}, shorter, followerRestarts)
		if elections < leaseRuns || (violations > 0) != (hold == 0) {
			t.Errorf("held for %v: %d of %d leaders were elected inside the lease of the one before", hold, violations, elections)
		}
	}
}
