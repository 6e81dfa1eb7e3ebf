package sim

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/quorate/quorate/jepsen/sim/fabric"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/raftnet"
)

// trace is what happened in a run, in order. All of it goes into a hash, by which two runs can be compared; what people
// want to read goes to out. Neither hash nor run depend on whether somebody reads. (Verbose runs may go another way: what formats the nodes' logs is not under our control.)
type trace struct {
	// out takes the text. verbose adds the messages between nodes and the nodes' logs.
	out     io.Writer
	verbose bool

	mu    sync.Mutex
	began time.Time
	sum   *xxh3.Hasher
	names []named
}

// named is a node and the host that it is on.
type named struct {
	id   topology.NodeID
	host fabric.Host
}

func newTrace(out io.Writer, verbose bool) *trace {
	return &trace{out: out, verbose: verbose, began: time.Now(), sum: xxh3.New()}
}

// event is worth a line.
func (t *trace) event(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := t.line(fmt.Sprintf(format, args...))
	_, _ = t.sum.WriteString(line)
	t.print(line)
}

// aside is a line for those who want to know all.
func (t *trace) aside(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.print(t.line(text))
}

// line has the time in front, and hosts' names in the place of nodes' IDs.
func (t *trace) line(text string) string {
	for _, n := range t.names {
		text = strings.ReplaceAll(text, string(n.id), string(n.host))
	}
	return fmt.Sprintf("%12.6f  %s\n", time.Since(t.began).Seconds(), text)
}

func (t *trace) print(line string) {
	_, _ = io.WriteString(t.out, line) // whoever reads it may go away
}

// message is one between nodes.
func (t *trace) message(m fabric.Sent) {
	if t.verbose {
		t.aside(fmt.Sprintf("%s > %s  %s", m.From, m.To, t.describe(m)))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var b [64]byte
	_, _ = t.sum.Write(fmt.Appendf(b[:0], "%d %s %s %d %d %v %d %v\n", time.Since(t.began), m.From, m.To, m.Kind, m.Group, m.Reply, len(m.Payload), m.Lost))
}

func (t *trace) describe(m fabric.Sent) string {
	what := fmt.Sprintf("kind %d, %d bytes", m.Kind, len(m.Payload))
	if f, ok := frameOf(m); ok {
		what = f.String()
	}
	if m.Reply {
		what = "reply to " + what
	}
	if m.Lost {
		what += ", lost"
	}
	return fmt.Sprintf("group %d: %s (%v)", m.Group, what, m.Delay)
}

// frameOf decodes a Raft request.
func frameOf(m fabric.Sent) (raftnet.Frame, bool) {
	if m.Reply || m.Part {
		return raftnet.Frame{}, false
	}
	return raftnet.Peek(m.Kind, m.Message.From, m.Payload)
}

// name learns which host a node is.
func (t *trace) name(id topology.NodeID, h fabric.Host) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Contains(t.names, named{id, h}) {
		t.names = append(t.names, named{id, h})
	}
}

// hostOf is a node's host, "" before it has started.
func (t *trace) hostOf(id topology.NodeID) fabric.Host {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.names {
		if n.id == id {
			return n.host
		}
	}
	return ""
}

// digest identifies the whole run, messages included.
func (t *trace) digest() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.sum.Sum128().Bytes()
	return hex.EncodeToString(b[:])
}

// logger takes a node's log into the trace if it is verbose.
func (t *trace) logger(h fabric.Host) *slog.Logger {
	if !t.verbose {
		return slog.New(slog.DiscardHandler)
	}
	drop := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	return slog.New(slog.NewTextHandler(logWriter{t, h}, &slog.HandlerOptions{ReplaceAttr: drop, Level: slog.LevelDebug}))
}

type logWriter struct {
	t *trace
	h fabric.Host
}

func (w logWriter) Write(b []byte) (int, error) {
	w.t.aside(fmt.Sprintf("%s: %s", w.h, strings.TrimSpace(string(b))))
	return len(b), nil
}
