package command

import (
	"bytes"
	"iter"
	"slices"
	"strings"

	"github.com/quorate/quorate/fsm/glob"
	"github.com/quorate/quorate/fsm/reply"
)

// Introspect answers COMMAND or the subcommand of it that id names. The caller has checked the arity.
func Introspect(w *reply.Writer, id ID, args [][]byte) {
	switch id {
	case Command:
		writeAll(w)
	case CommandCount:
		w.Int(int64(len(table)))
	case CommandInfo:
		writeInfo(w, args)
	case CommandDocs:
		writeDocs(w, args)
	case CommandList:
		writeList(w, args)
	case CommandGetkeys:
		writeKeys(w, args, false)
	case CommandGetkeysandflags:
		writeKeys(w, args, true)
	default:
		WriteHelp(w, Lookup([]byte("command")))
	}
}

// WriteHelp answers the HELP of a container from the table.
func WriteHelp(w *reply.Writer, container *Spec) {
	name := strings.ToUpper(container.Name)
	w.Array(1 + 2*len(container.Subcommands))
	w.Simple(name + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for _, sub := range container.Subcommands {
		_, word, _ := strings.Cut(sub.Name, "|")
		w.Simple(strings.TrimSpace(strings.ToUpper(word) + " " + sub.Syntax))
		w.Simple("    " + sub.Summary)
	}
}

func writeAll(w *reply.Writer) {
	w.Array(len(table))
	for i := range table {
		table[i].info(w)
	}
}

func writeInfo(w *reply.Writer, names [][]byte) {
	if len(names) == 0 {
		writeAll(w)
		return
	}
	w.Array(len(names))
	for _, name := range names {
		if s := byFullName(name); s != nil {
			s.info(w)
		} else {
			w.Null()
		}
	}
}

func writeDocs(w *reply.Writer, names [][]byte) {
	var known []*Spec
	for _, name := range names {
		if s := byFullName(name); s != nil {
			known = append(known, s)
		}
	}
	if len(names) == 0 {
		for i := range table {
			known = append(known, &table[i])
		}
	}
	w.Map(len(known))
	for _, s := range known {
		w.BulkString(s.Name)
		s.docs(w)
	}
}

func writeList(w *reply.Writer, args [][]byte) {
	keep := func(*Spec) bool { return true }
	if len(args) > 0 {
		if keep = listFilter(args); keep == nil {
			w.Error(reply.SyntaxError)
			return
		}
	}
	var names []string
	for s := range every() {
		if keep(s) {
			names = append(names, s.Name)
		}
	}
	w.Array(len(names))
	for _, name := range names {
		w.BulkString(name)
	}
}

// listFilter reads FILTERBY MODULE|ACLCAT|PATTERN value; nil if it is something else.
func listFilter(args [][]byte) func(*Spec) bool {
	if len(args) != 3 || !bytes.EqualFold(args[0], []byte("filterby")) {
		return nil
	}
	value := args[2]
	switch strings.ToLower(string(args[1])) {
	case "module":
		return func(*Spec) bool { return false }
	case "aclcat":
		i := slices.Index(categoryNames, "@"+strings.ToLower(string(value)))
		return func(s *Spec) bool { return i >= 0 && s.categories&(1<<i) != 0 }
	case "pattern":
		return func(s *Spec) bool { return glob.MatchFold(value, []byte(s.Name)) }
	}
	return nil
}

// every yields all commands that clients can name, containers before their subcommands.
func every() iter.Seq[*Spec] {
	return func(yield func(*Spec) bool) {
		for i := range table {
			if !yield(&table[i]) {
				return
			}
			for j := range table[i].Subcommands {
				if !yield(&table[i].Subcommands[j]) {
					return
				}
			}
		}
	}
}

// byFullName finds "get" as well as "client|id".
func byFullName(name []byte) *Spec {
	first, sub, two := bytes.Cut(name, []byte("|"))
	s := Lookup(first)
	if s == nil || !two {
		return s
	}
	return s.Sub(sub)
}

// writeKeys answers GETKEYS and GETKEYSANDFLAGS for a full command.
func writeKeys(w *reply.Writer, full [][]byte, flags bool) {
	s := Find(full)
	switch {
	case s == nil || s.IsContainer():
		w.Error("ERR Invalid command specified")
		return
	case len(s.Keys) == 0:
		w.Error("ERR The command has no key arguments")
		return
	case !s.ArityOK(len(full) - s.words):
		w.Error("ERR Invalid number of arguments specified for command")
		return
	}
	args := full[s.words:]
	w.Array(len(s.AppendKeys(nil, args)))
	for _, spec := range s.Keys {
		first, end := spec.bounds(s.words, len(args))
		for i := first; i < end; i += spec.Step {
			if !flags {
				w.Bulk(args[i])
				continue
			}
			w.Array(2)
			w.Bulk(args[i])
			writeNames(w, named(spec.Flags, keyFlagNames))
		}
	}
}

// info writes the ten elements of a COMMAND INFO entry.
func (s *Spec) info(w *reply.Writer) {
	w.Array(10)
	w.BulkString(s.Name)
	w.Int(int64(s.Arity))
	writeNames(w, named(s.Flags, flagNames))
	w.Int(int64(s.span.First))
	w.Int(int64(s.span.Last))
	w.Int(int64(s.span.Step))
	writeNames(w, named(s.categories, categoryNames))
	w.Set(len(s.Tips))
	for _, tip := range s.Tips {
		w.BulkString(tip)
	}
	w.Set(len(s.Keys))
	for _, k := range s.Keys {
		k.info(w)
	}
	if !s.IsContainer() {
		w.Set(0)
		return
	}
	w.Array(len(s.Subcommands))
	for i := range s.Subcommands {
		s.Subcommands[i].info(w)
	}
}

func (k KeySpec) info(w *reply.Writer) {
	w.Map(3)
	w.BulkString("flags")
	writeNames(w, named(k.Flags, keyFlagNames))
	w.BulkString("begin_search")
	w.Map(2)
	pair(w, "type", "index")
	w.BulkString("spec")
	w.Map(1)
	number(w, "index", k.First)
	w.BulkString("find_keys")
	w.Map(2)
	pair(w, "type", "range")
	w.BulkString("spec")
	w.Map(3)
	last := k.Last
	if last >= 0 {
		last -= k.First // here, unlike in the legacy triple, the last key is relative to the first
	}
	number(w, "lastkey", last)
	number(w, "keystep", k.Step)
	number(w, "limit", 0)
}

func number(w *reply.Writer, key string, n int) {
	w.BulkString(key)
	w.Int(int64(n))
}

func writeNames(w *reply.Writer, names iter.Seq[string]) {
	list := slices.Collect(names)
	w.Set(len(list))
	for _, name := range list {
		w.Simple(name)
	}
}
