package placement

import (
	"errors"
	"fmt"
	"slices"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// State is all that placement's log says: the map that everybody sees, and what the driver still has to bring about.
// The zero State is that of an empty log. States are values: Apply returns a new one and leaves the old alone.
type State struct {
	Map *topology.Map
	// Wanted is what Init asked for. The driver compares it with Map.
	Wanted Wanted
}

// Wanted is the number of groups, and of replicas of each, that the cluster was founded with.
type Wanted struct {
	Groups   int `json:"groups"`
	Replicas int `json:"replicas"`
}

// Refusal is the machine's answer to a command that may not be executed: nothing changed, and nothing will until the
// map or the command is another one.
type Refusal struct {
	Reason string
}

func (r *Refusal) Error() string { return "refused: " + r.Reason }

// Apply executes one command, or refuses it (*Refusal) and returns s as it was. It is the only way that a State
// changes. Every replica gets the same answer for the same log.
//
// The map's epoch grows by one exactly when the visible map changes.
func (s State) Apply(c Command) (State, error) {
	next := s.clone()
	if err := c.Change.edit(&next); err != nil {
		return s, &Refusal{Reason: fmt.Sprintf("%s: %v", c.Change.kind(), err)}
	}
	if s.Map == nil || !next.Map.SameContent(s.Map) {
		next.Map.Epoch++
	}
	if err := next.check(s); err != nil {
		return s, &Refusal{Reason: fmt.Sprintf("%s: %v", c.Change.kind(), err)}
	}
	return next, nil
}

// Epoch is the map's, 0 before Init.
func (s State) Epoch() uint64 {
	if s.Map == nil {
		return 0
	}
	return s.Map.Epoch
}

func (s State) clone() State {
	if s.Map != nil {
		s.Map = s.Map.Clone()
	}
	return s
}

// check holds every invariant of a state, and of the step from prev to it.
func (s State) check(prev State) error {
	if s.Epoch() == 0 {
		return errors.New("the cluster is not initialised")
	}
	err := errors.Join(s.Map.Validate(), s.checkGenesis(), s.checkWanted())
	if err == nil && prev.Map != nil && s.Map.Epoch != prev.Map.Epoch {
		err = errors.Join(s.Map.Follows(prev.Map), s.checkStep(prev))
	}
	return err
}

// checkWanted: the driver must be able to get there.
func (s State) checkWanted() error {
	if s.Wanted.Groups < 1 || s.Wanted.Groups > topology.MaxGroups {
		return fmt.Errorf("%d groups wanted: want 1 to %d", s.Wanted.Groups, topology.MaxGroups)
	}
	if s.Wanted.Replicas < 1 || s.Wanted.Replicas > topology.MaxMembers {
		return fmt.Errorf("%d replicas wanted: want 1 to %d", s.Wanted.Replicas, topology.MaxMembers)
	}
	return nil
}

// checkGenesis: no slot was born twice.
func (s State) checkGenesis() error {
	var born [slot.Count]slot.GroupID
	for _, g := range s.Map.Groups {
		for _, r := range g.Genesis {
			for n := int(r.First); n <= int(r.Last); n++ {
				if born[n] != 0 {
					return fmt.Errorf("slot %d is in the genesis of group %d and of group %d", n, born[n], g.ID)
				}
				born[n] = g.ID
			}
		}
	}
	return nil
}

// checkStep: epochs have no gaps, and voters of placement's Raft group do not change under its feet.
func (s State) checkStep(prev State) error {
	if s.Map.Epoch != prev.Map.Epoch+1 {
		return fmt.Errorf("epoch %d after %d: want steps of one", s.Map.Epoch, prev.Map.Epoch)
	}
	if !slices.Equal(s.Map.Voters(), prev.Map.Voters()) {
		return errors.New("placement's voters cannot be changed this way")
	}
	return nil
}
