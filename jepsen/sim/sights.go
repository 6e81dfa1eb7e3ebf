package sim

import (
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/sim/fabric"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// sights are what stories wait to see on the network.
type sights struct {
	mu   sync.Mutex
	open []*sight
}

// sight is the next message that somebody waits for.
type sight struct {
	match func(fabric.Sent) bool
	seen  chan fabric.Sent
}

// look shows a message that is being sent to who waits for it.
func (s *sights) look(m fabric.Sent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = slices.DeleteFunc(s.open, func(x *sight) bool {
		if !x.match(m) {
			return false
		}
		x.seen <- m // there is room for one
		return true
	})
}

// next waits until such a message is sent; false if there was none within most, or stop was closed.
func (s *sights) next(stop <-chan struct{}, most time.Duration, match func(fabric.Sent) bool) (m fabric.Sent, ok bool) {
	x := &sight{match, make(chan fabric.Sent, 1)}
	s.mu.Lock()
	s.open = append(s.open, x)
	s.mu.Unlock()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case m = <-x.seen:
		return m, true
	case <-timer.C:
	case <-stop:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = slices.DeleteFunc(s.open, func(o *sight) bool { return o == x })
	return m, false
}

// entries are a group's AppendEntries that have any.
func entries(g slot.GroupID) func(memnet.Message) bool {
	return func(m memnet.Message) bool {
		f, ok := appended(g, m)
		return ok && f.Entries > 0
	}
}

// heartbeats are a group's AppendEntries that say nothing but the term.
func heartbeats(g slot.GroupID) func(memnet.Message) bool {
	return func(m memnet.Message) bool {
		f, ok := appended(g, m)
		return ok && f.Heartbeat()
	}
}

// answers are those to some requests.
func answers(to func(memnet.Message) bool) func(memnet.Message) bool {
	return func(m memnet.Message) bool {
		return m.Reply && to(memnet.Message{From: m.To, To: m.From, Kind: m.Kind, Group: m.Group, Payload: m.Asked})
	}
}

// appended is what a group's AppendEntries says.
func appended(g slot.GroupID, m memnet.Message) (f raftnet.Frame, ok bool) {
	if m.Group != g || m.Reply || m.Part || m.Kind != raftnet.KindAppend {
		return f, false
	}
	return raftnet.Peek(m.Kind, m.From, m.Payload)
}

// requests are what others must answer.
func requests(m memnet.Message) bool { return !m.Reply }
