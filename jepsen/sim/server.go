package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/sim/fabric"
	"github.com/quorate/quorate/jepsen/sim/machine"
	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/shardgroup"
	"github.com/quorate/quorate/shardgroup/consensus"
	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
)

// server is a node through all of its lives.
type server struct {
	c       *cluster
	i       int
	host    fabric.Host
	machine *machine.Machine

	mu sync.Mutex
	// node and process are nil while it is down; lives counts starts.
	node    *node.Node
	process *machine.Process
	lives   uint64
	// stopping is the process that is being stopped.
	stopping *machine.Process
	// held keeps it down until the fault that did it is over, counted.
	held int
	// wrongBits are on its disks; noticed says that one has ended a process.
	wrongBits int
	noticed   bool
	// late is for how long the goroutine that applies does not get on, in nanoseconds.
	late atomic.Int64
}

func (s *server) client() string { return fmt.Sprintf("10.0.0.%d:7000", s.i+1) }
func (s *server) peer() string   { return fmt.Sprintf("10.0.0.%d:17000", s.i+1) }

// start starts the node's process, unless it runs or a fault holds it down. A failure to start is the end of it: whoever
// supervises it tries again.
func (s *server) start() {
	s.mu.Lock()
	if s.process != nil || s.held > 0 {
		s.mu.Unlock()
		return
	}
	s.lives++
	life := s.lives
	p := s.machine.Start(s.c.plan.Seed ^ uint64(s.i)<<32 ^ life)
	s.process = p
	s.mu.Unlock()
	s.c.trace.event("start %s (life %d)", s.host, life)
	n, err := node.Start(node.Options{
		Config: s.config(), Version: "simulated", Logger: s.c.trace.logger(s.host), Host: s.hostOf(p),
		Fatal: func(err error) { s.fatal(p, err) },
	})
	s.mu.Lock()
	current := s.process == p
	if current && err == nil {
		s.node = n
	}
	s.mu.Unlock()
	switch {
	case err != nil:
		if current {
			s.fatal(p, fmt.Errorf("start: %w", err))
		}
	case !current: // it died while it started
		s.c.ending.Go(func() { _ = n.Kill() })
	}
}

// fatal is the process ending itself. That a disk which fails leads to it is right; anything else is a violation.
func (s *server) fatal(p *machine.Process, err error) {
	if p.Ended() {
		return // what it says after its end is nobody's
	}
	s.c.trace.event("%s ends itself: %v", s.host, err)
	if !s.notices(err) && !s.c.expected(err) {
		s.c.oracle.Report("processes", "%s ended itself: %v", s.host, err)
	}
	go s.die(p, false)
}

// die ends a process: killed, or with the power of its machine. What it had not synced is lost then.
func (s *server) die(p *machine.Process, power bool) {
	s.mu.Lock()
	if s.process != p {
		s.mu.Unlock()
		return
	}
	n := s.node
	s.node, s.process = nil, nil
	s.mu.Unlock()
	rng := rand.New(rand.NewPCG(s.c.plan.Seed, s.lives<<8|uint64(s.i)))
	lost := p.End(power, rng)
	s.c.trace.event("%s is dead (power cut: %v)", s.host, power)
	if power {
		s.c.losses.note(s, lost)
	}
	s.c.net.Drop(s.host, power)
	if n != nil {
		s.c.ending.Go(func() { _ = n.Kill() }) // its disk is gone, so it has nothing good to say
	}
}

// now returns the running node and its process, nil if it is down.
func (s *server) now() (*node.Node, *machine.Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node, s.process
}

// stop ends the node as an operator does. Only the first to stop a process does: a second would wait in the node for a mutex,
// and virtual time stands still for those.
func (s *server) stop(ctx context.Context) {
	s.mu.Lock()
	n, p := s.node, s.process
	if n == nil || s.stopping == p {
		s.mu.Unlock()
		return
	}
	s.stopping = p
	s.mu.Unlock()
	err := n.Stop(ctx)
	s.mu.Lock()
	mine := s.process == p
	if mine {
		s.node, s.process = nil, nil
	}
	s.mu.Unlock()
	if !mine {
		return
	}
	if err != nil && !p.Ended() {
		s.c.trace.event("%s stopped with an error: %v", s.host, err)
	}
	p.End(false, nil)
	s.c.net.Drop(s.host, false)
}

// group returns a running node's replica.
func (s *server) group(id slot.GroupID) *shardgroup.Group {
	n, _ := s.now()
	if n == nil {
		return nil
	}
	g, _ := n.Replica(id).(*shardgroup.Group)
	return g
}

// leads reports whether the node leads a group and is ready to serve it.
func (s *server) leads(id slot.GroupID) bool {
	g := s.group(id)
	return g != nil && g.Leader().Ready
}

// hold keeps a node down, once it is, until release.
func (s *server) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held++
}

func (s *server) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held--
}

// expected reports whether a process may end itself so: its disk has failed it, or the group has lost, with the power of a
// majority, what this process has applied.
func (c *cluster) expected(err error) bool {
	return c.plan.Durability == "interval" && errors.Is(err, consensus.ErrForgotten) || errors.Is(err, machine.ErrIO) || errors.Is(err, machine.ErrFull) || errors.Is(err, crashdisk.ErrPowerCut) ||
		strings.Contains(err.Error(), "did not end within")
}
