package topology

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/fsm/slot"
)

func id(digit string) NodeID { return NodeID(strings.Repeat(digit, 40)) }

// example is a valid map of three nodes and two groups.
func example() *Map {
	m := &Map{Epoch: 7, Cluster: strings.Repeat("c", 40), Settings: DefaultSettings()}
	for i, d := range []string{"1", "2", "3"} {
		m.Nodes = append(m.Nodes, Node{ID: id(d), Name: "n" + d, Client: fmt.Sprintf("10.0.0.%s:7000", d), Peer: fmt.Sprintf("[::%s]:7001", d), Weight: 100, Voter: i < 3})
	}
	m.Groups = []Group{
		{ID: 1, HashSeed: 11, Genesis: []slot.Range{{First: 0, Last: 8191}}, Founders: []NodeID{id("1"), id("2")}, Members: []NodeID{id("2"), id("1")}},
		{ID: 5, HashSeed: 1 << 63, Genesis: []slot.Range{{First: 8192, Last: 16383}}, Founders: []NodeID{id("1"), id("3")}, Members: []NodeID{id("3"), id("1")}},
	}
	for n := range m.Slots {
		m.Slots[n] = 1
		if n > 8191 {
			m.Slots[n] = 5
		}
	}
	m.Slots[3] = 5 // moved since
	return m
}

func TestValidateNamesEachViolation(t *testing.T) {
	if err := example().Validate(); err != nil {
		t.Fatalf("the example: %v", err)
	}
	if err := (&Map{}).Validate(); err != nil {
		t.Fatalf("the empty map: %v", err)
	}
	for want, spoil := range map[string]func(*Map){
		"cluster id":                   func(m *Map) { m.Cluster = "abc" },
		"epoch 0":                      func(m *Map) { m.Epoch = 0 },
		"no nodes":                     func(m *Map) { m.Nodes = nil },
		"sorted by id and distinct":    func(m *Map) { m.Nodes[0], m.Nodes[1] = m.Nodes[1], m.Nodes[0] },
		"want 40 lower-case":           func(m *Map) { m.Nodes[2].ID = "3" },
		"name":                         func(m *Map) { m.Nodes[0].Name = "a b" },
		"printable":                    func(m *Map) { m.Nodes[0].Name = "\xff" },
		"zone":                         func(m *Map) { m.Nodes[0].Zone = strings.Repeat("z", 300) },
		"weight -1":                    func(m *Map) { m.Nodes[0].Weight = -1 },
		"want host:port":               func(m *Map) { m.Nodes[0].Client = "localhost" },
		"IPv6 host must be in bracket": func(m *Map) { m.Nodes[0].Peer = "::1:7000" },
		"bracket of the host":          func(m *Map) { m.Nodes[0].Peer = "[::1:7000" },
		"port from 1":                  func(m *Map) { m.Nodes[0].Peer = "h:0" },
		"port from 1 to 65535":         func(m *Map) { m.Nodes[0].Peer = "h:70000" },
		"host name or IP":              func(m *Map) { m.Nodes[0].Peer = ":7000" },
		"is also node":                 func(m *Map) { m.Nodes[0].Client = m.Nodes[1].Peer },
		"2 placement voters":           func(m *Map) { m.Nodes[0].Voter = false },
		"group 0 is placement's":       func(m *Map) { m.Groups[0].ID = 0 },
		"groups must be sorted":        func(m *Map) { m.Groups[1].ID = 1 },
		"has 0 members":                func(m *Map) { m.Groups[0].Members = nil },
		"is no node of the map":        func(m *Map) { m.Groups[0].Members[0] = id("9") },
		"member twice":                 func(m *Map) { m.Groups[0].Members[0] = id("1") },
		"join and leave at the same":   func(m *Map) { m.Groups[0].Joining, m.Groups[0].Leaving = id("3"), id("1") },
		"is joining and a member":      func(m *Map) { m.Groups[0].Joining = m.Groups[0].Members[0] },
		"9\" is no node of the map":    func(m *Map) { m.Groups[0].Joining = id("9") },
		"departure of node":            func(m *Map) { m.Groups[0].Departed = []Departure{{id("1"), 0}} },
		"departures must be sorted":    func(m *Map) { m.Groups[0].Departed = []Departure{{id("2"), 1}, {id("1"), 1}} },
		"has 0 founders":               func(m *Map) { m.Groups[0].Founders = nil },
		"founder \"x\"":                func(m *Map) { m.Groups[0].Founders[0] = "x" },
		"founders must be sorted":      func(m *Map) { slices.Reverse(m.Groups[0].Founders) },
		"genesis range":                func(m *Map) { m.Groups[0].Genesis[0].Last = 20000 },
		"sorted and disjoint":          func(m *Map) { m.Groups[0].Genesis = append(m.Groups[0].Genesis, slot.Range{First: 5, Last: 6}) },
		"slot 77 has no owner":         func(m *Map) { m.Slots[77] = 0 },
		"belongs to group 9":           func(m *Map) { m.Slots[77] = 9 },
		"maxmemory -5":                 func(m *Map) { m.Settings.MaxMemory = -5 },
		"maxmemory-policy":             func(m *Map) { m.Settings.MaxMemoryPolicy = "lru" },
		"maxmemory-samples 0":          func(m *Map) { m.Settings.MaxMemorySamples = 0 },
	} {
		m := example()
		spoil(m)
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestFollows(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*Map)
		ok   bool
	}{
		"the next epoch":       {func(m *Map) { m.Epoch++ }, true},
		"with another order":   {func(m *Map) { m.Epoch++; slices.Reverse(m.Groups[0].Members) }, true},
		"with a new member":    {func(m *Map) { m.Epoch++; m.Groups[0].Members[0] = id("3") }, true},
		"the same epoch":       {func(*Map) {}, false},
		"an older epoch":       {func(m *Map) { m.Epoch-- }, false},
		"another cluster":      {func(m *Map) { m.Epoch++; m.Cluster = strings.Repeat("d", 40) }, false},
		"a group that is gone": {func(m *Map) { m.Epoch++; m.Groups = m.Groups[:1] }, false},
		"another seed":         {func(m *Map) { m.Epoch++; m.Groups[0].HashSeed++ }, false},
		"another genesis":      {func(m *Map) { m.Epoch++; m.Groups[0].Genesis[0].Last-- }, false},
		"other founders":       {func(m *Map) { m.Epoch++; m.Groups[0].Founders = m.Groups[1].Founders }, false},
	} {
		m := example()
		c.edit(m)
		if err := m.Follows(example()); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err := m.Follows(&Map{}); err != nil {
			t.Errorf("%s after the empty map: %v", name, err)
		}
	}
}

// A founder that left and comes back starts empty, like everybody who came later.
func TestWhoBootstraps(t *testing.T) {
	m := example()
	g := &m.Groups[0]
	if !g.Bootstraps(id("1")) || g.Bootstraps(id("3")) {
		t.Fatal("founders that are members bootstrap, and nobody else")
	}
	left := m.Clone()
	left.Epoch++
	left.Groups[0].Members = []NodeID{id("2"), id("3")}
	left.Groups[0].Depart(id("1"))
	if err := left.Follows(m); err != nil {
		t.Fatal(err)
	}
	if left.Groups[0].Bootstraps(id("1")) || left.Groups[0].Bootstraps(id("3")) {
		t.Fatal("neither who left nor who came later bootstraps")
	}
	back := left.Clone()
	back.Epoch++
	back.Groups[0].Members = []NodeID{id("2"), id("1")}
	if err := back.Follows(left); err != nil {
		t.Fatal(err)
	}
	if back.Groups[0].Bootstraps(id("1")) || back.Groups[0].Life(id("1")) != 1 || m.Groups[0].Life(id("1")) != 0 {
		t.Fatal("a founder in its second life bootstraps")
	}
	forgotten := back.Clone()
	forgotten.Epoch++
	forgotten.Groups[0].Departed = nil
	if forgotten.Follows(back) == nil || forgotten.Follows(left) == nil {
		t.Fatal("a departure was forgotten")
	}
}

func TestHolders(t *testing.T) {
	g := Group{Members: []NodeID{id("1"), id("2")}, Joining: id("3")}
	if !g.Holds(id("3")) || !g.Holds(id("1")) || g.Holds(id("4")) || g.Holds("") || len(g.Holders()) != 3 {
		t.Errorf("holders of %+v are %v", g, g.Holders())
	}
	g.Joining, g.Leaving = "", id("2")
	if len(g.Holders()) != 2 {
		t.Errorf("a member that leaves is there twice: %v", g.Holders())
	}
	for range 2 {
		g.Depart(id("9"))
		g.Depart(id("4"))
	}
	if g.Life(id("4")) != 2 || g.Life(id("5")) != 0 || g.Departed[0].Node != id("4") {
		t.Errorf("departures are %+v", g.Departed)
	}
}

func TestLookups(t *testing.T) {
	m := example()
	if n := m.NodeByID(id("2")); n == nil || n.Name != "n2" || m.NodeByID(id("9")) != nil {
		t.Error("NodeByID")
	}
	if g := m.GroupByID(5); g == nil || g.HashSeed != 1<<63 || m.GroupByID(2) != nil {
		t.Error("GroupByID")
	}
	if got, want := m.RangesOf(5), []slot.Range{{First: 3, Last: 3}, {First: 8192, Last: 16383}}; !slices.Equal(got, want) {
		t.Errorf("RangesOf = %v, want %v", got, want)
	}
	if got := m.GroupsOn(id("1")); !slices.Equal(got, []slot.GroupID{1, 5}) {
		t.Errorf("GroupsOn = %v", got)
	}
	if got := m.Voters(); len(got) != 3 {
		t.Errorf("Voters = %v", got)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	m := example()
	deep := m.Clone()
	g := &deep.Groups[0]
	deep.Nodes[0].Name, g.Members[0], g.Founders[0], g.Genesis[0].Last = "x", "x", "x", 1
	if !m.SameContent(example()) {
		t.Error("an edit of the clone changed the original")
	}
}

func TestJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := example()
		for range rapid.IntRange(0, 40).Draw(t, "moves") {
			m.Slots[rapid.IntRange(0, slot.Count-1).Draw(t, "slot")] = rapid.SampledFrom([]slot.GroupID{1, 5}).Draw(t, "owner")
		}
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var back Map
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(m, &back) {
			t.Fatalf("%s became another map", data)
		}
	})
}

func TestUnmarshalRefuses(t *testing.T) {
	good, err := json.Marshal(example())
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(string) string{
		"an unknown field":     func(s string) string { return strings.Replace(s, `"epoch"`, `"later":1,"epoch"`, 1) },
		"a slot given twice":   func(s string) string { return strings.Replace(s, `"first":3,"last":3`, `"first":3,"last":4`, 1) },
		"a slot given to none": func(s string) string { return strings.Replace(s, `{"first":3,"last":3},`, ``, 1) },
		"a range backwards":    func(s string) string { return strings.Replace(s, `"first":3,"last":3`, `"first":3,"last":2`, 1) },
		"a range too far":      func(s string) string { return strings.Replace(s, `"last":16383}]}]`, `"last":16384}]}]`, 1) },
		"slots of group 0":     func(s string) string { return strings.Replace(s, `"slots":[`, `"slots":[{"group":0,"ranges":[]},`, 1) },
		"half of it":           func(s string) string { return s[:len(s)/2] },
		"an invalid map":       func(s string) string { return strings.Replace(s, `"epoch":7`, `"epoch":0`, 1) },
	} {
		bad := edit(string(good))
		if bad == string(good) {
			t.Fatalf("%s: nothing was edited in %s", name, good)
		}
		m := Map{Epoch: 99}
		if err := json.Unmarshal([]byte(bad), &m); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if m.Epoch != 99 {
			t.Errorf("%s: the map was changed", name)
		}
	}
	if err := new(Map).UnmarshalJSON(append(good, '1')); err == nil {
		t.Error("bytes after the end: accepted")
	}
	if err := new(Map).UnmarshalJSON(make([]byte, MaxEncoded+1)); err == nil {
		t.Error("too many bytes: accepted")
	}
}

func FuzzUnmarshal(f *testing.F) {
	good, err := json.Marshal(example())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"epoch":0,"cluster":"","nodes":null,"groups":null,"slots":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m Map
		if m.UnmarshalJSON(data) != nil {
			return
		}
		if err := m.Validate(); err != nil {
			t.Fatalf("an invalid map was accepted: %v", err)
		}
		again, err := json.Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}
		var back Map
		if err := json.Unmarshal(again, &back); err != nil || !back.SameContent(&m) || back.Epoch != m.Epoch {
			t.Fatalf("%s: does not survive a round trip: %v", data, err)
		}
	})
}
