package placement

import (
	"encoding/json"
	"fmt"
	"hash/crc32"

	"github.com/quorate/quorate/placement/topology"
)

// stateVersion of the encoding of states.
const stateVersion = 1

// MaxState bounds an encoded state, in bytes.
const MaxState = topology.MaxEncoded + 1<<20

// sealed is the JSON form of a state: the checksum covers State's bytes as they stand.
type sealed struct {
	Version int    `json:"v"`
	CRC     uint32 `json:"crc32c"`
	// Index is the newest log entry that State reflects.
	Index uint64          `json:"index"`
	State json.RawMessage `json:"state"`
}

type stateBody struct {
	Map    *topology.Map `json:"map,omitempty"`
	Wanted Wanted        `json:"wanted"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode writes s, which reflects the log up to index, for a snapshot, with version and checksum.
func (s State) Encode(index uint64) ([]byte, error) {
	body, err := json.Marshal(stateBody(s))
	if err != nil {
		return nil, fmt.Errorf("placement state: encode: %w", err)
	}
	return json.Marshal(sealed{Version: stateVersion, CRC: crc32.Checksum(body, castagnoli), Index: index, State: body})
}

// DecodeState reads what Encode writes and checks every invariant of the state.
func DecodeState(data []byte) (s State, index uint64, err error) {
	if len(data) > MaxState {
		return s, 0, fmt.Errorf("placement state: %d bytes: at most %d", len(data), MaxState)
	}
	var e sealed
	if err := strict(data, &e); err != nil {
		return s, 0, fmt.Errorf("placement state: decode: %w", err)
	}
	if e.Version != stateVersion {
		return s, 0, fmt.Errorf("placement state: version %d: this build reads version %d; upgrade it", e.Version, stateVersion)
	}
	if sum := crc32.Checksum(e.State, castagnoli); sum != e.CRC {
		return s, 0, fmt.Errorf("placement state: checksum %08x, want %08x: the bytes are damaged", sum, e.CRC)
	}
	var body stateBody
	if err := strict(e.State, &body); err != nil {
		return s, 0, fmt.Errorf("placement state: decode: %w", err)
	}
	read := State(body)
	if read == (State{}) {
		return read, e.Index, nil
	}
	if err := read.check(State{}); err != nil {
		return s, 0, fmt.Errorf("placement state: %w", err)
	}
	return read, e.Index, nil
}
