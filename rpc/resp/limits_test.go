package resp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/rpc/resp/frame"
)

func TestEveryCommandHasAHandler(t *testing.T) {
	for id := range command.ID(maxCommandID) {
		spec := command.ByID(id)
		if spec == nil || spec.Home == command.Keyed || spec.Home == command.Internal {
			continue
		}
		if handlers[id] == nil && (!spec.IsContainer() || spec.ID == command.Command) {
			t.Errorf("%s has no handler", spec.Name)
		}
	}
	if command.ByID(maxCommandID) != nil {
		t.Error("ids have outgrown maxCommandID")
	}
}

func TestMaxClients(t *testing.T) {
	w := newWorld(t, 1, func(c *Config) { c.MaxClients = 2 })
	a, b := w.dial(t), w.dial(t)
	a.expect("+PONG\r\n", "PING")
	b.expect("+PONG\r\n", "PING")
	if got := w.dial(t).read(); got != "-ERR max number of clients reached\r\n" {
		t.Errorf("got %q", got)
	}
	a.expect("+OK\r\n", "QUIT")
	await(t, "a free place", func() bool { return w.srv.conns.count() == 1 })
	w.dial(t).expect("+PONG\r\n", "PING")
}

func TestIdleTimeout(t *testing.T) {
	w := newWorld(t, 1, func(c *Config) { c.Timeout = 20 * time.Millisecond })
	c := w.dial(t)
	c.expect("+PONG\r\n", "PING")
	if got := c.read(); got != "EOF" {
		t.Errorf("got %q", got)
	}
	// Subscribers are idle by nature.
	s := w.dial(t)
	s.do("SUBSCRIBE", "x")
	time.Sleep(60 * time.Millisecond)
	s.expect("*2\r\n$4\r\npong\r\n$0\r\n\r\n", "PING")
}

// TestWhoIsSendingIsNotIdle: a command may take longer to come than a client may be idle, be it kept or read over.
func TestWhoIsSendingIsNotIdle(t *testing.T) {
	const idle = 300 * time.Millisecond
	w := newWorld(t, 1, func(c *Config) { c.Timeout, c.MaxBulkLen = idle, 1<<20 })
	for size, want := range map[int]string{
		1 << 20:     "+OK\r\n",
		1<<20 + 100: fmt.Sprintf("-ERR argument too long: %d bytes, at most %d (proto-max-bulk-len)\r\n", 1<<20+100, 1<<20),
	} {
		c := w.dial(t)
		whole := array("SET", "a", strings.Repeat("v", size)) + array("PING")
		const pieces = 10
		for i := range pieces {
			c.send(whole[len(whole)*i/pieces : len(whole)*(i+1)/pieces])
			time.Sleep(idle / 4)
		}
		if got := c.read(); got != want {
			t.Errorf("%d bytes: %.80q", size, got)
		}
		if got := c.read(); got != "+PONG\r\n" {
			t.Errorf("%d bytes, then: %.80q", size, got)
		}
	}
}

func TestQueryBufferLimit(t *testing.T) {
	w := newWorld(t, 1, func(c *Config) { c.QueryBufferLimit = 1 << 20; c.MaxBulkLen = 32 << 20 })
	c := w.dial(t)
	go func() {
		_, _ = fmt.Fprintf(c.nc, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\n", 32<<20)
		chunk := make([]byte, 64<<10)
		for {
			if _, err := c.nc.Write(chunk); err != nil {
				return
			}
		}
	}()
	if got := c.read(); got != "-ERR Protocol error: query buffer limit exceeded (client-query-buffer-limit)\r\n" && got != "EOF" {
		t.Errorf("got %q", got)
	}
	w.dial(t).expect("$-1\r\n", "GET", "a")
}

func TestLargeValues(t *testing.T) {
	w := newWorld(t, 1)
	c := w.dial(t)
	for _, size := range []int{0, 1, inboxLent - 1, inboxLent, inboxRoomy + 1, 5 << 20} {
		value := strings.Repeat("v", size)
		go func() { _, _ = c.nc.Write([]byte(array("SET", "big", value) + array("GET", "big"))) }()
		if got := c.read(); got != "+OK\r\n" {
			t.Fatalf("size %d: %q", size, got)
		}
		if got := c.read(); got != fmt.Sprintf("$%d\r\n%s\r\n", size, value) {
			t.Fatalf("size %d: %d bytes came back", size, len(got))
		}
	}
}

// What no log entry holds is refused before a group hears of it.
func TestWritesBeyondAnEntryAreRefused(t *testing.T) {
	c := newWorld(t, 1).undriven(t)
	half := bytes.Repeat([]byte("v"), entry.MaxOp/2)
	big := entry.Op{Args: [][]byte{[]byte("{k}a"), half, []byte("{k}b"), half}}
	for _, words := range [][][]byte{
		append([][]byte{[]byte("MSET")}, big.Args...),
		{[]byte("MULTI")}, append([][]byte{[]byte("SET")}, big.Args[:2]...), append([][]byte{[]byte("SET")}, big.Args[2:]...), {[]byte("EXEC")},
	} {
		c.command(command.Find(words), words)
	}
	want := fmt.Sprintf("-ERR command too large: %d bytes, at most %d can be written in one step\r\n+OK\r\n+QUEUED\r\n"+
		"-ERR transaction too large: at most %d commands and watched keys of %d bytes together\r\n-%s\r\n",
		big.Size(), entry.MaxOp, maxQueued, entry.MaxOp, reply.ExecAborted)
	if got := string(c.run.own.Buf); got != want || c.run.used > 0 {
		t.Errorf("%d calls, replies\n%s\nwant\n%s", c.run.used, got, want)
	}
}

// TestArgumentBeyondItsLimit: the client gets to send all of it, learns why it was refused, and goes on. Nothing of it is kept.
func TestArgumentBeyondItsLimit(t *testing.T) {
	w := newWorld(t, 1, func(c *Config) { c.MaxBulkLen, c.QueryBufferLimit = 1<<20, 2<<20 })
	c := w.dial(t)
	refused := fmt.Sprintf("-ERR argument too long: %d bytes, at most %d (proto-max-bulk-len)\r\n", 9<<20, 1<<20)
	long := strings.Repeat("v", 9<<20)
	send := func(words ...string) {
		go func() { _, _ = c.nc.Write([]byte(array(words...) + array("PING"))) }()
	}
	send("SET", "a", long, "EX", long)
	for _, want := range []string{refused, "+PONG\r\n"} {
		if got := c.read(); got != want {
			t.Fatalf("got %.100q, want %q", got, want)
		}
	}
	c.expect("$-1\r\n", "GET", "a")

	c.expect("+OK\r\n", "MULTI")
	send("SET", "a", long)
	for _, want := range []string{refused, "+QUEUED\r\n"} {
		if got := c.read(); got != want {
			t.Fatalf("got %.100q, want %q", got, want)
		}
	}
	c.expect("-"+reply.ExecAborted+"\r\n", "EXEC")

	c.send(array("CLIENT", "REPLY", "SKIP"))
	send("SET", "a", long)
	if got := c.read(); got != "+PONG\r\n" {
		t.Fatalf("after CLIENT REPLY SKIP: %.100q", got)
	}

	c.send(fmt.Sprintf("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\n", frame.MaxBulk+1))
	if got := c.read(); got != "-ERR Protocol error: invalid bulk length\r\n" {
		t.Errorf("got %q", got)
	}
	w.dial(t).expect("-ERR CONFIG SET failed (possibly related to argument 'proto-max-bulk-len') - proto-max-bulk-len 62914561: want 1048576 to 62914560 bytes\r\n",
		"CONFIG", "SET", "proto-max-bulk-len", "62914561")
}

// TestSlowReaderHoldsUpNobody: a client that does not read its replies stops only itself.
func TestSlowReaderHoldsUpNobody(t *testing.T) {
	w := newWorld(t, 1)
	c := w.dial(t)
	value := strings.Repeat("v", 1<<20)
	c.expect("+OK\r\n", "SET", "big", value)
	slow := w.dial(t)
	if tcp, ok := slow.nc.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4096)
	}
	go func() { _, _ = slow.nc.Write([]byte(strings.Repeat(array("GET", "big"), 200))) }()
	await(t, "the slow reader's commands", func() bool {
		g := w.groups[1]
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.reads > 0
	})
	for range 100 {
		c.expect("+OK\r\n", "SET", "small", "1")
	}
}

// TestASlowReaderHoldsLittle: what a client asks for and does not fetch must not pile up, however much it pipelines. Before runs had
// paces, 200 such reads were executed at once.
func TestASlowReaderHoldsLittle(t *testing.T) {
	w := newWorld(t, 1)
	w.dial(t).expect("+OK\r\n", "SET", "big", strings.Repeat("v", 1<<20))
	slow := w.dial(t)
	const asks = 200
	if _, err := slow.nc.Write([]byte(strings.Repeat(array("GET", "big"), asks))); err != nil {
		t.Fatal(err)
	}
	done := func() int {
		g := w.groups[1]
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.ops
	}
	await(t, "the first reads", func() bool { return done() > 0 })
	// What is written by others comes after what the server does for the slow one, if it does not wait for it.
	for range 200 {
		w.dial(t).expect("+OK\r\n", "SET", "small", "1")
	}
	if n := done(); n > 2*firstRun {
		t.Errorf("%d MB of replies were made for a client that has taken none", n)
	}
	for i := range asks {
		if got := slow.read(); len(got) < 1<<20 {
			t.Fatalf("reply %d is %.40q", i, got)
		}
	}
}

// Runs grow while replies are small, and one reply that is large makes them short again.
func TestPace(t *testing.T) {
	c := &conn{most: firstRun, run: &run{}}
	r := c.run
	ran := func(n, bytes int) int {
		r.cmds, r.own.Buf = make([]placed, n), make([]byte, bytes)
		c.pace()
		return c.most
	}
	for _, step := range []struct{ n, bytes, most int }{
		{3, 100, firstRun}, {firstRun, 100, 2 * firstRun}, {2 * firstRun, runReplies, 4 * firstRun}, {8, 2 * runReplies, 4}, {4, 100 * runReplies, 1}, {1, 5, 2},
	} {
		if got := ran(step.n, step.bytes); got != step.most {
			t.Errorf("after %d commands and %d bytes: %d, want %d", step.n, step.bytes, got, step.most)
		}
	}
	for range 20 {
		ran(c.most, 10)
	}
	if c.most != maxRun {
		t.Errorf("runs grow to %d", c.most)
	}
}

func TestShutdownAnswersWhatWasSent(t *testing.T) {
	w := newWorld(t, 1)
	g := w.groups[1]
	hold := make(chan struct{})
	g.set(func() { g.hold = hold })
	c, idle := w.dial(t), w.dial(t)
	idle.expect("+PONG\r\n", "PING")
	c.send(array("SET", "a", "1"))
	awaitSubmits(t, g, 1)
	done := make(chan error, 1)
	go func() { done <- w.srv.Shutdown(context.Background()) }()
	if got := idle.read(); got != "EOF" {
		t.Errorf("idle connection: %q", got)
	}
	close(hold)
	if got := c.read() + c.read(); got != "+OK\r\nEOF" {
		t.Errorf("got %q", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestShutdownAtItsLimit(t *testing.T) {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if err := newWorld(t, 1).srv.Shutdown(over); err != nil {
		t.Errorf("without clients: %v", err)
	}
	w := newWorld(t, 1)
	g := w.groups[1]
	hold := make(chan struct{})
	g.set(func() { g.hold = hold })
	c := w.dial(t)
	c.send(array("SET", "a", "1"))
	awaitSubmits(t, g, 1)
	done := make(chan error, 1)
	go func() { done <- w.srv.Shutdown(over) }()
	if got := c.read(); got != "EOF" {
		t.Errorf("got %q", got)
	}
	close(hold)
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want to hear of the connection that was closed", err)
	}
}

func TestProtectedMode(t *testing.T) {
	w := newWorld(t, 1)
	far, near := net.Pipe()
	t.Cleanup(func() { near.Close() })
	go w.srv.admit(remoteConn{far})
	c := &client{t: t, nc: near}
	if got := c.read(); !strings.HasPrefix(got, "-DENIED Quorate is running in protected mode") {
		t.Errorf("got %q", got)
	}
	w.dial(t).expect("+OK\r\n", "CONFIG", "SET", "protected-mode", "no")
	far, near2 := net.Pipe()
	t.Cleanup(func() { near2.Close() })
	go w.srv.admit(remoteConn{far})
	c = &client{t: t, nc: near2}
	c.expect("+PONG\r\n", "PING")
}

// remoteConn says that it comes from another machine.
type remoteConn struct{ net.Conn }

func (remoteConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 9, 9, 9), Port: 9} }

func TestClientListAndKill(t *testing.T) {
	w := newWorld(t, 1)
	a, b := w.dial(t), w.dial(t)
	a.do("CLIENT", "SETNAME", "anna")
	b.do("CLIENT", "SETNAME", "berta")
	b.do("HELLO", "3")
	b.do("CLIENT", "SETINFO", "LIB-NAME", "tester")
	b.do("MULTI")
	b.do("GET", "x")
	list := a.do("CLIENT", "LIST")
	for _, want := range []string{"name=anna", "name=berta", "cmd=client|list", "resp=3", "lib-name=tester", "flags=x", "multi=1", "laddr=" + w.addr} {
		if !strings.Contains(list, want) {
			t.Errorf("CLIENT LIST has no %q:\n%s", want, list)
		}
	}
	if got := a.do("CLIENT", "LIST", "ID", "2"); strings.Contains(got, "anna") || !strings.Contains(got, "berta") {
		t.Errorf("by id: %q", got)
	}
	a.expect(":1\r\n", "CLIENT", "KILL", "ID", "2")
	if got := b.read(); got != "EOF" {
		t.Errorf("killed: %q", got)
	}
	a.expect(":0\r\n", "CLIENT", "KILL", "TYPE", "normal")
	a.expect(":1\r\n", "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")
	if got := a.read(); got != "EOF" {
		t.Errorf("killed itself: %q", got)
	}
}

func TestSlowlog(t *testing.T) {
	w := newWorld(t, 1, func(c *Config) {
		c.EnableDebug = "yes"
		c.SlowlogSlowerThan = 5 * time.Millisecond
		c.SlowlogMaxLen = 2
	})
	c := w.dial(t)
	for _, s := range []string{"0.01", "0.011", "0.012"} {
		c.expect("+OK\r\n", "DEBUG", "SLEEP", s)
	}
	c.expect(":2\r\n", "SLOWLOG", "LEN")
	got := c.do("SLOWLOG", "GET", "1")
	if !strings.Contains(got, "*3\r\n$5\r\ndebug\r\n$5\r\nSLEEP\r\n$5\r\n0.012\r\n") {
		t.Errorf("got %q", got)
	}
}

func TestInfoForTools(t *testing.T) {
	w := newWorld(t, 3)
	c := w.dial(t)
	c.do("SET", key1, "1")
	c.do("GET", key1)
	c.do("GET", key2)
	c.do("INCR")
	info := c.do("INFO", "everything")
	for _, want := range []string{
		"redis_version:7.2", "redis_mode:cluster", "quorate_version:test", "tcp_port:7000", "connected_clients:1", "used_memory:",
		"loading:0", "role:master", "master_repl_offset:30", "cluster_enabled:1", "db0:keys=1,expires=0", "keyspace_hits:1", "keyspace_misses:1",
		"cmdstat_set:calls=1,", "cmdstat_get:calls=2,", "rejected_calls=1", "errorstat_ERR:count=1", "raft_durability:always", "raft_group2:role=leader",
		"# Commandstats", "# Latencystats", "latency_percentiles_usec_write:",
	} {
		if !strings.Contains(info, want) {
			t.Errorf("INFO has no %q", want)
		}
	}
	if t.Failed() {
		t.Log(info)
	}
	if got := c.do("INFO", "server"); strings.Contains(got, "# Clients") || !strings.Contains(got, "# Server") {
		t.Errorf("INFO server: %q", got)
	}
}

// TestShutdownAnswersNothing: clients take any reply to SHUTDOWN for a failure. What comes before it is answered, what comes behind it is not done.
func TestShutdownAnswersNothing(t *testing.T) {
	inAllWays(t, func(t *testing.T, way func(*Config)) {
		w := newWorld(t, 1, way)
		c := w.dial(t)
		c.send(array("PING") + array("SHUTDOWN", "NOSAVE") + array("PING"))
		if got := c.read() + c.read(); got != "+PONG\r\nEOF" {
			t.Errorf("got %q", got)
		}
		w.locked(func() {
			if !w.stopped {
				t.Error("the node was not told")
			}
		})
	})
}
