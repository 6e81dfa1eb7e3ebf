package shardgroup

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/fsm/entry"
)

// Limits bound what a group holds for its callers. Zero values take the defaults.
type Limits struct {
	// EntryBytes is where an entry is closed, 256 KiB by default: larger ones would delay heartbeats. A single op
	// may exceed it; a call of many ops is spread over several entries.
	EntryBytes int
	// QueueCalls and QueueBytes bound the calls that wait for an entry or for a leader; 65536 and 1 GiB by default.
	// A call that finds the queue empty is taken whatever its size.
	QueueCalls int
	QueueBytes int64
	// Park is how long a call may wait for a leader; 2 s by default, NoPark not at all.
	Park time.Duration
}

// NoPark refuses calls at once while the group has no leader.
const NoPark time.Duration = -1

const (
	defaultEntryBytes = 256 << 10
	defaultQueueCalls = 65536
	defaultQueueBytes = 1 << 30
	defaultPark       = 2 * time.Second
)

func (l Limits) withDefaults() (Limits, error) {
	if l.EntryBytes < 0 || l.QueueCalls < 0 || l.QueueBytes < 0 || l.Park < NoPark {
		return l, fmt.Errorf("limits %+v: none may be negative", l)
	}
	if l.EntryBytes == 0 {
		l.EntryBytes = defaultEntryBytes
	}
	if l.QueueCalls == 0 {
		l.QueueCalls = defaultQueueCalls
	}
	if l.QueueBytes == 0 {
		l.QueueBytes = defaultQueueBytes
	}
	if l.EntryBytes > entry.MaxOp {
		return l, fmt.Errorf("limits %+v: an entry has at most %d bytes and room for evictions", l, entry.MaxOp)
	}
	if l.Park == 0 {
		l.Park = defaultPark
	}
	return l, nil
}

// patience is how long something may take that needs answers of other replicas. They take their time even if nobody may wait for a leader.
func (l Limits) patience() time.Duration {
	if l.Park == NoPark {
		return defaultPark
	}
	return l.Park
}
