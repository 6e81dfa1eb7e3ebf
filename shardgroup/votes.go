package shardgroup

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// Standing is what a replica tells others that may have lost the tails of their logs.
type Standing struct {
	// Held: see Group.VotesHeld.
	Held bool
	// Term and Index are those of the last entry in its log, 0 if it has none. Known is false if it can't say.
	Known       bool
	Term, Index uint64
	// Voters are those of the newest configuration in its log, which is entry Configured.
	Configured uint64
	Voters     []string
}

// newer reports whether s's log is more up to date than t's (Raft, section 5.4.1).
func (s Standing) newer(t Standing) bool {
	return s.Term > t.Term || s.Term == t.Term && s.Index > t.Index
}

// Standing answers Peers.Standing.
func (g *Group) Standing() Standing {
	s := Standing{Held: g.VotesHeld()}
	s.Term, s.Index, s.Known = g.replica.LastEntry()
	var members raft.Configuration
	members, s.Configured = g.replica.Members()
	for _, m := range members.Servers {
		if m.Suffrage == raft.Voter {
			s.Voters = append(s.Voters, string(m.ID))
		}
	}
	return s
}

// VotesHeld reports whether this replica holds its votes because it may have lost its tail, or did until it found that too many
// have, and no leader has been elected since.
func (g *Group) VotesHeld() bool { return g.bereaved.Load() || g.replica.VotesHeld() }

// votesPace is how often a replica that holds its votes looks for a reason to release them.
const votesPace = 200 * time.Millisecond

// runVotes releases the votes of a replica that may have lost the tail of its log (durability interval, power cut).
//
// Such a replica may have acknowledged entries that it no longer has; they count as copies, so until it has them again it
// must not help to elect a leader without them. It has them when it has applied an entry that the leader proposed after
// this start: all that it ever acknowledged to that leader comes before, and later leaders count acknowledgements anew.
//
// If more than half of the voters lost their tails together, there may be no leader to catch up with, ever. Then entries may be
// lost (that is what durability interval means), and the group goes on without them. The replica that finds this out
// first still counts for the others that hold, or they would wait for a leader whom it takes their votes to elect.
// It counts until there is a leader: from then on it acknowledges anew, and what it lost before says nothing about that.
//
// If just half did, the others have everything among them and can't elect anybody. What was acknowledged is with more than half, so
// with one of the others at least, and then with the one whose log is the newest of all: it gets the votes, and nobody else.
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
			break
		}
		if s := g.survey(); s.lost() {
			g.bereaved.Store(true)
			g.releaseVotes("more than half have lost the end of their logs")
		} else {
			g.replica.VoteFor(s.choice())
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
	switch {
	case l.Leader == g.cfg.Self:
		return l.Ready // it was the choice, and has committed an entry since
	case l.Leader == "", g.cfg.Peers == nil:
		return false
	}
	ctx, cancel := context.WithTimeout(g.ctx, g.cfg.Limits.patience())
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

// survey is what replicas say of themselves.
type survey struct {
	// said has those that answered.
	said map[string]Standing
	// voters are the group's by each configuration that anybody knows and that is not older than this replica's own. While members
	// change, more than one may count: this replica can't know which of them others have counted acknowledgements by.
	voters [][]string
	// older are those by which replicas go that don't hold their votes and know nothing of this replica's newest configuration, which
	// it had written as a leader and sent to nobody.
	older [][]string
}

// survey asks all voters at once: one that can't be reached must not take the time in which the others would answer.
func (g *Group) survey() survey {
	ctx, cancel := context.WithTimeout(g.ctx, g.cfg.Limits.patience())
	defer cancel()
	type answer struct {
		id string
		Standing
		err error
	}
	own := g.Standing()
	s := survey{said: map[string]Standing{g.cfg.Self: own}, voters: [][]string{own.Voters}}
	asked := map[string]bool{g.cfg.Self: true}
	for sets := [][]string{own.Voters}; len(sets) > 0 && g.cfg.Peers != nil; sets = sets[1:] {
		var ask []string
		for _, id := range sets[0] {
			if !asked[id] {
				asked[id], ask = true, append(ask, id)
			}
		}
		answers := make(chan answer, len(ask))
		for _, id := range ask {
			go func() {
				standing, err := g.cfg.Peers.Standing(ctx, id, g.cfg.ID)
				answers <- answer{id, standing, err}
			}()
		}
		for range ask {
			a := <-answers
			if a.err != nil {
				continue
			}
			switch s.said[a.id] = a.Standing; {
			case a.Configured > own.Configured:
				s.voters = append(s.voters, a.Voters)
			case a.Configured < own.Configured && !a.Held:
				s.older = append(s.older, a.Voters)
			default:
				continue
			}
			sets = append(sets, a.Voters)
		}
	}
	return s
}

func (s survey) holding(voters []string) (n int) {
	for _, id := range voters {
		if s.said[id].Held {
			n++
		}
	}
	return n
}

// lost reports whether, by every configuration, so many hold their votes that acknowledged entries may be gone.
func (s survey) lost() bool {
	return !slices.ContainsFunc(s.voters, func(voters []string) bool { return 2*s.holding(voters) <= len(voters) })
}

// choice is who should get the votes that are held, if those that don't hold theirs can't elect anybody without them; "" is nobody.
func (s survey) choice() (id string) {
	if slices.ContainsFunc(s.voters, s.helpless) {
		return s.newest(s.voters)
	}
	for _, voters := range s.older {
		if s.helpless(voters) {
			return s.newest(slices.Concat(s.voters, [][]string{voters}))
		}
	}
	return ""
}

// helpless reports whether, of these voters, those that don't hold their votes are too few to elect a leader.
func (s survey) helpless(voters []string) bool { return 2*s.holding(voters) >= len(voters) }

// newest is the voter that has the newest log of all; "" if anybody is silent, because it might be the one. It may be one that
// holds its votes: a leader, say, that had written more than it sent. Others could not be elected with its vote, as it knows more.
func (s survey) newest(sets [][]string) (id string) {
	var best Standing
	for _, voters := range sets {
		for _, v := range voters {
			switch a := s.said[v]; { // those that ask at the same time should choose the same one
			case !a.Known:
				return ""
			case id == "", a.newer(best), !best.newer(a) && (best.Held && !a.Held || best.Held == a.Held && v < id):
				best, id = a, v
			}
		}
	}
	return id
}
