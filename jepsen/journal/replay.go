package journal

import (
	"bytes"
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement"
	"github.com/quorate/quorate/placement/topology"
)

// Position is a place in a group's log.
type Position struct {
	Group slot.GroupID
	Index uint64
	// Op is the command's number in the entry.
	Op int
	// Applied says that the command did something: it was not refused there, as one whose watched key had changed.
	Applied bool
}

// Vanish is a key that expired or was evicted.
type Vanish struct {
	Key, Value string
	At         Position
	Evicted    bool
}

// Story is what the logs tell from their beginning to what is committed.
type Story struct {
	// Whole says that no log was cut: what is not in Of did not happen.
	Whole bool
	// Of are the places of each token, in order.
	Of       map[string][]Position
	Vanished []Vanish
	// Digests are those of each group after its last committed entry.
	Digests map[slot.GroupID]string
	// Epochs is how many maps placement's log made.
	Epochs int

	owners [slot.Count]slot.GroupID
}

// ErrTwoOwners says that two groups executed commands on one slot, or that a map is not sound.
var ErrTwoOwners = errors.New("more than one group serves a slot")

// Replay executes all committed entries again, if the logs are whole; the story of cut logs only tells places.
func (j *Journal) Replay(c Committed) (*Story, error) {
	s := &Story{Whole: true, Of: map[string][]Position{}, Digests: map[slot.GroupID]string{}}
	groups := j.groups()
	for _, g := range groups {
		s.Whole = s.Whole && g.fromTheStart()
	}
	born := map[slot.GroupID]topology.Group{}
	for _, g := range groups {
		if g.id == 0 && s.Whole {
			if err := s.maps(g, born); err != nil {
				return nil, err
			}
			continue
		}
		if err := s.replay(g, c[g.id], born[g.id]); err != nil {
			return nil, fmt.Errorf("replay group %d: %w", g.id, err)
		}
	}
	return s, nil
}

// maps replays placement's log: every map must be sound, which includes that each slot has one owner.
func (s *Story) maps(g group, born map[slot.GroupID]topology.Group) error {
	var state placement.State
	for i := range g.entries {
		e := &g.entries[i]
		if e.Type != raft.LogCommand || i+1 < len(g.entries) && g.entries[i+1].Index == e.Index {
			continue // of entries that differ, the one of the highest term lasts
		}
		c, err := placement.Decode(e.Data)
		if err != nil {
			return fmt.Errorf("placement's log entry %d: %w", e.Index, err)
		}
		next, err := state.Apply(c)
		if err != nil {
			continue // refused, on every replica alike
		}
		if err := next.Map.Validate(); err != nil {
			return fmt.Errorf("%w: placement's log entry %d: %w", ErrTwoOwners, e.Index, err)
		}
		state = next
		for _, g := range state.Map.Groups {
			born[g.ID] = g
		}
	}
	s.Epochs = int(state.Epoch())
	return nil
}

// teller replays one group.
type teller struct {
	story   *Story
	group   slot.GroupID
	machine *fsm.Machine
	// kept are the values and deadlines of the workloads' keys as they are now, due the deadlines in order. An entry of due
	// counts only if kept still has it.
	kept map[string]value
	due  deadlines
	out  reply.Writer
}

type value struct {
	text     string
	deadline int64
}

func (s *Story) replay(g group, upTo uint64, born topology.Group) error {
	t := &teller{story: s, group: g.id, kept: map[string]value{}}
	if s.Whole {
		if born.ID != g.id {
			return fmt.Errorf("placement's log does not create the group")
		}
		t.machine = fsm.New(fsm.Genesis{Group: g.id, HashSeed: born.HashSeed, Slots: born.Genesis})
	}
	for i := range g.entries {
		e := &g.entries[i]
		if e.Index > upTo {
			break
		}
		if e.Type != raft.LogCommand {
			continue
		}
		var decoded entry.Entry
		if err := entry.Decode(e.Data, &decoded); err != nil {
			return fmt.Errorf("entry %d: %w", e.Index, err)
		}
		if err := t.entry(e.Index, &decoded); err != nil {
			return fmt.Errorf("entry %d: %w", e.Index, err)
		}
	}
	if t.machine != nil {
		snapshot := t.machine.Snapshot()
		s.Digests[g.id] = snapshot.Digest().String()
		snapshot.Release()
	}
	return nil
}

func (t *teller) entry(index uint64, e *entry.Entry) error {
	at := Position{Group: t.group, Index: index, Applied: true}
	if t.machine == nil {
		for at.Op = range e.Ops {
			t.note(&e.Ops[at.Op], at)
		}
		return nil
	}
	t.machine.Begin(index, e.Now)
	t.expire(at)
	for at.Op = range e.Ops {
		if err := t.op(&e.Ops[at.Op], at); err != nil {
			return err
		}
	}
	t.machine.End()
	return nil
}

func (t *teller) note(op *entry.Op, at Position) {
	for _, token := range written(op, nil) {
		if token != "" {
			t.story.Of[token] = append(t.story.Of[token], at)
		}
	}
}

func (t *teller) op(op *entry.Op, at Position) error {
	t.out.Buf = t.out.Buf[:0]
	verdict := t.machine.Do(op, &t.out)
	at.Applied = verdict == fsm.Done && !refused(op, t.out.Buf)
	t.note(op, at)
	if verdict != fsm.Done {
		return nil
	}
	if op.Cmd == command.Evict {
		victims, err := entry.Victims(nil, op)
		if err != nil {
			return err
		}
		for _, v := range victims {
			t.gone(string(v.Key), at, true)
		}
		return nil
	}
	return t.touched(op)
}

// refused reads a reply that says that nothing was done.
func refused(op *entry.Op, out []byte) bool {
	switch {
	case bytes.HasPrefix(out, []byte("-")):
		return true
	case op.Cmd == command.Exec:
		return bytes.HasPrefix(out, []byte("*-1"))
	}
	return false
}

// touched looks at the keys of a command that was executed, and at who executed it.
func (t *teller) touched(op *entry.Op) error {
	if op.Tx != nil {
		for i := range op.Tx.Ops {
			if err := t.touched(&op.Tx.Ops[i]); err != nil {
				return err
			}
		}
		return nil
	}
	for _, i := range command.ByID(op.Cmd).AppendKeys(nil, op.Args) {
		key := op.Args[i]
		n := slot.Of(key)
		if owner := t.story.owners[n]; owner != 0 && owner != t.group {
			return fmt.Errorf("%w: slot %d was served by group %d and by group %d", ErrTwoOwners, n, owner, t.group)
		}
		t.story.owners[n] = t.group
		t.look(string(key))
	}
	return nil
}

// look takes down what a workload's key holds now.
func (t *teller) look(key string) {
	if !strings.HasPrefix(key, "{") {
		return
	}
	text, there := t.get(key)
	if !there {
		delete(t.kept, key)
		return
	}
	v := value{text: text, deadline: t.deadline(key)}
	t.kept[key] = v
	if v.deadline > 0 {
		heap.Push(&t.due, due{v.deadline, key})
	}
}

func (t *teller) get(key string) (text string, there bool) {
	t.out.Buf = t.out.Buf[:0]
	t.machine.Read(&entry.Op{Cmd: command.Get, Args: [][]byte{[]byte(key)}}, t.machine.Now(), &t.out)
	if bytes.HasPrefix(t.out.Buf, []byte("$-1")) {
		return "", false
	}
	_, rest, _ := bytes.Cut(t.out.Buf, []byte("\r\n"))
	return string(bytes.TrimSuffix(rest, []byte("\r\n"))), true
}

// deadline is the key's, Unix ms; negative if it has none.
func (t *teller) deadline(key string) (at int64) {
	t.out.Buf = t.out.Buf[:0]
	t.machine.Read(&entry.Op{Cmd: command.Pexpiretime, Args: [][]byte{[]byte(key)}}, t.machine.Now(), &t.out)
	_, _ = fmt.Sscanf(string(t.out.Buf), ":%d", &at) // 0 is as good as none
	return at
}

// expire finds the keys whose time is over at the machine's clock.
func (t *teller) expire(at Position) {
	for len(t.due) > 0 && t.due[0].at <= t.machine.Now() {
		d := heap.Pop(&t.due).(due)
		if t.kept[d.key].deadline == d.at {
			t.gone(d.key, at, false)
			if _, still := t.kept[d.key]; still { // it goes when the clock has passed the deadline, not at it
				heap.Push(&t.due, due{d.at + 1, d.key})
				v := t.kept[d.key]
				v.deadline++
				t.kept[d.key] = v
			}
		}
	}
}

// gone notes a key that has vanished, if it has.
func (t *teller) gone(key string, at Position, evicted bool) {
	v, known := t.kept[key]
	if !known {
		return
	}
	if _, there := t.get(key); there {
		return
	}
	t.story.Vanished = append(t.story.Vanished, Vanish{Key: key, Value: v.text, At: at, Evicted: evicted})
	delete(t.kept, key)
}

type due struct {
	at  int64
	key string
}

// deadlines is a heap.
type deadlines []due

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, k int) bool { return d[i].at < d[k].at }
func (d deadlines) Swap(i, k int)      { d[i], d[k] = d[k], d[i] }
func (d *deadlines) Push(x any)        { *d = append(*d, x.(due)) }
func (d *deadlines) Pop() any {
	old := *d
	last := old[len(old)-1]
	*d = old[:len(old)-1]
	return last
}

// order sorts places of one log.
func order(a, b Position) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Index, b.Index), cmp.Compare(a.Op, b.Op))
}

// place is where a token's write took effect, or where it stands without effect.
func (s *Story) place(tokens []string) (at Position, found bool) {
	for _, token := range tokens {
		for _, p := range s.Of[token] {
			if !found || p.Applied && !at.Applied {
				at, found = p, true
			}
		}
	}
	return at, found
}

// twice finds a token that took effect at two places.
func (s *Story) twice() (token string, at []Position) {
	for token, all := range s.Of {
		at = slices.DeleteFunc(slices.Clone(all), func(p Position) bool { return !p.Applied })
		if len(slices.CompactFunc(slices.SortedFunc(slices.Values(at), order), func(a, b Position) bool { return order(a, b) == 0 })) > 1 {
			return token, at
		}
	}
	return "", nil
}
