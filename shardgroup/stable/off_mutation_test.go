//go:build mutation

package stable

import (
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
)

// TestHalfAVote is TestTornVote on this package's store, with the guard and without it.
func TestHalfAVote(t *testing.T) {
	for _, off := range []bool{false, true} {
		offAtomicVote = off
		path := filepath.Join(t.TempDir(), "stable")
		s := openAt(t, path)
		v := voter{t, raft.NewInmemStore()}
		bootstrap(t, v.logs, s.ForGroup(7))
		if !v.ask(s.ForGroup(7), "X", 4, 1, 1) {
			t.Fatal("X did not get its vote of term 4")
		}
		must(t, v.logs.StoreLog(&raft.Log{Index: 2, Term: 4, Type: raft.LogCommand, Data: []byte("committed")}))
		if v.ask(&powerCut{StableStore: s.ForGroup(7)}, "Y", 5, 2, 4) {
			t.Fatal("Y got a vote that was never stored")
		}
		must(t, s.Close())
		s = openAt(t, path)
		if granted := v.ask(s.ForGroup(7), "X", 5, 1, 1); granted != off {
			t.Errorf("guard off: %v; vote for stale X granted: %v", off, granted)
		}
		must(t, s.Close())
	}
	offAtomicVote = false
}

// TestAForgottenVote is TestVoteIsKept with the guard and without it.
func TestAForgottenVote(t *testing.T) {
	for _, off := range []bool{false, true} {
		offDurableVote = off
		path := filepath.Join(t.TempDir(), "stable")
		s := openAt(t, path)
		v := voter{t, raft.NewInmemStore()}
		bootstrap(t, v.logs, s.ForGroup(7))
		if !v.ask(s.ForGroup(7), "X", 4, 1, 1) {
			t.Fatal("X did not get its vote")
		}
		must(t, s.Close())
		s = openAt(t, path)
		if twice := v.ask(s.ForGroup(7), "Y", 4, 9, 3); twice != off {
			t.Errorf("guard off: %v; Y got a second vote of the term: %v", off, twice)
		}
		must(t, s.Close())
	}
	offDurableVote = false
}
