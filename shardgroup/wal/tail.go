package wal

import "sync"

// recentOverhead is what an entry in memory costs beside its bytes: the raft.Log and its location.
const recentOverhead = 128

// tail bounds the memory of all groups' recent entries, oldest store first.
type tail struct {
	limit int64

	mu    sync.Mutex
	held  int64
	queue window[stored]
}

// stored is one store whose entries are held in memory, as far as their group has not deleted them meanwhile.
type stored struct {
	group *GroupLog
	last  uint64
	bytes int64
}

func (t *tail) add(g *GroupLog, last uint64, bytes int64) {
	t.mu.Lock()
	t.queue.push(t.queue.next, stored{g, last, bytes})
	t.held += bytes
	t.mu.Unlock()
	for t.trim() {
	}
}

// trim forgets the oldest store if there is too much. The group's lock is taken after, not under, the tail's: many
// groups add at a time.
func (t *tail) trim() bool {
	t.mu.Lock()
	if t.held <= t.limit || t.queue.len() == 0 {
		t.mu.Unlock()
		return false
	}
	oldest := *t.queue.at(t.queue.first)
	t.queue.dropThrough(t.queue.first)
	t.held -= oldest.bytes
	t.mu.Unlock()
	oldest.group.trimRecent(oldest.last)
	return true
}

func (t *tail) bytes() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held
}
