package bootstrap

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/placement/topology"
)

// host is one node of a world: disk survives a restart, heard doesn't.
type host struct {
	name   string
	self   topology.Node
	expect int
	disk   Record
	heard  map[topology.NodeID]Hello
}

// world carries greetings between hosts and executes their decisions.
type world struct {
	hosts map[string]*host
	made  int // clusters proposed so far, for their ids
}

func newWorld() *world { return &world{hosts: map[string]*host{}} }

// add starts a host with empty disk whose id is the digit repeated 40 times.
func (w *world) add(name, digit string, expect int) *host {
	id := topology.NodeID(strings.Repeat(digit, 40))
	h := &host{name: name, expect: expect, heard: map[topology.NodeID]Hello{}}
	h.self = topology.Node{ID: id, Name: name, Client: name + digit + ":7000", Peer: name + digit + ":7001", Weight: 100}
	w.hosts[name] = h
	return h
}

func (h *host) hello() Hello { return Hello{Node: h.self, Expect: h.expect, Record: h.disk} }

func (h *host) forget() { clear(h.heard) }

func (w *world) greet(a, b *host) {
	a.heard[b.self.ID], b.heard[a.self.ID] = b.hello(), a.hello()
}

func (w *world) decide(h *host) Action {
	return Decide(h.self, h.expect, h.disk, slices.Collect(maps.Values(h.heard)))
}

// step lets h decide and executes the decision, as the service does.
func (w *world) step(h *host) (Action, error) {
	a := w.decide(h)
	switch a.Verb {
	case Propose:
		w.made++
		p, err := NewProposal(fmt.Sprintf("%040x", 0xc0+w.made), h.self.ID, a.Nodes, Shape{})
		if err != nil {
			return a, err
		}
		h.disk.Accepted = p
	case Accept:
		h.disk.Accepted = a.Proposal
	case Found:
		h.disk.Cluster = a.Proposal.Cluster
	case Join:
		h.disk.Cluster = a.Via.Cluster
	}
	return a, nil
}

func (w *world) sorted() []*host {
	return slices.SortedFunc(maps.Values(w.hosts), func(a, b *host) int { return strings.Compare(a.name, b.name) })
}

// settle greets everybody with everybody and steps until nothing changes.
func (w *world) settle(down map[string]bool) error {
	for changed := true; changed; {
		changed = false
		var up []*host
		for _, h := range w.sorted() {
			if !down[h.name] {
				h.forget()
				up = append(up, h)
			}
		}
		for i, a := range up {
			for _, b := range up[i+1:] {
				w.greet(a, b)
			}
		}
		for _, h := range up {
			before := h.disk
			if _, err := w.step(h); err != nil {
				return err
			}
			changed = changed || before != h.disk
		}
	}
	return nil
}
