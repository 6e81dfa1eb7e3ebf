package node

import (
	"reflect"
	"testing"

	"github.com/quorate/quorate/shardgroup"
)

func TestStandingOnTheWire(t *testing.T) {
	for _, want := range []shardgroup.Standing{
		{},
		{Held: true, Known: true, Term: 7, Index: 1 << 40, Configured: 3, Voters: []string{"node1", "n"}},
	} {
		b := encodeStanding(want)
		if got, err := decodeStanding(b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v arrives as %+v, %v", want, got, err)
		}
		for cut := range b {
			got, err := decodeStanding(b[:cut])
			switch {
			case cut == 1: // all that an earlier version says
				if err != nil || !reflect.DeepEqual(got, shardgroup.Standing{Held: want.Held}) {
					t.Errorf("one byte arrives as %+v, %v", got, err)
				}
			case err == nil && cut != standingHead && cut != standingHead+1+len("node1"):
				t.Errorf("%d of %d bytes arrive as %+v", cut, len(b), got)
			}
		}
	}
}
