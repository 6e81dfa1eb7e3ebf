package wire

import (
	"encoding/binary"
	"math/rand/v2"
)

const (
	protocolTCP = 6
	// The least sizes of headers, and where TCP has its checksum.
	ipHeader, tcpHeader = 20, 20
	tcpChecksum         = 16
)

// flip flips a random bit of what an IPv4 packet's TCP segment carries and mends the segment's checksum: the kernel would drop the
// packet otherwise, which is mere loss. It returns false, and leaves the packet alone, if there is nothing to flip.
func flip(packet []byte) bool {
	segment, ok := tcp(packet)
	if !ok {
		return false
	}
	data := int(segment[12]>>4) * 4
	if data < tcpHeader || data >= len(segment) {
		return false
	}
	at := data + rand.IntN(len(segment)-data)
	word := at &^ 1
	before := wordAt(segment, word)
	segment[at] ^= 1 << rand.IntN(8)
	sum := binary.BigEndian.Uint16(segment[tcpChecksum:])
	binary.BigEndian.PutUint16(segment[tcpChecksum:], mend(sum, before, wordAt(segment, word)))
	return true
}

// tcp is the TCP segment of an IPv4 packet that is not a fragment.
func tcp(packet []byte) ([]byte, bool) {
	if len(packet) < ipHeader+tcpHeader || packet[0]>>4 != 4 || packet[9] != protocolTCP || binary.BigEndian.Uint16(packet[6:])&0x3fff != 0 {
		return nil, false
	}
	header, whole := int(packet[0]&15)*4, int(binary.BigEndian.Uint16(packet[2:]))
	if header < ipHeader || whole > len(packet) || whole < header+tcpHeader {
		return nil, false
	}
	return packet[header:whole], true
}

// wordAt is a 16-bit word of a segment; behind an odd end there is a zero.
func wordAt(segment []byte, at int) uint16 {
	if at+1 == len(segment) {
		return uint16(segment[at]) << 8
	}
	return binary.BigEndian.Uint16(segment[at:])
}

// mend is the checksum after one word was changed (RFC 1624, equation 3).
func mend(sum, before, after uint16) uint16 {
	s := uint32(^sum) + uint32(^before) + uint32(after)
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}
