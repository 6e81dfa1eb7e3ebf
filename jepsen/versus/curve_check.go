package versus

import (
	"errors"
	"fmt"
	"os/exec"
)

// check refuses what can't be measured, before anything starts.
func (o CurveOptions) check(systems []System) error {
	if o.Rounds < 1 {
		return fmt.Errorf("%d rounds: want at least 1", o.Rounds)
	}
	if err := errors.Join(distinct(o.Over, o.Values), o.Site.check(systems)); err != nil {
		return err
	}
	least := 0 // one group per node
	if o.Over == groupsCurve {
		least = 1
	}
	for _, v := range o.Values {
		at, err := o.at(v)
		if err != nil {
			return err
		}
		if err := errors.Join(checkGroups(at.Groups, least), at.plan(systems[0], notStarted).Check(), at.checkClients(systems)); err != nil {
			return fmt.Errorf("%d %s: %w", v, o.Over, err)
		}
	}
	return nil
}

// checkClients refuses fewer clients than any of systems needs.
func (o CurveOptions) checkClients(systems []System) error {
	flag := "--clients"
	if o.Over == clientsCurve {
		flag = "--values"
	}
	for _, s := range systems {
		if err := s.checkClients(flag, o.Clients, o.Keys, o.Groups); err != nil {
			return err
		}
	}
	return nil
}

// at sets the varied quantity.
func (o CurveOptions) at(v int) (CurveOptions, error) {
	switch o.Over {
	case groupsCurve:
		o.Groups = v
	case clientsCurve:
		o.Clients = v
	case keysCurve:
		o.Keys = v
	default:
		return o, fmt.Errorf("curve over %q: want groups, clients or keys", o.Over)
	}
	return o, nil
}

// systems are whom to measure: Quorate, and a peer if there is one.
func (o CurveOptions) systems() ([]System, error) {
	s, err := chooseQuorate(o.System)
	if err != nil || o.Peer == "" {
		return []System{s}, err
	}
	peer, err := o.peer()
	return []System{s, peer}, err
}

// peer finds who is measured too, and the programs that this needs.
func (o CurveOptions) peer() (System, error) {
	chosen, err := choose([]string{o.Peer})
	if err != nil {
		return System{}, err
	}
	if !chosen[0].isRedis() {
		return System{}, fmt.Errorf("peer %s: want one of Redis Cluster's modes", o.Peer)
	}
	if o.Over == groupsCurve {
		return System{}, fmt.Errorf("peer %s: Redis Cluster has no groups to vary", o.Peer)
	}
	for _, program := range []string{"redis-server", "redis-cli"} {
		if _, err := exec.LookPath(program); err != nil {
			return System{}, fmt.Errorf("peer %s: %w (Debian: apt install redis-server redis-tools; --peer '' measures without)", o.Peer, err)
		}
	}
	return chosen[0], nil
}
