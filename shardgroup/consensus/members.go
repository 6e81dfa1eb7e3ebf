package consensus

import (
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// members follows the configuration entries through the log, so that the newest one is known before a follower can
// have it: a leader must count acknowledgements by a configuration from the moment it is in its log (lease hazard
// 10), and raft itself tells only about committed ones.
type members struct {
	setVoters func([]raft.ServerID)

	mu sync.Mutex
	// known is sorted by index. The first one is the newest snapshot's, if there is a snapshot. All but the last are
	// committed, because a leader appends no second one before that.
	known []configuration
	// vote are the voters of the last one.
	vote atomic.Pointer[[]raft.ServerID]
}

type configuration struct {
	index uint64
	raft.Configuration
}

// reset starts over from the configurations in a stored log and in the newest snapshot, nil if there is none.
func (m *members) reset(known []configuration, newest *raft.SnapshotMeta) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known = known
	if newest != nil {
		m.rebase(newest.ConfigurationIndex, newest.Configuration)
	}
	m.publish()
}

// append notes an entry that is about to be stored.
func (m *members) append(index uint64, c raft.Configuration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut(index)
	m.known = append(m.known, configuration{index, c})
	m.publish()
}

// truncate forgets the configurations at and behind index.
func (m *members) truncate(index uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut(index)
	m.publish()
}

func (m *members) cut(index uint64) {
	for n := len(m.known); n > 0 && m.known[n-1].index >= index; n-- {
		m.known = m.known[:n-1]
	}
}

// snapshot notes that a snapshot with configuration c is durable; what the log says beyond it stays.
func (m *members) snapshot(index uint64, c raft.Configuration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rebase(index, c)
	m.publish()
}

func (m *members) rebase(index uint64, c raft.Configuration) {
	kept := []configuration{{index, c}}
	for _, k := range m.known {
		if k.index > index {
			kept = append(kept, k)
		}
	}
	m.known = kept
}

func (m *members) publish() {
	var voters []raft.ServerID
	latest, _ := m.latestLocked()
	for _, s := range latest.Servers {
		if s.Suffrage == raft.Voter {
			voters = append(voters, s.ID)
		}
	}
	m.vote.Store(&voters)
	m.setVoters(voters)
}

// voters are those of the latest configuration; not to be changed.
func (m *members) voters() []raft.ServerID {
	if v := m.vote.Load(); v != nil {
		return *v
	}
	return nil
}

func (m *members) latest() (raft.Configuration, uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	latest, index := m.latestLocked()
	return latest.Clone(), index
}

func (m *members) latestLocked() (raft.Configuration, uint64) {
	if len(m.known) == 0 {
		return raft.Configuration{}, 0
	}
	last := m.known[len(m.known)-1]
	return last.Configuration, last.index
}
