package service

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/placement/bootstrap"
	"github.com/quorate/quorate/placement/topology"
)

// ears remembers who was heard lately.
type ears struct {
	mu    sync.Mutex
	heard map[topology.NodeID]heard
	// hints are addresses that others have heard of, and when this node was told.
	hints map[string]time.Time
	// deaf is why addresses of --join could not be greeted when that was tried last.
	deaf map[string]string
	// bell is closed and replaced when something may have to be decided anew.
	bell chan struct{}
}

type heard struct {
	hello bootstrap.Hello
	at    time.Time
}

func (e *ears) init() {
	e.heard = map[topology.NodeID]heard{}
	e.hints = map[string]time.Time{}
	e.deaf = map[string]string{}
	e.bell = make(chan struct{})
}

func (e *ears) rung() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.bell
}

func (e *ears) ring() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.bell)
	e.bell = make(chan struct{})
}

// note records h and rings if it says anything new.
func (e *ears) note(h bootstrap.Hello) {
	e.mu.Lock()
	old, known := e.heard[h.Node.ID]
	if known || len(e.heard) < topology.MaxNodes {
		e.heard[h.Node.ID] = heard{h, time.Now()}
	}
	e.mu.Unlock()
	if !known || old.hello.Cluster != h.Cluster || old.hello.Node != h.Node || (old.hello.Accepted == nil) != (h.Accepted == nil) {
		e.ring()
	}
}

// lately lists who was heard within the last d and forgets the others.
func (e *ears) lately(d time.Duration) []bootstrap.Hello {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []bootstrap.Hello
	for id, h := range e.heard {
		if time.Since(h.at) > d {
			delete(e.heard, id)
			continue
		}
		out = append(out, h.hello)
	}
	return out
}

// greeting is what this node says of itself.
func (s *Service) greeting() greeting {
	g := greeting{Hello: bootstrap.Hello{Node: s.c.Self, Expect: s.c.Expect, Record: s.recorded()}}
	for _, h := range s.ears.lately(s.c.Timing.fresh()) {
		g.Known = append(g.Known, h.Node.Peer)
	}
	slices.Sort(g.Known)
	return g
}

// serveHello answers a greeting with this node's own. Greetings between two clusters are answered too, so that a wrong
// address can be named, but nothing is learned from them.
func (s *Service) serveHello(_ context.Context, from topology.NodeID, g greeting) (greeting, error) {
	if err := s.hear(from, g.Hello); err != nil {
		return greeting{}, err
	}
	return s.greeting(), nil
}

// hear takes in what node from said of itself.
func (s *Service) hear(from topology.NodeID, h bootstrap.Hello) error {
	if h.Node.ID != from {
		return fmt.Errorf("placement: node %s greets as node %.40s", from, h.Node.ID)
	}
	if err := h.Node.Check(); err != nil {
		return fmt.Errorf("placement: greeting: %w", err)
	}
	if h.Node.Peer == "" {
		return fmt.Errorf("placement: greeting of node %s: no peer address", from)
	}
	if from == s.c.Self.ID {
		return nil
	}
	if own := s.Cluster(); own == "" || h.Cluster == "" || h.Cluster == own {
		s.learn(from, h.Node.Peer)
	}
	s.ears.note(h)
	return nil
}

// greet greets whoever listens at addr and returns its answer.
func (s *Service) greet(ctx context.Context, addr string) (greeting, error) {
	ctx, cancel := context.WithTimeout(ctx, s.c.Timing.Call)
	defer cancel()
	payload, err := json.Marshal(s.greeting())
	if err != nil {
		return greeting{}, err
	}
	id, data, err := s.c.Peers.CallAddr(ctx, addr, KindHello, 0, payload)
	if err != nil {
		return greeting{}, err
	}
	var g greeting
	if err := decode(data, maxSmall, &g); err != nil {
		return greeting{}, err
	}
	return g, s.hear(id, g.Hello)
}

// greetLoop greets everybody, again and again while this node has not found its place, and rarely from then on. So a
// node finds the others also when all of them come back on other addresses, as long as --join leads there.
func (s *Service) greetLoop() {
	delay := s.c.Timing.Retry
	for s.ctx.Err() == nil {
		bell := s.ears.rung()
		if !s.settled() {
			s.greetAll()
		}
		if s.settled() {
			delay = 10 * s.c.Timing.Retry
		} else {
			delay = min(2*delay, 10*s.c.Timing.Retry)
		}
		if !s.pause(delay, bell) {
			return
		}
	}
}

// settled: this node is in the map as it is, and in touch with placement.
func (s *Service) settled() bool {
	return s.Cluster() != "" && s.registered() && s.inTouch()
}

// inTouch: somebody leads placement, and this node has heard of it lately.
func (s *Service) inTouch() bool {
	s.mu.Lock()
	rep, contact := s.replica, s.contact
	s.mu.Unlock()
	if rep != nil {
		return rep.Leader().Leader != ""
	}
	return !contact.IsZero() && time.Since(contact) < 2*s.c.Timing.LongPoll
}

// greetAll greets every address this node can think of. Addresses from hearsay come in the next round.
func (s *Service) greetAll() {
	var wg errgroup.Group
	wg.SetLimit(maxGreetings)
	for _, addr := range s.addresses() {
		wg.Go(func() error {
			g, err := s.greet(s.ctx, addr)
			s.heardBack(addr, err)
			if err != nil {
				return nil
			}
			s.ears.hint(g.Known)
			return nil
		})
	}
	_ = wg.Wait() // the goroutines return no errors
}

// heardBack notes how a greeting of addr went. An address that the operator gave and that does not answer is told to the
// operator, once until the reason changes; the others come from hearsay, and may be out of date.
func (s *Service) heardBack(addr string, err error) {
	if err != nil && s.ctx.Err() != nil {
		return
	}
	if slices.Contains(s.c.Join, addr) && s.ears.outcome(addr, err) {
		s.c.Log.Info("an address of --join does not answer as a node of this cluster; trying again", "addr", addr, "error", err)
	}
}

// outcome remembers why addr could not be greeted, if err is not nil; news is set if that was not known.
func (e *ears) outcome(addr string, err error) (news bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil {
		delete(e.deaf, addr)
		return false
	}
	old := e.deaf[addr]
	e.deaf[addr] = err.Error()
	return withoutDigits(old) != withoutDigits(e.deaf[addr])
}

// withoutDigits makes errors equal that differ in the port of this end.
func withoutDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, s)
}

// complaints names the addresses of --join that do not answer, and why; "" if there are none.
func (e *ears) complaints() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out strings.Builder
	for _, addr := range slices.Sorted(maps.Keys(e.deaf)) {
		fmt.Fprintf(&out, "; --join %s does not answer: %s", addr, e.deaf[addr])
	}
	return out.String()
}

// maxGreetings bounds the greetings in flight: dead addresses hold theirs for Timing.Call.
const maxGreetings = 64

// addresses lists where other nodes may be: as the operator said, as others said, and where they were before.
func (s *Service) addresses() []string {
	all := slices.Concat(s.c.Join, s.ears.hinted(s.c.Timing.fresh()))
	if p := s.recorded().Accepted; p != nil {
		all = appendPeers(all, p.Nodes)
	}
	all = appendPeers(all, s.Map().Nodes)
	for _, h := range s.ears.lately(s.c.Timing.fresh()) {
		all = append(all, h.Node.Peer)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(a string) bool { return a == "" || a == s.c.Self.Peer })
}

func appendPeers(to []string, nodes []topology.Node) []string {
	for i := range nodes {
		to = append(to, nodes[i].Peer)
	}
	return to
}

// hint remembers addresses from hearsay.
func (e *ears) hint(addrs []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range addrs[:min(len(addrs), topology.MaxNodes)] {
		if _, known := e.hints[a]; len(a) <= topology.MaxText && (known || len(e.hints) < topology.MaxNodes) {
			e.hints[a] = time.Now()
		}
	}
}

func (e *ears) hinted(d time.Duration) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.DeleteFunc(e.hints, func(_ string, at time.Time) bool { return time.Since(at) > d })
	return slices.Collect(maps.Keys(e.hints))
}
