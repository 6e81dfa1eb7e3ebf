package peer

import (
	"bytes"
	"testing"
)

func TestArriving(t *testing.T) {
	payload := []byte("payload")
	if got, err := Arriving(3, 7, payload, func([]byte) {}); err != nil || !bytes.Equal(got, payload) {
		t.Errorf("an undamaged frame: %q, %v", got, err)
	}
	for bit := range 8 * (overhead + 4 + len(payload)) {
		if got, err := Arriving(3, 7, payload, func(b []byte) { b[bit/8] ^= 1 << (bit % 8) }); err == nil {
			t.Errorf("bit %d: %q was taken for good", bit, got)
		}
	}
}
