package command

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// render is the inverse of reading a syntax.
func render(args []argument) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a.render()
	}
	return strings.Join(out, " ")
}

func (a argument) render() string {
	var s string
	switch a.kind {
	case "pure-token":
		s = a.token
	case "block":
		s = render(a.parts)
	case "oneof":
		parts := make([]string, len(a.parts))
		for i, p := range a.parts {
			parts[i] = p.render()
		}
		s = strings.Join(parts, " | ")
		if !a.optional || a.token != "" {
			s = "<" + s + ">"
		}
	default:
		s = a.name
	}
	again := s
	if a.token != "" && a.kind != "pure-token" {
		s = a.token + " " + s
	}
	if a.multipleToken {
		again = s
	}
	if a.multiple {
		s += " [" + again + " ...]"
	}
	if a.optional {
		s = "[" + s + "]"
	}
	return s
}

func TestSyntaxIsUnderstood(t *testing.T) {
	for s := range every() {
		if got := render(s.arguments()); got != s.Syntax {
			t.Errorf("%s: %q is understood as %q", s.Name, s.Syntax, got)
		}
	}
}

func TestSyntaxAgreesWithArity(t *testing.T) {
	for s := range every() {
		if s.IsContainer() {
			continue
		}
		least, exact := 0, true
		for _, a := range s.arguments() {
			n, fixed := a.words()
			least, exact = least+n, exact && fixed
		}
		want := s.words + least
		if !exact {
			want = -want
		}
		if s.Arity != want && !looseArity[s.Name] {
			t.Errorf("%s: arity %d, but %q means %d", s.Name, s.Arity, s.Syntax, want)
		}
	}
}

// looseArity lists commands whose arity in Redis is laxer than their syntax: they check the rest themselves.
var looseArity = map[string]bool{
	"quit": true, "client|kill": true, "client|tracking": true, "command|getkeys": true, "command|getkeysandflags": true,
}

// words returns the fewest words that an argument takes, and whether it never takes more.
func (a argument) words() (least int, exact bool) {
	least, exact = 1, true
	switch {
	case a.kind == "block":
		least = 0
		for _, p := range a.parts {
			n, fixed := p.words()
			least, exact = least+n, exact && fixed
		}
	case a.kind == "oneof":
		least = -1
		for _, p := range a.parts {
			n, fixed := p.words()
			exact = exact && fixed && (least < 0 || n == least)
			if least < 0 || n < least {
				least = n
			}
		}
	}
	if a.token != "" && a.kind != "pure-token" {
		least++
	}
	if a.optional {
		return 0, false
	}
	return least, exact && !a.multiple
}

// unlikeRedisArguments lists commands whose documented arguments differ from 7.0.15's, and why.
var unlikeRedisArguments = map[string]string{
	"command|getkeys":         "Redis documents none",
	"command|getkeysandflags": "Redis documents none",
	"debug":                   "Redis documents none",
	"incrbyfloat":             "the value is called amount, because increment is an integer elsewhere",
}

// TestArgumentsAreRedis compares tokens, names and types, in order, with what a redis-server 7.0.15 answered to
//
//	redis-cli -p PORT --json command docs |
//	  jq -c 'map_values({arguments, subcommands: ((.subcommands // {}) | map_values({arguments}))})' \
//	  > testdata/redis-7.0.15-arguments.json
func TestArgumentsAreRedis(t *testing.T) {
	redis := redisArguments(t)
	for s := range every() {
		r, known := redis[s.Name]
		if !known {
			continue
		}
		var got []string
		for _, a := range s.arguments() {
			got = append(got, a.leaves()...)
		}
		var want []string
		for _, a := range r {
			want = append(want, a.leaves()...)
		}
		if same, why := slices.Equal(got, want), unlikeRedisArguments[s.Name]; same == (why != "") {
			t.Errorf("%s, listed as different: %q\n got %v\nwant %v", s.Name, why, got, want)
		}
	}
}

func (a argument) leaves() []string {
	var out []string
	if a.token != "" {
		out = append(out, a.token)
	}
	for _, p := range a.parts {
		out = append(out, p.leaves()...)
	}
	if len(a.parts) == 0 && a.kind != "pure-token" {
		out = append(out, a.name+":"+a.kind)
	}
	return out
}

type redisArgument struct {
	Name, Type, Token string
	Arguments         []redisArgument
}

func (r redisArgument) leaves() []string {
	a := argument{name: r.Name, kind: r.Type, token: r.Token}
	if len(r.Arguments) == 0 {
		return a.leaves()
	}
	var out []string
	if r.Token != "" {
		out = append(out, r.Token)
	}
	for _, p := range r.Arguments {
		out = append(out, p.leaves()...)
	}
	return out
}

func redisArguments(t *testing.T) map[string][]redisArgument {
	data, err := os.ReadFile("testdata/redis-7.0.15-arguments.json")
	if err != nil {
		t.Fatal(err)
	}
	type docs struct {
		Arguments   []redisArgument
		Subcommands map[string]struct{ Arguments []redisArgument }
	}
	var all map[string]docs
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	out := map[string][]redisArgument{}
	for name, d := range all {
		out[name] = d.Arguments
		for sub, d := range d.Subcommands {
			out[sub] = d.Arguments
		}
	}
	return out
}
