package stable

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// ballot is what a group's replica must never forget: the newest term it knows, and for whom it voted in which term.
type ballot struct {
	term      uint64 // raft's CurrentTerm
	voteTerm  uint64 // raft's LastVoteTerm
	candidate []byte // raft's LastVoteCand; nil before the first vote
}

// A ballot's record is one bbolt value: format 1 | term 8 | vote term 8 | candidate | CRC-32C of all before 4,
// integers little endian. bbolt checks its two meta pages only, hence the CRC.
const (
	ballotFormat = 1
	ballotFixed  = 1 + 8 + 8
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errBallot  = errors.New("the record of term and vote does not read back: the disk damaged it; " +
		"this replica might vote twice, so start it with an empty data folder, as a new node, and move its groups there (quorate group add-replica, remove-replica)")
)

func (b ballot) encode() []byte {
	out := make([]byte, 0, ballotFixed+len(b.candidate)+4)
	out = append(out, ballotFormat)
	out = binary.LittleEndian.AppendUint64(out, b.term)
	out = binary.LittleEndian.AppendUint64(out, b.voteTerm)
	out = append(out, b.candidate...)
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

func decodeBallot(v []byte) (ballot, error) {
	body := len(v) - 4
	if body < ballotFixed || v[0] != ballotFormat ||
		binary.LittleEndian.Uint32(v[body:]) != crc32.Checksum(v[:body], castagnoli) {
		return ballot{}, errBallot
	}
	b := ballot{term: binary.LittleEndian.Uint64(v[1:]), voteTerm: binary.LittleEndian.Uint64(v[9:])}
	if body > ballotFixed {
		b.candidate = append([]byte(nil), v[ballotFixed:body]...)
	}
	return b, nil
}
