package command

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func words(line string) (out [][]byte) {
	for w := range strings.FieldsSeq(line) {
		out = append(out, []byte(w))
	}
	return out
}

func TestFind(t *testing.T) {
	for line, want := range map[string]ID{
		"get k":                    Get,
		"GET k":                    Get,
		"gEtRaNgE k 0 1":           Getrange,
		"client":                   Client,
		"client nope":              Client,
		"CLIENT No-Evict on":       ClientNoEvict,
		"object ENCODING k":        ObjectEncoding,
		"command":                  Command,
		"command docs":             CommandDocs,
		"quorate cluster":          Quorate,
		"":                         0,
		"nope":                     0,
		"evict":                    0,
		"limit":                    0,
		"client|id":                0,
		"object|encoding k":        0,
		"get\x00":                  0,
		"GET" + string(rune(0)):    0,
		strings.Repeat("g", 1<<16): 0,
	} {
		var got ID
		if s := Find(words(line)); s != nil {
			got = s.ID
		}
		if got != want {
			t.Errorf("%.40q: got %v, want %v", line, got, want)
		}
	}
}

func TestByID(t *testing.T) {
	for _, s := range everySpec() {
		if ByID(s.ID) != s {
			t.Errorf("%s is not found by its id", s.Name)
		}
	}
	for _, id := range []ID{0, 31, 999, 65535} {
		if s := ByID(id); s != nil {
			t.Errorf("id %d is %s", id, s.Name)
		}
	}
	if got := Evict.String(); got != "evict" {
		t.Errorf("Evict is %q", got)
	}
}

func TestArity(t *testing.T) {
	for line, want := range map[string]bool{
		"get": false, "get k": true, "get k k": false,
		"del": false, "del a": true, "del a b": true,
		"object encoding": false, "object encoding k": true, "object encoding k k": false,
		"client kill": false, "client kill a": true, "ping": true, "ping x": true,
	} {
		w := words(line)
		s := Find(w)
		if got := s.ArityOK(len(w) - s.Words()); got != want {
			t.Errorf("%q: got %v", line, got)
		}
	}
}

// keysAndSlots gives for full commands their keys and whether they are in one slot.
var keysAndSlots = map[string]struct {
	keys    string
	routing Routing
}{
	"get k":                     {"k", OneSlot},
	"get":                       {"", NoKeys},
	"mget a b c":                {"a b c", CrossSlot},
	"mget {t}a {t}b":            {"{t}a {t}b", OneSlot},
	"mset {t}a 1 {t}b 2":        {"{t}a {t}b", OneSlot},
	"mset {t}a {x} {t}b {y}":    {"{t}a {t}b", OneSlot},
	"mset a 1 b 2":              {"a b", CrossSlot},
	"mset":                      {"", NoKeys},
	"rename {t}a {t}b":          {"{t}a {t}b", OneSlot},
	"copy {t}a {t}b DB 0":       {"{t}a {t}b", OneSlot},
	"copy a":                    {"a", OneSlot},
	"lcs {t}a {t}b LEN":         {"{t}a {t}b", OneSlot},
	"object encoding k":         {"k", OneSlot},
	"memory usage k SAMPLES 0":  {"k", OneSlot},
	"object help":               {"", NoKeys},
	"watch {t}a {t}b":           {"{t}a {t}b", OneSlot},
	"ping k":                    {"", NoKeys},
	"keys *":                    {"", NoKeys},
	"set k v EX 10 NX":          {"k", OneSlot},
	"cluster countkeysinslot 7": {"", NoKeys},
}

func TestKeysAndSlots(t *testing.T) {
	for line, want := range keysAndSlots {
		full := words(line)
		s := Find(full)
		args := full[s.Words():]
		var keys [][]byte
		for _, i := range s.AppendKeys(nil, args) {
			keys = append(keys, args[i])
		}
		if got := string(bytes.Join(keys, []byte(" "))); got != want.keys {
			t.Errorf("%q: keys %q, want %q", line, got, want.keys)
		}
		n, routing := SlotOf(s, args)
		if routing != want.routing {
			t.Errorf("%q: routing %v, want %v", line, routing, want.routing)
		}
		if routing == OneSlot && n >= 16384 {
			t.Errorf("%q: slot %d", line, n)
		}
	}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	full := words("OBJECT encoding {tag}key")
	mset := words("mset {t}a 1 {t}b 2")
	room := make([]int, 0, 8)
	if n := testing.AllocsPerRun(100, func() {
		s := Find(full)
		SlotOf(s, full[2:])
		s = Find(mset)
		SlotOf(s, mset[1:])
		room = s.AppendKeys(room[:0], mset[1:])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if !slices.Equal(room, []int{0, 2}) {
		t.Errorf("keys at %v", room)
	}
}

func BenchmarkFindAndRoute(b *testing.B) {
	full := words("SET user:{1234}:name value")
	b.ReportAllocs()
	for b.Loop() {
		s := Find(full)
		SlotOf(s, full[1:])
	}
}
