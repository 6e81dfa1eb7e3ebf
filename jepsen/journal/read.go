package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/wal"
)

// Journal is the logs of all nodes. Entries that several nodes have are there once.
type Journal struct {
	// Nodes are the names of the nodes, Spans what each has of each group.
	Nodes []string
	Spans []Span
	// Entries are sorted by group and index. Where logs differ, one index has several.
	Entries []Entry
}

// Span is the part of a group's log that a node has, from First to Last.
type Span struct {
	Node        int          `json:"node"`
	Group       slot.GroupID `json:"group"`
	First, Last uint64
}

// Entry is one entry of one group.
type Entry struct {
	Group slot.GroupID `json:"g"`
	Index uint64       `json:"i"`
	Term  uint64       `json:"t"`
	Type  raft.LogType `json:"type,omitempty"`
	Data  []byte       `json:"data,omitempty"`
	// Nodes are the indexes of those that have it.
	Nodes []int `json:"nodes"`
}

func (e *Entry) equal(l *raft.Log) bool {
	return e.Term == l.Term && e.Type == l.Type && string(e.Data) == string(l.Data)
}

// Read reads the data folders of nodes that do not run. It begins a new log file in each, as a start of the node would.
func Read(dirs []string) (*Journal, error) {
	j := &Journal{}
	groups := map[slot.GroupID]map[uint64][]Entry{}
	for node, dir := range dirs {
		j.Nodes = append(j.Nodes, filepath.Base(dir))
		for _, part := range []string{filepath.Join("placement", "log"), "log"} {
			if err := j.readLog(node, filepath.Join(dir, part), groups); err != nil {
				return nil, fmt.Errorf("read the log of %s: %w", dir, err)
			}
		}
	}
	j.sort(groups)
	return j, nil
}

// segment is the smallest size of a log file: what Read adds to a folder.
const segment = 64 << 10

func (j *Journal) readLog(node int, dir string, groups map[slot.GroupID]map[uint64][]Entry) (err error) {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil // the node has never started
	}
	var fatal error
	l, err := wal.Open(dir, wal.Options{SegmentBytes: segment, Logger: slog.New(slog.DiscardHandler), Fatal: func(err error) { fatal = err }})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fatal, l.Close()) }()
	for _, id := range l.Groups() {
		if groups[id] == nil {
			groups[id] = map[uint64][]Entry{}
		}
		span, err := readGroup(node, id, l.Group(id), groups[id])
		if err != nil {
			return err
		}
		j.Spans = append(j.Spans, span)
	}
	return nil
}

func readGroup(node int, id slot.GroupID, g *wal.GroupLog, into map[uint64][]Entry) (Span, error) {
	first, err := g.FirstIndex()
	if err != nil {
		return Span{}, err
	}
	last, err := g.LastIndex()
	if err != nil {
		return Span{}, err
	}
	for index := first; index <= last; index++ {
		var l raft.Log
		if err := g.GetLog(index, &l); err != nil {
			return Span{}, fmt.Errorf("group %d: entry %d: %w", id, index, err)
		}
		into[index] = noted(into[index], node, id, &l)
	}
	return Span{node, id, first, last}, nil
}

func noted(known []Entry, node int, id slot.GroupID, l *raft.Log) []Entry {
	for i := range known {
		if known[i].equal(l) {
			known[i].Nodes = append(known[i].Nodes, node)
			return known
		}
	}
	return append(known, Entry{Group: id, Index: l.Index, Term: l.Term, Type: l.Type, Data: l.Data, Nodes: []int{node}})
}
