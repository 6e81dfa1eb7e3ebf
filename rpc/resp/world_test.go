package resp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/shardgroup"
)

// world is a Backend of one node: nodes a, b and c, groups with bare machines behind them, no Raft. The tests of this
// package run the front end against it; rpc/node's tests run it against real groups.
type world struct {
	mu      sync.Mutex
	m       *topology.Map
	leaders map[slot.GroupID]topology.NodeID
	// raft, if set, names leaders that the node need not know.
	raft    func(slot.GroupID) topology.NodeID
	groups  map[slot.GroupID]*machineGroup
	stopped bool
	loading bool
	moved   []slot.GroupID
	srv     *Server
	addr    string
	// real takes the place of all groups, if set.
	real Group
}

// nodeID is the identity of the node with that letter.
func nodeID(letter string) topology.NodeID { return topology.NodeID(strings.Repeat(letter, 40)) }

// worldClock is every machine's time: 2033-05-18, Unix ms.
const worldClock = 2_000_000_000_000

// machineGroup is a Group whose log is the order of calls.
type machineGroup struct {
	mu    sync.Mutex
	m     *fsm.Machine
	index uint64
	// observer hears of the machine's changes with the origin of the call that is executed.
	observer shardgroup.Observer
	origin   uint64
	// fail answers calls instead of the machine, if set.
	fail func(c *shardgroup.Call) error
	// hold delays Submit until it is closed.
	hold chan struct{}
	// submits, reads and follower count the calls.
	submits, reads, follower int
	// submitted counts the calls of reads that wait, or have waited, for a confirmation.
	submitted int
	// ops counts the commands of the calls of reads.
	ops int
}

func (g *machineGroup) Changed(key []byte) { g.observer.Changed(key, g.origin) }
func (g *machineGroup) Flushed()           { g.observer.Flushed() }

func (g *machineGroup) Submit(calls ...*shardgroup.Call) {
	g.mu.Lock()
	hold := g.hold
	g.submits += len(calls)
	g.mu.Unlock()
	for _, c := range calls {
		go func() {
			if hold != nil {
				<-hold
			}
			g.run(c)
			c.Done(c)
		}()
	}
}

func (g *machineGroup) SubmitReads(calls ...*shardgroup.Call) {
	calls = slices.Clone(calls)
	g.mu.Lock()
	hold := g.hold
	g.submitted += len(calls)
	g.mu.Unlock()
	go func() {
		if hold != nil {
			<-hold
		}
		for _, c := range calls {
			g.Read(c)
			c.Done(c)
		}
	}()
}

func (g *machineGroup) Join(_ *shardgroup.Reads, c *shardgroup.Call) bool {
	g.mu.Lock()
	open := g.fail == nil
	g.mu.Unlock()
	if open {
		g.Read(c)
		c.Answered = true
	}
	return open
}

func (g *machineGroup) run(c *shardgroup.Call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fail != nil {
		if c.Err = g.fail(c); c.Err != nil {
			return
		}
	}
	g.index++
	g.m.Begin(g.index, worldClock)
	g.origin = c.Origin
	for i := range c.Ops {
		if g.m.Do(&c.Ops[i], &c.Out) == fsm.NotOwned {
			c.Moved = append(c.Moved, i)
		}
		c.Ends = append(c.Ends, len(c.Out.Buf))
	}
	g.m.End()
}

func (g *machineGroup) Read(c *shardgroup.Call) {
	g.mu.Lock()
	g.reads++
	g.ops += len(c.Ops)
	g.mu.Unlock()
	g.read(c)
}

func (g *machineGroup) ReadFollower(c *shardgroup.Call, _ bool) {
	g.mu.Lock()
	g.follower++
	g.mu.Unlock()
	g.read(c)
}

func (g *machineGroup) read(c *shardgroup.Call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fail != nil {
		if c.Err = g.fail(c); c.Err != nil {
			return
		}
	}
	for i := range c.Ops {
		if g.m.Read(&c.Ops[i], worldClock, &c.Out) == fsm.NotOwned {
			c.Moved = append(c.Moved, i)
		}
		c.Ends = append(c.Ends, len(c.Out.Buf))
	}
}

// waiting returns submitted.
func (g *machineGroup) waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.submitted
}

// counted returns submits, reads and follower.
func (g *machineGroup) counted() (submits, reads, follower int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.submits, g.reads, g.follower
}

// set changes the group under its lock.
func (g *machineGroup) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

func (w *world) locked(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// lead makes node letter the leader of g, "" nobody, and tells the server.
func (w *world) lead(g slot.GroupID, letter string) {
	w.elect(g, letter)
	w.srv.TopologyChanged()
}

// elect is lead, but for telling the server.
func (w *world) elect(g slot.GroupID, letter string) {
	w.locked(func() {
		w.leaders[g] = ""
		if letter != "" {
			w.leaders[g] = nodeID(letter)
		}
	})
}

func (w *world) Self() topology.NodeID { return nodeID("a") }

func (w *world) Map() *topology.Map {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.m
}

func (w *world) Leader(g slot.GroupID) topology.NodeID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leaders[g]
}

func (w *world) LeaderNow(g slot.GroupID) topology.NodeID {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.raft != nil {
		return w.raft(g)
	}
	return w.leaders[g]
}

func (w *world) Replica(g slot.GroupID) Group {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.real != nil {
		return w.real
	}
	if r := w.groups[g]; r != nil {
		return r
	}
	return nil
}

func (w *world) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := Status{Version: "test", Durability: "always", Reads: "lease", Loading: w.loading, LastSnapshot: 1_700_000_000}
	for id := slot.GroupID(1); int(id) <= len(w.groups); id++ {
		if g := w.groups[id]; g != nil {
			st := g.m.Stats()
			s.Groups = append(s.Groups, GroupStatus{
				Group: id, Leader: w.leaders[id], Leading: w.leaders[id] == nodeID("a"), Term: 3, Last: 10, Committed: 10, Applied: 10,
				Keys: st.Keys, Expires: st.Volatile, UsedMemory: st.Memory,
			})
		}
	}
	return s
}

func (w *world) Settings() []Setting {
	return []Setting{{"appendonly", "yes"}, {"dir", "/data"}, {"save", ""}}
}

func (w *world) SetSetting(_ context.Context, name, value string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch name {
	case "maxmemory":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return errors.New("argument must be a memory value")
		}
		m := w.m.Clone()
		m.Settings.MaxMemory = n
		w.m = m
		return nil
	case "dir":
		return ErrFixedSetting
	}
	return ErrUnknownSetting
}

func (w *world) Admin(ctx context.Context, args []string) ([]byte, error) {
	switch args[0] {
	case "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	case "status":
		return []byte(`{"verb":"status","args":` + strconv.Itoa(len(args)-1) + `}`), nil
	}
	return nil, errors.New("unknown verb " + args[0])
}

func (w *world) Transfer(_ context.Context, g slot.GroupID, to topology.NodeID) error {
	w.locked(func() {
		w.leaders[g] = to
		w.moved = append(w.moved, g)
	})
	w.srv.TopologyChanged()
	return nil
}

func (w *world) Shutdown() { w.locked(func() { w.stopped = true }) }

// newWorld serves groups shard groups, all led by node a, on a port of its own.
func newWorld(t testing.TB, groups int, adjust ...func(*Config)) *world {
	w := &world{
		m:       &topology.Map{Epoch: 5, Settings: topology.DefaultSettings()},
		leaders: map[slot.GroupID]topology.NodeID{}, groups: map[slot.GroupID]*machineGroup{},
	}
	for i, letter := range []string{"a", "b", "c"} {
		w.m.Nodes = append(w.m.Nodes, topology.Node{ID: nodeID(letter), Client: "10.0.0." + strconv.Itoa(i+1) + ":7000", Peer: "10.0.0." + strconv.Itoa(i+1) + ":17000"})
	}
	for i := range groups {
		id := slot.GroupID(i + 1)
		owned := slot.Range{First: uint16(i * slot.Count / groups), Last: uint16((i+1)*slot.Count/groups - 1)}
		for n := owned.First; n <= owned.Last; n++ {
			w.m.Slots[n] = id
		}
		w.m.Groups = append(w.m.Groups, topology.Group{ID: id, Genesis: []slot.Range{owned}, Members: []topology.NodeID{nodeID("a"), nodeID("b"), nodeID("c")}})
		w.leaders[id] = nodeID("a")
		w.groups[id] = &machineGroup{m: fsm.New(fsm.Genesis{Group: id, HashSeed: 1, Slots: []slot.Range{owned}})}
		w.groups[id].m.Begin(0, worldClock)
		w.groups[id].m.End()
	}
	w.serve(t, adjust...)
	return w
}

func (w *world) serve(t testing.TB, adjust ...func(*Config)) {
	cfg := DefaultConfig()
	cfg.ParkTimeout = 200 * time.Millisecond
	cfg.Log = slog.New(slog.DiscardHandler)
	for _, a := range adjust {
		a(&cfg)
	}
	srv, err := New(cfg, w)
	if err != nil {
		t.Fatal(err)
	}
	w.srv = srv
	for _, g := range w.groups {
		g.observer = srv.Observer()
		g.m.SetObserver(g)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// client is one connection of a test.
type client struct {
	t   testing.TB
	nc  net.Conn
	buf []byte
}

func (w *world) dial(t testing.TB) *client {
	nc, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &client{t: t, nc: nc}
}

// undriven is a connection that belongs to the test alone.
func (w *world) undriven(t testing.TB) *conn {
	far, near := net.Pipe()
	t.Cleanup(func() { far.Close(); near.Close() })
	c := newConn(w.srv, far)
	c.run = newRun(c)
	return c
}

// patience is how long a test waits for a reply that must come.
const patience = 10 * time.Second

func (c *client) send(raw string) {
	c.t.Helper()
	if _, err := c.nc.Write([]byte(raw)); err != nil {
		c.t.Fatal(err)
	}
}

// array is a command in RESP.
func array(words ...string) string {
	var w reply.Writer
	w.Array(len(words))
	for _, word := range words {
		w.BulkString(word)
	}
	return string(w.Buf)
}

// read returns the next reply, "EOF" if the connection was closed instead.
func (c *client) read() string {
	c.t.Helper()
	_ = c.nc.SetReadDeadline(time.Now().Add(patience))
	for {
		if n, whole := wholeReply(c.buf); whole {
			out := string(c.buf[:n])
			c.buf = c.buf[n:]
			return out
		}
		room := make([]byte, 64<<10)
		n, err := c.nc.Read(room)
		c.buf = append(c.buf, room[:n]...)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			c.t.Fatalf("no reply within %v; have %q", patience, c.buf)
		}
		if err != nil && n == 0 {
			return "EOF"
		}
	}
}

// do sends one command and returns its reply.
func (c *client) do(words ...string) string {
	c.t.Helper()
	c.send(array(words...))
	return c.read()
}

// expect sends one command and compares its reply.
func (c *client) expect(want string, words ...string) {
	c.t.Helper()
	if got := c.do(words...); got != want {
		c.t.Errorf("%q: got %q, want %q", words, got, want)
	}
}

// wholeReply is replyLen for bytes that may be cut off.
func wholeReply(b []byte) (n int, whole bool) {
	defer func() {
		if recover() != nil {
			n, whole = 0, false
		}
	}()
	if len(b) == 0 || !strings.Contains(string(b), "\r\n") {
		return 0, false
	}
	n = replyLen(b)
	return n, n <= len(b)
}
