package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/plan"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/peer"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
	"github.com/quorate/quorate/shardgroup/consensus"
)

// world is a set of nodes with real Raft over a network in memory, in a synctest bubble: its clock is virtual.
type world struct {
	t       *testing.T
	net     *memnet.Network
	servers map[string]*server
	shape   Shape // of whatever is founded from now on

	mu sync.Mutex
	// listening says which node is to be found at an address now.
	listening map[string]topology.NodeID
	// leads plays the shard groups: who leads each, in which term. There is no Raft behind them here.
	leads map[slot.GroupID]GroupStatus
	where map[slot.GroupID]topology.NodeID
	// stuck is a group that can't be handed over; tries counts who tried.
	stuck slot.GroupID
	tries int
	// raft plays the groups' Raft configurations, changes counts how often each was changed, did says how. The next refuse changes
	// fail.
	raft    map[slot.GroupID][]Server
	changes map[slot.GroupID]int
	did     []string
	refuse  int
}

// server is one node: what it has on disk outlives its process.
type server struct {
	w      *world
	name   string
	self   topology.Node
	config Config // as it was started last
	dir    string
	store  *raft.InmemStore
	snaps  *raft.InmemSnapshotStore

	// doomed says that the test expects a fatal error; died is the first one.
	doomed bool
	died   error

	link *memnet.Node
	book *book
	svc  *Service // under w.mu for everybody but the test's own goroutine
}

func (s *server) fatal(err error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if !s.doomed {
		s.w.t.Errorf("node %s: fatal: %v", s.name, err)
	}
	if s.died == nil {
		s.died = err
	}
}

// dies waits for the fatal error of a doomed node.
func (s *server) dies(because string) {
	s.w.t.Helper()
	s.w.eventually(s.name+" dies because: "+because, time.Minute, func() bool {
		s.w.mu.Lock()
		defer s.w.mu.Unlock()
		return s.died != nil && strings.Contains(s.died.Error(), because)
	})
}

func (s *server) become(svc *Service) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.svc = svc
}

func inBubble(t *testing.T, f func(*testing.T, *world)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, net: memnet.New(), servers: map[string]*server{}, listening: map[string]topology.NodeID{},
			leads: map[slot.GroupID]GroupStatus{}, where: map[slot.GroupID]topology.NodeID{},
			raft: map[slot.GroupID][]Server{}, changes: map[slot.GroupID]int{}}
		defer func() {
			for _, s := range w.servers {
				s.stop()
			}
		}()
		w.init(dir)
		f(t, w)
	})
}

// init makes the nodes a to f, with ids in that order, all stopped.
func (w *world) init(dir string) {
	for i, name := range strings.Split("abcdef", "") {
		id := topology.NodeID(strings.Repeat(name, 40))
		w.servers[name] = &server{
			w: w, name: name, dir: filepath.Join(dir, name), store: raft.NewInmemStore(), snaps: raft.NewInmemSnapshotStore(),
			self: topology.Node{ID: id, Name: name, Weight: 100, Client: fmt.Sprintf("%s:700%d", name, i), Peer: name + ":1"},
		}
	}
}

// start runs node name as --bootstrap-expect and --join say.
func (w *world) start(name string, expect int, join ...string) *server {
	w.t.Helper()
	s := w.servers[name]
	s.link = w.net.Node(s.self.ID)
	s.book = &book{w: w, link: s.link, addrs: map[topology.NodeID]string{}}
	w.mu.Lock()
	w.listening[s.self.Peer] = s.self.ID
	w.mu.Unlock()
	mux := raftnet.NewMux(s.link)
	s.config = Config{
		Dir: s.dir, Self: s.self, Join: join, Expect: expect, Shape: w.shape, Peers: s.book,
		NotSent:  func(err error) bool { return errors.Is(err, peer.ErrNotSent) },
		Open:     func(fsm raft.FSM, first *raft.Configuration) (Replica, error) { return s.openReplica(mux, fsm, first) },
		Status:   s.status,
		Transfer: s.transfer, Reconfigure: s.reconfigure,
		Log:   slog.New(slog.NewTextHandler(io.Discard, nil)),
		Fatal: s.fatal,
	}
	svc, err := Open(s.config)
	if err != nil {
		w.t.Fatalf("node %s: %v", name, err)
	}
	s.become(svc)
	for kind, h := range svc.Handlers() {
		s.link.Handle(kind, h)
	}
	return s
}

func (s *server) openReplica(mux *raftnet.Mux, fsm raft.FSM, first *raft.Configuration) (Replica, error) {
	term, err := s.store.GetUint64([]byte("CurrentTerm"))
	tr, err2 := mux.Open(0, raftnet.Options{HadState: err == nil && term > 0})
	if err2 != nil {
		return nil, err2
	}
	r, err := consensus.Open(consensus.Config{
		Self: string(s.self.ID), FSM: fsm, Transport: tr, Logs: s.store, Stable: s.store, Snapshots: s.snaps,
		Bootstrap: first, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Fatal: func(err error) { s.w.t.Errorf("node %s: raft: %v", s.name, err) },
	})
	if err != nil {
		return nil, errors.Join(err, tr.Close())
	}
	return connected{r, tr}, nil
}

// connected closes its transport with itself.
type connected struct {
	*consensus.Replica
	transport *raftnet.Transport
}

func (c connected) Close() error { return errors.Join(c.Replica.Close(), c.transport.Close()) }

// stop ends the process; the disk stays.
func (s *server) stop() {
	if s.svc == nil {
		return
	}
	s.w.mu.Lock()
	if s.w.listening[s.self.Peer] == s.self.ID {
		delete(s.w.listening, s.self.Peer)
	}
	s.w.mu.Unlock()
	if err := s.svc.Close(); err != nil {
		s.w.t.Errorf("node %s: close: %v", s.name, err)
	}
	s.link.Close()
	s.become(nil)
}

// status plays this node's replicas: it has one of each group that the map puts here.
func (s *server) status() []GroupStatus {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s.svc == nil {
		return nil // Open has not returned yet
	}
	var out []GroupStatus
	m := s.svc.Map()
	for i := range m.Groups {
		g := &m.Groups[i]
		if !g.Holds(s.self.ID) {
			continue
		}
		st := s.w.leads[g.ID]
		st.Group, st.Life, st.Leading = g.ID, g.Life(s.self.ID), s.w.where[g.ID] == s.self.ID
		if st.Config, st.Committed = 1+uint64(s.w.changes[g.ID]), 100; st.Leading {
			st.Servers = s.w.serversOf(g)
		}
		out = append(out, st)
	}
	return out
}

// serversOf is the Raft configuration of a group as it is played here: at first, its founders. Needs mu.
func (w *world) serversOf(g *topology.Group) []Server {
	if w.raft[g.ID] == nil {
		for _, id := range g.Founders {
			w.raft[g.ID] = append(w.raft[g.ID], Server{Node: id, Voter: true, Matched: 50})
		}
	}
	return slices.Clone(w.raft[g.ID])
}

func (s *server) reconfigure(_ context.Context, g slot.GroupID, action plan.Action, node topology.NodeID, config uint64) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s.w.where[g] != s.self.ID || config != 1+uint64(s.w.changes[g]) {
		return fmt.Errorf("%s does not lead group %d with configuration %d", s.name, g, config)
	}
	if s.w.refuse > 0 {
		s.w.refuse--
		return errors.New("not now")
	}
	others := slices.DeleteFunc(s.w.raft[g], func(x Server) bool { return x.Node == node })
	if action != plan.Remove {
		others = append(others, Server{Node: node, Voter: action == plan.AddVoter, Matched: 50})
	}
	s.w.raft[g] = others
	s.w.changes[g]++
	s.w.did = append(s.w.did, fmt.Sprintf("%s %s", action, node[:1]))
	return nil
}

func (s *server) transfer(_ context.Context, g slot.GroupID, to topology.NodeID) error {
	s.w.mu.Lock()
	stuck := g == s.w.stuck
	if stuck {
		s.w.tries++
	}
	s.w.mu.Unlock()
	if stuck {
		return errors.New("the group can't be handed over")
	}
	s.w.lead(g, to)
	return nil
}

// lead makes node to the leader of g in a new term.
func (w *world) lead(g slot.GroupID, to topology.NodeID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	st := w.leads[g]
	st.Term++
	w.leads[g], w.where[g] = st, to
}

func (w *world) leader(g slot.GroupID) topology.NodeID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.where[g]
}

// move gives a stopped node another address.
func (s *server) move(peerAddr string) {
	s.self.Peer, s.self.Client = peerAddr, strings.Replace(peerAddr, ":", ":70", 1)
}

// book is a node's Peers: it finds nodes by address, as the real thing does.
type book struct {
	w    *world
	link *memnet.Node

	mu    sync.Mutex
	addrs map[topology.NodeID]string
	// cluster is what the service said last.
	cluster string
}

func (b *book) SetAddr(id topology.NodeID, addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addrs[id] = addr
}

func (b *book) at(id topology.NodeID) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.addrs[id]
}

func (b *book) SetCluster(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cluster = id
}

func (b *book) Call(ctx context.Context, id topology.NodeID, kind uint8, group slot.GroupID, payload []byte) ([]byte, error) {
	addr := b.at(id)
	if there := b.w.at(addr); there != id {
		return nil, fmt.Errorf("%w: node %s is not at %q", peer.ErrNotSent, id, addr)
	}
	return b.link.Call(ctx, id, kind, group, payload)
}

func (b *book) CallAddr(ctx context.Context, addr string, kind uint8, group slot.GroupID, payload []byte) (topology.NodeID, []byte, error) {
	id := b.w.at(addr)
	if id == "" {
		return "", nil, fmt.Errorf("%w: nobody listens at %q", peer.ErrNotSent, addr)
	}
	data, err := b.link.Call(ctx, id, kind, group, payload)
	return id, data, err
}

func (w *world) at(addr string) topology.NodeID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.listening[addr]
}

// eventually waits, in virtual time, until cond holds.
func (w *world) eventually(what string, within time.Duration, cond func() bool) {
	w.t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		synctest.Wait()
		if cond() {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("after %v still not: %s\n%s", within, what, w.describe())
		}
	}
}

func (w *world) describe() string {
	var out strings.Builder
	for _, name := range strings.Split("abcdef", "") {
		if s := w.servers[name]; s.svc != nil {
			m := s.svc.Map()
			fmt.Fprintf(&out, "%s: cluster %.8s epoch %d, %d nodes, %d groups, leader %.8s, waits for %s\n", name, s.svc.Cluster(), m.Epoch, len(m.Nodes), len(m.Groups), s.svc.Leader(), s.svc.Waiting())
		}
	}
	return out.String()
}

// agreed waits until the named nodes are ready and show the same map, and returns it.
func (w *world) agreed(names ...string) *topology.Map {
	w.t.Helper()
	first := w.servers[names[0]].svc
	w.eventually("all agree on a map with groups", time.Minute, func() bool {
		return !slices.ContainsFunc(names, func(n string) bool {
			s := w.servers[n].svc
			return len(s.Map().Groups) == 0 || s.Map().Epoch != first.Map().Epoch || !s.registered()
		})
	})
	for _, n := range names[1:] {
		if !w.servers[n].svc.Map().SameContent(first.Map()) {
			w.t.Fatalf("%s and %s have different maps of epoch %d", names[0], n, first.Map().Epoch)
		}
	}
	return first.Map()
}

func (w *world) stop(names ...string) {
	for _, n := range names {
		w.servers[n].stop()
	}
}

// What a process is wired with.
var (
	_ Peers   = (*peer.Node)(nil)
	_ Replica = (*consensus.Replica)(nil)
)
