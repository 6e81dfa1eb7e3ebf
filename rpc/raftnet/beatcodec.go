package raftnet

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
)

// A frame of heartbeats is its version and, for each, the group, the sender's protocol version and the term; the answer is
// its version and as many acks, each with its length before it, 0 if there is none.
func appendBeats(b []byte, beats []*beat) []byte {
	b = binary.AppendUvarint(append(b, codecVersion), uint64(len(beats)))
	for _, x := range beats {
		b = append(binary.AppendUvarint(b, uint64(x.t.group)), byte(x.version))
		b = binary.AppendUvarint(b, x.term)
	}
	return b
}

// beatFrame is what a frame of heartbeats says of one group.
type beatFrame struct {
	group   slot.GroupID
	version raft.ProtocolVersion
	term    uint64
}

const (
	// minBeat is the size of the smallest heartbeat in a frame.
	minBeat = 3
	// maxBeats is how many a frame has at most: as many as there can be groups.
	maxBeats = slot.Count
)

func decodeBeats(b []byte) ([]beatFrame, error) {
	r := reader{b: b}
	r.version()
	n := r.uvarint()
	if n > maxBeats || n > uint64(len(r.b)/minBeat) {
		r.fail(fmt.Errorf("%d heartbeats in %d bytes", n, len(r.b)))
		n = 0
	}
	out := make([]beatFrame, n)
	for i := range out {
		group := r.uvarint()
		if group > math.MaxUint32 {
			r.fail(fmt.Errorf("there is no group %d", group))
		}
		out[i] = beatFrame{slot.GroupID(group), raft.ProtocolVersion(r.byte()), r.uvarint()}
	}
	return out, r.end("heartbeats")
}

// decodeBeatAcks decodes the answers to n heartbeats.
func decodeBeatAcks(b []byte, n int) ([][]byte, error) {
	r := reader{b: b}
	r.version()
	if k := r.uvarint(); r.err == nil && k != uint64(n) {
		r.fail(fmt.Errorf("%d answers to %d heartbeats", k, n))
	}
	out := make([][]byte, n)
	for i := range out {
		out[i] = r.bytes()
	}
	return out, r.end("answer to heartbeats")
}
