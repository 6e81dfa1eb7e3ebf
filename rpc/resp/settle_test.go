package resp

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/shardgroup"
)

// Keys of the three groups of newWorld(t, 3).
const (
	key1 = "{hello}" // slot 866
	key2 = "{c}"     // slot 7365
	key3 = "{foo}"   // slot 12182
)

func failing(err error) func(*shardgroup.Call) error {
	return func(*shardgroup.Call) error { return err }
}

// once fails the first call only.
func once(err error) func(*shardgroup.Call) error {
	var first sync.Once
	return func(*shardgroup.Call) (got error) {
		first.Do(func() { got = err })
		return got
	}
}

func TestWhatFailuresMeanToClients(t *testing.T) {
	for name, tc := range map[string]struct {
		err        error
		set, get   string
		afterwards string
	}{
		"another node leads": {&shardgroup.NotLeaderError{Leader: string(nodeID("b"))}, "-MOVED 866 10.0.0.2:7000\r\n", "-MOVED 866 10.0.0.2:7000\r\n", "$-1\r\n"},
		"no leader":          {shardgroup.ErrNoLeader, "-CLUSTERDOWN The cluster is down\r\n", "-CLUSTERDOWN The cluster is down\r\n", "$-1\r\n"},
		"queue full":         {shardgroup.ErrOverloaded, "-TRYAGAIN not applied: the group's queue is full\r\n", "-TRYAGAIN not applied: the group's queue is full\r\n", "$-1\r\n"},
		"too large to log":   {fmt.Errorf("%w: too large", shardgroup.ErrRefused), "-ERR not applied: the command cannot be logged: too large\r\n", "-ERR not applied: the command cannot be logged: too large\r\n", "$-1\r\n"},
		"fate unknown":       {shardgroup.ErrUnknown, "-UNCERTAIN write may or may not have been applied\r\n", "-TRYAGAIN read not executed: the writes before it are in doubt\r\n", "$-1\r\n"},
		"any other error":    {fmt.Errorf("wrapped: %w", shardgroup.ErrUnknown), "-UNCERTAIN write may or may not have been applied\r\n", "-TRYAGAIN read not executed: the writes before it are in doubt\r\n", "$-1\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3)
			c := w.dial(t)
			w.groups[1].set(func() { w.groups[1].fail = failing(tc.err) })
			if name == "another node leads" {
				w.elect(1, "b")
			}
			c.expect(tc.set, "SET", key1, "x")
			// A read in the same call as a write.
			c.send(array("SET", key1, "x") + array("GET", key1))
			if got := c.read() + c.read(); got != tc.set+tc.get {
				t.Errorf("got %q, want %q", got, tc.set+tc.get)
			}
			w.groups[1].set(func() { w.groups[1].fail = nil })
			// The connection is still there, and nothing was executed behind its back.
			c.expect(tc.afterwards, "GET", key1)
			c.expect("+OK\r\n", "SET", key3, "y")
		})
	}
}

// patient parks commands for as long as a test may take.
func patient(c *Config) { c.ParkTimeout = patience }

// Commands wait for an election and are then executed, in order, where the new leader is.

func TestParkedUntilThisNodeIsElected(t *testing.T) {
	w := newWorld(t, 3, patient)
	w.lead(1, "")
	c := w.dial(t)
	c.send(array("SET", key1, "1") + array("GET", key3) + array("INCR", key1) + array("GET", key1))
	awaitParked(t, w)
	w.lead(2, "b")
	w.lead(1, "a")
	if got := c.read() + c.read() + c.read() + c.read(); got != "+OK\r\n$-1\r\n:2\r\n$1\r\n2\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestParkedUntilAnotherNodeIsElected(t *testing.T) {
	w := newWorld(t, 3, patient)
	w.lead(1, "")
	c := w.dial(t)
	c.send(array("SET", key1, "1") + array("SET", key3, "2"))
	awaitParked(t, w)
	w.lead(1, "c")
	if got := c.read() + c.read(); got != "-MOVED 866 10.0.0.3:7000\r\n+OK\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestReplicaKnowsBeforeTheTable(t *testing.T) {
	w := newWorld(t, 3, patient)
	g := w.groups[1]
	g.set(func() { g.fail = once(&shardgroup.NotLeaderError{}) })
	c := w.dial(t)
	c.send(array("SET", key1, "1"))
	awaitSubmits(t, g, 1)
	w.lead(1, "")
	w.lead(1, "a")
	if got := c.read(); got != "+OK\r\n" {
		t.Errorf("got %q", got)
	}
}

// Raft says that this node leads before the routes do, which name b: b would send the client back here.
func TestRaftIsAskedBeforeMoved(t *testing.T) {
	for name, tc := range map[string]struct {
		before, command []string
		want            string
	}{
		"SET":   {nil, []string{"SET", key1, "1"}, "+OK\r\n"},
		"GET":   {nil, []string{"GET", key1}, "$-1\r\n"},
		"WATCH": {nil, []string{"WATCH", key1}, "+OK\r\n"},
		"EXEC":  {[]string{"SET", key1, "1"}, []string{"EXEC"}, "*1\r\n+OK\r\n"},
		"mixed": {[]string{"PING"}, []string{"EXEC"}, "*2\r\n+PONG\r\n+OK\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3, patient)
			c := w.dial(t)
			if tc.before != nil {
				c.expect("+OK\r\n", "MULTI")
				c.expect("+QUEUED\r\n", tc.before...)
			}
			w.lead(1, "b")
			w.elect(1, "a")
			if name == "mixed" {
				c.expect("+QUEUED\r\n", "SET", key1, "1")
			}
			c.send(array(tc.command...))
			awaitParked(t, w)
			w.srv.TopologyChanged()
			if got := c.read(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestRaftIsAskedForEachRun(t *testing.T) {
	w := newWorld(t, 3, patient)
	w.lead(1, "b")
	c := w.dial(t)
	c.expect("-MOVED 866 10.0.0.2:7000\r\n", "INCR", key1)
	w.elect(1, "a")
	c.send(array("INCR", key1))
	awaitParked(t, w)
	w.srv.TopologyChanged()
	if got := c.read(); got != ":1\r\n" {
		t.Errorf("got %q", got)
	}
}

// A command that is parked already learns of a leader whom raft does not name any more.
func TestParkedUntilRaftAgrees(t *testing.T) {
	w := newWorld(t, 3, patient)
	w.lead(1, "")
	c := w.dial(t)
	c.send(array("INCR", key1))
	awaitParked(t, w)
	w.locked(func() { w.raft = func(slot.GroupID) topology.NodeID { return nodeID("a") } })
	w.lead(1, "b")
	time.Sleep(4 * lookAgain) // what is answered now is wrong
	w.lead(1, "a")
	if got := c.read(); got != ":1\r\n" {
		t.Errorf("got %q", got)
	}
}

// Raft loses its leader and finds the same one before anybody looks: no routes follow from that.
func TestRaftAgreesWithoutAChange(t *testing.T) {
	w := newWorld(t, 3, patient)
	w.lead(1, "b")
	c := w.dial(t)
	w.elect(1, "")
	c.send(array("SET", key1, "1"))
	awaitParked(t, w)
	w.elect(1, "b")
	if got := c.read(); got != "-MOVED 866 10.0.0.2:7000\r\n" {
		t.Errorf("got %q", got)
	}
}

// The group names b, of whom it heard before raft made this node the leader again; the routes never said anything else.
func TestRefusedByALeader(t *testing.T) {
	w := newWorld(t, 3, patient)
	g := w.groups[1]
	g.set(func() { g.fail = once(&shardgroup.NotLeaderError{Leader: string(nodeID("b"))}) })
	c := w.dial(t)
	c.send(array("INCR", key1) + array("INCR", key1) + array("GET", key1))
	if got := c.read() + c.read() + c.read(); got != ":1\r\n:2\r\n$1\r\n2\r\n" {
		t.Errorf("got %q", got)
	}
}

// Raft names another leader whenever it is asked. It is asked once for both commands, or the second would be executed without the first.
func TestRaftIsAskedOnceForAll(t *testing.T) {
	b := &shardgroup.NotLeaderError{Leader: string(nodeID("b"))}
	moved := "-MOVED 866 10.0.0.2:7000\r\n"
	for name, tc := range map[string]struct {
		// routes is who leads by the routes, err what the group answers at first, raft what raft says in turn.
		routes string
		err    error
		raft   []string
		want   string
	}{
		"routes":         {"b", nil, []string{"b", "a"}, moved + moved},
		"the group":      {"a", b, []string{"b", "a"}, moved + moved},
		"who waits":      {"a", b, []string{"", "a"}, ":1\r\n:2\r\n"},
		"who waits long": {"a", b, []string{"", "", "", "a", "", "a"}, ":1\r\n:2\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3, patient)
			g := w.groups[1]
			g.set(func() { g.fail = once(tc.err) })
			c := w.dial(t)
			w.lead(1, tc.routes)
			w.locked(func() {
				w.raft = func(slot.GroupID) (leader topology.NodeID) {
					if next := tc.raft[0]; next != "" {
						leader = nodeID(next)
					}
					if len(tc.raft) > 1 {
						tc.raft = tc.raft[1:]
					}
					return leader
				}
			})
			c.send(array("INCR", key1) + array("INCR", key1))
			if tc.routes != "a" {
				time.Sleep(4 * lookAgain) // nothing should wait for that, or for new routes
				w.lead(1, "a")
			}
			if got := c.read() + c.read(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// Raft never agrees with the routes, or with the group: who waited in vain is sent where one of them says.
func TestWhoWaitsInVainIsSentAway(t *testing.T) {
	w := newWorld(t, 3)
	w.lead(1, "b")
	w.elect(1, "a")
	w.dial(t).expect("-MOVED 866 10.0.0.2:7000\r\n", "SET", key1, "1")

	w = newWorld(t, 3)
	w.lead(1, "")
	c := w.dial(t)
	c.send(array("FLUSHALL"))
	awaitParked(t, w)
	w.locked(func() { w.raft = func(slot.GroupID) topology.NodeID { return nodeID("a") } })
	w.lead(1, "b")
	if got := c.read(); !strings.Contains(got, "CLUSTERDOWN") {
		t.Errorf("FLUSHALL without one of three groups: %q", got)
	}

	w = newWorld(t, 3)
	g := w.groups[1]
	g.set(func() { g.fail = once(&shardgroup.NotLeaderError{Leader: string(nodeID("b"))}) })
	w.locked(func() { w.raft = func(slot.GroupID) topology.NodeID { return "" } })
	c = w.dial(t)
	c.send(array("SET", key1, "1"))
	awaitParked(t, w)
	w.lead(1, "")
	if got := c.read(); got != "-CLUSTERDOWN The cluster is down\r\n" {
		t.Errorf("when nobody leads any more: %q", got)
	}

	w = newWorld(t, 3, patient)
	w.lead(1, "b")
	w.elect(1, "a")
	c = w.dial(t)
	c.send(array("SET", key1, "1"))
	awaitParked(t, w)
	w.srv.Shutdown(t.Context())
	if got := c.read(); got != "-MOVED 866 10.0.0.2:7000\r\n" {
		t.Errorf("a server that stops answered %q", got)
	}
}

func TestRefusedCommandsPause(t *testing.T) {
	w := newWorld(t, 3)
	g := w.groups[1]
	g.set(func() { g.fail = failing(&shardgroup.NotLeaderError{Leader: string(nodeID("b"))}) })
	w.dial(t).expect("-MOVED 866 10.0.0.2:7000\r\n", "SET", key1, "1")
	if submits, _, _ := g.counted(); submits < 2 || submits > int(w.srv.cfg.Load().ParkTimeout/lookAgain)+1 {
		t.Errorf("the group was asked %d times", submits)
	}
}

// Where nothing may wait, or nobody can be asked, MOVED says what is known.
func TestMovedWithoutAskingRaft(t *testing.T) {
	moved := "-MOVED 866 10.0.0.2:7000\r\n"
	w := newWorld(t, 3, func(c *Config) { c.ParkTimeout = 0 })
	g := w.groups[1]
	g.set(func() { g.fail = once(&shardgroup.NotLeaderError{Leader: string(nodeID("b"))}) })
	c := w.dial(t)
	c.expect(moved, "SET", key1, "1")
	w.lead(1, "b")
	w.elect(1, "a")
	c.expect(moved, "SET", key1, "1")
	c.expect(moved, "WATCH", key1)

	w = newWorld(t, 3, patient)
	w.locked(func() { delete(w.groups, 1) })
	w.lead(1, "b")
	w.elect(1, "a")
	w.dial(t).expect(moved, "SET", key1, "1")
}

// EXEC looks at the routes twice: what it found no leader for is not parked behind newer ones that know of one.
func TestParkedBehindNewerRoutes(t *testing.T) {
	w := newWorld(t, 3)
	w.lead(1, "")
	c := w.undriven(t)
	spec := command.ByID(command.Set)
	op := entry.Op{Cmd: command.Set, Args: [][]byte{[]byte(key1), []byte("1")}}
	c.run.gather(placed{spec: spec, slot: 866}, w.srv.routes.Load().at(866), op, 2, false)
	w.lead(1, "a")
	c.run.routes = w.srv.routes.Load()
	if got := string(c.collect()[0]); got != "+OK\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestSlotsMovedBeforeTheMap(t *testing.T) {
	w := newWorld(t, 3, patient)
	c := w.dial(t)
	c.expect("+OK\r\n", "SET", key3, "there")
	// The front end believes that group 1 owns everything.
	real := w.Map()
	w.locked(func() {
		wrong := real.Clone()
		for n := range wrong.Slots {
			wrong.Slots[n] = 1
		}
		w.m = wrong
	})
	w.srv.TopologyChanged()
	c.send(array("SET", key1, "1") + array("APPEND", key3, "!") + array("GET", key3))
	awaitSubmits(t, w.groups[1], 1)
	w.locked(func() { w.m = real })
	w.srv.TopologyChanged()
	if got := c.read() + c.read() + c.read(); got != "+OK\r\n:6\r\n$6\r\nthere!\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestNobodyIsElectedInTime(t *testing.T) {
	w := newWorld(t, 3)
	w.lead(1, "")
	c := w.dial(t)
	c.send(array("SET", key1, "1") + array("SET", key3, "2"))
	if got := c.read() + c.read(); got != "-CLUSTERDOWN The cluster is down\r\n+OK\r\n" {
		t.Errorf("got %q", got)
	}
	w.locked(func() { w.loading = true })
	c.expect("-CLUSTERDOWN The cluster is down\r\n", "SET", key1, "1")
}

// awaitParked waits until a connection is executing, that is until its next change of routes will be seen.
func awaitParked(t *testing.T, w *world) {
	t.Helper()
	await(t, "a parked command", func() bool { return w.srv.stats.parked.Load() > 0 })
}

func awaitSubmits(t *testing.T, g *machineGroup, n int) {
	t.Helper()
	await(t, "a submitted call", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.submits >= n
	})
}

func await(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !ready(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%s did not come within %v", what, patience)
		}
	}
}

// TestPipelineOverGroups: replies come in the order of the commands, and each key sees its commands in their order,
// whatever the groups' speeds.
func TestPipelineOverGroups(t *testing.T) {
	w := newWorld(t, 3)
	slow := make(chan struct{})
	w.groups[2].set(func() { w.groups[2].hold = slow })
	c := w.dial(t)
	var sent, want strings.Builder
	for i := 1; i <= 500; i++ {
		for _, k := range []string{key1, key2, key3} {
			sent.WriteString(array("INCR", k+"n"))
			fmt.Fprintf(&want, ":%d\r\n", i)
		}
		sent.WriteString(array("PING"))
		want.WriteString("+PONG\r\n")
	}
	go func() { _, _ = c.nc.Write([]byte(sent.String())) }()
	awaitSubmits(t, w.groups[3], 1)
	close(slow)
	var got strings.Builder
	for range 2000 {
		got.WriteString(c.read())
	}
	if got.String() != want.String() {
		t.Error("replies are out of order")
	}
}

// TestReadsSkipTheLog: a pipeline of reads asks the read gate once per group; with a write in it, all goes one way.
func TestReadsSkipTheLog(t *testing.T) {
	w := newWorld(t, 1)
	g := w.groups[1]
	c := w.dial(t)
	c.send(strings.Repeat(array("GET", "a"), 100))
	for range 100 {
		c.read()
	}
	submits, reads, _ := g.counted()
	if reads == 0 || reads > 10 || submits != 0 {
		t.Errorf("100 pipelined GETs: %d reads, %d submits", reads, submits)
	}
	c.send(array("GET", "a") + array("SET", "a", "1") + array("GET", "a"))
	if got := c.read() + c.read() + c.read(); got != "$-1\r\n+OK\r\n$1\r\n1\r\n" {
		t.Errorf("got %q", got)
	}
	if submits, after, _ := g.counted(); after != reads || submits != 1 {
		t.Errorf("a mixed pipeline: %d reads more, %d submits; want it in one call", after-reads, submits)
	}
}

// TestQuorumReads: reads that need a confirmation wait for it on no goroutine of their own, and every one of a pipeline over groups
// finds its place.
func TestQuorumReads(t *testing.T) {
	inAllWays(t, func(t *testing.T, way func(*Config)) {
		w := newWorld(t, 3, way, func(c *Config) { c.QuorumReads = true })
		g := w.groups[1]
		c := w.dial(t)
		c.expect("+OK\r\n", "SET", key1, "x")
		hold := make(chan struct{})
		g.set(func() { g.hold = hold })
		const clients = 40
		var waiting []*client
		for range clients {
			each := w.dial(t)
			each.send(array("GET", key1) + array("PING") + array("GET", key2) + array("MGET", key1, key1))
			waiting = append(waiting, each)
		}
		await(t, "all confirmations", func() bool { return g.waiting() == clients })
		close(hold)
		for _, each := range waiting {
			if got := each.read() + each.read() + each.read() + each.read(); got != "$1\r\nx\r\n+PONG\r\n$-1\r\n*2\r\n$1\r\nx\r\n$1\r\nx\r\n" {
				t.Errorf("got %q", got)
			}
		}
		if _, _, follower := g.counted(); follower != 0 {
			t.Errorf("%d reads of a follower", follower)
		}
		g.set(func() { g.fail = once(&shardgroup.NotLeaderError{Leader: string(nodeID("b"))}) })
		w.elect(1, "b")
		c.send(array("GET", key2) + array("GET", key1))
		if got := c.read() + c.read(); got != "$-1\r\n-MOVED 866 10.0.0.2:7000\r\n" {
			t.Errorf("got %q", got)
		}
	})
}

func TestNudge(t *testing.T) {
	w := newWorld(t, 3)
	c, idle, piped, multi := w.dial(t), w.dial(t), w.dial(t), w.dial(t)
	for _, each := range []*client{c, idle, piped, multi} {
		each.expect("+OK\r\n", "SET", key1, "0")
	}
	multi.expect("+OK\r\n", "MULTI")
	w.lead(2, "b")
	self := "-MOVED 866 10.0.0.1:7000\r\n"
	c.expect(self, "INCR", key1)
	c.expect(":1\r\n", "INCR", key1)
	// One per connection and change, and for an idle connection only the newest counts.
	w.lead(3, "c")
	time.Sleep(nudgeHostPause)
	idle.expect(self, "INCR", key1)
	idle.expect(":2\r\n", "INCR", key1)
	// At most one a second.
	c.expect(":3\r\n", "INCR", key1)
	// Never in a pipeline or a transaction.
	piped.send(array("INCR", key1) + array("INCR", key1))
	if got := piped.read() + piped.read(); got != ":4\r\n:5\r\n" {
		t.Errorf("pipeline: %q", got)
	}
	multi.expect("+QUEUED\r\n", "INCR", key1)
	multi.expect("*1\r\n:6\r\n", "EXEC")
	// Reading the map or a real MOVED is news enough; a new connection knows the newest.
	w.lead(2, "a")
	w.dial(t).expect(":7\r\n", "INCR", key1)
	late := w.dial(t)
	w.lead(3, "b")
	late.expect("-MOVED 12182 10.0.0.2:7000\r\n", "GET", key3)
	late.expect(":8\r\n", "INCR", key1)
	// An election that ends where it began is none.
	w.lead(1, "")
	w.lead(1, "a")
	late.expect(":9\r\n", "INCR", key1)
}

// Who was just told MOVED renews its map anyway: another redirection, to where the client came from or to this node, may be one too many.
func TestNoNudgeAfterMoved(t *testing.T) {
	w := newWorld(t, 3)
	w.lead(1, "b")
	c := w.dial(t)
	c.expect("-MOVED 866 10.0.0.2:7000\r\n", "INCR", key1)
	w.lead(1, "a")
	c.expect(":1\r\n", "INCR", key1)
	// It may have read the map before that.
	time.Sleep(nudgePause)
	c.expect("-MOVED 866 10.0.0.1:7000\r\n", "INCR", key1)
	c.expect(":2\r\n", "INCR", key1)
}

func TestFollowerReads(t *testing.T) {
	w := newWorld(t, 3)
	w.lead(1, "b")
	c := w.dial(t)
	c.expect("-MOVED 866 10.0.0.2:7000\r\n", "GET", key1)
	c.expect("+OK\r\n", "READONLY")
	c.expect("$-1\r\n", "GET", key1)
	c.expect("-MOVED 866 10.0.0.2:7000\r\n", "SET", key1, "1")
	c.expect("+OK\r\n", "SET", key3, "1")
	if submits, reads, follower := w.groups[1].counted(); follower != 1 || reads != 0 || submits != 0 {
		t.Errorf("follower reads %d, reads %d, submits %d", follower, reads, submits)
	}
}

// A read must not pass a write of its own pipeline that waits for a leader, though a follower could answer it at once.
func TestFollowerReadWaitsBehindItsWrite(t *testing.T) {
	w := newWorld(t, 3)
	w.lead(1, "")
	c := w.dial(t)
	c.expect("+OK\r\n", "READONLY")
	c.send(array("GET", key1) + array("SET", key1, "new") + array("GET", key1))
	awaitParked(t, w)
	w.lead(1, "a")
	if got, want := c.read()+c.read()+c.read(), "$-1\r\n+OK\r\n$3\r\nnew\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestScanVisitsLedKeysOnce(t *testing.T) {
	w := newWorld(t, 5)
	c := w.dial(t)
	want := map[string]bool{}
	for i := range 300 {
		k := fmt.Sprint("key", i)
		c.expect("+OK\r\n", "SET", k, "v")
		if n := slot.Of([]byte(k)); w.m.Slots[n] != 2 && w.m.Slots[n] != 5 {
			want[k] = true
		}
	}
	w.lead(2, "b")
	w.lead(5, "c")
	c.expect(fmt.Sprintf(":%d\r\n", len(want)), "DBSIZE")
	seen := map[string]bool{}
	cursor := "0"
	for range 10_000 {
		parts := elements([]byte(c.do("SCAN", cursor, "COUNT", "7")))
		for _, k := range elements(parts[1]) {
			if seen[string(bulk(k))] {
				t.Errorf("%s came twice", bulk(k))
			}
			seen[string(bulk(k))] = true
		}
		if cursor = string(bulk(parts[0])); cursor == "0" {
			break
		}
	}
	if cursor != "0" || len(seen) != len(want) {
		t.Errorf("saw %d keys, want %d; cursor %s", len(seen), len(want), cursor)
	}
	if got := len(elements([]byte(c.do("KEYS", "*")))); got != len(want) {
		t.Errorf("KEYS: %d", got)
	}
	c.expect("-ERR invalid cursor\r\n", "SCAN", "18446744073709551615")
}
