package stable

import (
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// The three keys that hashicorp/raft v1.8.0 uses (api.go).
const (
	keyTerm      = "CurrentTerm"
	keyVoteTerm  = "LastVoteTerm"
	keyCandidate = "LastVoteCand"
)

// group is one group's raft.StableStore.
//
// raft persists a vote as two writes, LastVoteTerm and then LastVoteCand. After a crash between them the voter has this
// term's number with last term's candidate, and grants that candidate a second vote of this term without looking at
// its log (hashicorp/raft#661). So LastVoteTerm is only staged here, and one record takes both with LastVoteCand.
type group struct {
	store *Store
	key   []byte

	mu     disk.Lock
	loaded bool
	ballot ballot
	staged uint64 // LastVoteTerm set, LastVoteCand not yet; 0 for none
}

var _ raft.StableStore = (*group)(nil)

// with runs f under the lock, the record loaded.
func (g *group) with(f func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.store.latch.Err(); err != nil {
		return err
	}
	if err := g.load(); err != nil {
		return g.store.latch.Fail(fmt.Errorf("stable: %s: %w", g.key, err))
	}
	return f()
}

func (g *group) load() error {
	if g.loaded {
		return nil
	}
	v, err := g.store.get(g.key)
	if err != nil {
		return err
	}
	if v != nil {
		if g.ballot, err = decodeBallot(v); err != nil {
			return err
		}
	}
	g.loaded = true
	return nil
}

// save makes b durable and only then visible.
func (g *group) save(b ballot) error {
	if !offDurableVote {
		if err := g.store.set(g.key, b.encode()); err != nil {
			return err
		}
	}
	g.ballot = b
	return nil
}

// SetUint64 implements raft.StableStore for CurrentTerm and LastVoteTerm.
func (g *group) SetUint64(key []byte, v uint64) error {
	return g.with(func() error {
		switch string(key) {
		case keyTerm:
			if v == g.ballot.term {
				return nil // NewRaft sets what it has just read
			}
			b := g.ballot
			b.term = v
			return g.save(b)
		case keyVoteTerm:
			g.staged = v
			if offAtomicVote {
				b := g.ballot
				b.voteTerm = v
				return g.save(b)
			}
			return nil
		}
		return unknownKey(key)
	})
}

// Set implements raft.StableStore for LastVoteCand.
func (g *group) Set(key, v []byte) error {
	return g.with(func() error {
		if string(key) != keyCandidate {
			return unknownKey(key)
		}
		if g.staged == 0 {
			return fmt.Errorf("stable: %s: LastVoteCand without a LastVoteTerm before it", g.key)
		}
		b := g.ballot
		b.voteTerm, b.candidate = g.staged, append([]byte(nil), v...)
		g.staged = 0
		return g.save(b)
	})
}

// GetUint64 implements raft.StableStore: 0 for what was never set. A staged LastVoteTerm does not show.
func (g *group) GetUint64(key []byte) (v uint64, err error) {
	err = g.with(func() error {
		switch string(key) {
		case keyTerm:
			v = g.ballot.term
		case keyVoteTerm:
			v = g.ballot.voteTerm
		default:
			return unknownKey(key)
		}
		return nil
	})
	return v, err
}

// Get implements raft.StableStore: nil if there was no vote yet.
func (g *group) Get(key []byte) (v []byte, err error) {
	err = g.with(func() error {
		if string(key) != keyCandidate {
			return unknownKey(key)
		}
		v = append([]byte(nil), g.ballot.candidate...)
		return nil
	})
	return v, err
}

// unknownKey: a new version of raft keeps something that this package has not thought about.
func unknownKey(key []byte) error {
	return fmt.Errorf("stable: unknown key %q: only %s, %s and %s are kept", key, keyTerm, keyVoteTerm, keyCandidate)
}

func groupKey(id slot.GroupID) []byte { return fmt.Appendf(nil, "group/%08x", uint32(id)) }
