package shardgroup

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/entry"
)

// marksKept is how many digests a replica remembers.
const marksKept = 16

// marks are the digests that mark entries asked for.
type marks struct {
	wg sync.WaitGroup
	mu sync.Mutex
	// recent is in order of index.
	recent []*mark
}

// mark is the state's digest right after the entry at index.
type mark struct {
	index  uint64
	done   chan struct{}
	digest fsm.Digest
}

// take computes a snapshot's digest beside the applying goroutine.
func (m *marks) take(index uint64, s *fsm.Snapshot) {
	k := &mark{index: index, done: make(chan struct{})}
	m.mu.Lock()
	m.recent = append(m.recent, k)
	if len(m.recent) > marksKept {
		m.recent = append([]*mark(nil), m.recent[1:]...)
	}
	m.mu.Unlock()
	m.wg.Go(func() {
		defer close(k.done)
		defer s.Release()
		s.Rest = newPace(digestSlice, nil).rest
		k.digest = s.Digest()
	})
}

func (m *marks) find(index uint64) *mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.recent {
		if k.index == index {
			return k
		}
	}
	return nil
}

// Mark logs an entry at which every replica notes the digest of its state, and returns its index. It is for the leader.
func (g *Group) Mark() (uint64, error) {
	data, err := entry.Encode(nil, &entry.Entry{Batch: markBatch})
	if err != nil {
		return 0, fmt.Errorf("mark group %d: %w", g.cfg.ID, err)
	}
	res, err := g.replica.Propose(data)
	if err != nil {
		return 0, fmt.Errorf("mark group %d: %w", g.cfg.ID, err)
	}
	return res.Index, nil
}

// ErrNoDigest: the replica has no digest for that index: it is too long ago, is no mark, or came by snapshot.
var ErrNoDigest = errors.New("no digest is known for that index; mark the group again")

// Digest returns this replica's digest at an index that Mark returned, on whichever replica. It waits until the replica
// has applied that much. Replicas of a group whose digests at one index differ are broken.
func (g *Group) Digest(ctx context.Context, index uint64) (fsm.Digest, error) {
	if err := g.replica.WaitApplied(ctx, index); err != nil {
		return fsm.Digest{}, fmt.Errorf("digest of group %d at %d: %w", g.cfg.ID, index, err)
	}
	k := g.marks.find(index)
	if k == nil {
		return fsm.Digest{}, fmt.Errorf("digest of group %d at %d: %w", g.cfg.ID, index, ErrNoDigest)
	}
	select {
	case <-k.done:
		return k.digest, nil
	case <-ctx.Done():
		return fsm.Digest{}, fmt.Errorf("digest of group %d at %d: %w", g.cfg.ID, index, ctx.Err())
	}
}
