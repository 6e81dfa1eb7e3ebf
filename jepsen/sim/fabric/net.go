package fabric

import (
	"context"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/service"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/peer"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// Host is a machine's name.
type Host string

// Class is what a message is about; a partition may cut some classes only.
type Class uint8

// The classes.
const (
	// Groups is what replicas of shard groups say to each other, Placement what keeps the map, its Raft group included.
	Groups Class = 1 << iota
	Placement
	// Clients are the streams of clients.
	Clients

	All = Groups | Placement | Clients
)

// Weather is how well a link carries.
type Weather struct {
	// A message takes Delay and up to Jitter more.
	Delay, Jitter time.Duration
	// Loss is the share of messages that get lost.
	Loss float64
}

// Sent is a request on its way, for traces and checks.
type Sent struct {
	From, To Host
	memnet.Message
	// Lost says that it will not arrive, for what is known when it is sent.
	Lost  bool
	Delay time.Duration
}

// Stats count since New. Silent are the damaged messages that were taken for good ones.
type Stats struct{ Messages, Lost, Held, Damaged, Silent, Broken int }

// Net is the network. Its methods may be called from any goroutine of the bubble.
type Net struct {
	seed    uint64
	weather Weather
	calls   *memnet.Network
	watch   func(Sent)

	mu    sync.Mutex
	rules []*Rule
	// changed is closed and replaced when a rule comes or goes.
	changed chan struct{}
	carried map[string]uint64
	hosts   map[topology.NodeID]Host
	peers   map[string]topology.NodeID
	// joined are the nodes' present ends, by machine.
	joined map[Host]*Peers
	listen map[string]*listener
	// homes are the machines of addresses that somebody has listened at.
	homes map[string]Host
	conns []*Conn
	stats Stats
}

// New makes a network whose links have the given weather. watch, if not nil, sees each call's request and reply as it is sent.
func New(seed uint64, w Weather, watch func(Sent)) *Net {
	n := &Net{
		seed: seed, weather: w, calls: memnet.New(), watch: watch, changed: make(chan struct{}), carried: map[string]uint64{},
		hosts: map[topology.NodeID]Host{}, peers: map[string]topology.NodeID{}, joined: map[Host]*Peers{}, listen: map[string]*listener{}, homes: map[string]Host{},
	}
	n.calls.SetTap(n.carry)
	return n
}

// Stats returns the counters.
func (n *Net) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stats
}

// Add puts a rule into force until lift is called.
func (n *Net) Add(r Rule) (lift func()) {
	rule := &r
	rule.lifted = make(chan struct{})
	n.change(func() { n.rules = append(slices.Clone(n.rules), rule) })
	return sync.OnceFunc(func() {
		n.change(func() {
			n.rules = slices.DeleteFunc(slices.Clone(n.rules), func(x *Rule) bool { return x == rule })
		})
		close(rule.lifted)
	})
}

func (n *Net) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	close(n.changed)
	n.changed = make(chan struct{})
}

// classOf sorts a call.
func classOf(m memnet.Message) Class {
	if m.Kind <= raftnet.KindSnapshot && m.Group != placementGroup || m.Kind > service.KindTransfer {
		return Groups
	}
	return Placement
}

// placementGroup is placement's own Raft group.
const placementGroup slot.GroupID = 0

// fate is what becomes of one message.
type fate struct {
	lost  bool
	delay time.Duration
	// damaged and broken are what Damage and Break do, where says chance.
	damaged, broken bool
	where           dice
}

// draw decides what becomes of the next message on a link.
func (n *Net) draw(p passage) fate {
	n.mu.Lock()
	defer n.mu.Unlock()
	link := string(p.from) + ">" + string(p.to)
	n.carried[link]++
	n.stats.Messages++
	dice := dice{state: n.seed ^ hash(link) ^ n.carried[link]*0x9e3779b97f4a7c15}
	f := dice.throw(n.weather)
	for _, r := range n.rules {
		if !r.concerns(p) {
			continue
		}
		switch r.Effect {
		case Worsen:
			more := dice.throw(r.Weather)
			f.lost, f.delay = f.lost || more.lost, f.delay+more.delay
		case Lose:
			f.lost = true
		case Damage:
			f.damaged = p.class != Clients && dice.fraction() < r.Weather.Loss
		case Break:
			f.broken = p.class == Clients && dice.fraction() < r.Weather.Loss
		}
	}
	if f.lost {
		n.stats.Lost++
	}
	f.where = dice
	return f
}

func (n *Net) host(id topology.NodeID) Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hosts[id]
}

// carry implements memnet's tap: it takes a call's request, a stream's part or a reply from one node to another, and says
// whether it arrived.
func (n *Net) carry(ctx context.Context, m memnet.Message) bool {
	p := passage{n.host(m.From), n.host(m.To), classOf(m), &m}
	f := n.draw(p)
	if f.damaged && !n.damage(m, f.where) {
		f.lost = true
	}
	if n.watch != nil && !m.Part {
		n.watch(Sent{p.from, p.to, m, f.lost, f.delay})
	}
	if f.lost {
		return false
	}
	timer := time.NewTimer(f.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	for held := n.blocked(p, Hold); held != nil; held = n.blocked(p, Hold) {
		n.mu.Lock()
		n.stats.Held++
		n.mu.Unlock()
		select {
		case <-held.lifted:
		case <-ctx.Done():
			return false
		}
	}
	return n.blocked(p, Lose) == nil
}

// snapped notes that a client's connection broke.
func (n *Net) snapped() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stats.Broken++
}

// damage flips up to three bits of a message's frame and reports whether it is taken for a good one, as what it is then.
func (n *Net) damage(m memnet.Message, where dice) (arrives bool) {
	got, err := peer.Arriving(m.Kind, m.Group, m.Payload, func(frame []byte) {
		bits := uint64(8 * len(frame))
		bit := where.next() % bits
		for range 1 + where.next()%3 {
			frame[bit/8] ^= 1 << (bit % 8)
			bit = (bit + 1 + where.next()%60) % bits // another one: no frame is shorter than three of these steps
		}
	})
	arrives = err == nil && len(got) == len(m.Payload)
	if arrives {
		copy(m.Payload, got)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stats.Damaged++
	if arrives {
		n.stats.Silent++
	}
	return arrives
}

// dice is a generator of random numbers (splitmix64) that costs nothing to make.
type dice struct{ state uint64 }

func (d *dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	x := d.state
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// fraction is in [0, 1).
func (d *dice) fraction() float64 { return float64(d.next()>>11) / (1 << 53) }

// throw draws a fate: most messages are quick, few take nearly all of the jitter.
func (d *dice) throw(w Weather) fate {
	f := fate{lost: d.fraction() < w.Loss}
	x := d.fraction()
	f.delay = w.Delay + time.Duration(x*x*x*float64(w.Jitter))
	return f
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}
