package raftnet

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/placement/topology"
)

// beats sends the heartbeats of all groups. Raft makes one per group and follower every now and then; those to one node
// wait for the next tick and leave in one frame. A process that leads a hundred groups so wakes up less than eight times a
// second to send, its followers to answer, and one that leads a single group sends no more than before.
//
// What the guards see is the same as without: the time of sending is that of the frame, and each group answers for itself.
type beats struct {
	m *Mux
	// began is when the ticks are counted from.
	began time.Time

	mu sync.Mutex
	// waiting are the heartbeats that leave with the next tick, by node.
	waiting map[topology.NodeID][]*beat
	timer   *time.Timer
	// due is the tick that the timer is set to, after began; 0 if it is not set.
	due time.Duration
}

// beat is one group's heartbeat to one follower.
type beat struct {
	t    *Transport
	to   raft.ServerID
	term uint64
	// version is the sender's raft.ProtocolVersion.
	version raft.ProtocolVersion

	// done gets the outcome, once ack is set.
	done chan error
	ack  ack
}

var errNoVerdict = errors.New("the follower's Raft is busy, and has not promised anything to this leader yet")

func (b *beats) init(m *Mux) {
	b.m, b.began, b.waiting = m, time.Now(), map[topology.NodeID][]*beat{}
	b.timer = time.AfterFunc(time.Hour, b.tick)
	b.timer.Stop()
}

// ticks is how long heartbeats of t wait at most: Raft pauses for up to a tenth of its HeartbeatTimeout after each, so they leave with
// every tick, and a lease is renewed when a little more than a third of it has passed.
func (t *Transport) ticks() time.Duration { return t.o.Lease / 3 }

// hurries is for how long heartbeats leave at once after Hurry.
func (t *Transport) hurries() time.Duration { return t.o.Lease / 4 }

// beat sends a heartbeat with others and waits for its answer.
func (t *Transport) beat(to raft.ServerID, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	x := &beat{t: t, to: to, term: args.Term, version: args.ProtocolVersion, done: make(chan error, 1)}
	t.mux.beats.join(x)
	select {
	case err := <-x.done:
		*resp = x.ack.AppendEntriesResponse
		return err
	case <-t.ctx.Done():
		return ErrClosed
	}
}

// Hurry sends heartbeats of this group that wait at once, and does not let those wait that come in the next moment: somebody
// waits for a confirmation.
func (t *Transport) Hurry() {
	t.mux.beats.hurry(t)
}

func (b *beats) join(x *beat) {
	to, tick := topology.NodeID(x.to), x.t.ticks()
	b.mu.Lock()
	defer b.mu.Unlock()
	since := time.Since(b.began)
	if since < x.t.hurried {
		go b.send(to, []*beat{x})
		return
	}
	b.waiting[to] = append(b.waiting[to], x)
	if due := (since/tick + 1) * tick; b.due == 0 || due < b.due {
		b.due = due
		b.timer.Reset(due - since)
	}
}

// tick is what the timer does.
func (b *beats) tick() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.due = 0
	for to, waiting := range b.waiting {
		delete(b.waiting, to)
		waiting = slices.DeleteFunc(waiting, func(x *beat) bool { return x.t.ctx.Err() != nil })
		for some := range slices.Chunk(waiting, maxBeats) {
			go b.send(to, some)
		}
	}
}

// hurry sends the heartbeats of t that wait, by themselves: the answer to a frame comes when the last group has answered.
func (b *beats) hurry(t *Transport) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t.hurried = time.Since(b.began) + t.hurries()
	for to, waiting := range b.waiting {
		b.waiting[to] = slices.DeleteFunc(waiting, func(x *beat) bool {
			if x.t == t {
				go b.send(to, []*beat{x})
			}
			return x.t == t
		})
	}
}

// send makes the call. It ends by itself, within the heartbeats' timeout.
func (b *beats) send(to topology.NodeID, beats []*beat) {
	frame := appendBeats(nil, beats)
	sent := time.Now()
	reply, err := b.m.link.Ask(nil, beats[0].t.heartbeatTimeout(), to, KindBeats, 0, frame, nil)
	var acks [][]byte
	if err == nil {
		acks, err = decodeBeatAcks(reply, len(beats))
	}
	for i, x := range beats {
		if err == nil {
			x.done <- x.answered(acks[i], sent)
		} else {
			x.done <- err
		}
	}
}

// answered takes the answer to a heartbeat that was sent at sent.
func (x *beat) answered(b []byte, sent time.Time) (err error) {
	if len(b) == 0 {
		return errNoVerdict
	}
	if x.ack, err = decodeAck(b); err != nil {
		return err
	}
	x.t.acks.record(x.to, x.term, sent, &x.ack)
	return nil
}
