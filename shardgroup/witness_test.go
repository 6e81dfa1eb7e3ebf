package shardgroup

import (
	"fmt"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm"
)

// seen is what the witness of one replica noted.
type seen struct {
	last     uint64
	digests  map[uint64]fsm.Digest
	restored int
}

func (s *seen) note(t *testing.T, index uint64, m *fsm.Machine) {
	if index != m.Index() || index < s.last {
		t.Errorf("entry %d: the machine is at %d, the last one was %d", index, m.Index(), s.last)
	}
	snapshot := m.Snapshot()
	s.last, s.digests[index] = index, snapshot.Digest()
	snapshot.Release()
}

type witness struct {
	t *testing.T
	*seen
}

func (w witness) Applied(l *raft.Log, m *fsm.Machine) { w.note(w.t, l.Index, m) }

func (w witness) Restored(m *fsm.Machine) {
	w.restored++
	w.note(w.t, m.Index(), m)
}

// The witness of each replica sees the same state at the same index, before a client is told, and a restored one.
func TestWitnessSeesEveryState(t *testing.T) {
	bubble(t, func(t *testing.T) {
		notes := map[string]*seen{}
		c := newCluster(t, func(n *node, cfg *Config) {
			notes[n.id] = &seen{digests: map[uint64]fsm.Digest{}}
			cfg.Witness = witness{t, notes[n.id]}
		})
		l := c.leader()
		for i := range 20 {
			l.submit(fmt.Sprintf("SET k%d v", i)).want(t, "+OK ")
			if got := notes[l.id].last; got != l.Machine().Index() {
				t.Fatalf("the client was told of entry %d, the witness of %d", l.Machine().Index(), got)
			}
		}
		c.sameDigests()
		want := notes[l.id].digests
		for id, s := range notes {
			for index, digest := range s.digests {
				if digest != want[index] {
					t.Errorf("%s at %d: %v, the leader has %v", id, index, digest, want[index])
				}
			}
			if len(s.digests) < 20 {
				t.Errorf("%s saw %d states", id, len(s.digests))
			}
		}
		o := c.others(l)[0]
		if err := o.Snapshot(); err != nil {
			t.Fatal(err)
		}
		o.close()
		o.open()
		c.sameDigests()
		if s := notes[o.id]; s.restored != 1 || s.digests[s.last] != want[s.last] && want[s.last] != (fsm.Digest{}) {
			t.Errorf("after a restart: %d restores", s.restored)
		}
	})
}
