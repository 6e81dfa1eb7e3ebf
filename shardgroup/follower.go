package shardgroup

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
)

// Peers asks other replicas of a group.
type Peers interface {
	// ReadIndex asks node's replica of group for Group.ReadIndex(fresh).
	ReadIndex(ctx context.Context, node string, group slot.GroupID, fresh bool) (uint64, error)
	// VotesHeld asks node's replica of group for Group.VotesHeld.
	VotesHeld(ctx context.Context, node string, group slot.GroupID) (bool, error)
}

// ReadFollower answers a call of reads only from this replica, leader or not: after the leader gave a read index, so
// still linearizable, or from the present state if stale is set. c.Done is not called.
//
// Keys expire here by the clock in the log alone. The leader advances it while keys are due, so a key may be seen for a
// moment longer than on the leader, but never again after it was seen expired.
func (g *Group) ReadFollower(c *Call, stale bool) {
	if !stale && (g.cfg.Peers == nil || g.replica.Leader().Leader == g.cfg.Self) {
		g.Read(c)
		return
	}
	c.begin(time.Now())
	if !stale && !offReadIndex {
		if c.Err = g.CatchUp(); c.Err != nil {
			return
		}
	}
	g.stats.followerReads.Add(1)
	g.read(c, 0)
}

// CatchUp waits until this replica has applied what was acknowledged before the call, but not longer than Limits.Park.
func (g *Group) CatchUp() error {
	ctx, cancel := context.WithTimeout(g.ctx, g.cfg.Limits.Park)
	defer cancel()
	for {
		changed, leader := g.replica.Changed(), g.replica.Leader().Leader
		if leader == "" {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return ErrNoLeader
			}
		}
		index, err := g.readIndexFrom(ctx, leader)
		if err == nil {
			err = g.replica.WaitApplied(ctx, index)
		}
		switch {
		case err == nil:
			return nil
		case g.replica.Leader().Leader == leader:
			return &NotLeaderError{Leader: leader} // it can answer better than we can wait
		case ctx.Err() != nil:
			return ErrNoLeader
		}
	}
}

func (g *Group) readIndexFrom(ctx context.Context, leader string) (uint64, error) {
	if leader == g.cfg.Self {
		return g.ReadIndex(ctx, false)
	}
	return g.cfg.Peers.ReadIndex(ctx, leader, g.cfg.ID, false)
}

// ReadIndex answers Peers.ReadIndex for another replica. With fresh set, the index is of an entry proposed
// after the call, which no replica can have acknowledged before.
func (g *Group) ReadIndex(ctx context.Context, fresh bool) (uint64, error) {
	if fresh {
		return g.advance(ctx)
	}
	return g.replica.ReadIndex(ctx)
}

// VotesHeld answers Peers.VotesHeld: whether this replica holds its votes because it may have lost its tail, or did until
// it found that too many have, and no leader has been elected since.
func (g *Group) VotesHeld() bool { return g.bereaved.Load() || g.replica.VotesHeld() }

// votesPace is how often a replica that holds its votes looks for a reason to release them.
const votesPace = 200 * time.Millisecond

// runVotes releases the votes of a replica that may have lost the tail of its log (durability interval, power cut).
//
// Such a replica may have acknowledged entries that it no longer has; they count as copies, so until it has them again it
// must not help to elect a leader without them. It has them when it has applied an entry that the leader proposed after
// this start: all that it ever acknowledged to that leader comes before, and later leaders count acknowledgements anew.
//
// If so many voters lost their tails together that the others are no majority, there may be no leader to catch up with, ever.
// Then entries may be lost (that is what durability interval means), and the group goes on without them; of two replicas, the
// other one still has everything, and nobody is elected without its vote. The replica that finds this out
// first still counts for the others that hold, or they would wait for a leader whom it takes their votes to elect.
// It counts until there is a leader: from then on it acknowledges anew, and what it lost before says nothing about that.
func (g *Group) runVotes() {
	ticker := time.NewTicker(votesPace)
	defer ticker.Stop()
	var p proof
	for g.replica.VotesHeld() {
		select {
		case <-ticker.C:
		case <-g.ctx.Done():
			return
		}
		if g.caughtUp(&p) {
			g.recordRecovery()
			g.releaseVotes("it has caught up")
		} else if g.noMajorityWithout() {
			g.bereaved.Store(true)
			g.releaseVotes("so many have lost the end of their logs that the others are no majority")
		}
	}
	g.awaitSuccessor()
}

// awaitSuccessor ends bereaved when there is a leader.
func (g *Group) awaitSuccessor() {
	for g.bereaved.Load() {
		changed := g.replica.Changed()
		if g.replica.Leader().Leader != "" {
			g.recordRecovery()
			g.bereaved.Store(false)
			return
		}
		select {
		case <-changed:
		case <-g.ctx.Done():
			return
		}
	}
}

// recordRecovery comes before anything is acknowledged that a later start must not take for lost.
func (g *Group) recordRecovery() {
	if g.cfg.Recovered == nil {
		return
	}
	if err := g.cfg.Recovered(); err != nil {
		g.cfg.Fatal(fmt.Errorf("group %d: record that it has caught up: %w", g.cfg.ID, err))
	}
}

func (g *Group) releaseVotes(why string) {
	g.cfg.Logger.Info("replica takes part in elections again after a power cut", "group", g.cfg.ID, "reason", why)
	g.replica.ReleaseVotes()
}

// proof is a committed entry that the leader of term proposed after this start; none if index is 0.
type proof struct{ term, index uint64 }

// caughtUp waits for the proof, asking for one first if there is none of the present leader. It does not ask for another
// each time: in an idle group the followers hear that an entry is committed only after a while, and when the next one comes.
func (g *Group) caughtUp(p *proof) bool {
	l := g.replica.Leader()
	if l.Leader == "" || l.Leader == g.cfg.Self || g.cfg.Peers == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(g.ctx, g.cfg.Limits.Park)
	defer cancel()
	if p.index == 0 || p.term != l.Term {
		index, err := g.cfg.Peers.ReadIndex(ctx, l.Leader, g.cfg.ID, true)
		if err != nil {
			return false
		}
		*p = proof{l.Term, index}
	}
	return g.replica.WaitApplied(ctx, p.index) == nil
}

// noMajorityWithout reports whether the voters that do not hold their votes are too few to elect a leader. It asks all at once:
// one that can't be reached must not take the time in which the others would answer.
func (g *Group) noMajorityWithout() bool {
	ctx, cancel := context.WithTimeout(g.ctx, g.cfg.Limits.Park)
	defer cancel()
	members, _ := g.replica.Members()
	voters, answers := 0, make(chan bool, len(members.Servers))
	for _, s := range members.Servers {
		if s.Suffrage != raft.Voter {
			continue
		}
		voters++
		go func() { answers <- g.holds(ctx, string(s.ID)) }()
	}
	holding := 0
	for range voters {
		if <-answers {
			holding++
		}
		if 2*holding >= voters {
			cancel() // no matter what the others say
		}
	}
	return 2*holding >= voters
}

// holds reports whether a voter is known to hold its votes.
func (g *Group) holds(ctx context.Context, id string) bool {
	if id == g.cfg.Self || g.cfg.Peers == nil {
		return id == g.cfg.Self
	}
	held, err := g.cfg.Peers.VotesHeld(ctx, id, g.cfg.ID)
	return err == nil && held
}
