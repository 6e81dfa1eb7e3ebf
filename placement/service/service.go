package service

import (
	"context"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement"
	"github.com/quorate/quorate/placement/topology"
)

// Service is one node's part of placement: the map cache and its watch loop on every node, bootstrap and join, and
// on voters the replica of placement's log and, while it leads, the driver.
type Service struct{}

// Open reads the files in c.Dir and starts the service's goroutines. A cached map is there at once.
func Open(c Config) (*Service, error) { panic("contract only") }

// Close stops the driver, the loops and the replica and waits for them.
func (s *Service) Close() error { panic("contract only") }

// Handlers answer the requests of other nodes. They are to be registered before the peer listener serves.
func (s *Service) Handlers() map[uint8]Handler { panic("contract only") }

// Map returns the newest map this node knows, never nil; epoch 0 means that it knows none yet.
func (s *Service) Map() *topology.Map { panic("contract only") }

// Subscribe calls fn with the present map (if any) and then with each newer one, in order, from one goroutine; fn may
// miss epochs in between, never the newest. cancel returns when fn will not be called again; fn must not call it.
func (s *Service) Subscribe(fn func(*topology.Map)) (cancel func()) { panic("contract only") }

// Cluster returns the id of the cluster that this node belongs to, "" while there is none.
func (s *Service) Cluster() string { panic("contract only") }

// Leader tells which node leads placement as far as this node knows, "" if it does not.
func (s *Service) Leader() topology.NodeID { panic("contract only") }

// Ready is closed once this node belongs to a cluster whose groups exist.
func (s *Service) Ready() <-chan struct{} { panic("contract only") }

// Waiting says in one line what the service waits for before it is Ready, for logs and errors to the operator.
func (s *Service) Waiting() string { panic("contract only") }

// Propose carries a command to placement's leader and returns the map's epoch after it. Errors wrap ErrNotApplied,
// ErrUnknown, ErrNoCluster, or are a *placement.Refusal.
func (s *Service) Propose(ctx context.Context, c placement.Change) (epoch uint64, err error) {
	panic("contract only")
}

// Init founds a new cluster of exactly the nodes that listen at addrs (peer addresses, this node's among them) and
// returns when its groups exist.
func (s *Service) Init(ctx context.Context, addrs []string, shape Shape) error {
	panic("contract only")
}

// TransferLeader asks the leader of group to hand it over to node to, a member of it. It does not change the
// preferred leader: with SpreadLeaders on, propose placement.PreferLeader first.
func (s *Service) TransferLeader(ctx context.Context, group slot.GroupID, to topology.NodeID) error {
	panic("contract only")
}

// HandOver gives placement's leadership to another voter if this node has it: the first step of a graceful stop.
func (s *Service) HandOver(ctx context.Context) error { panic("contract only") }
