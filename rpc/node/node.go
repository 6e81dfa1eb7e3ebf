package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/placement/leaders"
	"github.com/quorate/quorate/placement/service"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/node/config"
	"github.com/quorate/quorate/rpc/node/testfaults"
	"github.com/quorate/quorate/rpc/peer"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/resp"
	"github.com/quorate/quorate/shardgroup/consensus"
	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// Options are what a node needs from its process besides the configuration.
type Options struct {
	Config config.Config
	// Version is Quorate's own version, for INFO and lists.
	Version string
	Logger  *slog.Logger
	// Level, if set, is changed by CONFIG SET loglevel.
	Level *slog.LevelVar
	// Fatal ends the process at once: the node's state can no longer be right. Required.
	Fatal func(error)
	// Host is the machine; leave it zero outside simulations.
	Host Host
}

// Node is a running server.
type Node struct {
	cfg     config.Config
	version string
	log     *slog.Logger
	level   *slog.LevelVar
	fatal   func(error)
	host    Host
	started time.Time

	self   topology.Node
	faults *testfaults.Faults
	stores *stores
	peers  Peers
	mux    *raftnet.Mux
	pulse  *consensus.Pulse
	// snapshots and restores are the groups' turns.
	snapshots, restores *consensus.Turn
	place               *service.Service
	front               *resp.Server
	http                *http.Server

	timings  timings
	replicas replicas
	leaders  leaders.Table

	background sync.WaitGroup
	cancel     context.CancelFunc
	unmap      func()
	// stopping is set once Stop was called: nothing new is opened and /readyz says no.
	stopping atomic.Bool
	asked    chan struct{}
	askOnce  sync.Once
}

// Start opens the data folder and the three listeners and starts to serve. It does not wait until the node belongs to a
// cluster: see Ready. What it opened is closed again if it fails.
func Start(o Options) (n *Node, err error) {
	c := o.Config
	if err := c.Complete(); err != nil {
		return nil, err
	}
	n = &Node{
		cfg: c, version: o.Version, log: o.Logger, level: o.Level, fatal: o.Fatal, host: o.Host,
		started: time.Now(), asked: make(chan struct{}), timings: newTimings(), pulse: consensus.NewPulse(c.Lease),
		snapshots: consensus.NewTurn(), restores: consensus.NewTurn(),
		replicas: replicas{mu: disk.NewLock()},
	}
	if n.level == nil {
		n.level = new(slog.LevelVar)
	}
	opened := closers{}
	defer func() {
		if err != nil {
			err = errors.Join(err, opened.close())
			n = nil
		}
	}()
	client, err := n.host.listen("listen", c.Listen)
	if err != nil {
		return n, err
	}
	opened.add(client.Close)
	if n.faults, err = testfaults.Watch(c.TestFaults, n.log); err != nil {
		return n, err
	}
	opened.add(func() error { n.faults.Close(); return nil })
	if n.stores, err = openStores(c, n.host, n.faults, n.timings.written, n.log, n.fatal); err != nil {
		return n, err
	}
	opened.add(n.stores.close)
	if err := n.openPeers(client.Addr()); err != nil {
		return n, err
	}
	opened.add(n.peers.Close)
	ops, err := n.listenHTTP()
	if err != nil {
		return n, err
	}
	if ops != nil {
		opened.add(ops.Close)
	}
	if err := n.openPlacement(); err != nil {
		return n, err
	}
	opened.add(n.place.Close)
	if n.front, err = resp.New(n.leaveFiles(n.frontConfig()), n); err != nil {
		return n, err
	}
	n.serve(client, ops)
	return n, nil
}

// closers undo a start that failed half-way, last opened first. Closing twice is no error here: listeners are
// also closed by who serves them.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

func (c closers) close() error {
	var errs []error
	for i := len(c) - 1; i >= 0; i-- {
		errs = append(errs, c[i]())
	}
	return errors.Join(errs...)
}

func listen(key, addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return ln, nil
}

// openPeers joins the network of nodes and registers what this node answers there.
func (n *Node) openPeers(client net.Addr) (err error) {
	if n.host.Peers == nil {
		err = n.listenPeers(client)
	} else if n.self, err = identity(n.cfg, n.stores.identity(), client, nil); err == nil {
		n.peers, err = n.host.Peers(n.self.ID)
	}
	if err != nil {
		return err
	}
	n.mux = raftnet.NewMux(n.peers)
	if n.host.Mux != nil {
		n.host.Mux(n.mux)
	}
	for kind, h := range map[peer.Kind]peer.Handler{
		kindReadIndex: n.answerReadIndex,
		kindStanding:  n.answerStanding,
		kindStatus:    n.answerStatus,
		kindDigest:    n.answerDigest,
		kindLeaders:   n.answerLeaders,
		kindSketch:    n.answerSketch,
		kindSnapshot:  n.answerSnapshot,
	} {
		n.peers.Handle(kind, h)
	}
	return nil
}

// listenPeers binds the peer port and finds out under which addresses others will know this node.
func (n *Node) listenPeers(client net.Addr) error {
	ln, err := listen("peer-listen", n.cfg.PeerListen)
	if err != nil {
		return err
	}
	id := n.stores.identity()
	if n.self, err = identity(n.cfg, id, client, ln.Addr()); err != nil {
		return errors.Join(err, ln.Close())
	}
	n.log = n.log.With("node", n.self.Name)
	n.peers, err = peer.Listen(n.cfg.PeerListen, peer.Options{
		Self: id, Secret: n.cfg.ClusterSecret, InsecurePeers: n.cfg.InsecurePeers,
		Advertise: n.self.Peer, Logger: n.log, Listener: ln,
	})
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	return nil
}

func (n *Node) frontConfig() resp.Config {
	c := resp.DefaultConfig()
	c.RequirePass, c.ProtectedMode = n.cfg.RequirePass, n.cfg.ProtectedMode
	if n.cfg.IOThreads > 0 {
		c.IOThreads = n.cfg.IOThreads
	}
	if n.host.Listen != nil {
		c.IOThreads = 0 // loops serve sockets only
	}
	c.IOUring = n.cfg.IOUring
	c.MaxClients, c.Timeout, c.TCPKeepAlive = n.cfg.MaxClients, n.cfg.IdleTimeout, n.cfg.TCPKeepAlive
	c.MaxBulkLen, c.QueryBufferLimit = int64(n.cfg.MaxBulk), int64(n.cfg.QueryBuffer)
	c.PushBufferLimit = int64(n.cfg.OutputBuffer)
	c.ParkTimeout = n.cfg.Parking
	c.TrackingTableMaxKeys = n.cfg.TrackingKeys
	c.TopologyNudge = n.cfg.TopologyNudge
	c.StaleReads = n.cfg.FollowerReads == "stale"
	c.QuorumReads = n.cfg.Reads == "quorum"
	c.EnableDebug = n.cfg.DebugCommand
	c.Log = n.log
	return c
}

// serve starts everything that runs until Stop.
func (n *Node) serve(client, ops net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	n.peers.Serve()
	n.background.Go(func() {
		n.awaitLeaders(ctx)
		if err := n.front.Serve(client); err != nil {
			n.fatal(fmt.Errorf("client listener: %w", err))
		}
	})
	n.background.Go(func() { n.runLeaderExchange(ctx) })
	n.background.Go(func() { n.runSketches(ctx) })
	n.background.Go(func() { n.outliveLeases(ctx) })
	n.background.Go(func() { n.warnOfSettings(ctx) })
	if n.stores.stable.LostTailPossible() {
		n.background.Go(func() { n.awaitTail(ctx) })
	}
	if ops != nil {
		n.background.Go(func() {
			if err := n.http.Serve(ops); !errors.Is(err, http.ErrServerClosed) {
				n.fatal(fmt.Errorf("HTTP listener: %w", err))
			}
		})
	}
	n.unmap = n.place.Subscribe(n.mapChanged)
	n.log.Info("serving", "clients", n.self.Client, "peers", n.self.Peer, "id", n.self.ID, "durability", n.cfg.Durability, "reads", n.cfg.Reads)
}

// mapChanged takes over a newer map.
func (n *Node) mapChanged(m *topology.Map) {
	n.leaders.Retain(m)
	n.followMap(m)
	n.front.TopologyChanged()
}

// Identity is this node as others know it.
func (n *Node) Identity() topology.Node { return n.self }

// Ready is closed once the node belongs to a cluster whose groups exist; Waiting says what it waits for until then.
func (n *Node) Ready() <-chan struct{} { return n.place.Ready() }

// Waiting says in one line what the node waits for before it is ready.
func (n *Node) Waiting() string { return n.place.Waiting() }

// PlacementLeader is who leads placement, as far as this node knows; "" if it knows nobody.
func (n *Node) PlacementLeader() topology.NodeID { return n.place.Leader() }

// Asked is closed when a client has asked the node to stop (SHUTDOWN); whoever started the node then calls Stop.
func (n *Node) Asked() <-chan struct{} { return n.asked }

func (n *Node) askStop() { n.askOnce.Do(func() { close(n.asked) }) }

// Stop hands leadership over, tells clients where to go, and closes everything; ctx bounds the first two. A node that
// was stopped so can be started again with the same data folder.
func (n *Node) Stop(ctx context.Context) error {
	n.stopping.Store(true)
	n.log.Info("stopping: handing leadership over")
	n.handOver(ctx)
	if err := n.place.HandOver(ctx); err != nil {
		n.log.Warn("could not hand over placement; the others will elect a leader", "error", err)
	}
	n.front.Drain(ctx)
	return n.shutDown(ctx)
}

// Kill ends the node as the end of its process would: it hands nothing over and drops its clients. It is for nodes on a virtual
// Host, whose process is only simulated; their disk and network should be cut off before.
func (n *Node) Kill() error {
	n.stopping.Store(true)
	at, cancel := context.WithCancel(context.Background())
	cancel()
	return n.shutDown(at)
}

// shutDown closes everything in the order of dependence.
func (n *Node) shutDown(ctx context.Context) error {
	err := n.front.Shutdown(ctx)
	n.unmap()
	n.cancel()
	if n.http != nil {
		err = errors.Join(err, n.http.Close())
	}
	err = errors.Join(err, n.place.Close(), n.closeReplicas())
	// Peers close before the background is waited for: announcements in flight end with them.
	err = errors.Join(err, n.peers.Close())
	n.background.Wait()
	n.faults.Close() // before the stores, whose last sync may be stuck
	err = errors.Join(err, n.stores.close())
	n.log.Info("stopped")
	return err
}
