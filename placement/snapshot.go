package placement

import (
	"fmt"

	"github.com/quorate/quorate/placement/sealed"
	"github.com/quorate/quorate/placement/topology"
)

// stateVersion of the encoding of states.
const stateVersion = 1

// MaxState bounds an encoded state, in bytes.
const MaxState = topology.MaxEncoded + 1<<20

type stateBody struct {
	// Index is the newest log entry that the state reflects.
	Index  uint64        `json:"index"`
	Map    *topology.Map `json:"map,omitempty"`
	Wanted Wanted        `json:"wanted"`
}

// Encode writes s, which reflects the log up to index, for a snapshot, with version and checksum.
func (s State) Encode(index uint64) ([]byte, error) {
	data, err := sealed.Seal(stateVersion, stateBody{Index: index, Map: s.Map, Wanted: s.Wanted})
	if err != nil {
		return nil, fmt.Errorf("placement state: encode: %w", err)
	}
	return data, nil
}

// DecodeState reads what Encode writes and checks every invariant of the state.
func DecodeState(data []byte) (State, uint64, error) {
	if len(data) > MaxState {
		return State{}, 0, fmt.Errorf("placement state: %d bytes: at most %d", len(data), MaxState)
	}
	var body stateBody
	if err := sealed.Open(stateVersion, data, &body); err != nil {
		return State{}, 0, fmt.Errorf("placement state: %w", err)
	}
	s := State{Map: body.Map, Wanted: body.Wanted}
	if s == (State{}) {
		return s, body.Index, nil
	}
	if err := s.check(State{}); err != nil {
		return State{}, 0, fmt.Errorf("placement state: %w", err)
	}
	return s, body.Index, nil
}
