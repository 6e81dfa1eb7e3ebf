package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/jepsen/sim/fabric"
	"github.com/quorate/quorate/shardgroup/consensus/snapfile"
	"github.com/quorate/quorate/shardgroup/wal"
)

// wire flips bits of what nodes send to each other. Whoever receives it must notice.
func (n *nemesis) wire() wound {
	share := 0.2 * n.rng.Float64()
	before := n.c.net.Stats()
	lift := n.c.net.Add(fabric.Rule{
		Effect: fabric.Damage, Classes: fabric.Groups | fabric.Placement, Weather: fabric.Weather{Loss: share},
		On: func(_, _ fabric.Host) bool { return true },
	})
	return wound{
		what: fmt.Sprintf("bits of %.0f %% of the messages", 100*share), lasts: n.between(time.Second, 20*time.Second), undo: lift,
		bit: func() bool { return n.c.net.Stats().Damaged > before.Damaged },
	}
}

// flipped inverts a bit on the disks of a node that does not run. It must not start, or notice when it reads there; all others go
// on. What nobody notices the oracle sees.
func (n *nemesis) flipped() wound {
	s := n.anyone()
	if s == nil {
		return wound{}
	}
	_, p := s.now()
	s.hold()
	s.die(p, false)
	what, back := s.machine.Flip(n.rng)
	s.worn(+1)
	s.release()
	return wound{
		what: fmt.Sprintf("%s: %s", s.host, what), lasts: n.between(time.Second, 15*time.Second), bit: s.refused,
		undo: func() {
			s.hold()
			if _, p := s.now(); p != nil {
				s.die(p, false)
			}
			back()
			s.worn(-1)
			s.release()
		},
	}
}

// worn counts the bits that are wrong on a node's disks.
func (s *server) worn(by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrongBits += by
	s.noticed = false
}

// refusals are texts of other errors that a wrong bit leads to: placement's files, and versions of the others.
var refusals = []string{"placement: load ", "written in format", "snapshot file has version"}

// notices reports whether a process ends itself because a bit is wrong, and remembers it.
func (s *server) notices(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	damage := errors.Is(err, wal.ErrCorrupt) || errors.Is(err, snapfile.ErrCorrupt) ||
		slices.ContainsFunc(refusals, func(text string) bool { return strings.Contains(err.Error(), text) })
	s.noticed = s.noticed || damage && s.wrongBits > 0
	return damage && s.wrongBits > 0
}

// refused reports whether a wrong bit was noticed.
func (s *server) refused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.noticed
}

// breaks cuts what clients and nodes write to each other short at any byte, and with it their connections: half commands,
// transactions without their end, pipelines without their replies.
func (n *nemesis) breaks() wound {
	share := 0.3 * n.rng.Float64()
	before := n.c.net.Stats()
	lift := n.c.net.Add(fabric.Rule{
		Effect: fabric.Break, Classes: fabric.Clients, Weather: fabric.Weather{Loss: share}, On: func(_, _ fabric.Host) bool { return true },
	})
	return wound{
		what: fmt.Sprintf("%.0f %% of what is written to clients' connections", 100*share), lasts: n.between(time.Second, 20*time.Second), undo: lift,
		bit: func() bool { return n.c.net.Stats().Broken > before.Broken },
	}
}
