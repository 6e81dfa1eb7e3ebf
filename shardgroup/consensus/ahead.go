package consensus

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// A proposal of few clients is sent to the followers while the leader's own disk writes it (Ongaro, "Consensus: Bridging Theory and
// Practice", 10.2.1), so that it takes the longer one of the leader's write and a follower's round trip and write, not their sum. When
// many clients write it does not pay: those who come while the leader's disk is busy share the next entry, and the sooner that
// begins, the more entries there are, each of which costs three nodes a write and two messages.
//
// Raft counts the leader among those that have an entry from when StoreLogs returns, so three things keep that from showing:
//
//   - The state machine is given nothing that is not on this disk (machine.ApplyBatch), so nobody is answered.
//   - No follower is told of a commit index above what the leader's state machine has applied (limited), so no follower applies it.
//   - Everybody else who reads an entry or changes the log waits for the disk. Only raft's own idea of where the log ends runs ahead:
//     a vote or a candidacy that rests on it is at worst too careful, and raft counts no acknowledgement for which an entry was not
//     read or stored.
//
// A leader that crashes before the write ends has a log without the entry, and at most a newer term and vote, which only forbid.
// Configurations, raft's no-ops and its barriers are never sent ahead.
type pending struct {
	entries []*raft.Log
	// done is closed when they are on the disk, or never will be: then err says why.
	done chan struct{}
	err  error
}

func (p *pending) first() uint64 { return p.entries[0].Index }

// errUnwritten is for a write that ends its goroutine.
var errUnwritten = errors.New("the log's write did not return")

// sendsAhead reports whether entries may be sent before they are on the disk.
func (s *logStore) sendsAhead(entries []*raft.Log) bool {
	if !s.ahead.Load() || !s.leads() {
		return false
	}
	for _, e := range entries {
		if e.Type != raft.LogCommand {
			return false
		}
	}
	return true
}

// begin has entries written beside everything else.
func (s *logStore) begin(entries []*raft.Log) {
	p := &pending{entries: entries, done: make(chan struct{}), err: errUnwritten}
	s.pending.Store(p)
	go func() {
		defer close(p.done)
		if p.err = s.write(p.entries); p.err == nil {
			s.pending.Store(nil)
		} // else nothing behind them counts any more
	}()
}

// write has entries on the disk when it returns.
func (s *logStore) write(entries []*raft.Log) error {
	return s.fail.check(fmt.Sprintf("store log entries from %d", entries[0].Index), s.LogStore.StoreLogs(entries))
}

// durable returns once all entries up to index are on this replica's disk. With an error they are not, and never will be.
func (s *logStore) durable(index uint64) error {
	p := s.pending.Load()
	if p == nil || index < p.first() {
		return nil
	}
	<-p.done
	return p.err
}

// settle is durable for all entries.
func (s *logStore) settle() error { return s.durable(1<<64 - 1) }

// unwritten returns the entry if it may not be on the disk yet, while this replica leads. Otherwise it waits until it is.
func (s *logStore) unwritten(index uint64) (*raft.Log, error) {
	p := s.pending.Load()
	if p == nil || index < p.first() {
		return nil, nil
	}
	if at := index - p.first(); at < uint64(len(p.entries)) && s.leads() {
		return p.entries[at], nil
	}
	return nil, s.durable(index)
}

// undone is what ApplyBatch returns for entries that did not reach the disk: nobody knows what becomes of them.
type undone struct{ error }
