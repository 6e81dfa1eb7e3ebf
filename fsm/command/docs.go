package command

import "github.com/quorate/quorate/fsm/reply"

// docs writes the documentation of one command. redis-cli asserts on this shape: a map of strings, save for
// doc_flags (a set of statuses), arguments (an array of maps) and subcommands (a map of maps).
func (s *Spec) docs(w *reply.Writer) {
	arguments := s.arguments()
	fields := 4
	for _, present := range []bool{s.Syscmd || s.Deprecated != "", s.Deprecated != "", s.ReplacedBy != "", len(arguments) > 0, s.IsContainer()} {
		if present {
			fields++
		}
	}
	w.Map(fields)
	pair(w, "summary", s.Summary)
	pair(w, "since", s.Since)
	pair(w, "group", s.Group)
	pair(w, "complexity", s.Complexity)
	s.docFlags(w)
	if len(arguments) > 0 {
		w.BulkString("arguments")
		writeArguments(w, arguments)
	}
	if s.IsContainer() {
		w.BulkString("subcommands")
		w.Map(len(s.Subcommands))
		for i := range s.Subcommands {
			w.BulkString(s.Subcommands[i].Name)
			s.Subcommands[i].docs(w)
		}
	}
}

func (s *Spec) docFlags(w *reply.Writer) {
	switch {
	case s.Deprecated != "":
		w.BulkString("doc_flags")
		w.Set(1)
		w.Simple("deprecated")
		pair(w, "deprecated_since", s.Deprecated)
	case s.Syscmd:
		w.BulkString("doc_flags")
		w.Set(1)
		w.Simple("syscmd")
	}
	if s.ReplacedBy != "" {
		pair(w, "replaced_by", s.ReplacedBy)
	}
}

func writeArguments(w *reply.Writer, arguments []argument) {
	w.Array(len(arguments))
	for i := range arguments {
		arguments[i].write(w)
	}
}

func (a *argument) write(w *reply.Writer) {
	value := a.kind != "pure-token" && len(a.parts) == 0
	flags := a.flags()
	fields := 2
	for _, present := range []bool{value, a.kind == "key", a.token != "", len(flags) > 0, len(a.parts) > 0} {
		if present {
			fields++
		}
	}
	w.Map(fields)
	pair(w, "name", a.name)
	pair(w, "type", a.kind)
	if value {
		pair(w, "display_text", a.name) // 7.2; its redis-cli shows this one
	}
	if a.kind == "key" {
		w.BulkString("key_spec_index")
		w.Int(int64(a.keySpec))
	}
	if a.token != "" {
		pair(w, "token", a.token)
	}
	if len(flags) > 0 {
		w.BulkString("flags")
		w.Set(len(flags))
		for _, f := range flags {
			w.Simple(f)
		}
	}
	if len(a.parts) > 0 {
		w.BulkString("arguments")
		writeArguments(w, a.parts)
	}
}

func (a *argument) flags() (names []string) {
	if a.optional {
		names = append(names, "optional")
	}
	if a.multiple {
		names = append(names, "multiple")
	}
	if a.multipleToken {
		names = append(names, "multiple_token")
	}
	return names
}

func pair(w *reply.Writer, key, value string) {
	w.BulkString(key)
	w.BulkString(value)
}
