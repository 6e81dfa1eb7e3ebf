package node_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/rpc/node/config"
)

const (
	sketchLimit = 1 << 20
	sketchValue = 2000
	// hotKeys are read all the time, and as many others with names that are too long for a sketch.
	hotKeys = 40
)

// oneGroup makes a cluster of one group, whose leader stays also on a machine that is busy.
func oneGroup(_ int, c *config.Config) {
	c.Groups, c.SpreadLeaders, c.TopologyNudge, c.ElectionTimeout, c.Lease = 1, false, false, 3*time.Second, 2*time.Second
	c.MaxMemory, c.MaxMemoryPolicy, c.MaxMemorySamples = sketchLimit, "allkeys-lru", 10
}

// TestHotKeysSurviveAFailover: a new leader, which has served no reads, evicts about half of all keys. The oldest ones were
// read all the time before: those that the old leader's sketches could name stay, those that they could not go.
func TestHotKeysSurviveAFailover(t *testing.T) {
	l, _ := startLocal(t, oneGroup)
	settle(t, l)
	old, next := l.Nodes()[0], l.Nodes()[1]
	c := dial(t, old)
	c.awaitLeading()
	var named, unnamed []string
	for i := range hotKeys {
		named = append(named, fmt.Sprint("hot:", i))
		unnamed = append(unnamed, fmt.Sprint("hot:", strings.Repeat("x", 60), i))
	}
	c.set(named, 10)
	c.set(unnamed, 10)
	time.Sleep(200 * time.Millisecond) // the LRU clock counts tenths of a second, and the cold keys must be younger by it
	c.set(numbered("cold:", sketchLimit*9/10/(sketchValue+50)), sketchValue)
	readUntilKnown(t, c, next, named, unnamed)
	if sent, _ := old.Sketches(1); sent == 0 {
		t.Error("the leader has counted no sketch")
	}
	if _, received := next.Sketches(1); received == 0 {
		t.Error("the follower has counted no sketch")
	}
	transfer(t, l, 1)
	c = dial(t, next)
	c.awaitLeading()
	c.set(numbered("new:", sketchLimit/2/sketchValue), sketchValue)
	kept, others := c.alive(named), c.alive(unnamed)
	if kept < hotKeys*9/10 || others > hotKeys*3/4 {
		t.Errorf("of %d keys in use that the new leader had heard of %d survived, of as many others %d", hotKeys, kept, others)
	}
	t.Logf("of %d keys in use survived %d with the sketch, %d without", hotKeys, kept, others)
}

// readUntilKnown reads all hot keys until the follower believes of nearly all that a sketch can name that they were used
// after the others, of which it knows nothing but the writes.
func readUntilKnown(t *testing.T, leader *commands, follower *node.Node, named, unnamed []string) {
	t.Helper()
	await(t, func() error {
		for range 20 {
			leader.alive(named)
			leader.alive(unnamed)
		}
		known := 0
		for _, key := range named {
			if idle(t, follower, key)+1 < idle(t, follower, unnamed[0]) {
				known++
			}
		}
		if known < len(named)*95/100 {
			return fmt.Errorf("the follower knows of %d keys that they are in use", known)
		}
		return nil
	})
}

// idle is for how many seconds a node believes that a key was not used.
func idle(t *testing.T, n *node.Node, key string) int {
	t.Helper()
	var w reply.Writer
	op := entry.Op{Cmd: command.ObjectIdletime, Args: [][]byte{[]byte(key)}}
	n.Machine(1).Read(&op, time.Now().UnixMilli(), &w)
	seconds, err := strconv.Atoi(strings.Trim(string(w.Buf), ":\r\n"))
	if err != nil {
		t.Fatalf("%s: idle for %q", key, w.Buf)
	}
	return seconds
}

// commands sends many commands at once to one node, which leads group 1.
type commands struct {
	t    *testing.T
	conn *client.Conn
}

func dial(t *testing.T, n *node.Node) *commands {
	t.Helper()
	conn, err := client.Dial(t.Context(), n.Identity().Client, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &commands{t, conn}
}

// awaitLeading waits until the node answers as the leader: it may send clients to the old one for a moment.
func (c *commands) awaitLeading() {
	c.t.Helper()
	await(c.t, func() error {
		_, err := c.conn.Do(c.t.Context(), "GET", "any")
		return err
	})
}

// do returns the replies to commands that may be repeated: on a starved machine a leader may be without its followers for longer than
// the commands wait.
func (c *commands) do(cmds [][]string) (replies []client.Value) {
	c.t.Helper()
	await(c.t, func() (err error) {
		if replies, err = c.conn.Pipeline(c.t.Context(), cmds); err != nil {
			c.t.Fatal(err)
		}
		for i, v := range replies {
			switch {
			case v.Kind == '-' && strings.HasPrefix(v.Str, "CLUSTERDOWN "):
				return fmt.Errorf("%.60q: %s", cmds[i], v.Str)
			case v.Kind == '-':
				c.t.Fatalf("%.60q: %s", cmds[i], v.Str)
			}
		}
		return nil
	})
	return replies
}

func (c *commands) set(keys []string, size int) {
	c.t.Helper()
	var cmds [][]string
	for _, key := range keys {
		cmds = append(cmds, []string{"SET", key, strings.Repeat("v", size)})
	}
	c.do(cmds)
}

// alive reads keys and counts those that exist.
func (c *commands) alive(keys []string) (n int) {
	c.t.Helper()
	var cmds [][]string
	for _, key := range keys {
		cmds = append(cmds, []string{"GET", key})
	}
	for _, v := range c.do(cmds) {
		if !v.Null {
			n++
		}
	}
	return n
}

func numbered(prefix string, n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprint(prefix, i))
	}
	return keys
}

// transfer makes a node the leader of group 1. While an earlier transfer is on its way, the cluster refuses others.
func transfer(t *testing.T, l *node.Local, to int) {
	t.Helper()
	a, err := client.NewAdmin(t.Context(), l.Addrs(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	await(t, func() error { return a.Transfer(t.Context(), 1, l.Nodes()[to].Identity().Name) })
}

// await tries until there is no error.
func await(t *testing.T, try func() error) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// settle makes the first node the leader, after the others: then no first leader of a new group is about to hand over to the
// one that placement prefers.
func settle(t *testing.T, l *node.Local) {
	t.Helper()
	for _, to := range []int{1, 2, 0} {
		transfer(t, l, to)
	}
}

// TestSketchesAreChecked: only the leader's are taken, if they are whole and not too large.
func TestSketchesAreChecked(t *testing.T) {
	l, _ := startLocal(t, oneGroup)
	settle(t, l)
	leader, follower, third := l.Nodes()[0], l.Nodes()[1], l.Nodes()[2]
	for _, n := range l.Nodes() {
		await(t, func() error {
			if id := n.Leader(1); id != leader.Identity().ID {
				return fmt.Errorf("%s believes that %q leads", n.Identity().Name, id)
			}
			return nil
		})
	}
	one := []byte{1 << 1, 0, 0, 0, 0, 1, 'k'}
	for name, c := range map[string]struct {
		from, to *node.Node
		group    slot.GroupID
		sketch   []byte
		want     string
	}{
		"a leader's":          {leader, follower, 1, one, ""},
		"a follower's":        {third, follower, 1, one, "is led by"},
		"to the leader":       {follower, leader, 1, one, "is led by"},
		"too large":           {leader, follower, 1, make([]byte, 64<<10+1), "at most 65536"},
		"cut off":             {leader, follower, 1, one[:4], "cut off"},
		"of no group of ours": {leader, follower, 9, one, "no replica"},
	} {
		_, before := c.to.Sketches(1)
		err := c.from.SendSketch(t.Context(), c.to.Identity().ID, c.group, c.sketch)
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if _, after := c.to.Sketches(1); (after > before) != (c.want == "") {
			t.Errorf("%s: %d sketches were counted", name, after-before)
		}
	}
}

func TestSketchesAreSentWhenEvictionsByUseAreNear(t *testing.T) {
	for _, c := range []struct {
		limit  uint64
		policy entry.Policy
		used   int64
		want   bool
	}{
		{1000, entry.AllKeysLRU, 800, true},
		{1000, entry.VolatileLRU, 1100, true},
		{1000, entry.AllKeysLFU, 900, true},
		{1000, entry.VolatileLFU, 799, false},
		{1000, entry.AllKeysLRU, 799, false},
		{0, entry.AllKeysLRU, 900, false},
		{1000, entry.NoEviction, 900, false},
		{1000, entry.AllKeysRandom, 900, false},
		{1000, entry.VolatileTTL, 900, false},
	} {
		if got := node.EvictsByUse(entry.Limits{MaxMemory: c.limit, Policy: c.policy}, c.used); got != c.want {
			t.Errorf("%v, %d of %d bytes: %v", c.policy, c.used, c.limit, got)
		}
	}
}
