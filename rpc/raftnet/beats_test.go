package raftnet

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// beatBed is two nodes with the same groups. On "f", each group's Raft accepts what comes, at a pace of its own.
type beatBed struct {
	t       *testing.T
	net     *memnet.Network
	leading []*Transport // on "l"
	follows []*Transport
	// frames counts the frames of heartbeats.
	frames atomic.Int32
}

func newBeatBed(t *testing.T, groups int, pace func(group int) time.Duration) *beatBed {
	b := &beatBed{t: t, net: memnet.New()}
	l, f := b.net.Node("l"), b.net.Node("f")
	lm, fm := NewMux(l), NewMux(f)
	for i := range groups {
		for m, list := range map[*Mux]*[]*Transport{lm: &b.leading, fm: &b.follows} {
			tr, err := m.Open(slot.GroupID(i+1), Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { tr.Close() })
			tr.SetVoters(ids("l", "f"))
			*list = append(*list, tr)
		}
	}
	t.Cleanup(func() { l.Close(); f.Close() })
	for i, tr := range b.follows {
		go follow(tr, pace(i))
	}
	b.net.SetTap(func(_ context.Context, m memnet.Message) bool {
		if m.Kind == KindBeats && !m.Reply {
			b.frames.Add(1)
		}
		return true
	})
	return b
}

func follow(tr *Transport, pace time.Duration) {
	for {
		select {
		case rpc := <-tr.Consumer():
			req := rpc.Command.(*raft.AppendEntriesRequest)
			select {
			case <-time.After(pace):
			case <-tr.ctx.Done():
				return
			}
			rpc.Respond(&raft.AppendEntriesResponse{Term: req.Term, Success: true, LastLog: req.Term * 10}, nil)
		case <-tr.ctx.Done():
			return
		}
	}
}

// beat sends a heartbeat of a group, in the term that is its number, and returns how long that took.
func (b *beatBed) beat(group int) (time.Duration, error) {
	start, term := time.Now(), uint64(group+1)
	req := &raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}, Term: term}
	var resp raft.AppendEntriesResponse
	err := b.leading[group].AppendEntries("f", "", req, &resp)
	if err == nil && (!resp.Success || resp.Term != term) {
		err = errors.New("the answer is another group's")
	}
	return time.Since(start), err
}

// each runs f for all groups at once.
func (b *beatBed) each(f func(group int)) {
	var wg sync.WaitGroup
	for i := range b.leading {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func promptly(int) time.Duration { return 0 }

// Heartbeats of many groups, each at times of its own, share frames, and each group has its lease all the time.
func TestHeartbeatsShareFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const groups, seconds = 50, 10
		b := newBeatBed(t, groups, promptly)
		b.each(func(group int) {
			term := uint64(group + 1)
			end := time.Now().Add(seconds * time.Second)
			for n := 0; time.Now().Before(end); n++ {
				time.Sleep(time.Duration(50+(n*7+group*13)%50) * time.Millisecond) // as raft does
				if _, err := b.beat(group); err != nil {
					t.Errorf("group %d: %v", group, err)
				}
				if until, ok := b.leading[group].LeaseUntil(term); !ok || time.Until(until) < DefaultLease/2 {
					t.Errorf("group %d: the lease holds for %v, %v", group, time.Until(until), ok)
				}
			}
		})
		if n := b.frames.Load(); n > seconds*8+1 {
			t.Errorf("%d frames in %d s", n, seconds)
		}
	})
}

// The time of sending is that of the frame, not that of Raft's call.
func TestHeartbeatCountsFromTheFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBeatBed(t, 1, promptly)
		b.net.SetDelay(always(10 * time.Millisecond))
		time.Sleep(time.Millisecond)
		start := time.Now()
		took, err := b.beat(0)
		if err != nil || took <= 20*time.Millisecond || took > b.leading[0].ticks()+20*time.Millisecond {
			t.Fatalf("it took %v, %v: this test proves nothing", took, err)
		}
		if sent, ok := b.leading[0].QuorumSent(1); !ok || sent.Sub(start) != took-20*time.Millisecond {
			t.Errorf("sent %v after the call, %v, want %v", sent.Sub(start), ok, took-20*time.Millisecond)
		}
	})
}

// A group whose Raft is slow, or that the node does not have, leaves the others alone.
func TestGroupsInAFrameAnswerForThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow, gone, late = 1, 2, 3
		b := newBeatBed(t, 5, func(group int) time.Duration {
			switch group {
			case slow:
				return time.Minute
			case late:
				return DefaultLease / 8
			}
			return 0
		})
		b.follows[gone].Close()
		for range 2 {
			b.each(func(group int) {
				took, err := b.beat(group)
				if bad := group == slow || group == gone; bad != (err != nil) {
					t.Errorf("group %d: %v", group, err)
				}
				if took > b.leading[0].ticks()+DefaultLease/4 {
					t.Errorf("group %d: it took %v", group, took)
				}
			})
		}
		b.follows[slow].guard.acknowledge("l", slow+1, time.Now()) // as if Raft had accepted something before it got slow
		b.each(func(group int) {
			if _, err := b.beat(group); (group == gone) != (err != nil) {
				t.Errorf("group %d: %v", group, err)
			}
		})
		for group, f := range b.follows {
			if n := f.Stats().BusyAcks; (group == slow) != (n > 0) {
				t.Errorf("the guard of group %d answered %d times", group, n)
			}
		}
	})
}

func TestHurriedHeartbeatsDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBeatBed(t, 3, promptly)
		time.Sleep(time.Millisecond)
		go b.beat(1)
		go b.beat(2)
		synctest.Wait()
		start := time.Now()
		b.leading[1].Hurry()
		synctest.Wait()
		if _, ok := b.leading[1].QuorumSent(2); !ok || !time.Now().Equal(start) {
			t.Errorf("what waited was not sent at once: %v, %v", ok, time.Since(start))
		}
		if took, err := b.beat(1); err != nil || took != 0 {
			t.Errorf("right after Hurry: it took %v, %v", took, err)
		}
		if _, ok := b.leading[2].QuorumSent(3); ok {
			t.Error("another group's heartbeat, whose Raft may be slow, was sent along")
		}
		time.Sleep(b.leading[1].hurries() + time.Millisecond)
		if took, err := b.beat(1); err != nil || took == 0 {
			t.Errorf("a while later: it took %v, %v", took, err)
		}
	})
}

func TestClosedTransportSendsNoHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBeatBed(t, 2, promptly)
		time.Sleep(time.Millisecond)
		outcome := make(chan error)
		go func() {
			_, err := b.beat(0)
			outcome <- err
		}()
		synctest.Wait()
		b.leading[0].Close()
		if err := <-outcome; !errors.Is(err, ErrClosed) {
			t.Errorf("error %v", err)
		}
		time.Sleep(time.Second)
		if n := b.frames.Load(); n != 0 {
			t.Errorf("%d frames left after Close", n)
		}
		if _, err := b.beat(1); err != nil {
			t.Errorf("the other group: %v", err)
		}
	})
}

func always(d time.Duration) func(_, _ topology.NodeID) time.Duration {
	return func(_, _ topology.NodeID) time.Duration { return d }
}

func TestBeatFrames(t *testing.T) {
	tr := &Transport{group: 1 << 31}
	frame := appendBeats(nil, []*beat{{t: tr, term: 1 << 40, version: 3}, {t: &Transport{group: 7}, term: 1, version: 3}})
	got, err := decodeBeats(frame)
	if err != nil || len(got) != 2 || got[0] != (beatFrame{1 << 31, 3, 1 << 40}) || got[1] != (beatFrame{7, 3, 1}) {
		t.Errorf("got %v, %v", got, err)
	}
	if beats, ok := PeekBeats(frame); !ok || len(beats) != 2 || beats[0] != (Beat{1 << 31, 1 << 40}) || beats[1] != (Beat{7, 1}) {
		t.Errorf("peeked %v, %v", beats, ok)
	}
	for k := range frame {
		if _, err := decodeBeats(frame[:k]); err == nil {
			t.Errorf("cut after %d bytes: decoded", k)
		}
	}
	reply := appendBytes(appendBytes([]byte{codecVersion, 2}, nil), []byte("ack"))
	if acks, err := decodeBeatAcks(reply, 2); err != nil || acks[0] != nil || !bytes.Equal(acks[1], []byte("ack")) {
		t.Errorf("got %q, %v", acks, err)
	}
	for n, b := range map[int][]byte{1: reply, 2: reply[:len(reply)-1], 3: reply} {
		if acks, err := decodeBeatAcks(b, n); err == nil {
			t.Errorf("%d answers of %d bytes: %q", n, len(b), acks)
		}
	}
	if _, err := decodeBeats([]byte{codecVersion, 200, 1, 0, 0, 0}); err == nil {
		t.Error("200 heartbeats in 4 bytes")
	}
	many := slices.Repeat([]*beat{{t: tr, term: 1}}, maxBeats+1)
	if got, err := decodeBeats(appendBeats(nil, many[1:])); err != nil || len(got) != maxBeats {
		t.Errorf("a full frame: %d, %v", len(got), err)
	}
	if _, err := decodeBeats(appendBeats(nil, many)); err == nil {
		t.Error("a frame with more heartbeats than there can be groups was decoded")
	}
	if _, err := decodeBeats(append(frame[:len(frame):len(frame)], 0)); err == nil {
		t.Error("a frame with a byte too many was decoded")
	}
}
