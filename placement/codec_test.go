package placement

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/sealed"
	"github.com/quorate/quorate/placement/topology"
)

// every holds one change of each kind.
func every() []Change {
	return []Change{initial(), groups(), RegisterNode{node(4)}, SetSettings{topology.DefaultSettings()}, PreferLeader{2, id(1)}, RemoveNode{id(4)},
		AddReplica{1, id(4)}, RemoveReplica{1, id(2)}, ReplicaAdded{1, id(4)}, ReplicaRemoved{2, id(3)},
		ChangeSettings{MaxMemory: new(int64(0)), MaxMemoryPolicy: new("allkeys-lru"), MaxMemorySamples: new(9), SpreadLeaders: new(false)}}
}

func TestCommandsSurviveTheLog(t *testing.T) {
	for _, c := range every() {
		data, err := Command{c}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(data)
		if err != nil || !reflect.DeepEqual(back.Change, c) {
			t.Errorf("%s became %+v, %v", data, back.Change, err)
		}
	}
}

// The encoding of commands is a format: entries of old logs must be read for ever.
func TestCommandFormat(t *testing.T) {
	for want, c := range map[string]Change{
		`{"v":1,"kind":"prefer-leader","body":{"group":2,"node":"0000000000000000000000000000000000000001"}}`:                                           PreferLeader{2, id(1)},
		`{"v":1,"kind":"change-settings","body":{"maxmemory":0}}`:                                                                                       ChangeSettings{MaxMemory: new(int64(0))},
		`{"v":1,"kind":"set-settings","body":{"settings":{"maxmemory":0,"maxmemory_policy":"noeviction","maxmemory_samples":5,"spread_leaders":true}}}`: SetSettings{topology.DefaultSettings()},
	} {
		if data, err := (Command{c}).Encode(); err != nil || string(data) != want {
			t.Errorf("%s, %v; want %s", data, err, want)
		}
	}
	var kinds []string
	for _, c := range every() {
		kinds = append(kinds, c.kind())
	}
	if got := strings.Join(kinds, " "); got != "init create-groups register-node set-settings prefer-leader remove-node "+
		"add-replica remove-replica replica-added replica-removed change-settings" {
		t.Errorf("kinds: %s", got)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"nothing":             ``,
		"a newer version":     `{"v":2,"kind":"remove-node","body":{"node":"x"}}`,
		"an unknown kind":     `{"v":1,"kind":"explode","body":{}}`,
		"an unknown field":    `{"v":1,"kind":"remove-node","body":{"node":"x","force":true}}`,
		"an unknown envelope": `{"v":1,"kind":"remove-node","body":{"node":"x"},"by":"me"}`,
		"no body":             `{"v":1,"kind":"remove-node"}`,
		"a tail":              `{"v":1,"kind":"remove-node","body":{"node":"x"}} 1`,
		"a wrong type":        `{"v":1,"kind":"remove-node","body":{"node":7}}`,
		"too much":            strings.Repeat(" ", MaxCommand+1),
	} {
		if c, err := Decode([]byte(data)); err == nil {
			t.Errorf("%s: decoded as %+v", name, c)
		}
	}
}

func TestStatesSurviveASnapshot(t *testing.T) {
	for name, s := range map[string]State{"empty": {}, "initial": after(t, initial()), "full": after(t, initial(), groups(), RegisterNode{node(4)})} {
		data, err := s.Encode(42)
		if err != nil {
			t.Fatal(err)
		}
		back, index, err := DecodeState(data)
		if err != nil || index != 42 || !reflect.DeepEqual(back, s) {
			t.Errorf("%s: became %+v at %d, %v", name, back, index, err)
		}
	}
}

// Whichever bit flips and wherever the bytes end, a snapshot is refused or means the same.
func TestDamagedSnapshotsAreRefused(t *testing.T) {
	s := after(t, initial(), groups())
	good, err := s.Encode(42)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		if _, _, err := DecodeState(good[:i]); err == nil {
			t.Fatalf("cut at byte %d of %d: accepted", i, len(good))
		}
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if back, index, err := DecodeState(bad); err == nil && (index != 42 || !reflect.DeepEqual(back, s)) {
			t.Fatalf("bit flip in byte %d: accepted as something else:\n%s", i, bad)
		}
	}
}

func TestDecodeStateChecksInvariants(t *testing.T) {
	s := after(t, initial(), groups())
	s.Wanted.Groups = 0
	data, err := s.Encode(1)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := DecodeState(data); err == nil || !strings.Contains(err.Error(), "groups wanted") {
		t.Errorf("a state without wanted groups: %v", err)
	}
}

// drawChange makes commands that are often accepted: few ids, few addresses, few groups.
func drawChange(t *rapid.T) Change {
	n := rapid.IntRange(1, 6).Draw(t, "node")
	switch rapid.IntRange(0, 13).Draw(t, "kind") {
	case 0:
		return initial()
	case 1:
		return groups()
	case 2, 3:
		v := node(n)
		v.Peer = node(rapid.IntRange(1, 6).Draw(t, "peer of")).Peer
		v.Weight = rapid.IntRange(-1, 200).Draw(t, "weight")
		return RegisterNode{v}
	case 4:
		s := topology.DefaultSettings()
		s.MaxMemory = rapid.Int64Range(-1, 3).Draw(t, "maxmemory")
		return SetSettings{s}
	case 5:
		return RemoveNode{id(n)}
	case 6:
		return CreateGroups{[]topology.Group{group(1, 0, uint16(rapid.IntRange(0, slot.Count-1).Draw(t, "last")), n)}}
	case 7:
		return ChangeSettings{MaxMemorySamples: new(rapid.IntRange(0, 3).Draw(t, "samples"))}
	}
	return drawMemberChange(t, slot.GroupID(rapid.IntRange(1, 2).Draw(t, "group")), id(n))
}

func drawMemberChange(t *rapid.T, g slot.GroupID, n topology.NodeID) Change {
	return rapid.SampledFrom([]Change{
		PreferLeader{g, n}, AddReplica{g, n}, RemoveReplica{g, n}, ReplicaAdded{g, n}, ReplicaRemoved{g, n},
	}).Draw(t, "of members")
}

// Random commands: every state is valid, follows the one before, and a replica that replays the log, or continues
// from a snapshot, ends in the same state.
func TestRandomLogs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changes := append([]Change{initial()}, rapid.SliceOfN(rapid.Custom(drawChange), 1, 40).Draw(t, "changes")...)
		var s State
		half := rapid.IntRange(0, len(changes)-1).Draw(t, "snapshot after")
		var other State
		for i, c := range changes {
			before := s.clone()
			next, err := s.Apply(Command{c})
			if err == nil {
				checkStep(t, before, next)
			} else if !reflect.DeepEqual(next, before) {
				t.Fatalf("%T was refused (%v) and changed the state", c, err)
			}
			s = next
			other = replay(t, other, c, i == half)
		}
		if !reflect.DeepEqual(s, other) {
			t.Fatal("the replica that went through codec and snapshot differs")
		}
	})
}

// replay applies c as a replica does that reads it from the log, and takes it through a snapshot.
func replay(t *rapid.T, s State, c Change, snapshot bool) State {
	data, err := Command{c}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	s, _ = s.Apply(cmd)
	if !snapshot {
		return s
	}
	if data, err = s.Encode(1); err != nil {
		t.Fatal(err)
	}
	s, _, err = DecodeState(data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func checkStep(t *rapid.T, before, s State) {
	if err := s.Map.Validate(); err != nil {
		t.Fatal(err)
	}
	if before.Map == nil {
		return
	}
	if changed := !s.Map.SameContent(before.Map); changed != (s.Epoch() == before.Epoch()+1) || !changed && s.Epoch() != before.Epoch() {
		t.Fatalf("epoch %d after %d, changed: %v", s.Epoch(), before.Epoch(), changed)
	}
	if !slices.Equal(s.Map.Voters(), before.Map.Voters()) {
		t.Fatalf("voters %v became %v", before.Map.Voters(), s.Map.Voters())
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range every() {
		data, err := Command{c}.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	var s State
	for _, c := range []Change{initial(), groups(), RegisterNode{node(4)}} {
		s, _ = s.Apply(Command{c})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Decode(data)
		if err != nil {
			return
		}
		for _, from := range []State{{}, s} {
			next, err := from.Apply(c)
			if err != nil {
				continue
			}
			if err := next.Map.Validate(); err != nil {
				t.Fatalf("%s leads to an invalid map: %v", data, err)
			}
		}
	})
}

func FuzzDecodeState(f *testing.F) {
	s, _ := State{}.Apply(Command{initial()})
	for _, s := range []State{{}, s} {
		data, err := s.Encode(3)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	body, err := json.Marshal(stateBody{Index: 3, Map: s.Map, Wanted: s.Wanted})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, data []byte) {
		checkDecoded(t, data)
		// The same bytes as a body whose checksum is right.
		if data, err := sealed.Seal(stateVersion, json.RawMessage(data)); err == nil {
			checkDecoded(t, data)
		}
	})
}

func checkDecoded(t *testing.T, data []byte) {
	s, _, err := DecodeState(data)
	if err == nil && s.Map != nil {
		if err := s.Map.Validate(); err != nil {
			t.Fatalf("an invalid state was accepted: %v", err)
		}
	}
}
