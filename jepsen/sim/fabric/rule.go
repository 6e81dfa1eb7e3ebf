package fabric

import "github.com/quorate/quorate/rpc/raftnet/memnet"

// Effect is what a Rule does to messages.
type Effect uint8

// The effects.
const (
	// Lose drops calls; streams send again when the rule is lifted.
	Lose Effect = iota
	// Hold keeps messages back until the rule is lifted.
	Hold
	// Worsen adds Rule.Weather to the link's own.
	Worsen
	// Damage flips bits of the share Rule.Weather.Loss of the messages between nodes. What notices it loses the message only: with
	// real connections, all calls that wait for an answer on that connection.
	Damage
	// Break cuts the share Rule.Weather.Loss of what is written on clients' streams short, at any byte, and with it the connection.
	Break
)

// Rule changes what links do to the messages of some classes.
type Rule struct {
	Effect  Effect
	Classes Class
	// On says which directed links the rule is about.
	On func(from, to Host) bool
	// Only, if not nil, says which of the messages between nodes it is about. It may be asked several times about one, and must not
	// change it, nor call the network.
	Only    func(memnet.Message) bool
	Weather Weather

	lifted chan struct{}
}

// passage is a message on a directed link; m is nil if it is a client's.
type passage struct {
	from, to Host
	class    Class
	m        *memnet.Message
}

// concerns reports whether a rule is about a message.
func (r *Rule) concerns(p passage) bool {
	return r.Classes&p.class != 0 && r.On(p.from, p.to) && (r.Only == nil || p.m != nil && r.Only(*p.m))
}

// blocked returns a rule that keeps back or loses what is on a link now, nil if there is none.
func (n *Net) blocked(p passage, e Effect) *Rule {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.rules {
		if r.Effect == e && r.concerns(p) {
			return r
		}
	}
	return nil
}
