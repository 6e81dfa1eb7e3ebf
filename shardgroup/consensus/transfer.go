package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// transferWatch is guard F7. Raft refuses proposals while it hands leadership over, and a hand-over that got stuck
// refuses them for ever, even in later terms (hashicorp/raft#696).
type transferWatch struct {
	mu sync.Mutex
	// since is when proposals began to be refused without one being accepted in between; zero if they are not.
	since time.Time
}

// note looks at a proposal's outcome and has the instance restarted if refusals last for over two election timeouts: a
// hand-over that works is over after one.
func (w *transferWatch) note(r *Replica, inst *instance, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		w.since = time.Time{}
		return
	}
	now := time.Now()
	if w.since.IsZero() {
		w.since = now
		return
	}
	if now.Sub(w.since) > 2*r.cfg.Timing.Election && !r.cfg.off.TransferWatch {
		w.since = time.Time{}
		inst.wishRestart("a leadership transfer is stuck")
	}
}

// given is a hand-over that raft gave up. Its request may still wait for the goroutine that replicates to the follower, which has room
// for one: a second hand-over would wait until that goroutine goes on and, if leadership is lost first, for ever, with another goroutine
// that waits for it (hashicorp/raft#696).
type given struct {
	inst *instance
	term uint64
	// last is the leader's newest entry when it was given up, at that time.
	last uint64
	at   time.Time
}

// givenUp are the newest such hand-overs, by follower.
type givenUp struct {
	mu   sync.Mutex
	last map[string]given
}

func (g *givenUp) note(to string, up given) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last == nil {
		g.last = map[string]given{}
	}
	g.last[to] = up
}

// waits says that the request of an earlier hand-over by this leader may still wait: the follower has not accepted, since then, all
// that there was.
func (g *givenUp) waits(to string, inst *instance, term uint64, t *limited) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	up, known := g.last[to]
	if known && up.inst == inst && up.term == term && !t.caughtUp(raft.ServerID(to), up) {
		return true
	}
	delete(g.last, to)
	return false
}

// Transfer hands leadership to node to, a voter, and returns when another node leads or an error says why not. The lease
// is dropped first, so until the term ends each read of this leader costs a confirmation.
func (r *Replica) Transfer(ctx context.Context, to string) error {
	if err := r.transfer(ctx, to); err != nil {
		return fmt.Errorf("transfer leadership of group %d to node %s: %w", r.cfg.Group, to, err)
	}
	return nil
}

func (r *Replica) transfer(ctx context.Context, to string) error {
	before := r.Leader()
	inst := r.current.Load()
	if inst == nil {
		return r.away()
	}
	if before.Leader == to {
		return nil
	}
	if before.Leader != r.cfg.Self {
		return &NotLeaderError{Leader: before.Leader}
	}
	if !r.votes(to) {
		return errors.New("it is no voter of the group")
	}
	if r.givenUp.waits(to, inst, before.Term, r.transport) {
		return errors.New("an earlier hand-over to it was given up, and it has not caught up since")
	}
	if !r.cfg.off.Revoke {
		r.cfg.Transport.Revoke(before.Term)
	}
	defer r.transport.hasten()() // a hand-over goes through the goroutine that replicates, and is given up after Election
	_, err := inst.await(inst.raft.LeadershipTransferToServer(raft.ServerID(to), raft.ServerAddress(to)))
	switch {
	case errors.Is(err, raft.ErrNotLeader):
		return &NotLeaderError{Leader: r.otherLeader()}
	case errors.Is(err, raft.ErrEnqueueTimeout), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return ErrTransferring
	case err != nil:
		r.givenUp.note(to, given{inst, before.Term, inst.raft.LastIndex(), time.Now()})
		return err
	}
	return r.awaitSuccessor(ctx, before.Term)
}

func (r *Replica) votes(id string) bool {
	latest, _ := r.members.latest()
	for _, s := range latest.Servers {
		if s.ID == raft.ServerID(id) {
			return s.Suffrage == raft.Voter
		}
	}
	return false
}

// awaitSuccessor returns when a term after the given one has a leader, or when there should long have been one: if the new leader dies
// at once, as when all nodes are stopped together, whoever waits has other things to do.
func (r *Replica) awaitSuccessor(ctx context.Context, term uint64) error {
	patience := r.cfg.Timing.succession()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		changed, l := r.Changed(), r.Leader()
		if l.Term > term && l.Leader == r.cfg.Self {
			return errors.New("it did not take over; this node was elected again")
		}
		if l.Term > term && l.Leader != "" {
			return nil
		}
		select {
		case <-changed:
		case <-late.C:
			return fmt.Errorf("nobody is known to lead %v after the hand-over", patience)
		case <-ctx.Done():
			return fmt.Errorf("no leader after the hand-over: %w", ctx.Err())
		case <-r.ctx.Done():
			return ErrClosed
		}
	}
}
