package resp

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/shardgroup"
)

// echoGroup answers every op with +OK at once, so that what remains is the front end's cost.
type echoGroup struct{}

func (echoGroup) answer(c *shardgroup.Call) {
	for range c.Ops {
		c.Out.OK()
		c.Ends = append(c.Ends, len(c.Out.Buf))
	}
}

func (g echoGroup) Submit(calls ...*shardgroup.Call) {
	for _, c := range calls {
		g.answer(c)
		c.Done(c)
	}
}

func (g echoGroup) SubmitReads(calls ...*shardgroup.Call) { g.Submit(calls...) }

func (g echoGroup) Join(_ *shardgroup.Reads, c *shardgroup.Call) bool {
	g.answer(c)
	c.Answered = true
	return true
}

func (g echoGroup) Read(c *shardgroup.Call)                 { g.answer(c) }
func (g echoGroup) ReadFollower(c *shardgroup.Call, _ bool) { g.answer(c) }

// benchConn is a connection that reads the same pipeline again and again and throws replies away.
type benchConn struct {
	pipeline []byte
	left     int
}

func (b *benchConn) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	b.left--
	return copy(p, b.pipeline), nil
}

func (b *benchConn) Write(p []byte) (int, error)      { return len(p), nil }
func (b *benchConn) Close() error                     { return nil }
func (b *benchConn) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (b *benchConn) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (b *benchConn) SetDeadline(time.Time) error      { return nil }
func (b *benchConn) SetReadDeadline(time.Time) error  { return nil }
func (b *benchConn) SetWriteDeadline(time.Time) error { return nil }

// pipelined returns a function that makes a connection read and answer one pipeline of n commands. "#" in words differs
// between them.
func pipelined(tb testing.TB, groups, n int, words ...string) (again func()) {
	w := newWorld(tb, groups)
	for i := range w.srv.routes.Load().targets {
		w.srv.routes.Load().targets[i].replica = echoGroup{}
	}
	var pipeline bytes.Buffer
	for i := range n {
		each := slices.Clone(words)
		for j := range each {
			each[j] = strings.Replace(each[j], "#", string(rune('a'+i%26)), 1)
		}
		pipeline.WriteString(array(each...))
	}
	nc := &benchConn{pipeline: pipeline.Bytes(), left: 1 << 62}
	c := newConn(w.srv, nc)
	newThread(c, nc)
	c.in.buf = make([]byte, inboxRoomy)
	return func() {
		if _, err := c.fill(); err != nil {
			tb.Fatal(err)
		}
		if got := c.advance(); got != forInput {
			tb.Fatalf("the connection waits for %d", got)
		}
	}
}

// pipelineCost reports costs per command.
func pipelineCost(b *testing.B, groups, n int, words ...string) {
	again := pipelined(b, groups, n, words...)
	again()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N/n + 1 {
		again()
	}
}

func BenchmarkGetPipeline16(b *testing.B) { pipelineCost(b, 1, 16, "GET", "key:00000000000#") }
func BenchmarkGetPipeline1(b *testing.B)  { pipelineCost(b, 1, 1, "GET", "key:00000000000#") }
func BenchmarkSetPipeline16(b *testing.B) {
	pipelineCost(b, 1, 16, "SET", "key:00000000000#", strings.Repeat("v", 64))
}
func BenchmarkSetPipeline16Over3Groups(b *testing.B) {
	pipelineCost(b, 3, 16, "SET", "key:00000000000#", strings.Repeat("v", 64))
}

// TestHotPathDoesNotAllocate pins what the benchmarks show.
func TestHotPathDoesNotAllocate(t *testing.T) {
	for name, words := range map[string][]string{"GET": {"GET", "key"}, "SET": {"SET", "key#", "value"}, "PING": {"PING"}} {
		again := pipelined(t, 3, 16, words...)
		for range 10 {
			again()
		}
		if got := testing.AllocsPerRun(100, again); got > 0 {
			t.Errorf("%s: %v allocations per pipeline of 16", name, got)
		}
	}
}
