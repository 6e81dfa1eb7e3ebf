package shardgroup

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// A call that cannot be logged leaves alone those that wait before and behind it: each of them is done once, in order.
func TestRefusalLeavesTheRestOfTheQueue(t *testing.T) {
	for before := range 4 {
		for behind := range 4 {
			t.Run(fmt.Sprintf("%d before, %d behind", before, behind), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					c := newCluster(t, nil)
					l := c.leader()
					refuseAmong(t, l, before, behind)
					if n := before + behind; n > 0 {
						l.read("GET log").want(t, fmt.Sprintf("$%d %s ", n, "abcdefgh"[:n]))
					}
				})
			})
		}
	}
}

// refuseAmong submits calls that each append a letter, and among them one that cannot be logged.
func refuseAmong(t *testing.T, l *node, before, behind int) {
	t.Helper()
	done := make(chan *Call, before+behind+2)
	put := func(c *Call) {
		c.Done = func(c *Call) { done <- c }
		l.Submit(c)
	}
	// While this one is on its way, the others gather behind it.
	put(calling("SET busy 1"))
	for i := range before {
		put(calling("APPEND log " + string("abcdefgh"[i])))
	}
	bad := calling("SET a 1")
	bad.Ops[0].Args = bad.Ops[0].Args[:1]
	put(bad)
	for i := range behind {
		put(calling("APPEND log " + string("abcdefgh"[before+i])))
	}
	for range before + behind + 2 {
		call := <-done
		if refused := errors.Is(call.Err, ErrRefused); refused != (call == bad) || call.Err != nil && !refused {
			t.Errorf("%v of a call that is refused: %v", call.Err, call == bad)
		}
	}
}

// Deadlines at the end of time are as good as none: nothing is due, so nothing is logged.
func TestFarDeadlinesAreNotDue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		for _, at := range []string{"9223372036854775807", "9223372036854775806", "9214646400000000000", "4611686018427387904", "99999999999999999", "9000000000000000"} {
			l.submit("SET k v", "PEXPIREAT k "+at).want(t, "+OK :1 ")
			time.Sleep(time.Second)
			before := l.Stats().Consensus.Last
			time.Sleep(10 * time.Second)
			if after := l.Stats().Consensus.Last; after != before {
				t.Errorf("deadline %s: %d entries in ten seconds with nothing to do", at, after-before)
			}
			l.read("GET k", "PEXPIRETIME k").want(t, "$1 v :"+at+" ")
		}
	})
}
