package raftnet

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/rpc/peer"
)

func sampleConfiguration() []byte {
	return raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a"}}})
}

func header(id string) raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: 3, ID: []byte(id), Addr: []byte(id)}
}

func sampleAppend() *raft.AppendEntriesRequest {
	return &raft.AppendEntriesRequest{
		RPCHeader: header("a"), Leader: []byte("a"), Term: 9, PrevLogEntry: 300, PrevLogTerm: 8, LeaderCommitIndex: 301,
		Entries: []*raft.Log{
			{Index: 301, Term: 8, Type: raft.LogNoop},
			{Index: 302, Term: 9, Type: raft.LogCommand, Data: []byte("data"), Extensions: []byte("x"), AppendedAt: time.Unix(5, 17)},
			{Index: 303, Term: 9, Type: raft.LogConfiguration, Data: sampleConfiguration()},
		},
	}
}

func mustAppend(t testing.TB, a *raft.AppendEntriesRequest) []byte {
	b, err := appendAppend(nil, a)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAppendEntriesRoundTrip(t *testing.T) {
	for _, want := range []*raft.AppendEntriesRequest{
		sampleAppend(), {RPCHeader: header("a"), Leader: []byte("a"), Term: 1},
	} {
		got, err := decodeAppend([]byte("a"), mustAppend(t, want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestSmallFramesRoundTrip(t *testing.T) {
	a := ack{promise: 400 * time.Millisecond}
	a.Term, a.LastLog, a.Success, a.NoRetryBackoff = 7, 1<<40, true, true
	if got, err := decodeAck(appendAck(nil, &a)); err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("got %+v, %v", got, err)
	}
	v := ballot{term: 8, lastIndex: 1 << 50, lastTerm: 7, transfer: true, consent: 6}
	if h, got, err := decodeBallot("a", appendBallot(nil, 3, v)); err != nil || got != v || !reflect.DeepEqual(h, header("a")) {
		t.Errorf("got %+v %+v, %v", h, got, err)
	}
	if term, yes, err := decodeVerdict(appendVerdict(nil, 12, true)); term != 12 || !yes || err != nil {
		t.Errorf("got %d, %v, %v", term, yes, err)
	}
	if req, term, err := decodeTimeoutNow("a", appendTimeoutNow(nil, 3, 12)); term != 12 || err != nil || !reflect.DeepEqual(req.RPCHeader, header("a")) {
		t.Errorf("got %+v, %d, %v", req, term, err)
	}
	s := &raft.InstallSnapshotRequest{
		RPCHeader: header("a"), Leader: []byte("a"), SnapshotVersion: 1, Term: 5, LastLogIndex: 99, LastLogTerm: 4,
		Configuration: sampleConfiguration(), ConfigurationIndex: 3, Size: 1 << 33,
	}
	if got, err := decodeSnapshot("a", appendSnapshot(nil, s), s.Size); err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestBadFramesAreNamed(t *testing.T) {
	change := func(f func(*raft.AppendEntriesRequest)) []byte {
		a := sampleAppend()
		f(a)
		return mustAppend(t, a)
	}
	whole := mustAppend(t, sampleAppend())
	for name, c := range map[string]struct {
		frame []byte
		text  string
	}{
		"empty":                          {nil, "cut short"},
		"another version":                {append([]byte{9}, whole[1:]...), "version 9 of the Raft frames"},
		"one byte short":                 {whole[:len(whole)-1], "cut short"},
		"one byte too many":              {append(bytes.Clone(whole), 0), "1 bytes too many"},
		"more entries than bytes":        {appendUvarints([]byte{codecVersion, 3}, 1, 0, 0, 0, 1000), "1000 entries in 0 bytes"},
		"an entry of a later term":       {change(func(a *raft.AppendEntriesRequest) { a.Entries[1].Term = 10 }), "entry 302 is of term 10"},
		"a type that does not exist":     {change(func(a *raft.AppendEntriesRequest) { a.Entries[1].Type = 77 }), "entry 302 is of type 77"},
		"a configuration raft panics on": {change(func(a *raft.AppendEntriesRequest) { a.Entries[2].Data = []byte{0xc1} }), "configuration"},
		"a previous entry of the future": {change(func(a *raft.AppendEntriesRequest) { a.PrevLogTerm = 10 }), "cannot follow"},
	} {
		t.Run(name, func(t *testing.T) {
			if a, err := decodeAppend([]byte("a"), c.frame); err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %+v, %v, want an error with %q", a, err, c.text)
			}
		})
	}
}

// An entry of the largest size fits into a frame, with the largest numbers around it.
func TestLargestEntryFitsIntoAFrame(t *testing.T) {
	const last = math.MaxUint64
	a := &raft.AppendEntriesRequest{Term: last, PrevLogEntry: last - 1, PrevLogTerm: last, LeaderCommitIndex: last}
	a.Entries = []*raft.Log{{Index: last, Term: last, AppendedAt: time.Unix(0, math.MinInt64), Data: make([]byte, entry.MaxBytes)}}
	if b := mustAppend(t, a); len(b) > peer.DefaultMaxFrame || len(b)-entry.MaxBytes > entry.Envelope {
		t.Errorf("%d bytes; a frame holds %d", len(b), peer.DefaultMaxFrame)
	}
}

// A request that no frame holds fails for ever, so it is not passed off as a fault of the network.
func TestTooLargeEntryIsTold(t *testing.T) {
	link := &scripted{call: func(peer.Kind, []byte) ([]byte, error) {
		return nil, fmt.Errorf("%w: %w", peer.ErrNotSent, peer.ErrTooLarge)
	}}
	var log bytes.Buffer
	tr, err := NewMux(link).Open(7, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	err = tr.AppendEntries("other", "other", sampleAppend(), &raft.AppendEntriesResponse{})
	if !errors.Is(err, peer.ErrTooLarge) || !strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("%v; logged: %s", err, &log)
	}
}

// A large entry has the time that it takes on a slow network.
func TestTimeoutGrowsWithTheRequest(t *testing.T) {
	link := &scripted{call: func(peer.Kind, []byte) ([]byte, error) { return nil, peer.ErrNoAnswer }}
	tr, err := NewMux(link).Open(7, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	for _, size := range []int{1, entry.MaxBytes} {
		a := &raft.AppendEntriesRequest{Term: 1, Entries: []*raft.Log{{Index: 1, Term: 1, Data: make([]byte, size)}}}
		if err := tr.AppendEntries("other", "other", a, &raft.AppendEntriesResponse{}); !errors.Is(err, peer.ErrNoAnswer) {
			t.Fatal(err)
		}
		atLeast := appendTimeout + time.Duration(size)*time.Second/minRate
		if got := time.Duration(link.timeout.Load()); got < atLeast-time.Second || got > atLeast+time.Second {
			t.Errorf("%d bytes: %v, want about %v", size, got, atLeast)
		}
	}
}

func TestGapIsNotSent(t *testing.T) {
	a := sampleAppend()
	a.Entries[1].Index++
	if _, err := appendAppend(nil, a); err == nil {
		t.Error("entries with a gap were encoded")
	}
}

func TestLongPromiseIsRefused(t *testing.T) {
	a := yes(5, MaxLease+time.Second)
	if _, err := decodeAck(appendAck(nil, &a)); err == nil {
		t.Errorf("a promise of %v was taken", a.promise)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(mustAppend(f, sampleAppend()))
	a := yes(5, DefaultLease)
	f.Add(appendAck(nil, &a))
	f.Add(appendBallot(nil, 3, ballot{term: 8, transfer: true}))
	f.Add(appendVerdict(nil, 12, true))
	f.Add(appendTimeoutNow(nil, 3, 12))
	f.Add(appendSnapshot(nil, &raft.InstallSnapshotRequest{SnapshotVersion: 1, Term: 5, Configuration: sampleConfiguration()}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := decodeAppend([]byte("a"), b); err == nil {
			again, err := decodeAppend([]byte("a"), mustAppend(t, a))
			if err != nil || !reflect.DeepEqual(a, again) {
				t.Errorf("%+v became %+v, %v", a, again, err)
			}
		}
		decodeAck(b)
		decodeBallot("a", b)
		decodeVerdict(b)
		decodeTimeoutNow("a", b)
		decodeSnapshot("a", b, 1)
	})
}

func BenchmarkAppendEntriesCodec(b *testing.B) {
	b.ReportAllocs()
	a := sampleAppend()
	a.Entries[1].Data = make([]byte, 16<<10)
	var frame []byte
	for b.Loop() {
		frame, _ = appendAppend(frame[:0], a)
		if _, err := decodeAppend([]byte("a"), frame); err != nil {
			b.Fatal(err)
		}
	}
}

func TestPeekShowsWhatFramesSay(t *testing.T) {
	v := appendBallot(nil, 3, ballot{term: 8, lastIndex: 50, lastTerm: 7})
	beat := mustAppend(t, &raft.AppendEntriesRequest{RPCHeader: header("a"), Term: 4})
	s := &raft.InstallSnapshotRequest{Term: 5, LastLogIndex: 99, LastLogTerm: 4, Configuration: sampleConfiguration()}
	for _, c := range []struct {
		kind  peer.Kind
		frame []byte
		leads bool
		text  string
	}{
		{KindAppend, mustAppend(t, sampleAppend()), true, "append term 9, 3 entries after 8.300, commit 301"},
		{KindAppend, beat, true, "heartbeat term 4"},
		{KindVote, v, false, "vote term 8, last 7.50"},
		{KindPreVote, v, false, "pre-vote term 8, last 7.50"},
		{KindTimeoutNow, appendTimeoutNow(nil, 3, 12), true, "take over from term 12"},
		{KindSnapshot, appendSnapshot(nil, s), true, "snapshot term 5, last 4.99"},
	} {
		f, ok := Peek(c.kind, "a", c.frame)
		if !ok || f.String() != c.text || f.Leads() != c.leads {
			t.Errorf("got %q, %v, leads %v; want %q", f, ok, f.Leads(), c.text)
		}
		if _, ok := Peek(c.kind, "a", c.frame[:len(c.frame)-1]); ok {
			t.Errorf("a frame cut short is taken for %q", c.text)
		}
	}
	if _, ok := Peek(KindSnapshot+1, "a", v); ok {
		t.Error("a frame of another kind is taken for one of ours")
	}
}
