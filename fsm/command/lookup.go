package command

import (
	"slices"
	"strings"
)

// table holds every command that clients can name, sorted by name.
var table = func() []Spec {
	all := slices.Concat(stringSpecs, genericSpecs, expirySpecs, transactionSpecs, connectionSpecs, serverSpecs,
		diagnosticSpecs, clusterSpecs)
	slices.SortFunc(all, func(a, b Spec) int { return strings.Compare(a.Name, b.Name) })
	return all
}()

// internal holds the operations that only a leader writes.
var internal = []Spec{
	{
		Name: "evict", ID: Evict, Arity: -3, Flags: Write, Home: Internal,
		Summary: "Removes keys whose version is unchanged, to stay within the memory limit.",
	},
	{
		Name: "limit", ID: Limit, Arity: 4, Flags: Write, Home: Internal,
		Summary: "Sets the memory limit and the policy of a group.",
	},
}

var byName, byID = index(table, internal)

// longestWord bounds a word that can name a command or subcommand.
const longestWord = 32

// index completes the specs and builds the ways to find them. It panics on a table that contradicts itself,
// which no test binary survives.
func index(named, unnamed []Spec) (map[string]*Spec, []*Spec) {
	names := map[string]*Spec{}
	var ids []*Spec
	enter := func(s *Spec, words int) {
		s.words, s.span, s.categories = words, union(s.Keys), s.ACL|implied(s.Flags)
		if len(ids) <= int(s.ID) {
			ids = append(ids, make([]*Spec, int(s.ID)+1-len(ids))...)
		}
		if s.ID == 0 || ids[s.ID] != nil {
			panic("command: id of " + s.Name + " is 0 or taken")
		}
		ids[s.ID] = s
	}
	for i := range named {
		s := &named[i]
		enter(s, 1)
		names[s.Name] = s
		if len(s.Subcommands) == 0 {
			continue
		}
		s.subs = map[string]*Spec{}
		for j := range s.Subcommands {
			sub := &s.Subcommands[j]
			enter(sub, 2)
			s.subs[strings.TrimPrefix(sub.Name, s.Name+"|")] = sub
		}
	}
	for i := range unnamed {
		enter(&unnamed[i], 1)
	}
	return names, ids
}

// Lookup finds a command by its first word, in any case; nil if there is none. It does not allocate.
func Lookup(name []byte) *Spec {
	var room [longestWord]byte
	return byName[string(lower(&room, name))]
}

// Sub finds a container's subcommand by its word, in any case; nil if there is none. It does not allocate.
func (s *Spec) Sub(word []byte) *Spec {
	var room [longestWord]byte
	return s.subs[string(lower(&room, word))]
}

// Find finds what a full command, name included, calls: a command, or a container's subcommand. Of an unknown
// subcommand, or a container alone, it returns the container. Spec.Words says how many words were the name.
func Find(words [][]byte) *Spec {
	if len(words) == 0 {
		return nil
	}
	s := Lookup(words[0])
	if s == nil || s.subs == nil || len(words) == 1 {
		return s
	}
	if sub := s.Sub(words[1]); sub != nil {
		return sub
	}
	return s
}

// ByID finds a command or internal operation by its id; nil if there is none.
func ByID(id ID) *Spec {
	if int(id) >= len(byID) {
		return nil
	}
	return byID[id]
}

// IsContainer reports whether the command only groups subcommands. COMMAND is one and yet runs alone.
func (s *Spec) IsContainer() bool { return s.subs != nil }

// lower writes word in lower case into room. Words that are too long for any command come back empty.
func lower(room *[longestWord]byte, word []byte) []byte {
	if len(word) > longestWord {
		return nil
	}
	for i, c := range word {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		room[i] = c
	}
	return room[:len(word)]
}
