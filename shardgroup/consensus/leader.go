package consensus

import (
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// Leadership is who leads, as this replica knows.
type Leadership struct {
	// Leader is the leading node's ID, "" if none is known.
	Leader string
	Term   uint64
	// Ready says that this replica leads Term and has applied everything that was committed before it.
	Ready bool
}

// Leader returns the present leadership.
func (r *Replica) Leader() Leadership {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leadership
}

// LeaderNow returns the leadership as raft itself has it at this moment. Leader and Changed may not tell of it yet, and never tell of
// what is over before anybody looks. While there is no raft it is empty.
func (r *Replica) LeaderNow() Leadership {
	if inst := r.current.Load(); inst != nil {
		return r.peek(inst)
	}
	return Leadership{}
}

// Changed returns a channel that is closed when Leader next changes. Take it, then look at Leader, then wait.
func (r *Replica) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// otherLeader is the leader's ID unless that is this replica, which has just been told that it does not lead.
func (r *Replica) otherLeader() string {
	if l := r.Leader(); l.Leader != r.cfg.Self {
		return l.Leader
	}
	return ""
}

// publish makes l known. The lock is held.
func (r *Replica) publish(l Leadership) {
	if l == r.leadership {
		return
	}
	r.leadership = l
	close(r.changed)
	r.changed = make(chan struct{})
}

// resign forgets the leader when an instance has ended.
func (r *Replica) resign() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gate.ready.Store(0)
	r.publish(Leadership{Term: r.leadership.Term})
}

// watchLeadership follows inst's state. It looks at the present state after each event, so it does not matter that
// events which find the channel full are dropped.
func (r *Replica) watchLeadership(inst *instance) {
	events := make(chan raft.Observation, 1)
	observer := raft.NewObserver(events, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.RaftState, raft.LeaderObservation:
			return true
		}
		return false
	})
	inst.raft.RegisterObserver(observer)
	defer inst.raft.DeregisterObserver(observer)
	var led uint64
	for {
		l := r.look(inst)
		if l.Leader == r.cfg.Self && l.Term > led {
			led = l.Term
			inst.watch.Go(func() { r.lead(inst, l.Term) })
		}
		select {
		case <-events:
		case <-inst.ended:
			return
		}
	}
}

// look reads inst's state and publishes it.
func (r *Replica) look(inst *instance) Leadership {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.peek(inst)
	if l.Leader != r.cfg.Self {
		r.gate.ready.Store(0)
	}
	r.publish(l)
	return l
}

// peek reads inst's state. It does not take mu, and changes nothing: clients' commands ask on their way.
func (r *Replica) peek(inst *instance) Leadership {
	l := Leadership{Term: inst.raft.CurrentTerm()}
	_, id := inst.raft.LeaderWithID()
	l.Leader = string(id)
	leads := inst.raft.State() == raft.Leader
	if leads != (l.Leader == r.cfg.Self) || inst.raft.CurrentTerm() != l.Term {
		l.Leader = "" // between two states; another event follows
	}
	l.Ready = l.Leader == r.cfg.Self && r.gate.ready.Load() == l.Term
	return l
}

// lead makes this replica ready to serve term, and watches for standstills until the term ends. Without leases there is nothing
// to watch for.
func (r *Replica) lead(inst *instance, term uint64) {
	if !r.cfg.off.Barrier && !r.catchUp(inst, term) {
		return
	}
	r.mu.Lock()
	if inst.leads(term) {
		r.gate.ready.Store(term)
		r.publish(Leadership{Leader: r.cfg.Self, Term: term, Ready: true})
	}
	r.mu.Unlock()
	if r.cfg.Reads == Lease {
		defer r.cfg.Pulse.watch()()
		r.untilLost(inst, term)
	}
}

// untilLost waits until inst does not lead term any more.
func (r *Replica) untilLost(inst *instance, term uint64) {
	for {
		changed := r.Changed()
		if !inst.leads(term) {
			return
		}
		select {
		case <-changed:
		case <-inst.ended:
			return
		}
	}
}

// catchUp waits until everything that was committed before term is applied: the barrier is an entry of this very term,
// so all before it is committed with it (lease hazard 6).
func (r *Replica) catchUp(inst *instance, term uint64) bool {
	for inst.leads(term) {
		_, err := inst.await(inst.raft.Barrier(proposeTimeout))
		r.transfers.note(r, inst, err)
		if err == nil {
			return inst.leads(term)
		}
		if !errors.Is(err, raft.ErrEnqueueTimeout) && !errors.Is(err, raft.ErrLeadershipTransferInProgress) {
			return false
		}
		select {
		case <-time.After(r.cfg.Timing.Heartbeat / 10):
		case <-inst.ended:
			return false
		}
	}
	return false
}

// leads reports whether this replica leads term at this moment.
func (r *Replica) leads(term uint64) bool {
	inst := r.current.Load()
	return inst != nil && inst.leads(term)
}

// leads reports whether inst is the leader of term at this moment. The state is looked at first: terms only rise, and whoever leads, and
// then is in a term that it has led, led that one. The other way around it could lead a later one.
func (inst *instance) leads(term uint64) bool {
	return inst.raft.State() == raft.Leader && inst.raft.CurrentTerm() == term
}
