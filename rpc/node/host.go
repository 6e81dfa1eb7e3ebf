package node

import (
	"net"

	"github.com/quorate/quorate/placement/service"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/shardgroup"
	"github.com/quorate/quorate/shardgroup/consensus"
	"github.com/quorate/quorate/shardgroup/stable"
	"github.com/quorate/quorate/shardgroup/wal"
	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// Host is the machine under a node. The zero value is the real one. A simulation sets Listen, Peers, Disk, Stable and Files,
// all of them, and then nothing of the node touches this machine's network and disk; Announce and PeerAnnounce must be
// configured and the HTTP port be off.
type Host struct {
	// Listen binds the port for clients.
	Listen func(addr string) (net.Listener, error)
	// Peers joins the network between nodes.
	Peers func(self topology.NodeID) (Peers, error)
	// Disk opens a folder within the data folder: "log", "placement/log", "groups/7".
	Disk func(folder string) (disk.FS, error)
	// Stable opens the stable store.
	Stable func(fatal func(error)) (*stable.Store, error)
	// Files holds placement's small files.
	Files service.Files
	// Clock is the wall clock in Unix milliseconds.
	Clock func() int64

	// What follows changes settings that have no key, each before it is used.
	Log     func(*wal.Options)
	Mux     func(*raftnet.Mux)
	Replica func(*consensus.Config)
	Group   func(*shardgroup.Config)
}

// Peers is a node's end of the network between nodes: a *peer.Node.
type Peers interface {
	raftnet.Link
	service.Peers
	// Serve begins to accept connections; the handlers are fixed from here on.
	Serve()
	Close() error
}

func (h *Host) listen(key, addr string) (net.Listener, error) {
	if h.Listen != nil {
		return h.Listen(addr)
	}
	return listen(key, addr)
}

// clock is the wall clock in Unix milliseconds.
func (n *Node) clock() int64 {
	if n.host.Clock != nil {
		return n.host.Clock()
	}
	return n.faults.Clock().Add(n.cfg.TestClockShift).UnixMilli()
}
