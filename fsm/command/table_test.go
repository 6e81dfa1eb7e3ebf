package command

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew; ids that changed break every log on disk")

func everySpec() []*Spec {
	return slices.DeleteFunc(slices.Clone(byID), func(s *Spec) bool { return s == nil })
}

func TestIDsAreStable(t *testing.T) {
	var now strings.Builder
	for _, s := range everySpec() {
		fmt.Fprintf(&now, "%s=%d\n", s.Name, s.ID)
	}
	golden(t, "testdata/ids.txt", now.String())
}

// golden compares got with a file's content.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		g, w := "(end)", "(end)"
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			w = wantLines[i]
		}
		if g != w {
			t.Fatalf("%s:%d: got %q, want %q (new lines: go test -update)", path, i+1, g, w)
		}
	}
}

func TestTableIsConsistent(t *testing.T) {
	for _, s := range everySpec() {
		if s.Arity == 0 {
			t.Errorf("%s: arity 0 can never be called", s.Name)
		}
		if s.Name != strings.ToLower(s.Name) {
			t.Errorf("%s: not in lower case", s.Name)
		}
		if s.Summary == "" {
			t.Errorf("%s: no summary", s.Name)
		}
		if s.Home != Internal && (s.Group == "" || s.Since == "" || s.Complexity == "") {
			t.Errorf("%s: group, since or complexity is missing", s.Name)
		}
		if s.Has(Write) && s.Has(ReadOnly) {
			t.Errorf("%s: write and readonly", s.Name)
		}
		if s.Has(Idempotent) && !s.Has(Write) {
			t.Errorf("%s: idempotent says something about writes only", s.Name)
		}
		if s.Home == Keyed && (len(s.Keys) == 0 || !s.Has(Write) && !s.Has(ReadOnly)) {
			t.Errorf("%s: a keyed command has keys and is write or readonly", s.Name)
		}
		if s.Home == Keyed && s.ID >= 1000 {
			t.Errorf("%s: ids from 1000 never are in the log", s.Name)
		}
		if s.Home == Internal && s.ID >= 32 {
			t.Errorf("%s: internal operations have ids below 32", s.Name)
		}
		for _, sub := range s.Subcommands {
			if !strings.HasPrefix(sub.Name, s.Name+"|") {
				t.Errorf("%s: is a subcommand of %s", sub.Name, s.Name)
			}
		}
	}
}

// unlikeRedis7015 lists, by name and field, where the table differs from redis-server 7.0.15 and why.
var unlikeRedis7015 = map[string]string{
	"msetnx tips": "7.2 dropped the tips: split over shards, MSETNX is no longer all or nothing",
	"wait flags":  "7.2: blocking, and allowed in scripts",
	"wait acl":    "follows from blocking",
}

// newerThanRedis7015 lists what 7.0.15 does not have, and where it is from.
var newerThanRedis7015 = map[string]string{
	"waitaof":                      "Redis 7.2",
	"client|no-touch":              "Redis 7.2",
	"client|setinfo":               "Redis 7.2",
	"cluster|myshardid":            "Redis 7.2",
	"client|capa":                  "Valkey 8.0",
	"client|maint_notifications":   "Redis 8.2",
	"cluster|slot-stats":           "Valkey 8.0",
	"cluster|migrateslots":         "Valkey 9.0",
	"cluster|getslotmigrations":    "Valkey 9.0",
	"cluster|cancelslotmigrations": "Valkey 9.0",
	"cluster|migration":            "Redis 8.4",
	"quorate":                      "ours",
}

// TestTableIsRedis compares with what a redis-server 7.0.15 started with --cluster-enabled yes answered to
//
//	redis-cli -p PORT --json command > testdata/redis-7.0.15-command.json
func TestTableIsRedis(t *testing.T) {
	redis := redisTable(t)
	differs := map[string]bool{}
	check := func(s *Spec, field string, got, want any) {
		if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
			differs[s.Name+" "+field] = true
			if unlikeRedis7015[s.Name+" "+field] == "" {
				t.Errorf("%s: %s is %s, Redis has %s", s.Name, field, g, w)
			}
		}
	}
	for _, s := range everySpec() {
		r, known := redis[s.Name]
		if s.Home == Internal {
			continue
		}
		if why := newerThanRedis7015[s.Name]; known == (why != "") {
			t.Errorf("%s: in Redis 7.0.15: %v, listed as newer: %q", s.Name, known, why)
		}
		if !known {
			continue
		}
		check(s, "arity", s.Arity, r.arity)
		check(s, "flags", sorted(slices.Collect(named(s.Flags, flagNames))), sorted(r.flags))
		check(s, "position", []int{s.span.First, s.span.Last, s.span.Step}, r.position)
		check(s, "acl", slices.Collect(named(s.Categories(), categoryNames)), r.acl)
		check(s, "tips", sorted(s.Tips), sorted(r.tips))
		check(s, "keys", s.Keys, r.keys)
	}
	for what := range unlikeRedis7015 {
		if !differs[what] {
			t.Errorf("%s does not differ any more: take it off the list", what)
		}
	}
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

type redisCommand struct {
	arity            int
	flags, acl, tips []string
	position         []int
	keys             []KeySpec
}

// redisTable reads the captured COMMAND reply, subcommands included.
func redisTable(t *testing.T) map[string]redisCommand {
	data, err := os.ReadFile("testdata/redis-7.0.15-command.json")
	if err != nil {
		t.Fatal(err)
	}
	var entries []json.RawMessage
	unmarshal(t, data, &entries)
	out := map[string]redisCommand{}
	for len(entries) > 0 {
		var name string
		var c redisCommand
		var subs []json.RawMessage
		var keys []redisKey
		c.position = make([]int, 3)
		unmarshal(t, entries[0], &[]any{
			&name, &c.arity, &c.flags, &c.position[0], &c.position[1], &c.position[2], &c.acl, &c.tips, &keys, &subs,
		})
		for _, k := range keys {
			c.keys = append(c.keys, k.spec())
		}
		out[name] = c
		entries = append(entries[1:], subs...)
	}
	return out
}

type redisKey struct {
	Flags []string
	Begin struct{ Spec struct{ Index int } } `json:"begin_search"`
	Find  struct {
		Spec struct{ LastKey, KeyStep int }
	} `json:"find_keys"`
}

func (k redisKey) spec() KeySpec {
	s := KeySpec{First: k.Begin.Spec.Index, Last: k.Find.Spec.LastKey, Step: k.Find.Spec.KeyStep}
	if s.Last >= 0 {
		s.Last += s.First
	}
	for _, name := range k.Flags {
		if i := slices.Index(keyFlagNames, name); i >= 0 {
			s.Flags |= 1 << i
		}
	}
	return s
}

func unmarshal(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%.80s: %v", data, err)
	}
}
