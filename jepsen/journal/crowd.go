package journal

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/jepsen/history"
)

// crowd is all commands that look alike: nothing tells which operation is which place in the log.
type crowd struct {
	text string
	// at are the places where it took effect, in the order of the log.
	at []Position
	// told are acknowledged, so that each has a place; may are all that may have one.
	told, may []history.Op
	// sent counts the operations of every outcome, logged the places of every effect.
	sent, logged int
}

// crowds are those of a history, in the order of their first operation.
func (s *Story) crowds(ops []history.Op) []*crowd {
	var out []*crowd
	of := map[string]*crowd{}
	for _, op := range ops {
		text := textOf(op)
		if text == "" {
			continue
		}
		c := of[text]
		if c == nil {
			c = &crowd{text: text}
			of[text], out = c, append(out, c)
		}
		c.sent++
		if op.Outcome == history.Applied {
			c.told = append(c.told, op)
		}
		if op.Outcome != history.Failed || !s.Whole && refusedThere(op) {
			c.may = append(c.may, op)
		}
	}
	for _, c := range out {
		c.logged = len(s.Alike[c.text])
		c.at = slices.DeleteFunc(slices.Clone(s.Alike[c.text]), func(p Position) bool { return !p.Applied })
	}
	return out
}

// lost is an acknowledged operation that has no place.
func (c *crowd) lost(w windows) *history.Op {
	if len(c.at) < len(c.told) {
		return &c.told[len(c.told)-1]
	}
	if !c.together() {
		return nil
	}
	standing, _ := c.seat(c.told, w)
	return standing
}

// unsent says what the log has that no client can have sent.
func (c *crowd) unsent(w windows) error {
	switch {
	case c.logged > c.sent:
		return fmt.Errorf("the log has %q %d times, clients sent it %d times", c.text, c.logged, c.sent)
	case len(c.at) > len(c.may):
		return fmt.Errorf("%q took effect %d times, but only %d of the clients' may have", c.text, len(c.at), len(c.may))
	case !c.together():
		return nil
	}
	if _, empty := c.seat(c.may, w); empty != nil {
		return fmt.Errorf("%q took effect at %+v, when no client had sent it", c.text, *empty)
	}
	return nil
}

// together says that all places are in one log: two have no common order.
func (c *crowd) together() bool { return len(c.at) == 0 || c.at[0].Group == c.at[len(c.at)-1].Group }

// seat finds a place for operations, each of which took effect between its call and its end, while an entry was applied within its
// window. It returns an operation that finds no place, or a place that finds no operation, if there is one. Windows do not go back along
// a log, so the places that an operation may have follow one another, and giving each place to the one of them that can wait least
// seats as many as can be seated.
func (c *crowd) seat(ops []history.Op, w windows) (standing *history.Op, empty *Position) {
	waiting := slices.Clone(ops)
	for i := range c.at {
		since, until := w.since(c.at[i]), w.until(c.at[i])
		best := -1
		for j := range waiting {
			if fits := waiting[j].Call <= until && waiting[j].End() >= since; fits && (best < 0 || waiting[j].End() < waiting[best].End()) {
				best = j
			}
		}
		if best < 0 {
			empty = &c.at[i]
			continue
		}
		waiting = slices.Delete(waiting, best, best+1)
	}
	if len(waiting) > 0 {
		standing = &waiting[0]
	}
	return standing, empty
}
