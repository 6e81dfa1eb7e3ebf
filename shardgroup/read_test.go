package shardgroup

import (
	"testing"
	"time"
)

// TestReadsAreAnsweredTogether: each call gets its own replies, a follower's does not join, and what joined is not answered
// by a leader whose lease has run out.
func TestReadsAreAnsweredTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCluster(t, nil)
		l := c.leader()
		l.submit("SET a 1", "SET b 2").want(t, "+OK +OK ")
		time.Sleep(time.Second)
		var rs Reads
		first, second, third := calling("GET a", "GET none"), calling("GET b"), calling("GET a")
		if !l.Join(&rs, first) || !l.Join(&rs, second) || c.others(l)[0].Join(&rs, third) {
			t.Fatal("the leader's gate is closed, or a follower's open")
		}
		rs.Answer()
		first.want(t, "$1 1 $-1 ")
		second.want(t, "$1 2 ")
		third.want(t, "")
		if !first.Answered || !second.Answered || third.Answered {
			t.Errorf("answered: %v, %v, %v", first.Answered, second.Answered, third.Answered)
		}

		late := calling("GET a")
		if !l.Join(&rs, late) {
			t.Fatal("the leader's gate is closed")
		}
		l.isolate()
		time.Sleep(10 * time.Second)
		rs.Answer()
		if late.want(t, ""); late.Answered || len(late.Ends) > 0 {
			t.Errorf("a leader without a lease answered %q", late.Out.Buf)
		}
	})
}
