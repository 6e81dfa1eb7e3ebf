package command

import (
	"slices"
	"strings"
)

// argument is one element of what COMMAND DOCS says about a command's arguments.
type argument struct {
	name  string
	kind  string // as Redis: key, string, integer, …, pure-token, oneof, block
	token string
	// keySpec is the index of the key spec that finds this key.
	keySpec                           int
	optional, multiple, multipleToken bool
	parts                             []argument
}

// kinds gives the type of values that are not plain strings. Keys are told by name, too.
var kinds = map[string]string{
	"key": "key", "key1": "key", "key2": "key", "newkey": "key", "source": "key", "destination": "key",
	"seconds": "integer", "milliseconds": "integer", "unix-time-seconds": "unix-time", "unix-time-milliseconds": "unix-time",
	"increment": "integer", "decrement": "integer", "amount": "double", "offset": "integer", "start": "integer", "end": "integer",
	"len": "integer", "count": "integer", "cursor": "integer", "index": "integer", "timeout": "integer", "limit": "integer",
	"slot": "integer", "start-slot": "integer", "end-slot": "integer", "destination-db": "integer", "numreplicas": "integer",
	"numlocal": "integer", "client-id": "integer", "protover": "integer", "port": "integer", "cluster_bus_port": "integer",
	"config-epoch": "integer", "pattern": "pattern",
}

// arguments reads Syntax: WORDS in capitals stand for themselves, others name a value; [optional], <one | of>,
// "a b [a b ...]" repeats a b, and a token before a value or <…> belongs to it. The table's syntaxes are all
// checked by a test, so that reading needs no errors.
func (s *Spec) arguments() []argument {
	p := syntax{words: strings.Fields(spaced.Replace(s.Syntax)), keys: s.Keys}
	return p.choice("")
}

var spaced = strings.NewReplacer("[", " [ ", "]", " ] ", "<", " < ", ">", " > ")

type syntax struct {
	words []string
	keys  []KeySpec
	found int // keys so far
}

func (p *syntax) next() string {
	if len(p.words) == 0 {
		return ""
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w
}

func (p *syntax) peek() string {
	if len(p.words) == 0 {
		return ""
	}
	return p.words[0]
}

// choice reads alternatives up to and with the closing word. One alternative is returned as it is, several as a
// single oneof.
func (p *syntax) choice(closing string) []argument {
	alternatives := [][]argument{p.sequence(closing)}
	for p.peek() == "|" {
		p.next()
		alternatives = append(alternatives, p.sequence(closing))
	}
	p.next()
	if len(alternatives) == 1 {
		return alternatives[0]
	}
	one := argument{kind: "oneof"}
	for _, a := range alternatives {
		one.parts = append(one.parts, block(a))
	}
	one.name = joined(one.parts)
	return []argument{one}
}

// sequence reads arguments up to the closing word, or a bar, which both stay.
func (p *syntax) sequence(closing string) (out []argument) {
	for {
		switch w := p.peek(); w {
		case closing, "|":
			return out
		case "[":
			p.next()
			if inner, repeat := p.optional(); repeat {
				out = repeated(out, inner)
			} else {
				inner.optional = true
				out = append(out, inner)
			}
		case "<":
			p.next()
			out = append(out, choose(p.choice(">")))
		default:
			out = append(out, p.word())
		}
	}
}

// optional reads what is between brackets. repeat says that it ends with dots: the arguments before, once more.
func (p *syntax) optional() (inner argument, repeat bool) {
	end := slices.Index(p.words, "]")
	if end > 0 && p.words[end-1] == "..." && !slices.Contains(p.words[:end], "[") {
		inner = block((&syntax{words: p.words[:end-1], keys: p.keys, found: p.found}).sequence(""))
		p.words = p.words[end+1:]
		return inner, true
	}
	return block(p.choice("]")), false
}

// word reads a value, a token, or a token with what it introduces.
func (p *syntax) word() argument {
	w := p.next()
	if !isToken(w) {
		return p.value(w)
	}
	switch next := p.peek(); {
	case next == "<":
		p.next()
		a := choose(p.choice(">"))
		a.token = w
		return a
	case next == "" || isToken(next) || strings.ContainsAny(next, "[]>|"):
		return argument{name: strings.ToLower(w), kind: "pure-token", token: w}
	}
	a := p.value(p.next())
	a.token = w
	return a
}

func (p *syntax) value(name string) argument {
	a := argument{name: name, kind: kinds[name]}
	switch {
	case a.kind == "" || a.kind == "key" && len(p.keys) == 0:
		a.kind = "string"
	case a.kind == "key":
		a.keySpec = min(p.found, len(p.keys)-1)
		p.found++
	}
	return a
}

// repeated marks the end of out that again repeats.
func repeated(out []argument, again argument) []argument {
	n := max(1, len(again.parts))
	at := len(out) - n
	if n == 1 {
		out[at].multiple = true
		out[at].multipleToken = again.token != ""
		return out
	}
	group := block(slices.Clone(out[at:]))
	group.multiple = true
	group.token, group.parts[0].token = group.parts[0].token, ""
	return append(out[:at], group)
}

// block joins several arguments to one.
func block(args []argument) argument {
	if len(args) == 1 {
		return args[0]
	}
	return argument{name: joined(args), kind: "block", parts: args}
}

// choose makes a oneof of what was between < and >, even where that is a single argument.
func choose(args []argument) argument {
	if len(args) == 1 && args[0].kind == "oneof" {
		return args[0]
	}
	return argument{name: joined(args), kind: "oneof", parts: args}
}

func joined(args []argument) string {
	names := make([]string, len(args))
	for i, a := range args {
		names[i] = a.name
	}
	return strings.Join(names, "-")
}

func isToken(w string) bool { return w == strings.ToUpper(w) && strings.ToLower(w) != w }
