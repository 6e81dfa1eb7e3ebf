package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/sim/fabric"
	"github.com/quorate/quorate/placement/topology"
)

// core draws nodes that are a majority of placement's voters and of every group's members, as few as chance allows.
func (n *nemesis) core(m *topology.Map) (core, rest []*server) {
	core = append([]*server(nil), n.c.nodes...)
	for _, s := range n.others(nil) {
		without := slices.DeleteFunc(slices.Clone(core), func(x *server) bool { return x == s })
		if n.c.majority(m, without) && n.rng.IntN(4) > 0 {
			core, rest = without, append(rest, s)
		}
	}
	return core, rest
}

func (c *cluster) majority(m *topology.Map, of []*server) bool {
	var ids []topology.NodeID
	for _, s := range of {
		ids = append(ids, c.idOf(s))
	}
	enough := func(members []topology.NodeID) bool {
		in := 0
		for _, id := range members {
			if slices.Contains(ids, id) {
				in++
			}
		}
		return in > len(members)/2
	}
	for i := range m.Groups {
		if !enough(m.Groups[i].Members) {
			return false
		}
	}
	return enough(m.Voters())
}

// desert leaves the rest dead, or cut off from the core and all clients, and returns how to bring it back.
func (n *nemesis) desert(rest []*server) (back func()) {
	var undo []func()
	for _, s := range rest {
		if n.rng.IntN(2) == 0 {
			s.hold()
			if _, p := s.now(); p != nil {
				s.die(p, false)
			}
			undo = append(undo, s.release)
			continue
		}
		undo = append(undo, n.c.net.Add(fabric.Rule{Effect: fabric.Lose, Classes: fabric.All, On: about(s.host)}))
	}
	return func() {
		for _, f := range undo {
			f()
		}
	}
}

// await polls until ok, and reports how long that took; false if it took too long. ok returns what is missing, "" if nothing is.
func (c *cluster) await(what string, most time.Duration, missing func() string) bool {
	began := time.Now()
	for {
		why := missing()
		if why == "" {
			c.trace.event("%s after %v", what, time.Since(began))
			return true
		}
		if time.Since(began) >= most {
			c.oracle.Report("liveness", "after %v still not %s: %s", most, what, why)
			return false
		}
		time.Sleep(pollPause)
	}
}

const pollPause = 50 * time.Millisecond

// led says which group has no leader that serves; "" if each has one.
func (c *cluster) led(m *topology.Map) string {
	if m == nil {
		return "nobody was seen to have a map" // all nodes died before anybody looked
	}
	for i := range m.Groups {
		if c.leader(m.Groups[i].ID) == nil {
			return fmt.Sprintf("group %d has no leader", m.Groups[i].ID)
		}
	}
	for _, s := range c.nodes {
		if n, _ := s.now(); n != nil && n.PlacementLeader() != "" {
			return ""
		}
	}
	return "placement has no leader"
}

// mark is the state of a group at the newest index at which its replicas were compared.
type mark struct {
	index  uint64
	digest fsm.Digest
}

// agree says which of some nodes' replicas do not have the same state as their leaders; "" if all have.
func (c *cluster) agree(m *topology.Map, of []*server) string {
	for i := range m.Groups {
		if err := c.sameState(&m.Groups[i], of); err != nil {
			return err.Error()
		}
	}
	return ""
}

// sameState compares the replicas of a group that some nodes have at an index that their leader marks.
func (c *cluster) sameState(g *topology.Group, of []*server) error {
	leader := c.leader(g.ID)
	if leader == nil {
		return fmt.Errorf("group %d has no leader", g.ID)
	}
	replica := leader.group(g.ID)
	if replica == nil {
		return errors.New("the leader has just died")
	}
	index, err := replica.Mark()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var want fsm.Digest
	for _, s := range of {
		if !slices.Contains(g.Members, c.idOf(s)) {
			continue
		}
		d, err := s.digest(ctx, g.ID, index)
		if err != nil {
			return fmt.Errorf("%s: %w", s.host, err)
		}
		if want == (fsm.Digest{}) {
			want = d
		}
		if d != want {
			c.oracle.Report("replica digests", "group %d: %s has digest %s at index %d, another replica %s", g.ID, s.host, d, index, want)
		}
		c.oracle.Digest(g.ID, string(s.host), index, d)
	}
	c.marks[g.ID] = mark{index, want}
	return nil
}

func (s *server) digest(ctx context.Context, g slot.GroupID, index uint64) (fsm.Digest, error) {
	replica := s.group(g)
	if replica == nil {
		return fsm.Digest{}, fmt.Errorf("has no replica of group %d", g)
	}
	return replica.Digest(ctx, index)
}
