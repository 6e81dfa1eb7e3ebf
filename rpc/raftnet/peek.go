package raftnet

import (
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/peer"
)

// Frame is what a request says, for traces and for checks of what leaves a node.
type Frame struct {
	Kind peer.Kind
	Term uint64
	// LastIndex and LastTerm are the entry before those of an AppendEntries, a candidate's newest one, or a snapshot's last.
	LastIndex, LastTerm uint64
	// Entries and Commit are an AppendEntries's. A heartbeat has none, nor a last entry.
	Entries int
	Commit  uint64
}

// Peek decodes a request of kind that node from sent; false if it is none of this package's, or damaged.
func Peek(kind peer.Kind, from topology.NodeID, payload []byte) (Frame, bool) {
	f := Frame{Kind: kind}
	switch kind {
	case KindAppend:
		a, err := decodeAppend([]byte(from), payload)
		f.Term, f.LastIndex, f.LastTerm, f.Entries, f.Commit = a.Term, a.PrevLogEntry, a.PrevLogTerm, len(a.Entries), a.LeaderCommitIndex
		return f, err == nil
	case KindVote, KindPreVote:
		_, v, err := decodeBallot(from, payload)
		f.Term, f.LastIndex, f.LastTerm = v.term, v.lastIndex, v.lastTerm
		return f, err == nil
	case KindTimeoutNow:
		_, term, err := decodeTimeoutNow(from, payload)
		f.Term = term
		return f, err == nil
	case KindSnapshot:
		s, err := decodeSnapshot(from, payload, 0)
		if err != nil {
			return f, false
		}
		f.Term, f.LastIndex, f.LastTerm = s.Term, s.LastLogIndex, s.LastLogTerm
		return f, true
	}
	return f, false
}

// Leads says that only the leader of Term sends such a frame.
func (f Frame) Leads() bool {
	return f.Kind == KindAppend || f.Kind == KindSnapshot || f.Kind == KindTimeoutNow
}

// Heartbeat says that it is an AppendEntries with nothing but the term.
func (f Frame) Heartbeat() bool {
	return f.Kind == KindAppend && f.Entries == 0 && isHeartbeat(&raft.AppendEntriesRequest{PrevLogEntry: f.LastIndex, LeaderCommitIndex: f.Commit})
}

func (f Frame) String() string {
	switch {
	case f.Heartbeat():
		return fmt.Sprintf("heartbeat term %d", f.Term)
	case f.Kind == KindAppend:
		return fmt.Sprintf("append term %d, %d entries after %d.%d, commit %d", f.Term, f.Entries, f.LastTerm, f.LastIndex, f.Commit)
	case f.Kind == KindVote:
		return fmt.Sprintf("vote term %d, last %d.%d", f.Term, f.LastTerm, f.LastIndex)
	case f.Kind == KindPreVote:
		return fmt.Sprintf("pre-vote term %d, last %d.%d", f.Term, f.LastTerm, f.LastIndex)
	case f.Kind == KindTimeoutNow:
		return fmt.Sprintf("take over from term %d", f.Term)
	}
	return fmt.Sprintf("snapshot term %d, last %d.%d", f.Term, f.LastTerm, f.LastIndex)
}
