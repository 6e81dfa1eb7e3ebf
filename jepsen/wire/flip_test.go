package wire

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/bits"
	"testing"
)

// packet makes an IPv4 packet with a TCP segment whose checksum is right.
func packet(payload []byte) []byte {
	p := make([]byte, ipHeader+tcpHeader+4, 100)
	p[0], p[9] = 0x45, protocolTCP
	copy(p[12:], []byte{10, 96, 7, 129, 10, 96, 7, 130})
	p[ipHeader+12] = (tcpHeader + 4) / 4 << 4
	p = append(p, payload...)
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	binary.BigEndian.PutUint16(p[ipHeader+tcpChecksum:], ^sum(p))
	return p
}

// sum adds up a packet as TCP's receiver does, pseudo header included: 0xffff is right.
func sum(p []byte) uint16 {
	s := uint32(protocolTCP) + uint32(len(p)-ipHeader)
	for i := 12; i < len(p); i += 2 {
		s += uint32(wordAt(p, i))
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

func TestAFlipGetsPastTheChecksumOfTCP(t *testing.T) {
	for _, payload := range [][]byte{[]byte("x"), []byte("even"), []byte("odd"), make([]byte, 50), bytes.Repeat([]byte{0xff}, 51)} {
		for range 500 {
			p := packet(payload)
			before := bytes.Clone(p)
			if !flip(p) || sum(p) != 0xffff {
				t.Fatalf("%q: flipped %v, the sum is %x", payload, !bytes.Equal(p, before), sum(p))
			}
			flipped := 0
			for i := range p {
				if n := bits.OnesCount8(p[i] ^ before[i]); i >= ipHeader+tcpHeader+4 {
					flipped += n
				} else if n > 0 && i/2 != (ipHeader+tcpChecksum)/2 {
					t.Fatalf("byte %d of the headers changed", i)
				}
			}
			if flipped != 1 {
				t.Fatalf("%d bits of %q flipped", flipped, payload)
			}
		}
	}
}

func TestWhatHasNothingToFlipStays(t *testing.T) {
	udp := packet([]byte("datagram"))
	udp[9] = 17
	fragment := packet([]byte("part"))
	fragment[6] = 0x20
	longer := packet([]byte("cut"))
	for name, p := range map[string][]byte{
		"an acknowledgement": packet(nil), "another protocol": udp, "a fragment": fragment, "a packet cut short": longer[:len(longer)-1],
		"nothing": nil, "no packet": make([]byte, 60),
	} {
		before := bytes.Clone(p)
		if flip(p) || !bytes.Equal(p, before) {
			t.Errorf("%s was changed", name)
		}
	}
}

func TestFlipsAreCounted(t *testing.T) {
	plugs := []*plug{{out: make(chan []byte), in: make(chan []byte, 10)}, {out: make(chan []byte), in: make(chan []byte, 10)}}
	w := New([]io.ReadWriteCloser{plugs[0], plugs[1]}, func([]byte) int { return 1 })
	defer w.Close()
	w.Set(0, 1, Condition{Flip: 1})
	for _, payload := range [][]byte{nil, []byte("payload")} {
		plugs[0].out <- packet(payload)
		if got := <-plugs[1].in; bytes.Equal(got, packet(payload)) != (payload == nil) {
			t.Errorf("%q arrived as %v", payload, got)
		}
	}
	if c := w.Counts(0, 1); c != (Counts{Passed: 2, Flipped: 1}) {
		t.Errorf("counts are %+v", c)
	}
}
