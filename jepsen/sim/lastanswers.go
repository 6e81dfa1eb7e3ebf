package sim

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/jepsen/sim/fabric"
)

// lastAnswers plays what makes raft take a leader for one that has been replaced even while a read waits: nothing more passes between
// it and a majority but the answers to what it had asked before, one after the other, each in time for it to go on. There are six:
// three followers' to a heartbeat, which it waits for as long as two leases, and to entries, for 5 s.
func (n *nemesis) lastAnswers() wound {
	g := n.aGroup()
	s := n.c.leader(g)
	if s == nil || len(n.c.nodes) < 5 {
		return wound{}
	}
	rest := n.others(s)
	k := (len(n.c.nodes) - 1) / 2
	minority, majority := append(hosts(rest[:k-1]), s.host), hosts(rest[k-1:])
	election := n.c.plan.Election
	var late []fabric.Rule
	for i, share := range []float64{0.7, 1.25, 1.5, 2.15, 2.8, 3.45} {
		kind, of := heartbeats(g), majority[i%3]
		if i >= 3 {
			kind = entries(g)
		}
		late = append(late, fabric.Rule{
			Effect: fabric.Worsen, Classes: fabric.Groups, On: links(of, s.host), Only: answers(kind),
			Weather: fabric.Weather{Delay: time.Duration(share * float64(election))},
		})
	}
	w := n.network(fmt.Sprintf("group %d, %s of %s", g, s.host, minority), 7*election, late...)
	stop, lift := make(chan struct{}), w.undo
	n.open.Go(func() {
		defer lift()
		if await(stop, election/4) { // each follower is asked once more
			return
		}
		defer n.c.net.Add(fabric.Rule{Effect: fabric.Lose, Classes: fabric.Groups | fabric.Placement, On: across(minority, majority), Only: requests})()
		<-stop
	})
	w.undo = func() { close(stop) }
	return w
}
