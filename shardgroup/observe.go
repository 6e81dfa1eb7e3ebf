package shardgroup

import "sync/atomic"

// Observer hears which keys change on a replica, as fsm.Observer does, and who changes them. Its methods must return at
// once and not call the group.
type Observer interface {
	// Changed: key is about to be written or removed, by the Call with that Origin; 0 if it has none, and for expiry,
	// eviction and what another node proposed. key is valid only during the call.
	Changed(key []byte, origin uint64)
	// Flushed: all keys went at once, or this replica does not lead any more.
	Flushed()
}

// observer passes the machine's events on to whoever is set. It passes them on followers too: nobody tracks keys there but
// readers of replicas, and a leader's first reads may come before it has heard that it leads.
type observer struct {
	to atomic.Pointer[Observer]
	// origin is that of the call whose ops are being executed. It is the applying goroutine's own.
	origin uint64
}

// Changed implements fsm.Observer.
func (o *observer) Changed(key []byte) {
	if to := o.to.Load(); to != nil {
		(*to).Changed(key, o.origin)
	}
}

// Flushed implements fsm.Observer.
func (o *observer) Flushed() {
	if to := o.to.Load(); to != nil {
		(*to).Flushed()
	}
}

// SetObserver sets the one observer of the keys that change on this replica. Beside the machine's own calls (see
// fsm.Observer), Flushed is called, from a goroutine of the group, when this replica stops leading: from then on other
// nodes' clients change keys that this node's clients have cached, and they read elsewhere.
func (g *Group) SetObserver(o Observer) {
	if o == nil {
		g.observer.to.Store(nil)
		return
	}
	g.observer.to.Store(&o)
}

func (g *Group) runObserver() {
	led := uint64(0)
	for {
		changed, l := g.replica.Changed(), g.replica.Leader()
		if led != 0 && (!l.Ready || l.Term != led) {
			led = 0
			g.observer.Flushed()
		}
		if l.Ready {
			led = l.Term
		}
		select {
		case <-changed:
		case <-g.ctx.Done():
			return
		}
	}
}
