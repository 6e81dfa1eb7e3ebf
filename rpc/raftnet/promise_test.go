package raftnet

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

func TestNoVoteLeavesInsidePromise(t *testing.T) {
	for seed := range uint64(2000) {
		if err := checkPromises(seed, Off{}); err != nil {
			t.Fatal(err)
		}
	}
	if checkPromises(1, Off{Promise: true}) == nil || checkPromises(2, Off{Promise: true}) == nil {
		t.Error("the check finds nothing without the guard either")
	}
}

// checkPromises sends a guard random requests at random times and checks what left against the lemma of DESIGN.md:
// an acknowledgement of (L, T) at p and a vote or candidacy of a term above T, not for L and without consent
// to T, are never p ≤ vote < p + D apart, and never vote before acknowledgement.
func checkPromises(seed uint64, off Off) error {
	rnd := rand.New(rand.NewPCG(seed, 1))
	g := &guard{lease: DefaultLease, off: off}
	type left struct {
		ack     bool
		who     raft.ServerID
		term    uint64
		consent uint64
		at      time.Time
	}
	var out []left
	leaderOf := func(term uint64) raft.ServerID { return raft.ServerID(fmt.Sprint("n", term%3)) } // one per term
	now := time.Now()
	for range 40 {
		now = now.Add(time.Duration(rnd.Int64N(int64(150 * time.Millisecond))))
		term := 1 + rnd.Uint64N(6)
		who := leaderOf(term)
		switch rnd.IntN(4) {
		case 0:
			if g.acknowledge(who, term, now) {
				out = append(out, left{true, who, term, 0, now})
			}
		case 1:
			if g.stillBusy(who, term, now) {
				out = append(out, left{true, who, term, 0, now})
			}
		case 2:
			consent := rnd.Uint64N(term)
			if g.vote(who, term, consent, now) {
				out = append(out, left{false, who, term, consent, now})
			}
		case 3:
			if g.takeOver(who, term) {
				if consent, ok := g.campaign("me", term+1, true, now); ok {
					out = append(out, left{false, "me", term + 1, consent, now})
				}
			}
		}
	}
	for i, a := range out {
		for j, v := range out {
			if !a.ack || v.ack || v.term <= a.term || v.who == a.who || v.consent >= a.term {
				continue
			}
			if j < i || v.at.Before(a.at.Add(DefaultLease)) {
				return fmt.Errorf("seed %d: acknowledgement %+v and vote %+v", seed, a, v)
			}
		}
	}
	return nil
}
