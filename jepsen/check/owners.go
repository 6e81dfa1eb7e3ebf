package check

import (
	"fmt"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// View is what one node said about the whole cluster at one time.
type View struct {
	// Node is the address that was asked, At ns since the run began.
	Node   string        `json:"node"`
	At     int64         `json:"at"`
	Status client.Status `json:"status"`
}

// Owners checks the views of all nodes over a run: no view gives a slot to two groups, all views of one epoch give
// every slot to the same group, no node's epoch falls, and no group has two leaders in one term.
type Owners struct {
	epochs  map[uint64]*[slot.Count]slot.GroupID
	newest  map[string]uint64
	leaders map[term]topology.NodeID
	// claimed is the term in which each replica said that it led when it was last asked.
	claimed map[replica]uint64
	views   int
	failed  *Result
}

type replica struct {
	group slot.GroupID
	node  topology.NodeID
}

type term struct {
	group slot.GroupID
	term  uint64
}

// NewOwners makes a checker that has seen nothing.
func NewOwners() *Owners {
	return &Owners{
		epochs: map[uint64]*[slot.Count]slot.GroupID{}, newest: map[string]uint64{}, leaders: map[term]topology.NodeID{},
		claimed: map[replica]uint64{},
	}
}

// Add looks at a view; a node's views must come in the order in which they were taken.
func (o *Owners) Add(v View) {
	o.views++
	if o.failed != nil {
		return
	}
	if err := o.add(v); err != nil {
		r := violation("one owner", "%s at %.3f s: %v", v.Node, float64(v.At)/1e9, err)
		o.failed = &r
	}
}

func (o *Owners) add(v View) error {
	if v.Status.Epoch < o.newest[v.Node] {
		return fmt.Errorf("its map went back from epoch %d to %d", o.newest[v.Node], v.Status.Epoch)
	}
	o.newest[v.Node] = v.Status.Epoch
	slots, err := owners(v.Status.Groups)
	if err != nil {
		return err
	}
	if known := o.epochs[v.Status.Epoch]; known == nil {
		o.epochs[v.Status.Epoch] = slots
	} else if *known != *slots {
		return fmt.Errorf("its map of epoch %d is not that of another node", v.Status.Epoch)
	}
	return o.elected(v.Status.Groups)
}

func owners(groups []client.GroupStatus) (*[slot.Count]slot.GroupID, error) {
	var out [slot.Count]slot.GroupID
	for _, g := range groups {
		for _, r := range g.Slots {
			for s := int(r.First); s <= int(r.Last); s++ {
				if out[s] != 0 {
					return nil, fmt.Errorf("slot %d belongs to group %d and to group %d", s, out[s], g.ID)
				}
				out[s] = g.ID
			}
		}
	}
	return &out, nil
}

// elected believes a leader that names the same term twice running: a replica reads its state and its term one after the
// other, so one that has just stepped down may name the next leader's term.
func (o *Owners) elected(groups []client.GroupStatus) error {
	for _, g := range groups {
		for _, r := range g.Replicas {
			who := replica{g.ID, r.Node}
			if r.State != "leader" {
				delete(o.claimed, who)
				continue
			}
			if before, again := o.claimed[who]; !again || before != r.Term {
				o.claimed[who] = r.Term
				continue
			}
			at := term{g.ID, r.Term}
			if other, taken := o.leaders[at]; taken && other != r.Node {
				return fmt.Errorf("group %d has two leaders in term %d: %s and %s", g.ID, r.Term, other, r.Node)
			}
			o.leaders[at] = r.Node
		}
	}
	return nil
}

// Result is the verdict on all views so far; without any view nothing is proved.
func (o *Owners) Result() Result {
	switch {
	case o.failed != nil:
		return *o.failed
	case o.views == 0:
		return violation("one owner", "no node ever answered: nothing is proved")
	}
	return pass("one owner", "%d views of %d epochs agree, %d terms had one leader each", o.views, len(o.epochs), len(o.leaders))
}
