package journal

import (
	"bytes"
	"container/heap"
	"fmt"
	"strings"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

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
		if i == 0 || e.Index > g.entries[i-1].Index+1 {
			s.tails[g.id] = e.Index
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
	for _, key := range keysOf(op, nil) {
		t.story.logged[slot.Of(key)] = t.group
	}
	tokens := written(op, nil)
	for _, token := range tokens {
		t.story.Of[token] = append(t.story.Of[token], at)
	}
	if text := text(op); len(tokens) == 0 && text != "" {
		t.story.Alike[text] = append(t.story.Alike[text], at)
	}
}

// keysOf are the keys of a logged command.
func keysOf(op *entry.Op, into [][]byte) [][]byte {
	if op.Tx != nil {
		for i := range op.Tx.Ops {
			into = keysOf(&op.Tx.Ops[i], into)
		}
		return into
	}
	for _, i := range command.ByID(op.Cmd).AppendKeys(nil, op.Args) {
		into = append(into, op.Args[i])
	}
	return into
}

func (t *teller) op(op *entry.Op, at Position) error {
	if op.Cmd == command.Evict {
		return t.evict(op, at)
	}
	verdict := t.do(op, at)
	if verdict != fsm.Done {
		return nil
	}
	return t.touched(op)
}

// do executes a command and notes it.
func (t *teller) do(op *entry.Op, at Position) fsm.Verdict {
	t.out.Buf = t.out.Buf[:0]
	verdict := t.machine.Do(op, &t.out)
	at.Applied = verdict == fsm.Done && !refused(op, t.out.Buf)
	t.note(op, at)
	return verdict
}

// evict also checks, beside the state machine, that what has been written since it was chosen stays.
func (t *teller) evict(op *entry.Op, at Position) error {
	victims, err := entry.Victims(nil, op)
	if err != nil {
		return err
	}
	newer := map[string]bool{}
	for _, v := range victims {
		now, verdict := t.machine.WatchVersion(v.Key, 0)
		_, there := t.get(string(v.Key))
		newer[string(v.Key)] = there && verdict == fsm.Done && now != v.Version
	}
	if t.do(op, at) != fsm.Done {
		return nil
	}
	for _, v := range victims {
		key := string(v.Key)
		t.gone(key, at, true)
		t.story.Victims++
		if _, there := t.get(key); newer[key] && !there {
			t.story.Wronged = append(t.story.Wronged, Vanish{Key: key, At: at, Evicted: true})
		}
	}
	return nil
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
	for _, key := range keysOf(op, nil) {
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
	t.story.Vanished = append(t.story.Vanished, Vanish{Key: key, Value: asSent(v.text), At: at, Evicted: evicted})
	delete(t.kept, key)
}

// asSent is a value as a history has it: workloads make some long by writing them again and again behind a colon.
func asSent(text string) string {
	if value := unique.FindString(text); value != "" && strings.HasPrefix(text[len(value):], ":") {
		return value
	}
	return text
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
