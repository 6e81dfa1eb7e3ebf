package resp

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/shardgroup"
)

// nodeCommand is a command about the whole node and its reply in a world whose only key is key1: whole is that of a node that
// answers for the key's group, part that of one that does not.
type nodeCommand struct {
	words       []string
	whole, part string
}

func nodeCommands() []nodeCommand {
	at, behind := cursorAt(866), cursorAt(867)
	page := func(cursor, keys string) string {
		return fmt.Sprintf("*2\r\n$%d\r\n%s\r\n%s", len(cursor), cursor, keys)
	}
	const keys, none = "*1\r\n$7\r\n{hello}\r\n", "*0\r\n"
	return []nodeCommand{
		{[]string{"DBSIZE"}, ":1\r\n", ":0\r\n"},
		{[]string{"KEYS", "*"}, keys, none},
		{[]string{"RANDOMKEY"}, "$7\r\n{hello}\r\n", "$-1\r\n"},
		{[]string{"SCAN", at, "COUNT", "1"}, page(behind, keys), page("0", none)},
		{[]string{"CLUSTER", "COUNTKEYSINSLOT", "866"}, ":1\r\n", ":0\r\n"},
		{[]string{"CLUSTER", "GETKEYSINSLOT", "866", "9"}, keys, none},
		{[]string{"CLUSTER", "SLOT-STATS", "SLOTSRANGE", "866", "866"}, "*1\r\n*2\r\n:866\r\n*2\r\n$9\r\nkey-count\r\n:1\r\n", none},
		{[]string{"FLUSHALL"}, "+OK\r\n", "+OK\r\n"},
	}
}

func cursorAt(slot uint16) string { return strconv.FormatUint(fsm.ScanStart(slot), 10) }

// worldOfOne is a world in which node a leads one group of three, which has key1.
func worldOfOne(t *testing.T) (*world, *client) {
	w := newWorld(t, 3, patient)
	c := w.dial(t)
	c.expect("+OK\r\n", "SET", key1, "x")
	w.lead(2, "b")
	w.lead(3, "c")
	return w, c
}

// inElection sends each command while group 1 has no leader, calls elect, and compares the reply.
func inElection(t *testing.T, elect func(w *world), want func(nodeCommand) string) {
	for _, cmd := range nodeCommands() {
		w, c := worldOfOne(t)
		w.lead(1, "")
		c.send(array(cmd.words...))
		awaitParked(t, w)
		elect(w)
		if got := c.read(); got != want(cmd) {
			t.Errorf("%q: got %q, want %q", cmd.words, got, want(cmd))
		}
	}
}

func TestNodeCommandsWaitForALeader(t *testing.T) {
	inElection(t, func(w *world) { w.lead(1, "a") }, func(c nodeCommand) string { return c.whole })
}

func TestNodeCommandsLeaveAGroupToItsNewLeader(t *testing.T) {
	inElection(t, func(w *world) { w.lead(1, "b") }, func(c nodeCommand) string { return c.part })
}

// What a node knows of other nodes' groups, or is told by its own, decides who answers.
func TestNodeCommandsLeaveGroupsOfOthers(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"another node leads": func(w *world) { w.lead(1, "b") },
		"another node leads, which only the replica knows": func(w *world) {
			w.groups[1].set(func() { w.groups[1].fail = failing(&shardgroup.NotLeaderError{Leader: string(nodeID("b"))}) })
			w.elect(1, "b")
		},
		"nobody is known to lead, and this node is no member yet": func(w *world) {
			w.locked(func() {
				w.m = w.m.Clone()
				w.m.Groups[0].Members = []topology.NodeID{nodeID("b"), nodeID("c")}
				w.m.Groups[0].Joining = nodeID("a")
			})
			w.lead(1, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, c := worldOfOne(t)
			change(w)
			for _, cmd := range nodeCommands() {
				c.expect(cmd.part, cmd.words...)
			}
		})
	}
}

// TestNodeCommandsAnswerNoPart: what fails in one group fails as a whole.
func TestNodeCommandsAnswerNoPart(t *testing.T) {
	const down, doubt = "-CLUSTERDOWN The cluster is down\r\n", "-TRYAGAIN read not executed: the writes before it are in doubt\r\n"
	const some = "-UNCERTAIN some groups were emptied and others were not: CLUSTERDOWN The cluster is down\r\n"
	fails := func(err error) func(w *world) {
		return func(w *world) { w.groups[1].set(func() { w.groups[1].fail = failing(err) }) }
	}
	for name, tc := range map[string]struct {
		change      func(w *world)
		read, flush string
	}{
		"nobody is elected in time":       {func(w *world) { w.lead(1, "") }, down, some},
		"the group waited for a leader":   {fails(shardgroup.ErrNoLeader), down, some},
		"the group's answer is not known": {fails(shardgroup.ErrUnknown), doubt, "-UNCERTAIN write may or may not have been applied\r\n"},
		"a replica is not open yet": {func(w *world) {
			w.locked(func() { delete(w.groups, 1) })
			w.lead(1, "a")
		}, down, some},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3, func(c *Config) { c.ParkTimeout = time.Millisecond })
			c := w.dial(t)
			tc.change(w)
			for _, cmd := range nodeCommands() {
				want := tc.read
				if cmd.words[0] == "FLUSHALL" {
					want = tc.flush
				}
				c.expect(want, cmd.words...)
			}
		})
	}
}

// A key of any group is an answer, whatever the others say.
func TestRandomkeyOfAnotherGroup(t *testing.T) {
	w := newWorld(t, 3, func(c *Config) { c.ParkTimeout = time.Millisecond })
	c := w.dial(t)
	c.expect("+OK\r\n", "SET", key3, "x")
	w.lead(1, "")
	c.expect("$5\r\n{foo}\r\n", "RANDOMKEY")
}

func TestFlushallOfNoGroup(t *testing.T) {
	w := newWorld(t, 3, func(c *Config) { c.ParkTimeout = time.Millisecond })
	c := w.dial(t)
	for g := range w.groups {
		w.lead(g, "")
	}
	c.expect("-CLUSTERDOWN The cluster is down\r\n", "FLUSHALL")
	c.expect("-CLUSTERDOWN The cluster is down\r\n", "FLUSHDB", "ASYNC")
}

// A group that is left to its new leader tells the client nothing of it: it is still to be nudged.
func TestNodeCommandsDoNotTellOfTheTopology(t *testing.T) {
	w := newWorld(t, 3, patient)
	c := w.dial(t)
	w.lead(1, "")
	c.send(array("DBSIZE"))
	awaitParked(t, w)
	w.lead(1, "b")
	if got := c.read(); got != ":0\r\n" {
		t.Errorf("DBSIZE: %q", got)
	}
	c.expect("-MOVED 12182 10.0.0.1:7000\r\n", "GET", key3)
}

func TestSlotsAreReadNotLogged(t *testing.T) {
	w := newWorld(t, 1)
	c := w.dial(t)
	c.expect(":0\r\n", "CLUSTER", "COUNTKEYSINSLOT", "866")
	c.expect("*0\r\n", "CLUSTER", "GETKEYSINSLOT", "866", "9")
	c.expect("*1\r\n*2\r\n:866\r\n*2\r\n$9\r\nkey-count\r\n:0\r\n", "CLUSTER", "SLOT-STATS", "SLOTSRANGE", "866", "866")
	if submits, _, _ := w.groups[1].counted(); submits != 0 {
		t.Errorf("%d calls went through the log", submits)
	}
}
