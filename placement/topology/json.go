package topology

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/quorate/quorate/fsm/slot"
)

// MaxEncoded bounds an encoded map, in bytes: 16384 groups that each own one slot stay below half of it.
const MaxEncoded = 16 << 20

// owned is the JSON form of one group's entry in Map.Slots.
type owned struct {
	Group  slot.GroupID `json:"group"`
	Ranges []slot.Range `json:"ranges"`
}

// plain is Map without methods, so that encoding does not call itself.
type plain Map

type wire struct {
	*plain
	Slots []owned `json:"slots"`
}

// MarshalJSON writes m with its slots as ranges per group. Equal maps give equal bytes.
func (m *Map) MarshalJSON() ([]byte, error) {
	return json.Marshal(wire{plain: (*plain)(m), Slots: m.ownership()})
}

// ownership lists Slots per group in the order of group ids, in one pass over the slots.
func (m *Map) ownership() []owned {
	out := make([]owned, len(m.Groups))
	place := make(map[slot.GroupID]int, len(m.Groups))
	for i := range m.Groups {
		out[i] = owned{Group: m.Groups[i].ID, Ranges: []slot.Range{}}
		place[m.Groups[i].ID] = i
	}
	for n := 0; n < slot.Count; {
		first, id := n, m.Slots[n]
		for n < slot.Count && m.Slots[n] == id {
			n++
		}
		if i, ok := place[id]; ok {
			out[i].Ranges = append(out[i].Ranges, slot.Range{First: uint16(first), Last: uint16(n - 1)})
		}
	}
	return out
}

// UnmarshalJSON reads what MarshalJSON writes and refuses unknown fields, slots that are given twice, and maps that
// break an invariant (Validate). On an error m is unchanged.
func (m *Map) UnmarshalJSON(data []byte) error {
	if len(data) > MaxEncoded {
		return fmt.Errorf("map: %d bytes: at most %d", len(data), MaxEncoded)
	}
	var got Map
	w := wire{plain: (*plain)(&got)}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return fmt.Errorf("map: decode: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("map: decode: bytes after the end")
	}
	if err := got.own(w.Slots); err != nil {
		return err
	}
	if err := got.Validate(); err != nil {
		return err
	}
	*m = got
	return nil
}

// own fills Slots from the JSON form.
func (m *Map) own(slots []owned) error {
	for _, o := range slots {
		if o.Group == 0 {
			return errors.New("map: slots: group 0 owns no slots")
		}
		for _, r := range o.Ranges {
			if !r.Valid() {
				return fmt.Errorf("map: slots of group %d: range %d-%d: want slots 0-%d", o.Group, r.First, r.Last, slot.Count-1)
			}
			for n := int(r.First); n <= int(r.Last); n++ {
				if m.Slots[n] != 0 {
					return fmt.Errorf("map: slot %d is given to group %d and to group %d", n, m.Slots[n], o.Group)
				}
				m.Slots[n] = o.Group
			}
		}
	}
	return nil
}
