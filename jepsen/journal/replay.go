package journal

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement"
	"github.com/quorate/quorate/placement/topology"
)

// Position is a place in a group's log.
type Position struct {
	Group slot.GroupID
	Index uint64
	// Op is the command's number in the entry.
	Op int
	// Applied says that the command did something: it was not refused there, as one whose watched key had changed.
	Applied bool
}

// Vanish is a key that expired or was evicted.
type Vanish struct {
	Key, Value string
	At         Position
	Evicted    bool
}

// Story is what the logs tell from their beginning to what is committed.
type Story struct {
	// Whole says that no log was cut: what is not in Of did not happen.
	Whole bool
	// Of are the places of each token, in order; Alike those of each command without one, by its text.
	Of, Alike map[string][]Position
	Vanished  []Vanish
	// Victims counts the keys that were chosen to be evicted. Wronged are those that were, though written since they were chosen.
	Victims int
	Wronged []Vanish
	// Digests are those of each group after its last committed entry.
	Digests map[slot.GroupID]string
	// Epochs is how many maps placement's log made.
	Epochs int

	owners [slot.Count]slot.GroupID
	// logged is the group in whose log commands on a slot are; tails is from where on a log has every entry, up to the last.
	logged map[uint16]slot.GroupID
	tails  map[slot.GroupID]uint64
}

func newStory() *Story {
	return &Story{
		Whole: true, Of: map[string][]Position{}, Alike: map[string][]Position{}, Digests: map[slot.GroupID]string{},
		logged: map[uint16]slot.GroupID{}, tails: map[slot.GroupID]uint64{},
	}
}

// ErrTwoOwners says that two groups executed commands on one slot, or that a map is not sound.
var ErrTwoOwners = errors.New("more than one group serves a slot")

// Replay executes all committed entries again, if the logs are whole; the story of cut logs only tells places.
func (j *Journal) Replay(c Committed) (*Story, error) {
	s := newStory()
	groups := j.groups()
	for _, g := range groups {
		s.Whole = s.Whole && g.fromTheStart()
	}
	born := map[slot.GroupID]topology.Group{}
	for _, g := range groups {
		if g.id == 0 && s.Whole {
			if err := s.maps(g, born); err != nil {
				return nil, err
			}
			continue
		}
		if err := s.replay(g, c[g.id], born[g.id]); err != nil {
			return nil, fmt.Errorf("replay group %d: %w", g.id, err)
		}
	}
	return s, nil
}

// maps replays placement's log: every map must be sound, which includes that each slot has one owner.
func (s *Story) maps(g group, born map[slot.GroupID]topology.Group) error {
	var state placement.State
	for i := range g.entries {
		e := &g.entries[i]
		if e.Type != raft.LogCommand || i+1 < len(g.entries) && g.entries[i+1].Index == e.Index {
			continue // of entries that differ, the one of the highest term lasts
		}
		c, err := placement.Decode(e.Data)
		if err != nil {
			return fmt.Errorf("placement's log entry %d: %w", e.Index, err)
		}
		next, err := state.Apply(c)
		if err != nil {
			continue // refused, on every replica alike
		}
		if err := next.Map.Validate(); err != nil {
			return fmt.Errorf("%w: placement's log entry %d: %w", ErrTwoOwners, e.Index, err)
		}
		state = next
		for _, g := range state.Map.Groups {
			born[g.ID] = g
		}
	}
	s.Epochs = int(state.Epoch())
	return nil
}
