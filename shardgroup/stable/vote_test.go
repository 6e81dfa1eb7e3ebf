package stable

import (
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// noState is a machine that nothing is applied to.
type noState struct{}

func (noState) Apply(*raft.Log) any                 { return nil }
func (noState) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.New("no snapshots here") }
func (noState) Restore(r io.ReadCloser) error       { return r.Close() }

// powerCut lets no write through from the first to LastVoteCand on, as if the power went between the two writes of a
// vote.
type powerCut struct {
	raft.StableStore
	cut bool
}

var errPower = errors.New("the power is gone")

func (p *powerCut) Set(key, v []byte) error {
	if p.cut = p.cut || string(key) == keyCandidate; p.cut {
		return errPower
	}
	return p.StableStore.Set(key, v)
}

func (p *powerCut) SetUint64(key []byte, v uint64) error {
	if p.cut {
		return errPower
	}
	return p.StableStore.SetUint64(key, v)
}

// voter is a follower "F" of three, whose life is a sequence of runs over the same log and stable store.
type voter struct {
	t    *testing.T
	logs *raft.InmemStore
}

// ask starts F over the stable store, asks for its vote, and stops it.
func (v voter) ask(stable raft.StableStore, candidate string, term, lastIndex, lastTerm uint64) bool {
	v.t.Helper()
	_, f := raft.NewInmemTransport("F")
	_, c := raft.NewInmemTransport(raft.ServerAddress(candidate))
	c.Connect("F", f)
	defer c.Close()
	defer f.Close()
	r, err := raft.NewRaft(voterConfig(), noState{}, v.logs, stable, raft.NewInmemSnapshotStore(), f)
	if err != nil {
		v.t.Fatal(err)
	}
	request := raft.RequestVoteRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(candidate), Addr: []byte(candidate)},
		Term:      term, LastLogIndex: lastIndex, LastLogTerm: lastTerm,
	}
	var response raft.RequestVoteResponse
	if err := c.RequestVote("F", "F", &request, &response); err != nil {
		v.t.Fatal(err)
	}
	if err := r.Shutdown().Error(); err != nil {
		v.t.Fatal(err)
	}
	return response.Granted
}

func voterConfig() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID, c.Logger = "F", hclog.NewNullLogger()
	c.HeartbeatTimeout, c.ElectionTimeout = time.Hour, time.Hour // F itself never campaigns
	return c
}

// TestTornVote cuts the power between raft's two writes of a vote (hashicorp/raft#661, F5 in consensus/DESIGN.md) and then lets
// last term's candidate, which lacks a committed entry, ask in the new term. Over a plain store the vote is granted:
// that candidate can win and the entry is lost. The case is here to prove that this test sees the fault.
func TestTornVote(t *testing.T) {
	plain := func(path string) (raft.StableStore, io.Closer) {
		s, err := raftboltdb.NewBoltStore(path)
		if err != nil {
			t.Fatal(err)
		}
		return s, s
	}
	ours := func(path string) (raft.StableStore, io.Closer) {
		s := openAt(t, path)
		return s.ForGroup(7), s
	}
	for name, c := range map[string]struct {
		open    func(path string) (raft.StableStore, io.Closer)
		granted bool
	}{
		"two records grant the stale candidate": {plain, true},
		"one record refuses it":                 {ours, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stable")
			stable, file := c.open(path)
			v := voter{t, raft.NewInmemStore()}
			bootstrap(t, v.logs, stable)
			if !v.ask(stable, "X", 4, 1, 1) {
				t.Fatal("X did not get its vote of term 4")
			}
			must(t, v.logs.StoreLog(&raft.Log{Index: 2, Term: 4, Type: raft.LogCommand, Data: []byte("committed")}))
			if v.ask(&powerCut{StableStore: stable}, "Y", 5, 2, 4) {
				t.Fatal("Y got a vote that was never stored")
			}
			must(t, file.Close())

			stable, file = c.open(path)
			defer file.Close()
			if granted := v.ask(stable, "X", 5, 1, 1); granted != c.granted {
				t.Errorf("vote for stale X granted: %v, want %v", granted, c.granted)
			}
		})
	}
}

func bootstrap(t *testing.T, logs raft.LogStore, stable raft.StableStore) {
	t.Helper()
	_, trans := raft.NewInmemTransport("F")
	defer trans.Close()
	members := raft.Configuration{Servers: []raft.Server{{ID: "F", Address: "F"}, {ID: "X", Address: "X"}, {ID: "Y", Address: "Y"}}}
	must(t, raft.BootstrapCluster(voterConfig(), logs, stable, raft.NewInmemSnapshotStore(), trans, members))
}

// TestVoteIsKept: with both writes through, the vote outlives the process and is given once a term.
func TestVoteIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stable")
	s := openAt(t, path)
	v := voter{t, raft.NewInmemStore()}
	bootstrap(t, v.logs, s.ForGroup(7))
	if !v.ask(s.ForGroup(7), "X", 4, 1, 1) {
		t.Fatal("X did not get its vote")
	}
	must(t, s.Close())
	s = openAt(t, path)
	if v.ask(s.ForGroup(7), "Y", 4, 9, 3) {
		t.Error("Y got a second vote of term 4")
	}
	if !v.ask(s.ForGroup(7), "X", 4, 1, 1) {
		t.Error("X asked again and was refused its own vote")
	}
	s.RemoveGroup(7)
	if v.ask(s.ForGroup(7), "Y", 4, 9, 3) {
		t.Error("Y got a second vote of term 4 after the group was removed and came back")
	}
}
