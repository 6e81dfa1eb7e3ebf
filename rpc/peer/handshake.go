package peer

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/quorate/quorate/placement/topology"
)

// The handshake, in messages of a u16 length and a body:
//
//	dialler  → hello      magic, versions, mode, nonce, ID, cluster, wanted ID, advertised address
//	listener → challenge  magic, versions, nonce, ID, advertised address, or why it refuses
//	dialler  → proof      HMAC-SHA256(secret, "dialler"  ‖ hello ‖ challenge)
//	listener → verdict    HMAC-SHA256(secret, "listener" ‖ hello ‖ challenge) and its cluster, or why it refuses
//
// The dialler proves first, so that who merely connects gets nothing to guess the secret from. Both proofs cover both
// nonces, both IDs and the side, so neither can be replayed or reflected.
const (
	magic      = "quorate\x01"
	minVersion = 1
	maxVersion = 1

	nonceSize    = 32
	maxHandshake = 2048
	maxText      = 512

	// handshakeTimeout bounds all of it, and dialling too.
	handshakeTimeout = 2 * time.Second
)

// Modes of a connection.
const (
	modeCalls = 1 + iota
	modeStream
)

type hello struct {
	low, high uint16
	mode      byte
	nonce     [nonceSize]byte
	self      topology.NodeID
	cluster   string
	want      topology.NodeID
	advertise string
}

type challenge struct {
	low, high uint16
	nonce     [nonceSize]byte
	self      topology.NodeID
	advertise string
	refusal   string
}

type verdict struct {
	proof   [sha256.Size]byte
	cluster string
	refusal string
}

func (h *hello) encode() []byte {
	b := binary.BigEndian.AppendUint16([]byte(magic), h.low)
	b = binary.BigEndian.AppendUint16(b, h.high)
	b = append(append(b, h.mode), h.nonce[:]...)
	return appendTexts(b, string(h.self), h.cluster, string(h.want), h.advertise)
}

func decodeHello(b []byte) (h hello, err error) {
	r := texts{b: b}
	r.magic()
	h.low, h.high, h.mode = r.uint16(), r.uint16(), r.byte()
	r.array(h.nonce[:])
	h.self, h.cluster = topology.NodeID(r.text(maxID)), r.text(maxID)
	h.want, h.advertise = topology.NodeID(r.text(maxID)), r.text(maxAddr)
	if r.err == nil && h.self == "" {
		r.err = errors.New("the node ID is empty")
	}
	if r.err == nil && h.mode != modeCalls && h.mode != modeStream {
		r.err = fmt.Errorf("connection mode %d is not known", h.mode)
	}
	return h, r.end()
}

func (c *challenge) encode() []byte {
	b := binary.BigEndian.AppendUint16([]byte(magic), c.low)
	b = binary.BigEndian.AppendUint16(b, c.high)
	b = append(b, c.nonce[:]...)
	return appendTexts(b, string(c.self), c.advertise, c.refusal)
}

func decodeChallenge(b []byte) (c challenge, err error) {
	r := texts{b: b}
	r.magic()
	c.low, c.high = r.uint16(), r.uint16()
	r.array(c.nonce[:])
	c.self, c.advertise, c.refusal = topology.NodeID(r.text(maxID)), r.text(maxAddr), r.text(maxText)
	return c, r.end()
}

func (v *verdict) encode() []byte {
	return appendTexts(v.proof[:], v.cluster, v.refusal)
}

func decodeVerdict(b []byte) (v verdict, err error) {
	r := texts{b: b}
	r.array(v.proof[:])
	v.cluster, v.refusal = r.text(maxID), r.text(maxText)
	return v, r.end()
}

// proof binds the secret to one handshake and one side of it.
func proof(secret, side string, hello, challenge []byte) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, []byte(secret))
	for _, part := range [][]byte{[]byte(side), hello, challenge} {
		mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		mac.Write(part)
	}
	mac.Sum(sum[:0])
	return sum
}

const (
	secretDiffers = "the proof of the cluster secret is wrong: set the same cluster secret on every node"
	noSecret      = "this node has no cluster secret and talks to peers on loopback addresses only: set the same cluster secret on every node, or allow insecure peers on a network that nobody else can reach"
)

// refused is an error that the other side is told.
type refused string

func (r refused) Error() string { return string(r) }

// identity is what a handshake establishes about the other side.
type identity struct {
	id        topology.NodeID
	advertise string
	mode      byte
}

// greet runs the dialler's side. want is the node that is expected to answer, "" for anyone.
func (n *Node) greet(c net.Conn, mode byte, want topology.NodeID) (identity, error) {
	if err := n.mayTalk(c); err != nil {
		return identity{}, err
	}
	h := hello{low: minVersion, high: maxVersion, mode: mode, self: n.o.Self, cluster: n.Cluster(), want: want, advertise: n.Addr()}
	rand.Read(h.nonce[:])
	sent := h.encode()
	if err := writeMessage(c, sent); err != nil {
		return identity{}, err
	}
	got, err := readMessage(c)
	if err != nil {
		return identity{}, fmt.Errorf("waiting for the challenge: %w", err)
	}
	ch, err := decodeChallenge(got)
	switch {
	case err != nil:
		return identity{}, err
	case ch.refusal != "":
		return identity{}, fmt.Errorf("refused by node %s: %s", ch.self, ch.refusal)
	case want != "" && ch.self != want:
		return identity{}, fmt.Errorf("address %s answers as node %s, not as node %s", c.RemoteAddr(), ch.self, want)
	}
	mine := proof(n.o.Secret, "dialler", sent, got)
	if err := writeMessage(c, mine[:]); err != nil {
		return identity{}, err
	}
	return n.judge(c, ch, proof(n.o.Secret, "listener", sent, got))
}

// judge reads the verdict on our proof and checks the listener's.
func (n *Node) judge(c net.Conn, ch challenge, expected [sha256.Size]byte) (identity, error) {
	b, err := readMessage(c)
	if err != nil {
		return identity{}, fmt.Errorf("waiting for the verdict: %w", err)
	}
	v, err := decodeVerdict(b)
	switch {
	case err != nil:
		return identity{}, err
	case v.refusal != "":
		return identity{}, fmt.Errorf("refused by node %s: %s", ch.self, v.refusal)
	case !hmac.Equal(v.proof[:], expected[:]):
		return identity{}, fmt.Errorf("node %s: %s", ch.self, secretDiffers)
	}
	return identity{id: ch.self, advertise: ch.advertise}, n.sameCluster(v.cluster)
}

// welcome runs the listener's side.
func (n *Node) welcome(c net.Conn) (identity, error) {
	got, err := readMessage(c)
	if err != nil {
		return identity{}, err
	}
	h, err := decodeHello(got)
	if err != nil {
		return identity{}, err
	}
	ch := challenge{low: minVersion, high: maxVersion, self: n.o.Self, advertise: n.Addr()}
	rand.Read(ch.nonce[:])
	if err := n.admit(c, &h); err != nil {
		ch.refusal = err.Error()
		return identity{}, errors.Join(err, writeMessage(c, ch.encode()))
	}
	sent := ch.encode()
	if err := writeMessage(c, sent); err != nil {
		return identity{}, err
	}
	theirs, err := readMessage(c)
	if err != nil {
		return identity{}, err
	}
	expected := proof(n.o.Secret, "dialler", got, sent)
	var v verdict
	if !hmac.Equal(theirs, expected[:]) {
		err = refused(secretDiffers)
	} else {
		err = n.sameCluster(h.cluster)
	}
	if err != nil {
		v.refusal = err.Error()
		return identity{}, errors.Join(err, writeMessage(c, v.encode()))
	}
	v.proof, v.cluster = proof(n.o.Secret, "listener", got, sent), n.Cluster()
	return identity{id: h.self, advertise: h.advertise, mode: h.mode}, writeMessage(c, v.encode())
}

// admit checks what can be checked before the dialler has proved anything.
func (n *Node) admit(c net.Conn, h *hello) error {
	if h.low > maxVersion || h.high < minVersion {
		return refused(fmt.Sprintf("peer protocol %d–%d is spoken here, %d–%d there: upgrade the older node first", minVersion, maxVersion, h.low, h.high))
	}
	if h.want != "" && h.want != n.o.Self {
		return refused(fmt.Sprintf("this is node %s, not node %s", n.o.Self, h.want))
	}
	return n.mayTalk(c)
}

// mayTalk refuses peers off this machine while there is no secret.
func (n *Node) mayTalk(c net.Conn) error {
	addr, ok := c.RemoteAddr().(*net.TCPAddr)
	if n.o.Secret != "" || n.o.InsecurePeers || !ok || addr.IP.IsLoopback() {
		return nil
	}
	return refused(noSecret)
}

func (n *Node) sameCluster(theirs string) error {
	if ours := n.Cluster(); ours != "" && theirs != "" && ours != theirs {
		return refused(fmt.Sprintf("cluster %s and cluster %s are not the same: a node can join only with an empty data folder", ours, theirs))
	}
	return nil
}

func writeMessage(w io.Writer, b []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
	return err
}

func readMessage(r io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	k := binary.BigEndian.Uint16(size[:])
	if k > maxHandshake {
		return nil, fmt.Errorf("handshake message of %d bytes: the other side is not a quorate peer port", k)
	}
	b := make([]byte, k)
	_, err := io.ReadFull(r, b)
	return b, err
}
