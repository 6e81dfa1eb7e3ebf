package sim

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/quorate/quorate/jepsen/sim/fabric"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/raftnet"
)

// trace is what happened in a run, in order. All of it goes into a hash, by which two runs can be compared; what people
// want to read goes to out.
type trace struct {
	// out takes the text; nil for none. verbose adds the messages between nodes and the nodes' logs.
	out     io.Writer
	verbose bool

	mu    sync.Mutex
	began time.Time
	sum   *xxh3.Hasher
	hosts map[topology.NodeID]fabric.Host
}

func newTrace(out io.Writer, verbose bool) *trace {
	return &trace{out: out, verbose: verbose, began: time.Now(), sum: xxh3.New(), hosts: map[topology.NodeID]fabric.Host{}}
}

// event is worth a line.
func (t *trace) event(format string, args ...any) { t.line(t.out, format, args...) }

func (t *trace) line(out io.Writer, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := fmt.Sprintf("%12.6f  %s\n", time.Since(t.began).Seconds(), t.readable(fmt.Sprintf(format, args...)))
	_, _ = t.sum.WriteString(line)
	if out != nil {
		_, _ = io.WriteString(out, line) // whoever reads it may go away
	}
}

// readable puts hosts' names in the place of nodes' IDs.
func (t *trace) readable(s string) string {
	if t.out == nil {
		return s
	}
	for id, host := range t.hosts {
		s = strings.ReplaceAll(s, string(id), string(host))
	}
	return s
}

// message is one between nodes.
func (t *trace) message(m fabric.Sent) {
	if t.verbose && t.out != nil {
		t.line(t.out, "%s > %s  %s", m.From, m.To, t.describe(m))
		return
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
	t.hosts[id] = h
}

func (t *trace) hostOf(id topology.NodeID) fabric.Host {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hosts[id]
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
	if !t.verbose || t.out == nil {
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
	w.t.line(w.t.out, "%s: %s", w.h, strings.TrimSpace(string(b)))
	return len(b), nil
}
