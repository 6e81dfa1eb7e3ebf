package peer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/quorate/quorate/placement/topology"
)

// Defaults of Options.
const (
	DefaultCallTimeout = 5 * time.Second
	DefaultMaxFrame    = 64 << 20
	DefaultMaxStream   = 1 << 40
	DefaultMaxInFlight = 4096
)

// Options says who this node is and what it accepts. Only Self is required.
type Options struct {
	// Self is this node's ID.
	Self topology.NodeID
	// Cluster is the cluster's ID, "" before the node belongs to one (see SetCluster). Nodes of two different clusters refuse each other.
	Cluster string
	// Secret is the cluster secret. Without one, only peers on loopback addresses are accepted and dialled.
	Secret string
	// InsecurePeers accepts peers anywhere without a secret: whoever reaches the port owns the cluster.
	InsecurePeers bool
	// Advertise is the host:port that other nodes are told; the listener's own address by default.
	Advertise string
	// Logger gets one line per connection made, lost or refused; slog.Default() if nil.
	Logger *slog.Logger
	// CallTimeout is the deadline of a call whose context has none.
	CallTimeout time.Duration
	// MaxFrame bounds a request, a reply and a stream's header, in bytes of payload. The largest log entry
	// must fit, in a message of Raft's.
	MaxFrame int
	// MaxStream bounds the announced size of a stream, in bytes.
	MaxStream int64
	// MaxInFlight bounds the requests that one connection's peer may have running here; more are refused as not sent.
	MaxInFlight int
	// Listener, if set, is used instead of a TCP listener on the address (for TLS, for tests).
	Listener net.Listener
	// Dial, if set, is used instead of TCP. It must honour ctx.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
}

// withDefaults returns o with every unset field filled, or an error that names the field that is wrong.
func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Self == "":
		return o, errors.New("peer: Options.Self is empty: a node needs an ID")
	case len(o.Self) > maxID:
		return o, fmt.Errorf("peer: Options.Self has %d bytes, at most %d are allowed", len(o.Self), maxID)
	case len(o.Cluster) > maxID:
		return o, fmt.Errorf("peer: Options.Cluster has %d bytes, at most %d are allowed", len(o.Cluster), maxID)
	case len(o.Advertise) > maxAddr:
		return o, fmt.Errorf("peer: Options.Advertise has %d bytes, at most %d are allowed", len(o.Advertise), maxAddr)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.CallTimeout <= 0 {
		o.CallTimeout = DefaultCallTimeout
	}
	if o.MaxFrame <= 0 {
		o.MaxFrame = DefaultMaxFrame
	}
	if o.MaxStream <= 0 {
		o.MaxStream = DefaultMaxStream
	}
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = DefaultMaxInFlight
	}
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
	return o, nil
}

// Bounds of what a handshake may carry, in bytes.
const (
	maxID   = 64
	maxAddr = 255
)
