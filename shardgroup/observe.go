package shardgroup

import (
	"sync/atomic"

	"github.com/quorate/quorate/fsm"
)

// observer passes the machine's events on to whoever is set. It passes them on followers too: nobody tracks keys there but
// readers of replicas, and a leader's first reads may come before it has heard that it leads.
type observer struct{ to atomic.Pointer[fsm.Observer] }

// Changed implements fsm.Observer.
func (o *observer) Changed(key []byte) {
	if to := o.to.Load(); to != nil {
		(*to).Changed(key)
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
func (g *Group) SetObserver(o fsm.Observer) {
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
