package raftnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/placement/topology"
)

// The sender's ID is not in the frames: the link knows it from the handshake, so a peer cannot speak for another.
// Entries carry no index: they follow PrevLogEntry without a gap, and a frame that says otherwise cannot exist.
const (
	codecVersion = 1
	// maxEntries is raft's hard limit of Config.MaxAppendEntries.
	maxEntries = 1024
	// minEntry is the size of the smallest entry: type, term, time and two lengths.
	minEntry = 5
)

// Bits of the flags byte of each frame.
const (
	flagSuccess = 1 << iota
	flagNoBackoff
	flagTransfer
)

var errTruncated = errors.New("frame is cut short")

// appendAppend encodes an AppendEntries request.
func appendAppend(b []byte, a *raft.AppendEntriesRequest) ([]byte, error) {
	b = append(b, codecVersion, byte(a.ProtocolVersion))
	b = appendUvarints(b, a.Term, a.PrevLogEntry, a.PrevLogTerm, a.LeaderCommitIndex, uint64(len(a.Entries)))
	for i, e := range a.Entries {
		if e.Index != a.PrevLogEntry+1+uint64(i) {
			return nil, fmt.Errorf("entry %d of AppendEntries has index %d, not %d: the log has a gap", i, e.Index, a.PrevLogEntry+1+uint64(i))
		}
		b = append(b, byte(e.Type))
		b = appendUvarints(b, e.Term)
		b = binary.AppendVarint(b, nanos(e.AppendedAt))
		b = appendBytes(b, e.Data)
		b = appendBytes(b, e.Extensions)
	}
	return b, nil
}

// request is an AppendEntries request in one piece of memory: most carry one entry.
type request struct {
	raft.AppendEntriesRequest
	entry [1]raft.Log
	list  [1]*raft.Log
}

// room makes room for n entries.
func (q *request) room(n uint64) []raft.Log {
	entries, list := q.entry[:], q.list[:]
	if n > 1 {
		entries, list = make([]raft.Log, n), make([]*raft.Log, n)
	}
	for i := range entries {
		list[i] = &entries[i]
	}
	q.Entries = list
	return entries
}

// decodeAppend decodes an AppendEntries request of the node with that ID. The entries' bytes are slices of b.
func decodeAppend(from, b []byte) (*raft.AppendEntriesRequest, error) {
	r := reader{b: b}
	a := &request{}
	a.RPCHeader = r.header(from)
	a.Leader = a.Addr
	a.Term, a.PrevLogEntry, a.PrevLogTerm, a.LeaderCommitIndex = r.uvarint(), r.uvarint(), r.uvarint(), r.uvarint()
	n := r.uvarint()
	if n > maxEntries || n > uint64(len(r.b)/minEntry) {
		r.fail(fmt.Errorf("%d entries in %d bytes", n, len(r.b)))
	}
	if r.err == nil && n > 0 {
		entries := a.room(n)
		for i := range entries {
			r.entry(&entries[i], a.PrevLogEntry+1+uint64(i), a.Term)
		}
	}
	if a.PrevLogTerm > a.Term || a.PrevLogEntry > 1<<62 {
		r.fail(fmt.Errorf("term %d cannot follow entry %d of term %d", a.Term, a.PrevLogEntry, a.PrevLogTerm))
	}
	return &a.AppendEntriesRequest, r.end("AppendEntries")
}

// entry decodes one log entry; leader is the term of the leader that sends it.
func (r *reader) entry(e *raft.Log, index, leader uint64) {
	e.Index = index
	e.Type = raft.LogType(r.byte())
	e.Term = r.uvarint()
	e.AppendedAt = r.time()
	e.Data = r.bytes()
	e.Extensions = r.bytes()
	switch {
	case r.err != nil:
	case e.Term > leader:
		r.fail(fmt.Errorf("entry %d is of term %d, its leader of term %d", index, e.Term, leader))
	case e.Type == raft.LogConfiguration:
		r.fail(checkConfiguration(e.Data))
	case e.Type > raft.LogConfiguration:
		r.fail(fmt.Errorf("entry %d is of type %d, which is not known", index, e.Type))
	}
}

// ack is what a follower says to an AppendEntries request.
type ack struct {
	raft.AppendEntriesResponse
	// promise is for how long the follower will not help anybody else to lead (lease hazard 9:
	// the follower says it, because its setting may differ from the leader's). In whole microseconds.
	promise time.Duration
}

// maxAck is the size of the longest ack.
const maxAck = 2 + 3*binary.MaxVarintLen64

func appendAck(b []byte, a *ack) []byte {
	b = append(b, codecVersion, flag(a.Success, flagSuccess)|flag(a.NoRetryBackoff, flagNoBackoff))
	return appendUvarints(b, a.Term, a.LastLog, uint64(a.promise/time.Microsecond))
}

func decodeAck(b []byte) (ack, error) {
	r := reader{b: b}
	var a ack
	flags := r.flags()
	a.Success, a.NoRetryBackoff = flags&flagSuccess != 0, flags&flagNoBackoff != 0
	a.Term, a.LastLog = r.uvarint(), r.uvarint()
	micros := r.uvarint()
	if micros > uint64(MaxLease/time.Microsecond) {
		r.fail(fmt.Errorf("a promise of %d µs is longer than %v", micros, MaxLease))
	}
	a.promise = time.Duration(micros) * time.Microsecond
	return a, r.end("AppendEntries reply")
}

// ballot is a request for a vote or a pre-vote.
type ballot struct {
	term, lastIndex, lastTerm uint64
	transfer                  bool
	// consent is the newest term whose leader has told the candidate to take over.
	consent uint64
}

func appendBallot(b []byte, version raft.ProtocolVersion, v ballot) []byte {
	b = append(b, codecVersion, byte(version), flag(v.transfer, flagTransfer))
	return appendUvarints(b, v.term, v.lastIndex, v.lastTerm, v.consent)
}

func decodeBallot(from topology.NodeID, b []byte) (raft.RPCHeader, ballot, error) {
	r := reader{b: b}
	h := r.header([]byte(from))
	v := ballot{transfer: r.byte()&flagTransfer != 0}
	v.term, v.lastIndex, v.lastTerm, v.consent = r.uvarint(), r.uvarint(), r.uvarint(), r.uvarint()
	return h, v, r.end("vote request")
}

// appendVerdict encodes the answer to a vote, a pre-vote or a snapshot.
func appendVerdict(b []byte, term uint64, yes bool) []byte {
	return appendUvarints(append(b, codecVersion, flag(yes, flagSuccess)), term)
}

func decodeVerdict(b []byte) (term uint64, yes bool, err error) {
	r := reader{b: b}
	yes = r.flags()&flagSuccess != 0
	term = r.uvarint()
	return term, yes, r.end("reply")
}

func appendTimeoutNow(b []byte, version raft.ProtocolVersion, term uint64) []byte {
	return appendUvarints(append(b, codecVersion, byte(version)), term)
}

func decodeTimeoutNow(from topology.NodeID, b []byte) (*raft.TimeoutNowRequest, uint64, error) {
	r := reader{b: b}
	req := &raft.TimeoutNowRequest{RPCHeader: r.header([]byte(from))}
	term := r.uvarint()
	return req, term, r.end("TimeoutNow")
}

// appendSnapshot encodes all of an InstallSnapshot request but its size, which the stream carries.
func appendSnapshot(b []byte, s *raft.InstallSnapshotRequest) []byte {
	b = append(b, codecVersion, byte(s.ProtocolVersion), byte(s.SnapshotVersion))
	b = appendUvarints(b, s.Term, s.LastLogIndex, s.LastLogTerm, s.ConfigurationIndex)
	return appendBytes(b, s.Configuration)
}

func decodeSnapshot(from topology.NodeID, b []byte, size int64) (*raft.InstallSnapshotRequest, error) {
	r := reader{b: b}
	s := &raft.InstallSnapshotRequest{RPCHeader: r.header([]byte(from)), Size: size}
	s.Leader = s.Addr
	s.SnapshotVersion = raft.SnapshotVersion(r.byte())
	s.Term, s.LastLogIndex, s.LastLogTerm, s.ConfigurationIndex = r.uvarint(), r.uvarint(), r.uvarint(), r.uvarint()
	s.Configuration = r.bytes()
	if r.err == nil {
		r.fail(checkConfiguration(s.Configuration))
	}
	return s, r.end("InstallSnapshot")
}

// checkConfiguration says whether raft can decode b: raft itself panics when it can not.
func checkConfiguration(b []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("configuration: %v", p)
		}
	}()
	raft.DecodeConfiguration(b)
	return nil
}

func flag(on bool, bit byte) byte {
	if on {
		return bit
	}
	return 0
}

func appendUvarints(b []byte, vs ...uint64) []byte {
	for _, v := range vs {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// nanos is t in Unix nanoseconds, 0 for the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
