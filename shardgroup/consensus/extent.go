package consensus

import "github.com/hashicorp/raft"

// entryOverhead is what an entry costs beside its data when log bytes are counted.
const entryOverhead = 64

func weight(e *raft.Log) int64 { return int64(len(e.Data)) + entryOverhead }

// extent is how far the log goes at some moment.
type extent struct {
	last   uint64
	bytes  int64 // appended since the last snapshot
	opened int
}

func (s *logStore) extent() extent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return extent{s.last, s.bytes, s.opened}
}

// size returns the bytes appended since the last snapshot.
func (s *logStore) size() int64 { return s.extent().bytes }

// shrink takes off what the newest snapshot covers of an extent, unless the log was opened since, and counted from a snapshot on. What it
// does not cover is read: some entries that were not applied yet, or, if it was taken while the log was replayed after a start, many.
func (s *logStore) shrink(was extent) {
	behind := s.weigh(s.snapshotIndex()+1, was.last)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened == was.opened {
		s.bytes -= max(0, min(s.bytes, was.bytes-behind))
	}
}

// weigh counts the bytes of entries, as far as the log still has them.
func (s *logStore) weigh(first, last uint64) (bytes int64) {
	for i := first; i <= last; i++ {
		var e raft.Log
		if s.GetLog(i, &e) != nil {
			break
		}
		bytes += weight(&e)
	}
	return bytes
}
