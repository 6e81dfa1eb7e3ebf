package peer

import (
	"bytes"

	"github.com/quorate/quorate/fsm/slot"
)

// Arriving is what the other end of a connection makes of a request whose frame damage changes on its way: an error, after which
// it ends the connection, or, where that is not noticed, a payload. It is for networks that carry payloads and no frames.
func Arriving(kind Kind, group slot.GroupID, payload []byte, damage func(frame []byte)) ([]byte, error) {
	sent := frame{op: opRequest, kind: kind, group: group, timeout: DefaultCallTimeout, payload: payload}
	b := appendFrame(nil, &sent)
	damage(b)
	var got frame
	if err := newInbox(bytes.NewReader(b), len(b)).next(len(payload), &got); err != nil {
		return nil, err
	}
	return got.payload, nil
}
