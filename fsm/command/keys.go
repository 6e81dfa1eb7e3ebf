package command

import "github.com/quorate/quorate/fsm/slot"

// KeySpec locates keys: arguments First, First+Step, … Last, counted from the command name at 0 (a subcommand's
// second word is 1). Last < 0 counts from the end (-1 is the last argument). First 0 means: no keys.
type KeySpec struct {
	First, Last, Step int
	Flags             KeyFlags
}

func firstKey(f KeyFlags) []KeySpec { return []KeySpec{{First: 1, Last: 1, Step: 1, Flags: f}} }
func allKeys(f KeyFlags) []KeySpec  { return []KeySpec{{First: 1, Last: -1, Step: 1, Flags: f}} }

// bounds returns the positions in args (which exclude the words that name the command) of the first key and
// after the last. Missing arguments just mean fewer keys; arity is checked elsewhere.
func (k KeySpec) bounds(words, args int) (first, end int) {
	if k.First == 0 {
		return 0, 0
	}
	last := k.Last - words
	if k.Last < 0 {
		last = args + k.Last
	}
	return k.First - words, min(last+1, args)
}

// union returns a KeySpec that covers all of specs, as Redis's legacy first/last/step triple does.
func union(specs []KeySpec) (u KeySpec) {
	for i, k := range specs {
		if i == 0 {
			u = k
			continue
		}
		u.First, u.Last = min(u.First, k.First), max(u.Last, k.Last)
	}
	return u
}

// FirstKey is the position in args of the first key, of a command that has keys.
func (s *Spec) FirstKey() int { return s.span.First - s.words }

// AppendKeys appends the positions of the keys in args to dst.
func (s *Spec) AppendKeys(dst []int, args [][]byte) []int {
	first, end := s.span.bounds(s.words, len(args))
	for i := first; i < end; i += s.span.Step {
		dst = append(dst, i)
	}
	return dst
}

// Routing says how a command's keys lie.
type Routing uint8

const (
	// NoKeys: the command has no keys.
	NoKeys Routing = iota
	// OneSlot: all keys are in one slot.
	OneSlot
	// CrossSlot: the keys are in several slots, which no group can serve as one step.
	CrossSlot
)

// SlotOf returns the slot of the command's keys. The slot has a meaning only with OneSlot.
func SlotOf(s *Spec, args [][]byte) (uint16, Routing) {
	first, end := s.span.bounds(s.words, len(args))
	if first >= end {
		return 0, NoKeys
	}
	one := slot.Of(args[first])
	for i := first + s.span.Step; i < end; i += s.span.Step {
		if slot.Of(args[i]) != one {
			return 0, CrossSlot
		}
	}
	return one, OneSlot
}
