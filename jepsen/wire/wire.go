package wire

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Condition is how one direction between two ports is at present; the zero value is a good cable.
type Condition struct {
	// Cut lets nothing pass.
	Cut bool
	// Delay holds every packet for that long and up to Jitter longer; with Jitter packets overtake each other.
	Delay, Jitter time.Duration
	// Loss is the share of packets that is dropped, 0 to 1.
	Loss float64
	// Flip is the share of packets in which a bit of what TCP carries flips, in such a way that TCP's checksum does not notice.
	Flip float64
}

// Counts are packets of one direction since the wire was made.
type Counts struct{ Passed, Lost, Late, Flipped uint64 }

// mtu is the largest packet. Larger ones than Ethernet's cost less of the machine, and change nothing that matters here.
const mtu = 9000

// maxWaiting bounds the packets that wait in one direction, as a router's buffer does; what comes on top is lost.
const maxWaiting = 4096

// Wire connects ports, numbered from 0.
type Wire struct {
	ports []io.ReadWriteCloser
	// portOf finds the port of a destination, negative if there is none.
	portOf func(packet []byte) int
	lanes  [][]*lane
	wg     sync.WaitGroup
}

// lane is one direction between two ports.
type lane struct {
	now                         atomic.Pointer[Condition]
	passed, lost, late, flipped atomic.Uint64
	// held is how many packets wait. Invariant: held ≤ maxWaiting.
	held    atomic.Int64
	waiting chan parcel
}

// parcel is a packet under way.
type parcel struct {
	due    time.Time
	packet []byte
}

// New connects ports; portOf tells from a packet where it goes. A port carries one packet per read and write.
func New(ports []io.ReadWriteCloser, portOf func(packet []byte) int) *Wire {
	w := &Wire{ports: ports, portOf: portOf}
	for range ports {
		var row []*lane
		for range ports {
			l := &lane{waiting: make(chan parcel, maxWaiting)}
			l.now.Store(&Condition{})
			row = append(row, l)
		}
		w.lanes = append(w.lanes, row)
	}
	for from := range ports {
		w.wg.Go(func() { w.carry(from) })
		for to := range ports {
			w.wg.Go(func() { w.deliver(from, to) })
		}
	}
	return w
}

// Set changes the direction from one port to another.
func (w *Wire) Set(from, to int, c Condition) { w.lanes[from][to].now.Store(&c) }

// Heal makes every direction good again. What is delayed stays under way.
func (w *Wire) Heal() {
	for from := range w.ports {
		for to := range w.ports {
			w.Set(from, to, Condition{})
		}
	}
}

// Counts tells what happened in one direction.
func (w *Wire) Counts(from, to int) Counts {
	l := w.lanes[from][to]
	return Counts{Passed: l.passed.Load(), Lost: l.lost.Load(), Late: l.late.Load(), Flipped: l.flipped.Load()}
}

// Close closes the ports.
func (w *Wire) Close() error {
	var errs []error
	for _, p := range w.ports {
		errs = append(errs, p.Close())
	}
	w.wg.Wait()
	return errors.Join(errs...)
}

// carry takes the packets from one port until that is closed.
func (w *Wire) carry(from int) {
	buf := make([]byte, mtu)
	for {
		n, err := w.ports[from].Read(buf)
		if err != nil {
			for to := range w.ports {
				close(w.lanes[from][to].waiting)
			}
			return
		}
		to := w.portOf(buf[:n])
		if to < 0 || to >= len(w.ports) || to == from {
			continue
		}
		w.send(w.lanes[from][to], to, buf[:n])
	}
}

func (w *Wire) send(l *lane, to int, packet []byte) {
	c := l.now.Load()
	if c.Flip > 0 && rand.Float64() < c.Flip && flip(packet) {
		l.flipped.Add(1)
	}
	switch {
	case c.Cut || c.Loss > 0 && rand.Float64() < c.Loss:
		l.lost.Add(1)
	case c.Delay == 0 && c.Jitter == 0:
		w.put(l, to, packet)
	default:
		p := parcel{time.Now().Add(c.Delay), append([]byte(nil), packet...)}
		if c.Jitter > 0 {
			p.due = p.due.Add(rand.N(c.Jitter))
		}
		if l.held.Add(1) > maxWaiting {
			l.held.Add(-1)
			l.lost.Add(1)
			return
		}
		l.late.Add(1)
		l.waiting <- p // has room for all that may be held
	}
}

// put hands a packet over. A port whose namespace is gone takes nothing: that is a lost packet.
func (w *Wire) put(l *lane, to int, packet []byte) {
	l.passed.Add(1)
	if _, err := w.ports[to].Write(packet); err != nil {
		l.passed.Add(^uint64(0))
		l.lost.Add(1)
	}
}

// deliver hands over what was delayed, when it is due.
func (w *Wire) deliver(from, to int) {
	l := w.lanes[from][to]
	var queue parcels
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if next, ok := queue.first(); ok {
			timer.Reset(time.Until(next.due))
		} else {
			timer.Reset(time.Hour)
		}
		select {
		case p, open := <-l.waiting:
			if !open {
				return
			}
			queue.add(p)
		case <-timer.C:
			for next, ok := queue.first(); ok && !next.due.After(time.Now()); next, ok = queue.first() {
				queue.removeFirst()
				l.held.Add(-1)
				w.put(l, to, next.packet)
			}
		}
	}
}

// parcels are sorted by when they are due; those of one time stay in order.
type parcels []parcel

func (q parcels) first() (parcel, bool) {
	if len(q) == 0 {
		return parcel{}, false
	}
	return q[0], true
}

func (q *parcels) removeFirst() { *q = (*q)[1:] }

func (q *parcels) add(p parcel) {
	i := len(*q)
	for i > 0 && (*q)[i-1].due.After(p.due) {
		i--
	}
	*q = append(*q, parcel{})
	copy((*q)[i+1:], (*q)[i:])
	(*q)[i] = p
}

// String is a condition for people.
func (c Condition) String() string {
	switch {
	case c.Cut:
		return "cut"
	case c.Loss > 0 && c.Delay+c.Jitter > 0:
		return fmt.Sprintf("%.0f %% lost, %v to %v late", 100*c.Loss, c.Delay, c.Delay+c.Jitter)
	case c.Flip > 0:
		return fmt.Sprintf("a bit flips in %.0f %%", 100*c.Flip)
	case c.Loss > 0:
		return fmt.Sprintf("%.0f %% lost", 100*c.Loss)
	case c.Delay+c.Jitter > 0:
		return fmt.Sprintf("%v to %v late", c.Delay, c.Delay+c.Jitter)
	}
	return "good"
}
