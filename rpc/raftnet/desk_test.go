package raftnet

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/rpc/peer"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// deskBed is a transport whose Raft is the test, and a node "l" that sends it requests.
func deskBed(t *testing.T) (leader *memnet.Node, follower *Transport) {
	w := memnet.New()
	leader, link := w.Node("l"), w.Node("me")
	follower = open(t, link, Options{})
	t.Cleanup(func() { link.Close(); leader.Close() })
	return leader, follower
}

// send sends an AppendEntries with one entry and tells the outcome.
func send(t *testing.T, leader *memnet.Node, term, index uint64) <-chan error {
	frame, err := appendAppend(nil, &raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}, Term: term, PrevLogEntry: index - 1, PrevLogTerm: 1,
		Entries: []*raft.Log{{Index: index, Term: term, Data: []byte("x")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	outcome := make(chan error, 1)
	go func() {
		reply, err := leader.Ask(nil, time.Minute, "me", KindAppend, 7, frame, nil)
		if err == nil {
			var a ack
			if a, err = decodeAck(reply); err == nil && (!a.Success || a.LastLog != index) {
				err = errors.New("the answer is another request's")
			}
		}
		outcome <- err
	}()
	return outcome
}

func accept(t *testing.T, rpc raft.RPC) {
	req := rpc.Command.(*raft.AppendEntriesRequest)
	if len(req.Entries) != 1 || string(req.Entries[0].Data) != "x" {
		t.Errorf("raft was given %+v", req)
	}
	rpc.Respond(&raft.AppendEntriesResponse{Term: req.Term, Success: true, LastLog: req.Entries[0].Index}, nil)
}

// While a request is at the desk, or Raft is busy, others go the long way, and each gets the answer to itself.
func TestDeskHoldsOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leader, follower := deskBed(t)
		busy := send(t, leader, 3, 10) // nobody receives yet
		synctest.Wait()
		if follower.desk.taken.Load() {
			t.Error("the desk is taken although Raft was busy")
		}
		accept(t, <-follower.Consumer())
		if err := <-busy; err != nil {
			t.Errorf("sent to a busy Raft: %v", err)
		}

		received := make(chan raft.RPC)
		go func() {
			for range 2 {
				received <- <-follower.Consumer()
			}
		}()
		synctest.Wait()
		first := send(t, leader, 3, 11)
		one := <-received
		if !follower.desk.taken.Load() {
			t.Error("the desk is not taken although Raft was ready: this test proves nothing")
		}
		second := send(t, leader, 3, 12)
		two := <-received
		accept(t, two)
		if err := <-second; err != nil {
			t.Errorf("sent while the desk was taken: %v", err)
		}
		accept(t, one)
		if err := <-first; err != nil {
			t.Errorf("from the desk: %v", err)
		}
	})
}

// What the desk answers passes the guard.
func TestDeskKeepsPromises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leader, follower := deskBed(t)
		received := make(chan raft.RPC)
		go func() { received <- <-follower.Consumer() }()
		synctest.Wait()
		outcome := send(t, leader, 3, 10)
		rpc := <-received
		if !follower.guard.vote("c", 4, 0, time.Now()) {
			t.Fatal("no vote before there was a promise")
		}
		accept(t, rpc)
		var refused *peer.RemoteError
		if err := <-outcome; !errors.As(err, &refused) {
			t.Errorf("an acknowledgement of term 3 after a vote for term 4: %v", err)
		}
		if s := follower.Stats(); s.AcksDropped != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestCloseLeavesTheDesk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leader, follower := deskBed(t)
		received := make(chan raft.RPC)
		go func() { received <- <-follower.Consumer() }()
		synctest.Wait()
		outcome := send(t, leader, 3, 10)
		rpc := <-received
		follower.Close()
		accept(t, rpc) // Raft's last act must not block
		if err := <-outcome; !errors.Is(err, peer.ErrNoAnswer) {
			t.Errorf("of a request that was at the desk: %v", err)
		}
	})
}
