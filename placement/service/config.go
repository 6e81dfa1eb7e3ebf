package service

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

func (t Timing) withDefaults() Timing {
	set := func(d *time.Duration, fallback time.Duration) {
		if *d <= 0 {
			*d = fallback
		}
	}
	set(&t.Retry, 100*time.Millisecond)
	set(&t.Call, 2*time.Second)
	set(&t.LongPoll, 5*time.Second)
	set(&t.Poll, 500*time.Millisecond)
	set(&t.Settle, 5*time.Second)
	return t
}

// fresh is for how long a greeting counts: a few rounds, one of which may have waited for a dead address.
func (t Timing) fresh() time.Duration { return 2*t.Call + 10*t.Retry }

func (c *Config) check() error {
	if c.Peers == nil || c.NotSent == nil || c.Open == nil || c.Status == nil || c.Transfer == nil || c.Reconfigure == nil || c.Log == nil || c.Fatal == nil {
		return errors.New("config: Peers, NotSent, Open, Status, Transfer, Reconfigure, Log and Fatal must all be set")
	}
	if err := c.Self.Check(); err != nil {
		return err
	}
	if c.Self.Client == "" || c.Self.Peer == "" {
		return errors.New("config: this node's client and peer address must be given")
	}
	if c.Expect < 0 {
		return fmt.Errorf("bootstrap-expect %d: want the number of nodes to found a cluster with, or 0", c.Expect)
	}
	if c.Expect == 1 && slices.ContainsFunc(c.Join, func(a string) bool { return a != c.Self.Peer }) {
		return errors.New("bootstrap-expect 1 founds a cluster of this node alone; drop --join, or --bootstrap-expect to join a cluster")
	}
	return c.Shape.Check()
}
