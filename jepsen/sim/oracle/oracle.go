package oracle

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"github.com/zeebo/xxh3"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/slot"
)

// Oracle is for one run. Its methods may be called from any goroutine.
type Oracle struct {
	mu         sync.Mutex
	began      time.Time
	groups     map[slot.GroupID]*group
	owners     [slot.Count]slot.GroupID
	violations []Violation
	entries    int
	compared   int
	found      func(Violation)
}

// Violation is something that cannot be in a correct cluster.
type Violation struct {
	// At is the time since the run began.
	At time.Duration `json:"at_ns"`
	// Checker says which rule was broken.
	Checker string `json:"checker"`
	Text    string `json:"text"`
}

func (v Violation) String() string {
	return fmt.Sprintf("%.3f s: %s: %s", v.At.Seconds(), v.Checker, v.Text)
}

// most bounds the violations that are kept: one thing that is wrong shows in many ways.
const most = 20

// group is what is known of one Raft group.
type group struct {
	id slot.GroupID
	// leaders are who led each term, stored what was ever stored by index and term.
	leaders map[uint64]string
	stored  map[place]stored
	// log[i] is the committed command at index, in order.
	log []Entry
	// digests are of the state after an index.
	digests map[uint64]fsm.Digest
	// forgiven are spans of time whose entries may have been lost, because a majority lost power before it had synced.
	forgiven []*span
	// losses are from when the first lost entry was applied to when another one took its place.
	losses []span
	lost   int
}

// place is an entry's, unique by Raft's election rule.
type place struct{ index, term uint64 }

type stored struct {
	sum xxh3.Uint128
	// before is the term of the entry before; 0 if that was not known.
	before uint64
}

type span struct{ from, to time.Duration }

func (s span) holds(t time.Duration) bool { return s.from <= t && t <= s.to }

// Entry is a committed entry of a group's log.
type Entry struct {
	Index, Term uint64
	Data        []byte
	// First is when a replica first applied it.
	First time.Duration
	sum   xxh3.Uint128
}

// New makes an oracle for a run that begins now. found is told each violation at once; it must not call the oracle.
func New(found func(Violation)) *Oracle {
	return &Oracle{began: time.Now(), groups: map[slot.GroupID]*group{}, found: found}
}

func (o *Oracle) group(id slot.GroupID) *group {
	g := o.groups[id]
	if g == nil {
		g = &group{id: id, leaders: map[uint64]string{}, stored: map[place]stored{}, digests: map[uint64]fsm.Digest{}}
		o.groups[id] = g
	}
	return g
}

// Report adds a violation that somebody else found.
func (o *Oracle) Report(checker, format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.report(checker, format, args...)
}

func (o *Oracle) report(checker, format string, args ...any) {
	if len(o.violations) < most {
		v := Violation{time.Since(o.began), checker, fmt.Sprintf(format, args...)}
		o.violations = append(o.violations, v)
		o.found(v)
	}
}

// Violations are those found so far, the first first.
func (o *Oracle) Violations() []Violation {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.violations)
}

// Counts are what the oracle looked at.
type Counts struct {
	// Entries were applied, replays included; Compared are states whose digest was compared with another replica's.
	Entries, Compared int
	// Terms had a leader; Elections are those beyond each group's first, so each is the loss of a leader.
	Terms, Elections int
	// Lost entries were committed and lost with the power of a majority, as durability interval allows.
	Lost int
}

// Counts returns the counters.
func (o *Oracle) Counts() Counts {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := Counts{Entries: o.entries, Compared: o.compared}
	for _, g := range o.groups {
		c.Terms += len(g.leaders)
		c.Elections += max(0, len(g.leaders)-1)
		c.Lost += g.lost
	}
	return c
}

// Groups lists the groups that have committed something, placement's (0) too, in order.
func (o *Oracle) Groups() (out []slot.GroupID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, g := range o.groups {
		if len(g.log) > 0 {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// Log returns the committed commands of a group, in order.
func (o *Oracle) Log(id slot.GroupID) []Entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	if g := o.groups[id]; g != nil {
		return slices.Clone(g.log)
	}
	return nil
}

// Led notes that a node sent, as the leader of a term.
func (o *Oracle) Led(id slot.GroupID, term uint64, node string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := o.group(id)
	switch other, led := g.leaders[term]; {
	case !led:
		g.leaders[term] = node
	case other != node:
		o.report("leader per term", "group %d has two leaders in term %d: %s and %s", id, term, other, node)
	}
}

// sum identifies what an entry says.
func sum(l *raft.Log) xxh3.Uint128 {
	h := xxh3.New()
	_, _ = h.Write([]byte{byte(l.Type)})
	_, _ = h.Write(l.Data)
	return h.Sum128()
}
