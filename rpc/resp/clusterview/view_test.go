package clusterview

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

var update = flag.Bool("update", false, "rewrite testdata; read the difference before you commit it")

func id(c string) topology.NodeID { return topology.NodeID(strings.Repeat(c, 40)) }

// threeNodes is a cluster of three nodes and four groups.
func threeNodes() *topology.Map {
	m := &topology.Map{Epoch: 7}
	for _, n := range []struct{ id, addr, peer string }{
		{"a", "127.0.0.1:7001", "127.0.0.1:17001"}, {"b", "127.0.0.1:7002", "127.0.0.1:17002"}, {"c", "cache3.example:7003", "cache3.example:17003"},
	} {
		m.Nodes = append(m.Nodes, topology.Node{ID: id(n.id), Client: n.addr, Peer: n.peer})
	}
	members := []topology.NodeID{id("a"), id("b"), id("c")}
	for g := range 4 {
		m.Groups = append(m.Groups, topology.Group{ID: slot.GroupID(g + 1), Members: append(members[g%3:len(members):len(members)], members[:g%3]...)})
	}
	for n := range m.Slots {
		m.Slots[n] = slot.GroupID(n/4096 + 1)
	}
	return m
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	text := strings.ReplaceAll(string(got), "\r\n", "\n")
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, text, want)
	}
}

func TestGolden(t *testing.T) {
	elected := map[slot.GroupID]topology.NodeID{1: id("a"), 2: id("b"), 3: id("c"), 4: id("a")}
	onOne := map[slot.GroupID]topology.NodeID{1: id("b"), 2: id("b"), 3: id("b"), 4: id("b")}
	for name, leaders := range map[string]map[slot.GroupID]topology.NodeID{"spread": elected, "on_one": onOne, "unknown": nil} {
		v := New(threeNodes(), id("b"), leaders)
		for proto, suffix := range map[int8]string{2: "_resp2", 3: "_resp3"} {
			var w reply.Writer
			w.Proto = proto
			v.WriteSlots(&w)
			v.WriteShards(&w)
			v.WriteNodes(&w)
			v.WriteInfo(&w, 0)
			golden(t, name+suffix, w.Buf)
		}
	}
}

func TestAlwaysCovered(t *testing.T) {
	m := threeNodes()
	// A node whose address was taken over, a leader that the map does not know, and no leader at all.
	m.Nodes[0].Client, m.Nodes[0].Peer = "", ""
	v := New(m, id("b"), map[slot.GroupID]topology.NodeID{1: id("a"), 2: id("f")})
	if v.covered() != slot.Count {
		t.Fatalf("%d slots are covered", v.covered())
	}
	for n := range slot.Count {
		if addr := v.Addr(uint16(n)); addr != "127.0.0.1:7002" && addr != "cache3.example:7003" {
			t.Fatalf("slot %d is at %q", n, addr)
		}
	}
}

func TestNodeOutsideTheMapShowsItself(t *testing.T) {
	v := New(&topology.Map{}, id("d"), nil)
	var w reply.Writer
	v.WriteNodes(&w)
	if got := string(w.Buf); !strings.Contains(got, string(id("d"))+" :0@0 myself,master - 0 0 0 connected\n") {
		t.Errorf("got %q", got)
	}
	if v.Addr(0) != "" {
		t.Error("an empty map has no address for a slot")
	}
}

func TestSameRoutes(t *testing.T) {
	leaders := map[slot.GroupID]topology.NodeID{1: id("a"), 2: id("b"), 3: id("c"), 4: id("a")}
	v := New(threeNodes(), id("a"), leaders)
	if !v.SameRoutes(New(threeNodes(), id("b"), leaders)) {
		t.Error("who looks does not matter")
	}
	moved := map[slot.GroupID]topology.NodeID{1: id("a"), 2: id("a"), 3: id("c"), 4: id("a")}
	if v.SameRoutes(New(threeNodes(), id("a"), moved)) {
		t.Error("group 2 has another leader")
	}
	m := threeNodes()
	m.Nodes[1].Client = "127.0.0.1:9999"
	if v.SameRoutes(New(m, id("a"), leaders)) {
		t.Error("node b has another address")
	}
}
